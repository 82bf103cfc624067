import { readdirSync, readFileSync } from 'node:fs';
import { isSeedstormError } from '@seedstorm/errors';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { maxPlanBytes, parseAnyPlan, parsePlan } from './parse.js';

const good = `data:
  size: 4GiB
target:
  kind: file
  path: /mnt/scratch
stages:
  - write: {}
`;

const s3 = `data: { size: 4GiB }
stages: [{ write: {} }]
target:
  kind: s3
  bucket: qualify
  endpoint: http://127.0.0.1:9000
`;

/** Every problem of a plan as `line:column code what; mend`. */
function problems(text: string): string[] {
  try {
    parsePlan(text, 'plan.yaml');
  } catch (error) {
    if (!isSeedstormError(error)) throw error;
    return [error, ...error.details].map(({ code, what, mend, where }) => {
      const name = code.replace('SEEDSTORM_E_PLAN_', '');
      return `${where?.line}:${where?.column} ${name} ${what}; ${mend}`;
    });
  }
  return [];
}

describe('a plan that is right', () => {
  const examples = new URL('../../../examples/', import.meta.url);
  test.each(readdirSync(examples))('examples/%s, of the first plans that a user tries, is taken', (name) => {
    const file = new URL(name, examples);
    expect(parseAnyPlan(readFileSync(file, 'utf8'), name).stages.length).toBeGreaterThan(0);
  });

  test('means what it says, key by key', () => {
    const text = `
name: 2024.all-keys
seed: 18446744073709551615
namespace: host-7
data:
  size: 10TB
  unit: 64KiB
  dedup: { ratio: 2.300, window: 4096 }
  compress: { ratio: 2.3, codec: at-least, record: 16384 }
target:
  kind: file
  path: 'out/put'
  files: { count: 1 }
  align: 16MiB
  io: { block: 128KiB, direct: true, sync: end }
load: { lanesPerAgent: 16 }
agents: { minimum: 3 }
control: { lease: 2500ms, settleTimeout: 1m }
assign: static
stages:
  - write: {}
  - verify: { delay: 1.5s }
  - write: {}
  - read: {}
  - delete: {}
  - generate: {}
`;
    expect(parsePlan(text, 'plan.yaml')).toEqual({
      name: '2024.all-keys',
      seed: 18446744073709551615n,
      namespace: 'host-7',
      data: {
        size: 10n ** 13n,
        unit: 65536,
        dedup: { ratio: 2300, window: 12 },
        compress: { ratio: 2300, codec: 'at-least', record: 16384 },
      },
      target: {
        kind: 'file',
        path: 'out/put',
        files: { count: 1 },
        align: 16 * 1024 ** 2,
        io: { block: 131072, direct: true, sync: 'end' },
      },
      load: { lanesPerAgent: 16 },
      agents: { minimum: 3 },
      control: { lease: 2500, settleTimeout: 60_000 },
      assign: 'static',
      stages: [
        { kind: 'write', delay: undefined },
        { kind: 'verify', delay: 1500 },
        { kind: 'write', delay: undefined },
        { kind: 'read', delay: undefined },
        { kind: 'delete', delay: undefined },
        { kind: 'generate', delay: undefined },
      ],
    });
  });

  test.each(['null', '"null"'])('kind: %s is the null target, with or without quotation marks', (kind) => {
    const plan = parsePlan(`data: { size: 1GiB }\ntarget: { kind: ${kind} }\nstages: [{ generate: {} }]`, 'plan.yaml');
    expect(plan.target).toEqual({ kind: 'null' });
  });

  test('may use an anchor for what it says twice', () => {
    const text = good.replace('4GiB', '&amount 4GiB').replace('/mnt/scratch', '/mnt\n  files: { size: *amount }');
    expect(parsePlan(text, 'plan.yaml').target).toMatchObject({ files: { size: 4 * 1024 ** 3 } });
  });

  test('may be flow style, CRLF, or begin with a byte order mark', () => {
    expect(problems(good.replaceAll('\n', '\r\n'))).toEqual([]);
    expect(problems(`\u{feff}${good}`)).toEqual([]);
    expect(problems('{data: {size: 1GiB}, target: {kind: memory}, stages: [{write: {}}, {verify: {}}]}')).toEqual([]);
  });
});

