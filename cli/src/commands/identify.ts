/** `seedstorm identify`: what a file's bytes are, without a plan. */
import { open } from 'node:fs/promises';
import { parseSeed } from '@seedstorm/coordinator/units';
import { SeedstormError } from '@seedstorm/errors';
import { type ContentParameters, identifyContent } from '@seedstorm/native';
import type { Command } from 'commander';
import { argument } from '../arguments.js';
import { toJson } from '../json.js';
import { IdentifiedFile } from '../view/identified.js';
import { addContentFlags, type ContentFlags, contentParameters } from './content.js';

interface Options extends ContentFlags {
  readonly also: bigint[];
  readonly json?: boolean;
}

/** Bytes that are looked at together. */
const pieceBytes = 32 * 1024 ** 2;
/** Most seeds that are tried: each costs as much time on bytes that are not its own. */
const maxSeeds = 16;
const secondsBetweenLines = 2;

/** Adds the command. */
export function addIdentifyCommand(program: Command): void {
  const command = program
    .command('identify <file>')
    .summary("what a file's bytes are, without a plan")
    .description(
      'Says of a file or device which units of a seed’s content its bytes are, in runs, and which are misplaced, zeros or foreign. The content flags are those that the bytes were made with.',
    );
  addContentFlags(command)
    .option(
      '--also <seed>',
      'another seed to look for, of an earlier run; may be repeated',
      (text, seeds: bigint[]) => [...seeds, argument(parseSeed)(text)],
      [],
    )
    .option('--json', 'the runs as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  $ seedstorm identify /mnt/scratch/run/f00000003 --seed 42 --namespace 7f3a --unit 1MiB',
    )
    .action(identify);
}

async function identify(path: string, options: Options): Promise<void> {
  const seeds = [options.seed, ...options.also];
  if (seeds.length > maxSeeds) {
    throw new SeedstormError({
      code: 'SEEDSTORM_E_INVALID_ARGUMENT',
      what: `${seeds.length} seeds were given`,
      mend: `give at most ${maxSeeds} at a time`,
    });
  }
  const contents = seeds.map((seed) => contentParameters({ ...options, seed }));
  const file = new IdentifiedFile(options.unit);
  const bytes = await eachPiece(path, async (piece, offset) => {
    await identifyPiece(file, contents, piece, offset);
  });
  const { begins, runs, totals, unlisted } = file;
  if (options.json === true) {
    const listed = runs.map((run) => {
      const { shifts: _, ...told } = run;
      return { ...told, verdict: file.verdict(run), ...file.place(run) };
    });
    process.stdout.write(`${toJson({ file: path, bytes, begins, runs: listed, unlisted, totals })}\n`);
    return;
  }
  process.stdout.write(`${path}: ${bytes} bytes; ${whereIs(begins)}\n${file.lines().join('\n')}\n`);
}

function whereIs(begins: bigint | undefined): string {
  if (begins === undefined) return 'nothing in it is of the seeds given';
  if (begins < 0n) return `the data's first byte belongs at its byte ${-begins}`;
  return `its first byte belongs at byte ${begins} of the data`;
}

/** Reads a file piece by piece; gives its length. */
async function eachPiece(path: string, look: (piece: Buffer, offset: bigint) => Promise<void>): Promise<bigint> {
  const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw new SeedstormError({
      code: 'SEEDSTORM_E_IO',
      what: `${path} cannot be read: ${error.message}`,
      mend: 'check the path and its rights',
    });
  });
  try {
    const room = Buffer.allocUnsafe(pieceBytes);
    let [at, said] = [0n, performance.now()];
    for (;;) {
      let filled = 0;
      while (filled < room.length) {
        const { bytesRead } = await handle.read(room, filled, room.length - filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      if (filled > 0) await look(room.subarray(0, filled), at);
      at += BigInt(filled);
      if (filled < room.length) return at;
      if (performance.now() - said > secondsBetweenLines * 1000) {
        process.stderr.write(`${at} bytes looked at …\n`);
        said = performance.now();
      }
    }
  } finally {
    await handle.close();
  }
}

/** Looks for the first content; where it is not found, for the next one. */
async function identifyPiece(
  file: IdentifiedFile,
  [content, ...others]: readonly ContentParameters[],
  piece: Buffer,
  offset: bigint,
): Promise<void> {
  if (content === undefined) {
    file.add({ offset, length: BigInt(piece.length), kind: 'foreign' });
    return;
  }
  for (const run of await identifyContent(content, piece)) {
    const at = offset + BigInt(run.start);
    const length = BigInt(run.length);
    if (run.units !== undefined && run.generation !== undefined) {
      const inUnit = BigInt(run.offsetInUnit ?? 0);
      const shifts = run.units.map((unit) => unit * BigInt(content.unitBytes) + inUnit - at);
      file.add({ offset: at, length, kind: 'content', seed: content.seed, generation: run.generation, shifts });
    } else if (run.kind === 'zeros') {
      file.add({ offset: at, length, kind: 'zeros' });
    } else {
      await identifyPiece(file, others, piece.subarray(run.start, run.start + run.length), at);
    }
  }
}
