/** What this host lets a process do that drives storage hard. */
import type { JsReadiness } from '../binding.js';
import { binding } from './binding.js';
import { nativeAsync } from './errors.js';

/** Limits of this process, the kernel's ways of asynchronous I/O, and what direct I/O must be aligned to. */
export type Readiness = JsReadiness;

/** Looks at this process and its host, and at the folder or device `path`, on a thread of its own. Changes nothing. */
export function lookAtHost(path?: string): Promise<Readiness> {
  return nativeAsync(() => binding.lookAtHost(path));
}