/** The good plan on a device, with one more key in its target. */
function onDevice(key: string): string {
  return good.replace('file', 'block').replace(/path: .*/u, `device: /dev/sdb\n  ${key}`);
}

describe('a mistake in a plan is told with its line, its column and its mend', () => {
  const cases: [name: string, text: string, ...problems: string[]][] = [
    ['a wrong key', good.replace('size', 'sise'), '2:3 UNKNOWN_KEY unknown key "sise" in data; did you mean "size"?'],
    [
      'a key of the plan itself',
      good.replace('stages', 'stage'),
      '6:1 UNKNOWN_KEY unknown key "stage" in the plan; did you mean "stages"?',
    ],
    [
      'a key that belongs elsewhere',
      good.replace('path:', 'block: 1MiB\n  path:'),
      '5:3 UNKNOWN_KEY unknown key "block" in target; did you mean target.io.block?',
    ],
    [
      'a key like no other',
      `${good}agents: { wheels: 4 }`,
      '8:11 UNKNOWN_KEY unknown key "wheels" in agents; the only key here is minimum',
    ],
    [
      'more in flight than a lane may hold',
      `${good.replace('  path:', '  io: { block: 64MiB }\n  path:')}load: { queueDepth: 17 }`,
      '9:21 INVALID load.queueDepth: 17 blocks of 64MiB are more than 1 GiB for each lane; write at most 16, or choose a smaller target.io.block',
    ],
    [
      'a key that would reach into the prototype',
      `${good}__proto__: { polluted: true }`,
      '8:1 UNKNOWN_KEY unknown key "__proto__" in the plan; the keys here are name, seed, namespace, data, target, headroom, load, agents, control, errors, assign, repeat, sweep and stages',
    ],
    ['a wrong stage', good.replace('write', 'wirte'), '7:5 UNKNOWN_KEY unknown stage "wirte"; did you mean "write"?'],
    [
      'a stage of a later version',
      good.replace('write', 'scrub'),
      '7:5 UNKNOWN_KEY unknown stage "scrub"; the stages are write, read, verify, mixed, generate, network, stat, list, mkdir, create, rename and delete',
    ],
    [
      'a wrong unit of size',
      good.replace('4GiB', '4 gigs'),
      '2:9 INVALID data.size: “4 gigs” is not a size; write a number and a unit such as 4GiB or 10TB',
    ],
    [
      'a wrong unit of time',
      `${good}control: { lease: 10 sec }`,
      '8:19 INVALID control.lease: “10 sec” is not a duration; write a number and a unit such as 500ms, 10s, 5m or 2h',
    ],
    [
      'a duration out of range',
      `${good}control: { lease: 100ms }`,
      '8:19 INVALID control.lease: “100ms” is out of range; write a duration from 2s to 1h',
    ],
    [
      'a missing target',
      good.replace(/target:[\s\S]*?(?=stages)/u, ''),
      '1:1 INVALID target is missing; add it, such as target: { kind: file, path: /mnt/scratch }',
    ],
    [
      'a missing path',
      good.replace('  path: /mnt/scratch\n', ''),
      '3:1 INVALID target.path is missing; add it, such as path: /lustre/qualify',
    ],
    [
      'a missing kind',
      good.replace('  kind: file\n', ''),
      '3:1 INVALID target.kind is missing; add it, such as kind: file (or null, memory, block or s3)',
    ],
    [
      'a wrong kind',
      good.replace('kind: file', 'kind: files'),
      '4:9 INVALID target.kind: “files” is not one of null, memory, file, block and s3; did you mean file?',
    ],
    [
      'a key without a value',
      good.replace('4GiB', ''),
      '2:3 INVALID data.size has no value; give it one, such as size: 10TiB',
    ],
    [
      'a list for a size',
      good.replace('4GiB', '[4GiB]'),
      '2:9 INVALID data.size: a list is not a size; write a number and a unit such as 4GiB or 10TB',
    ],
    [
      'a text for a mapping',
      good.replace('\n  size: 4GiB', ' 4GiB'),
      '1:7 INVALID data is “4GiB”, not a mapping of keys to values; write data: { size: 4GiB }',
    ],
    [
      'a dedup ratio below 1',
      good.replace('4GiB', '4GiB\n  dedup: { ratio: 0.9 }'),
      '3:19 INVALID data.dedup.ratio: “0.9” is less than 1; write 1 for none, or a ratio above it such as 1.5',
    ],
    [
      'a ratio with four decimals',
      good.replace('4GiB', '4GiB\n  compress: { ratio: 2.3456 }'),
      '3:22 INVALID data.compress.ratio: “2.3456” has more than three decimals; write a number with at most three decimals, such as 1.5',
    ],
    [
      'a window that is no power of two',
      good.replace('4GiB', '4GiB\n  dedup: { ratio: 1.5, window: 1000 }'),
      '3:32 INVALID data.dedup.window: “1000” is not a power of two; write 512 or 1024',
    ],
    [
      'a ratio that its window cannot carry',
      good.replace('4GiB', '4GiB\n  dedup: { ratio: 4.001, window: 4 }'),
      '3:19 INVALID data.dedup.ratio: a window of 4 units cannot carry a ratio of 4.001; raise the window to at least the ratio, or lower the ratio',
    ],
    [
      'a unit that is no whole number of cells',
      good.replace('4GiB', '4GiB\n  unit: 5000'),
      '3:9 INVALID data.unit: “5000” is not a multiple of 4KiB; write 4KiB or 8KiB',
    ],
    [
      'a record that no codec has here',
      good.replace('4GiB', '4GiB\n  compress: { ratio: 2, record: 8KiB }'),
      '3:33 INVALID data.compress.record: “8KiB” is not one of 4KiB, 16KiB and 128KiB; write 4KiB, 16KiB or 128KiB',
    ],
    [
      'a key given twice',
      `${good}seed: 1\nseed: 2\n`,
      '9:1 SYNTAX “seed” is given twice, first on line 8; remove one of the two',
    ],
    [
      'a tab',
      good.replace('  size', '\tsize'),
      '2:1 SYNTAX not valid YAML: a tab where only spaces may indent; indent with spaces',
    ],
    ['an empty file', '', '1:1 INVALID the plan is empty; write at least data, target and stages'],
    ['a file of comments', '# nothing yet\n', '1:1 INVALID the plan is empty; write at least data, target and stages'],
    [
      'a list for a plan',
      '- write: {}\n',
      '1:1 INVALID the plan is a list, not a mapping of keys to values; write keys with values, such as data: and target:',
    ],
    [
      'a seed of 65 bits',
      `${good}seed: 18446744073709551616\n`,
      '8:7 INVALID seed: “18446744073709551616” does not fit in 64 bits; write a whole number of at most 18446744073709551615',
    ],
    [
      'a name that would not do as a file name',
      `${good}name: My Run\n`,
      '8:7 INVALID name: “My Run” is not a name; use at most 64 of a–z, 0–9, -, _ and .',
    ],
    [
      'a namespace of 256 bytes',
      `${good}namespace: ${'é'.repeat(128)}\n`,
      `8:12 INVALID namespace: “${'é'.repeat(60)}…” is longer than 255 bytes of UTF-8; write at most 255 bytes of UTF-8`,
    ],
    [
      'no stages',
      good.replace('\n  - write: {}', ' []'),
      '6:1 INVALID stages is empty; write stages: [{ write: {} }, { verify: {} }, { delete: {} }]',
    ],
    [
      'a stage that is a bare word',
      good.replace('write: {}', 'write'),
      '7:5 INVALID stages[0] is “write”, not a mapping of keys to values; write a stage such as - write: {}',
    ],
    [
      'two stages in one item',
      good.replace('write: {}', '{ write: {}, read: {} }'),
      '7:5 INVALID stages[0] names 2 stages; write one stage in each item of the list, such as - write: {}',
    ],
    [
      'verify before write',
      good.replace('write', 'verify'),
      '7:5 INVALID stages[0].verify: there is nothing to verify; nothing was written before it; put a write stage before it',
    ],
    [
      'verify after delete',
      `${good}  - delete: {}\n  - verify: {}\n`,
      '9:5 INVALID stages[2].verify: there is nothing to verify; stages[1] deleted the data; put it before the delete stage',
    ],
    [
      'delete twice',
      `${good}  - delete: {}\n  - delete: {}\n`,
      '9:5 INVALID stages[2].delete: there is nothing to delete; stages[1] deleted the data; remove it',
    ],
    [
      'a ramp in which all would lie',
      good.replace('write: {}', 'write: { duration: 5s, ramp: 5s }'),
      '7:34 INVALID stages[0].write.ramp: nothing would count in a stage of 5s; write a ramp that is shorter than the duration',
    ],
    [
      'two ends of one stage',
      good.replace('write: {}', 'write: { duration: 5s, until: { stable: 2% } }'),
      '7:14 INVALID stages[0].write.duration: a stage ends by its duration or when it is stable, not by both; remove it, or write until.atMost',
    ],
    [
      'a window that does not fit',
      good.replace('write: {}', 'write: { ramp: 5s, until: { stable: 2%, window: 10s, atMost: 12s } }'),
      '7:66 INVALID stages[0].write.until.atMost: a window of 10s after a ramp of 5s does not fit in 12s; raise atMost, or shorten the window or the ramp',
    ],
    [
      'a stability that is no percentage',
      good.replace('write: {}', 'write: { until: { stable: 2 } }'),
      '7:31 INVALID stages[0].write.until.stable: “2” is not a percentage; write a percentage above 0 and up to 100%, such as 2%',
    ],
    [
      'a delete by time',
      `${good}  - delete: { duration: 5s }\n`,
      '8:15 UNKNOWN_KEY unknown key "duration" in stages[1].delete; did you mean stages.write.duration?',
    ],
    [
      'a sweep over what load says too',
      `${good}load: { queueDepth: 4 }\nsweep: { queueDepth: [1, 2] }\n`,
      '9:10 INVALID sweep.queueDepth: load.queueDepth says it too; leave one of them out',
    ],
    [
      'rates of a sweep that no stage keeps',
      `${good}sweep: { rate: [100/s, 200/s] }\n`,
      '8:10 INVALID sweep.rate: no stage keeps these rates; write rate: sweep in the stages that are to keep them',
    ],
    [
      'a sweep with too many rounds',
      `${good}repeat: 200\nsweep: { queueDepth: [1, 2] }\n`,
      '9:1 INVALID sweep: 2 points, 200 times each, are more than 256 rounds; leave out some values',
    ],
    [
      'a sweep over nothing, whatever its knee',
      `${good}sweep: { knee: p99 < 5ms }\n`,
      '8:1 INVALID sweep names nothing to go over; write a list of values, such as queueDepth: [1, 8, 64]',
    ],
    [
      'a knee that is none',
      `${good}sweep: { queueDepth: [1, 2], knee: p98 < 5ms }\n`,
      '8:36 INVALID sweep.knee: “p98 < 5ms” is no percentile with a limit; write p50, p90, p99, p99.9 or max, then <, then a time such as 5ms or 800us',
    ],
    [
      'a point of a sweep that could not run',
      `${good}sweep: { block: [1MiB, 64MiB], queueDepth: [1, 512] }\n`,
      '8:1 INVALID sweep, at block 64MiB, queueDepth 512: load.queueDepth: 512 blocks of 64MiB are more than 1 GiB for each lane; write at most 16, or choose a smaller target.io.block',
    ],
    [
      'verify on the null target',
      'data: { size: 1GiB }\ntarget: { kind: null }\nstages: [{ write: {} }, { verify: {} }]',
      '3:27 INVALID stages[1].verify: a null target keeps nothing that could be verified; use a file, S3 or memory target, or remove the stage',
    ],
    [
      'a block that does not fit the unit',
      good.replace('scratch', 'scratch\n  io: { block: 3MiB, direct: auto }').replace('4GiB', '4GiB\n  unit: 2MiB'),
      '7:16 INVALID target.io.block: 3MiB neither divides the unit of 2MiB nor is a multiple of it; write 1MiB, or another part or multiple of the unit, or set target.io.direct to false',
    ],
    [
      'a block that direct I/O cannot do',
      good.replace('scratch', 'scratch\n  io: { block: 768 }').replace('4GiB', '4GiB\n  unit: 12KiB'),
      '7:16 INVALID target.io.block: 768 is not a multiple of 512, which I/O around the page cache needs; write a multiple of 512, or set target.io.direct to false',
    ],
    [
      'a store without an address',
      s3.replace('  endpoint: http://127.0.0.1:9000\n', ''),
      '4:3 INVALID target: needs either endpoint or endpoints; write one of them, such as endpoint: https://s3.example.com',
    ],
    [
      'a password in an address, which is not repeated',
      s3.replace('127.0.0.1', 'me:hidden@127.0.0.1'),
      "6:13 INVALID target.endpoint: an address has a user or a password in it; write the address alone; credentials come from each agent's environment or profile",
    ],
    [
      'a part that S3 does not take',
      `${s3}  part: 1MiB\n`,
      '7:9 INVALID target.part: “1MiB” is out of range; write a size from 5MiB to 5GiB',
    ],
    [
      'a prefix with which keys would be too long',
      `${s3}  prefix: ${'p'.repeat(901)}\n`,
      `7:11 INVALID target.prefix: “${'p'.repeat(60)}…” is longer than 900 bytes, so that keys would be too long; write parts between slashes such as teams/storage, none of them empty, . or ..`,
    ],
    [
      'both a size and a count of objects',
      `${s3}  objects: { size: 1MiB, count: 4 }\n`,
      '7:3 INVALID target.objects needs one of count, size and sizes; write one of them, such as objects: { size: 64MiB }',
    ],
    [
      'objects that are no whole units',
      `${s3}  objects: { size: 1.5MiB }\n`,
      '7:20 INVALID target.objects.size: 1536KiB is not a whole number of units of 1MiB; write 2MiB, or another multiple of 1MiB',
    ],
    [
      'an object of too many parts',
      `${s3.replace('4GiB', '4TiB')}  objects: { count: 1 }\n`,
      '3:1 INVALID target.part: an object of 4TiB has more than 10000 parts of 16MiB; write a larger part, or make objects smaller',
    ],
    [
      'both a count and a size of files',
      good.replace('scratch', 'scratch\n  files: { count: 4, size: 1GiB }'),
      '6:3 INVALID target.files needs either count or size; write one of them, such as files: { count: 64 }',
    ],
    [
      'files that are no whole number of units',
      good.replace('scratch', 'scratch\n  files: { size: 1500KiB }'),
      '6:18 INVALID target.files.size: 1500KiB is not a whole number of blocks of 1MiB; write 2MiB, or another multiple of 1MiB',
    ],
    [
      'more files than units',
      good.replace('scratch', 'scratch\n  files: { count: 4097 }'),
      '6:19 INVALID target.files.count: 4097 files need at least as many units, and the data has 4096 of 1MiB; write at most 4096, or choose a smaller data.unit',
    ],
    [
      'a stripe on storage that agents do not share',
      good.replace('scratch', 'scratch\n  scope: local\n  align: 4MiB'),
      '7:10 INVALID target.align: is for files that agents share, and with scope: local they share none; leave align out',
    ],
    [
      'a stripe that the files are no whole number of',
      good.replace('scratch', 'scratch\n  align: 4MiB\n  files: { size: 6MiB }'),
      '6:10 INVALID target.align: files of 6MiB are no whole number of 4MiB; write a part of files.size',
    ],
    [
      'a path that leads out of its folder',
      good.replace('/mnt/scratch', '/mnt/scratch/../other'),
      '5:9 INVALID target.path: “/mnt/scratch/../other” leads out of where it begins, by ..; write the path of a folder such as /mnt/scratch',
    ],
    [
      'one of several paths that leads out of its folder',
      good.replace('path: /mnt/scratch', 'paths: [/mnt/a, ../b]'),
      '5:19 INVALID target.paths[1]: “../b” leads out of where it begins, by ..; write the path of a folder such as /mnt/scratch',
    ],
    [
      'a path beside several',
      good.replace('scratch', 'scratch\n  paths: [/mnt/a]'),
      '6:3 INVALID target.paths: there is a path as well; write all folders in paths, or one in path',
    ],
    [
      'a path twice',
      good.replace('path: /mnt/scratch', 'paths: [/mnt/a, /mnt/b, /mnt/./a/]'),
      '5:27 INVALID target.paths[2]: /mnt/./a/ is the same folder as /mnt/a; name each folder once, and none inside another',
    ],
    [
      'a path inside another',
      good.replace('path: /mnt/scratch', 'paths: [/mnt/a/b, /mnt/a]'),
      '5:11 INVALID target.paths[0]: /mnt/a/b lies inside /mnt/a; name each folder once, and none inside another',
    ],
    [
      'no path in a list of them',
      good.replace('path: /mnt/scratch', 'paths: []'),
      '5:3 INVALID target.paths is empty; write paths: [/mnt/a, /mnt/b]',
    ],
    [
      'dropped caches where nothing is read',
      good.replace('write: {}', 'write: { dropCaches: true }'),
      expect.stringMatching(/ UNKNOWN_KEY unknown key "dropCaches" in stages\[0\]\.write; /u),
    ],
    [
      'a block on a device that does not fit the unit',
      onDevice('io: { block: 3MiB }').replace('4GiB', '4GiB\n  unit: 2MiB'),
      '7:16 INVALID target.io.block: 3MiB neither divides the unit of 2MiB nor is a multiple of it; write 1MiB, or another part or multiple of the unit',
    ],
    [
      'a part of a device that begins within a unit',
      onDevice('offset: 1536KiB'),
      '6:11 INVALID target.offset: 1536KiB is not a whole number of units of 1MiB; write 2MiB',
    ],
    [
      'a part of a device that ends within a unit',
      onDevice('size: 5000001536'),
      '6:9 INVALID target.size: 4882814KiB is not a whole number of units of 1MiB; write 4769MiB',
    ],
    [
      'a part of a device that is smaller than the data',
      onDevice('size: 1GiB'),
      '6:9 INVALID target.size: 1GiB cannot hold the data, 4GiB; raise it, leave it out, or lower data.size',
    ],
    [
      'leases on a device that no unit ends on',
      onDevice('align: 1536KiB'),
      '6:10 INVALID target.align: 1536KiB neither divides the unit of 1MiB nor is a multiple of it; write a part or a multiple of the unit',
    ],
    [
      'a device by a relative path',
      onDevice('offset: 0').replace('/dev/sdb', 'sdb'),
      '5:11 INVALID target.device: “sdb” is not an absolute path; write the absolute path of a block device such as /dev/nvme0n1',
    ],
    [
      'a flag that would overwrite any device',
      onDevice('force: true'),
      '6:3 UNKNOWN_KEY unknown key "force" in target; the keys here are kind, device, identity, offset, size, align and io',
    ],
    [
      'a second document',
      `${good}---\n${good}`,
      '8:1 SYNTAX a second YAML document begins here; keep one plan in a file; remove the --- line',
    ],
    [
      'a tag',
      good.replace('4GiB', '!bytes 4GiB'),
      '2:9 SYNTAX a YAML tag, which no value of a plan needs; remove the word that begins with !',
    ],
    [
      'an alias of nothing',
      good.replace('4GiB', '*amount'),
      '2:9 SYNTAX there is no anchor &amount before this alias; write the value itself',
    ],
  ];
  test.each(cases)('%s', (_name, text, ...expected) => {
    expect(problems(text)).toEqual(expected);
  });

  test('and all mistakes are told at once, in the order of the text', () => {
    const text = good
      .replace('4GiB', '4 gigs\n  dedup: { ratio: 0.9 }')
      .replace('/mnt/scratch', '/mnt/scratch\n  io: { sync: blok, direct: yes }')
      .replace('write', 'verify');
    expect(problems(`${text}sed: 1\n`)).toEqual([
      '2:9 INVALID data.size: “4 gigs” is not a size; write a number and a unit such as 4GiB or 10TB',
      '3:19 INVALID data.dedup.ratio: “0.9” is less than 1; write 1 for none, or a ratio above it such as 1.5',
      '7:15 INVALID target.io.sync: “blok” is not one of block, range, file, end and never; did you mean block?',
      '7:29 INVALID target.io.direct: “yes” is not one of true, false and auto; write true, false or auto',
      '10:1 UNKNOWN_KEY unknown key "sed" in the plan; did you mean "seed"?',
    ]);
  });

  test('but no more than a screen of them', () => {
    const many = Array.from({ length: 30 }, (_, index) => `unknown${index}: 1\n`).join('');
    const found = problems(good + many);
    expect(found).toHaveLength(21);
    expect(found.at(-1)).toContain('10 more problems are not shown');
  });
});

