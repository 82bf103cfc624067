/** What this host lets a process do that drives storage hard. */
import type { JsReadiness } from '../binding.js';
import { binding } from './binding.js';
import { nativeAsync } from './errors.js';

/** Limits of this process, and the kernel's ways of asynchronous I/O. */
export type Readiness = JsReadiness;

/** Looks at this process and its host, on a thread of its own. Changes nothing. */
export function lookAtHost(): Promise<Readiness> {
  return nativeAsync(() => binding.lookAtHost());
}
