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
} from './catalog.ts';
export {
  asSeedstormError,
  type ErrorParts,
  exitCodeOf,
  isSeedstormError,
  type Place,
  type PlainError,
  SeedstormError,
} from './error.ts';
export { render } from './render.ts';
