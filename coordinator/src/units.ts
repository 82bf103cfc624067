/**
 * Numbers with units, as people write and read them, and the words of the content flags. Apart from the rest of the
 * package, so that a command that needs nothing else of it loads nothing else: 500 agents start from one file system.
 */
export { codecs, recordSizes } from './plan/choices.js';
export { formatBytes, formatCount, formatPerSecond, formatRate } from './plan/format.js';
export {
  formatDuration,
  formatRatio,
  formatSize,
  parseDuration,
  parseInteger,
  parsePowerOfTwo,
  parseRatio,
  parseSeed,
  parseSize,
} from './plan/units.js';
