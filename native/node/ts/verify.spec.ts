import { afterAll, describe, expect, test } from 'vitest';
import { DataGenerator } from './generator.js';
import { shutdown } from './shared-engine.js';

afterAll(shutdown);

const unitBytes = 65_536;
const generator = new DataGenerator({ size: 2n ** 40n, seed: 42n, compress: 2, unitBytes });
const from = 10n * BigInt(unitBytes) + 4096n;

function bytesAt(offset: bigint, length: number): Buffer {
  generator.seek(offset);
  const bytes = Buffer.alloc(length);
  generator.fillChunkSync(bytes);
  return bytes;
}

describe('verifying a buffer', () => {
  test('right bytes have no fault, at any offset and of any length', async () => {
    for (const [offset, length] of [
      [0n, 0],
      [from, 3_000_000],
      [from + 13n, 100_001],
    ] as const) {
      expect(await generator.verify(bytesAt(offset, length), offset)).toEqual({ faults: [], cutShort: false });
    }
  });

  test('what is wrong is named', async () => {
    const bytes = bytesAt(from, 200_000);
    bytes.fill(0, 8192, 12_288);
    bytesAt(0n, 4096).copy(bytes, 40_960);
    bytes.write('foreign'.repeat(600), 81_920);
    bytes[100_000] = (bytes[100_000] ?? 0) ^ 1;
    const { faults } = await generator.verify(bytes, from);
    expect(faults.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['zeroed', 'misdirected', 'foreign', 'bit flip']),
    );
    expect(faults[0]).toMatchObject({ kind: 'zeroed', offset: from + 8192n, length: 4096 });
    expect(faults.find(({ kind }) => kind === 'misdirected')).toMatchObject({ units: [0n], offsetInUnit: 0 });
  });

  test('an offset outside the stream is a RangeError', async () => {
    for (const offset of [-1, 0.5, 2n ** 63n, 2n ** 64n]) {
      await expect(generator.verify(Buffer.alloc(10), offset)).rejects.toBeInstanceOf(RangeError);
    }
  });
});

describe('identifying a buffer', () => {
  test('bytes from anywhere are named by unit, offset and generation, and others are not', async () => {
    const bytes = Buffer.concat([bytesAt(from + 512n, 12_288), Buffer.alloc(4096), Buffer.from('x'.repeat(512))]);
    const runs = await generator.identify(bytes);
    expect(runs[0]).toMatchObject({ kind: 'content', start: 0, units: [10n], offsetInUnit: 4608, generation: 0 });
    expect(runs.at(-2)).toMatchObject({ kind: 'zeros', length: 4096 });
    expect(runs.at(-1)).toMatchObject({ kind: 'unknown', length: 512 });
    expect(runs.reduce((sum, { length }) => sum + length, 0)).toBe(bytes.length);
  });

  test('another seed’s bytes are unknown', async () => {
    const other = new DataGenerator({ size: 8192, seed: 43n, compress: 2, unitBytes });
    expect(await generator.identify(await other.getChunk())).toMatchObject([{ kind: 'unknown', length: 8192 }]);
  });

  test('more than is bounded is a RangeError', async () => {
    await expect(generator.identify(Buffer.alloc(64 * 1024 ** 2 + 1))).rejects.toBeInstanceOf(RangeError);
  });
});
