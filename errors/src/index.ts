/** Seedstorm's error codes, the error class that carries them, and how an error is shown. */
export {
  type CatalogEntry,
  catalog,
  catalogEntry,
  codeFromName,
  type ErrorArea,
  type ErrorCode,
  ExitCode,
  isErrorCode,
} from './catalog.js';
export {
  asSeedstormError,
  type ErrorParts,
  exitCodeOf,
  isSeedstormError,
  type Place,
  type PlainError,
  SeedstormError,
  SeedstormRangeError,
} from './error.js';
export { printable, render } from './render.js';
