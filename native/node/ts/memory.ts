/** Where memory comes from: of which NUMA node, and in pages of which size. */
import type { JsMemoryOptions } from '../binding.js';

/** What is asked of memory. */
export interface MemoryOptions {
  /**
   * How firmly pages belong on their NUMA node: `preferred` (the default) takes another node's when it is full,
   * `strict` makes that an error.
   */
  readonly binding?: 'preferred' | 'strict';
  /**
   * How large pages are: `explicit` ones that were set aside, 2 MiB each (none left is an error), `transparent` ones for
   * buffers of 2 MiB and more, `none`, or `auto` (the default): explicit ones for such buffers where there are enough,
   * else transparent ones.
   */
  readonly hugePages?: 'auto' | 'explicit' | 'transparent' | 'none';
}

/** The same for the addon. */
export function nativeMemory({ binding = 'preferred', hugePages = 'auto' }: MemoryOptions): JsMemoryOptions {
  return { binding, hugePages };
}
