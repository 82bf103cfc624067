/** Content in one call, for those who need no stream. */
import { newBuffer } from './destination.js';
import { DataGenerator, type DataGeneratorOptions } from './generator.js';

/**
 * A new buffer with the first `size` bytes of the content.
 * @throws SeedstormRangeError when an option is out of its range; SeedstormError as `DataGenerator.fillChunk`.
 */
export async function generateBuffer(options: DataGeneratorOptions): Promise<Buffer> {
  const generator = new DataGenerator(options);
  const buffer = newBuffer(Number(generator.totalSize));
  await generator.fillChunk(buffer);
  return buffer;
}

/**
 * Fills `buffer` with the first bytes of the content, straight into it; until the promise settles it must not be read,
 * written or transferred.
 * @throws SeedstormRangeError when an option is out of its range; SeedstormError as `DataGenerator.fillChunk`.
 */
export async function generateInto(
  buffer: Uint8Array,
  options: Omit<DataGeneratorOptions, 'size'> = {},
): Promise<void> {
  await new DataGenerator({ ...options, size: buffer.byteLength }).fillChunk(buffer);
}