describe('a plan that was cut, jumbled or mistyped anywhere', () => {
  const place = fc.nat({ max: good.length });
  const piece = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'{}[]:,-&*!|>\'"#%@`\n\t 0.~') }));
  test('is a plan or an error that says where, never a crash', () => {
    fc.assert(
      fc.property(place, fc.nat({ max: 20 }), piece, (at, removed, inserted) => {
        const text = good.slice(0, at) + inserted + good.slice(at + removed);
        for (const problem of problems(text)) expect(problem).toMatch(/^\d+:\d+ (SYNTAX|INVALID|UNKNOWN_KEY) .+; .+/su);
      }),
      // The example has more problems than are shown.
      { numRuns: 1000, examples: [[0, 0, '{]]']] },
    );
  });
});

describe('a plan that is made to do harm ends with one error', () => {
  test.each([
    ['brackets without end', '['.repeat(maxPlanBytes), 'nested too deeply'],
    ['an alias of itself', 'data: &a { size: *a }\n', 'more values, or deeper ones'],
    ['aliases of aliases', aliasBomb(), 'more values, or deeper ones'],
    ['a megabyte', `name: ${'a'.repeat(maxPlanBytes)}`, 'longer than 128KiB'],
  ])('%s', (_name, text, expected) => {
    expect(problems(text)[0]).toContain(expected);
  });
});

function aliasBomb(): string {
  const lines = ['a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]'];
  for (let level = 1; level < 10; level += 1) {
    const aliases = Array.from({ length: 10 }, () => `*a${level - 1}`).join(', ');
    lines.push(`a${level}: &a${level} [${aliases}]`);
  }
  return lines.join('\n');
}
