/** Chunks as a stream of Node, with backpressure. */
import { Readable } from 'node:stream';

/** How chunks are given out. */
export interface ChunkOptions {
  /** Bytes at a time; default the generator's. */
  readonly chunkSize?: number;
  /** Ends it with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** A stream of what `next` gives until it gives nothing. One chunk of `chunkBytes` is made ahead of the reader. */
export function readableOf(next: () => Promise<Buffer>, chunkBytes: number, signal: AbortSignal | undefined): Readable {
  return new Readable({
    highWaterMark: chunkBytes,
    ...(signal === undefined ? {} : { signal }),
    read(): void {
      next().then(
        (chunk) => {
          // Destroyed while lanes filled the chunk: it is nobody's, and goes.
          if (!this.destroyed) this.push(chunk.byteLength === 0 ? null : chunk);
        },
        (error) => this.destroy(error),
      );
    },
  });
}
