/** The other commands: what a user, or a script of theirs, gets from each. */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { contentBytes } from '@seedstorm/native';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { Cluster } from './support/cluster.js';
import { commandFile, root } from './support/command.js';
import { expectError, expectNoTrace } from './support/errors.js';
import { Sandbox } from './support/sandbox.js';
import { test } from './support/test.js';

/** The bytes that `seedstorm content` writes to stdout. */
async function content(flags: string, namespace = ''): Promise<Buffer> {
  const args = [commandFile, 'content', ...(namespace === '' ? [] : ['--namespace', namespace]), ...flags.split(' ')];
  const options = { maxBuffer: 64 * 1024 ** 2, encoding: 'buffer' } as const;
  return (await promisify(execFile)(process.execPath, args, options)).stdout;
}

describe('seedstorm content', () => {
  // The bytes of these two tests were made by an independent implementation of docs/content.md, from the keys it lists.
  test('gives the bytes of the content function, for every seed and namespace', async () => {
    const known: [seed: string, namespace: string, bytes: string][] = [
      [
        '0',
        '',
        '6eeaa926f3b842bcbd184ec1a3b22bced73a37681f04ac49156205fe7b5201108ba303d48b7217026dcd26f1fea3e9a784f5c1d083278a8c7ef7b38058bb57ca',
      ],
      [
        '42',
        '',
        'b139734f1c6545c9451c1595f195f15feb28a9cb5894f76142f5044abd2885cc4dac344cc5bf826efa01c7f61417cfb09646ad2ccc2c3aa966922f4f78c3a2ee',
      ],
      [
        '42',
        'host-7',
        'eea690a1550e3e60495943a14e4e2486d6b523d6a00ac96435470ac60072958ad27875433ef086833ca70275260613deb209500cbbae5096b6c8eac543d774ab',
      ],
      [
        '18446744073709551615',
        '',
        '5aca52aceea78e3de5f1ac3d44d1b4f5d3f8ee33d640d7d7a9de7e8d7e097147cd91af3dff38f8a7e2bc40a9c5bb8d15b1caf42176a27c6beaf15ef340bf9f98',
      ],
    ];
    const given = await Promise.all(
      known.map(([seed, namespace]) => content(`--seed ${seed} --offset 0 --length 64`, namespace)),
    );
    expect(given.map((bytes) => bytes.toString('hex'))).toEqual(known.map(([, , bytes]) => bytes));
  });

  test('gives the bytes of the content function across units, with every option, and far into the stream', async () => {
    const known: [flags: string, sha256: string][] = [
      ['--offset 1048568 --length 100', 'a19e16457197a7cdab888c945ce7b7a1593e24e001becd694bce2446b2d6f566'],
      [
        '--offset 5000 --length 40000 --dedup 1.5 --window-units 8 --compress 2.5 --codec lz4 --record 4096 --unit 8192',
        '7bb705e04d6ce6c8f611dcb5646e33888d622f20e08587149e935198013704d5',
      ],
      [
        '--offset 1099511627781 --length 5000 --dedup 3 --generation 7',
        'f2e699ea5bb393f6ecab2f00379028ee3d98faf16487777a492160b92b459bba',
      ],
    ];
    const given = await Promise.all(known.map(([flags]) => content(`--seed 42 ${flags}`)));
    const digests = given.map((bytes) => createHash('sha256').update(bytes).digest('hex'));
    expect(digests).toEqual(known.map(([, sha256]) => sha256));
  });

  test('gives the same bytes in pieces as at once, and as the library', async () => {
    const flags = '--seed 7 --unit 64KiB --dedup 1.25 --window-units 16 --compress 1.333 --codec zstd --record 16KiB';
    const length = 3 * 1024 ** 2 + 123;
    const cut = 1024 ** 2 + 4097;
    const [whole, ...pieces] = await Promise.all([
      content(`${flags} --offset 777 --length ${length}`, 'pieces'),
      content(`${flags} --offset 777 --length ${cut}`, 'pieces'),
      content(`${flags} --offset ${777 + cut} --length ${length - cut}`, 'pieces'),
    ]);
    expect(Buffer.concat(pieces).equals(whole)).toBe(true);
    const parameters = {
      seed: 7n,
      namespace: 'pieces',
      unitBytes: 65_536,
      dedupMilli: 1250,
      windowBits: 4,
      compressMilli: 1333,
      codec: 'zstd',
      recordBytes: 16_384,
    };
    expect(Buffer.from(contentBytes(parameters, 0, 777n, length)).equals(whole)).toBe(true);
  });

  test('writes nothing but the bytes, and sizes may have units', async ({ sandbox }) => {
    const { code, stderr } = await sandbox.run('content', '--seed', '42', '--length', '1MiB');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(await content('--seed 42 --length 8KiB')).toHaveLength(8192);
    expect(await content('--seed 42 --length 0')).toHaveLength(0);
  });

  test('ends quietly when its reader has enough, as head does', async () => {
    const { code, stderr } = await new Promise<{ code: number | null; stderr: string }>((resolve) => {
      const command = spawn(process.execPath, [commandFile, 'content', '--length', '1TiB']);
      let said = '';
      command.stderr.on('data', (text) => {
        said += text;
      });
      command.stdout.once('data', () => command.stdout.destroy());
      command.on('close', (status) => resolve({ code: status, stderr: said }));
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  test('refuses what is beyond the end of the stream', async ({ sandbox }) => {
    const ended = await sandbox.run('content', '--offset', '9223372036854775807', '--length', '2');
    expectError(ended, 2, 'SEEDSTORM_E_(USAGE|INVALID_ARGUMENT)', /9223372036854775807|2\^63/u);
  });
});

describe('seedstorm identify', () => {
  test('names what a damaged file holds, of this run and of an earlier one', async ({ sandbox }) => {
    const file = join(sandbox.folder, 'f00000003');
    const damaged = await content('--seed 42 --offset 3MiB --length 2MiB');
    const block = 4096;
    (await content('--seed 42 --offset 100MiB --length 8KiB')).copy(damaged, 100 * block);
    damaged.fill(0, 200 * block, 203 * block);
    (await content('--seed 7 --length 4KiB')).copy(damaged, 300 * block);
    damaged.fill('x', 400 * block, 401 * block);
    writeFileSync(file, damaged);
    const { code, stdout, stderr } = await sandbox.run('identify', file, '--seed', '42', '--also', '7', '--json');
    expect(code, stderr).toBe(0);
    interface Told {
      begins: number;
      totals: Record<string, number>;
      runs: { offset: number; length: number; verdict: string; unit?: number; seed?: string }[];
    }
    const told: Told = JSON.parse(stdout);
    expect(told).toMatchObject({ bytes: damaged.length, begins: 3 * 1024 ** 2, unlisted: 0 });
    const strange = told.runs.filter(({ verdict }) => verdict !== 'in place');
    expect(strange).toMatchObject([
      { offset: 100 * block, length: 2 * block, verdict: 'misplaced', unit: 100, seed: '42' },
      { offset: 200 * block, length: 3 * block, verdict: 'zeros' },
      { offset: 300 * block, length: block, verdict: 'misplaced', unit: 0, seed: '7' },
      { offset: 400 * block, length: block, verdict: 'foreign' },
    ]);
    const shown = await sandbox.run('identify', file, '--seed', '42');
    expect(shown.stdout).toMatch(/^ *409600 +8 KiB +misplaced +unit 100, generation 0, seed 42$/mu);
    const missing = await sandbox.run('identify', join(sandbox.folder, 'nothing'));
    expectError(missing, 1, 'SEEDSTORM_E_IO', /nothing cannot be read/u);
  });
});

describe('seedstorm bench', () => {
  test('gives the rates of every lane, whose sums are those of pools and node', async ({ sandbox }) => {
    const { code, stdout, stderr } = await sandbox.run('bench', '--seconds', '0.2', '--compress', '2', '--json');
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/generating and verifying/u);
    interface Rates {
      generate: number;
      verify: number;
    }
    const bench: {
      unit: string;
      lanes: (Rates & { lane: number; pu: number; numaNode: number })[];
      pools: (Rates & { numaNode: number })[];
      node: Rates;
    } = JSON.parse(stdout);
    expect(Object.keys(bench)).toEqual(['unit', 'lanes', 'pools', 'node']);
    expect(bench.unit).toBe('bytes per second');
    expect(bench.lanes.map(({ lane }) => lane)).toEqual(bench.lanes.map((_, index) => index));
    expect(new Set(bench.lanes.map(({ pu }) => pu)).size).toBe(bench.lanes.length);
    for (const rate of ['generate', 'verify'] as const) {
      const sum = (rates: Rates[]): number => rates.reduce((total, each) => total + each[rate], 0);
      for (const lane of bench.lanes) expect(lane[rate], `${rate} of lane ${lane.lane}`).toBeGreaterThan(0);
      for (const pool of bench.pools) {
        expect(pool[rate]).toBeCloseTo(sum(bench.lanes.filter(({ numaNode }) => numaNode === pool.numaNode)), -1);
      }
      expect(bench.node[rate]).toBeCloseTo(sum(bench.pools), -1);
    }
  });

  test('explains where every lane ran and where its memory is, all of it local under strict memory', async ({
    sandbox,
  }) => {
    const flags = ['--memory', 'strict', '--buffer-bytes', '4MiB', '--seconds', '0.1', '--explain'];
    const { code, stdout, stderr } = await sandbox.run('bench', ...flags, '--json');
    expect(code, stderr).toBe(0);
    interface Explanation {
      pu: number;
      ranOnPu: number;
      bufferBytes: number;
      pageBytes: number;
      pages: { node: number; count: number }[];
      memoryNode: number;
      remotePages: number;
    }
    const { explain }: { explain: Explanation[] } = JSON.parse(stdout);
    for (const { pu, ranOnPu, memoryNode, remotePages, pages, pageBytes, bufferBytes } of explain) {
      expect({ ranOnPu, remotePages, bufferBytes }).toEqual({
        ranOnPu: pu,
        remotePages: 0,
        bufferBytes: 4 * 1024 ** 2,
      });
      expect(pages).toEqual([{ node: memoryNode, count: bufferBytes / pageBytes }]);
    }
    const shown = await sandbox.run('bench', ...flags);
    expect(shown.stdout).toMatch(/^lane +PU asked +ran on .* remote +huge$/mu);
  });

  test('refuses memory that a NUMA node does not have before any of it is touched', async ({ sandbox }) => {
    const { code, stdout, stderr } = await sandbox.run('bench', '--memory', 'strict', '--buffer-bytes', '50GiB');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/error SEEDSTORM_E_(NUMA_MEMORY|OUT_OF_MEMORY): /u);
    const choice = await sandbox.run('bench', '--memory', 'loose');
    expect(choice.code).toBe(2);
    expect(choice.stderr).toMatch(/preferred, strict/u);
  });

  test('shows a person a row for each lane, pool and the node, on stdout', async ({ sandbox }) => {
    const { code, stdout, stderr } = await sandbox.run('bench', '--seconds', '0.1', '--lanes-per-pool', '1');
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^lane 0 on PU \d+ +\S+ GB\/s +\S+ GB\/s$/mu);
    expect(stdout).toMatch(/^pool of NUMA node \d+ +\S+ GB\/s +\S+ GB\/s$/mu);
    expect(stdout).toMatch(/^this node +\S+ GB\/s +\S+ GB\/s$/mu);
  });
});

describe('seedstorm agent', () => {
  test('an agent places its lanes and their memory as its flags say', async ({ sandbox }) => {
    const cluster = await Cluster.start(sandbox, 0);
    const flags = ['--lanes-per-pool', '1', '--memory', 'strict', '--huge-pages', 'none', '--buffer-bytes', '256KiB'];
    await cluster.startAgent('agent-1', ...flags).said(/joined the coordinator/u);
    const plan = sandbox.plan(
      'data: { size: 8MiB }\ntarget: { kind: memory }\nstages: [{ write: {} }, { verify: {} }]\n',
    );
    const checked = await sandbox.run('check', plan, ...cluster.flags);
    expect(checked.stdout, checked.stderr).toMatch(/^agent agent-1 on \S+: 1 lanes?, /mu);
    const ended = await cluster.run(plan, '--json');
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.result).toMatchObject({ outcome: 'passed', notes: [] });
    await cluster.stop();
  });

  test('an agent whose lanes have no place on this machine says so at once, whoever coordinates', async ({
    sandbox,
  }) => {
    const tokenFile = join(sandbox.folder, 'token');
    writeFileSync(tokenFile, 'a token of a cluster that is not there', { mode: 0o600 });
    const nowhere = ['--coordinator', '127.0.0.1:1', '--token-file', tokenFile];
    const node = await sandbox.run('agent', '--nodes', '1000', ...nowhere);
    expectError(node, 2, 'SEEDSTORM_E_INVALID_ARGUMENT', /no NUMA node 1000/u);
    const cores = await sandbox.run('agent', '--reserve-cores', '100000', ...nowhere);
    expectError(cores, 2, 'SEEDSTORM_E_NO_CORES', /100000 of this machine's \d+ usable cores/u);
  });
});

describe('seedstorm check', () => {
  const plan = (target: string, size = '64MiB'): string =>
    `data: { size: ${size} }\ntarget: { kind: file, path: ${target} }\nstages: [{ write: {} }, { delete: {} }]\n`;

  test('says what a good plan would do, and leaves nothing behind', async ({ sandbox }) => {
    const file = sandbox.plan(plan(sandbox.target));
    const ended = await sandbox.run('check', file, '--agents', '2');
    expect(ended.code, ended.stderr).toBe(0);
    expectNoTrace(ended);
    expect(ended.stdout).toMatch(/^data +64 MiB /mu);
    expect(ended.stdout).toMatch(/^stage 1 +write$/mu);
    for (const agent of ['agent-1', 'agent-2']) {
      expect(ended.stdout).toMatch(
        new RegExp(
          `^agent ${agent} on \\S+: \\d+ lanes, .* free\\n {2}/.* to be written; .*\\n {2}nothing speaks against it`,
          'mu',
        ),
      );
    }
    sandbox.expectNothingLeft();
  });

  test('tells a program the same, and with one agent does not touch the target', async ({ sandbox }) => {
    const before = statSync(sandbox.target, { bigint: true });
    const { code, stdout, stderr } = await sandbox.run('check', sandbox.plan(plan(sandbox.target)), '--json');
    expect(code, stderr).toBe(0);
    const after = statSync(sandbox.target, { bigint: true });
    expect([after.mtimeNs, after.ctimeNs]).toEqual([before.mtimeNs, before.ctimeNs]);
    expect(JSON.parse(stdout)).toMatchObject({
      resolvedPlan: { layout: { units: 64 }, target: { kind: 'file', paths: [sandbox.target] } },
      agents: [{ name: 'agent-1', checked: { findings: [] } }],
    });
  });

  test('says what speaks against a plan whose run would fail, with another exit code than for a wrong plan', async ({
    sandbox,
  }) => {
    const missing = await sandbox.run('check', sandbox.plan(plan(join(sandbox.target, 'none'))));
    expect(missing.code).toBe(1);
    expect(missing.stdout).toMatch(/^ {2}error SEEDSTORM_E_TARGET_MISSING: .*none does not exist\n {4}mend: \S/mu);
    const wrong = await sandbox.run('check', sandbox.plan(plan(sandbox.target, '64MBi')));
    expectError(wrong, 2, 'SEEDSTORM_E_PLAN_INVALID', /“64MBi” is not a size/u);
    sandbox.expectNothingLeft();
  });

  test('finds nothing wrong with the examples', async ({ sandbox }) => {
    const examples = readdirSync(join(root, 'examples')).filter((name) => name.endsWith('.yaml'));
    expect(examples.length).toBeGreaterThan(0);
    const checks = await Promise.all(examples.map((example) => sandbox.run('check', join('examples', example))));
    for (const [i, { stderr, stdout }] of checks.entries()) {
      const example = examples[i];
      if (example === 'verify-later.yaml') {
        // Right in itself, but for the run that it names.
        expect(stderr, example).toMatch(/^error SEEDSTORM_E_RUN_RECORD_MISSING/mu);
        continue;
      }
      // Whether there is room for it here is not the example's business.
      expect(stderr, example).not.toMatch(/SEEDSTORM_E/u);
      expect(stdout, example).toMatch(/^data /mu);
    }
  });
});

describe('every command', () => {
  const commands = ['run', 'check', 'runs', 'coordinator', 'agent', 'bench', 'topology', 'content', 'identify'];

  test('is listed by --help, and explains itself with an example', async ({ sandbox }) => {
    const all = await sandbox.run('--help');
    expect(all).toMatchObject({ code: 0, stderr: '' });
    for (const command of commands) expect(all.stdout).toMatch(new RegExp(`^ {2}${command} `, 'mu'));
    const helps = await Promise.all(commands.map((command) => sandbox.run(command, '--help')));
    for (const [i, { code, stdout, stderr }] of helps.entries()) {
      const command = commands[i];
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(new RegExp(`^Usage: seedstorm ${command} `, 'u'));
      expect(stdout).toMatch(new RegExp(`^Examples?:\\n {2}\\$ seedstorm ${command}\\b`, 'mu'));
    }
  });

  test('is of the version that the package has', async ({ sandbox }) => {
    const { version }: { version: string } = JSON.parse(readFileSync(join(root, 'cli/package.json'), 'utf8'));
    expect(await sandbox.run('--version')).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  test('leaves nothing in the user’s home', async ({ sandbox }) => {
    await sandbox.run('run', sandbox.plan('data: { size: 1MiB }\ntarget: { kind: memory }\nstages: [{ write: {} }]\n'));
    expect(readdirSync(sandbox.home)).toEqual([]);
  });
});

// A terminal is made by the system's own tool; without it there is none to test on.
const hasScript = spawnSync('script', ['--version']).status === 0;

describe('on a terminal', () => {
  let place: Sandbox;
  const shown = new Map<string, string>();

  // A run with a warning, with colours and without: what is stopped is warned of.
  beforeAll(async () => {
    place = new Sandbox();
    if (!hasScript) return;
    for (const [name, variables] of [
      ['colour', {}],
      ['plain', { NO_COLOR: '1' }],
    ] as const) {
      const plan = place.plan(`
data: { size: 8MiB }
target: { kind: file, path: ${place.target} }
stages: [{ write: {} }, { verify: { delay: 1h } }]
`);
      const run = place.startOnTerminal({ TERM: 'xterm', ...variables }, 'run', plan, '--agents', '2');
      await run.printed(/verify begins in 3600 s/u);
      const command = place.processes().find(({ args }) => args.includes('run') && args.includes(commandFile));
      if (command === undefined) throw new Error('no command on the terminal');
      process.kill(command.pid, 'SIGINT');
      const { code, stdout } = await run.ended;
      expect(code, stdout).toBe(130);
      shown.set(name, stdout.replaceAll('\x1b', '␛'));
    }
  });
  afterAll(() => place[Symbol.asyncDispose]());

  test.skipIf(!hasScript)('progress is repainted in place, and gone when the table comes', () => {
    const text = shown.get('colour') ?? '';
    expect(text).toMatch(/␛\[\d+A␛\[0J/u);
    const table = text.slice(text.lastIndexOf('│ stage'));
    expect(table).toMatch(/│ agent-2/u);
    expect(table).not.toContain('␛');
  });

  test.skipIf(!hasScript)('warnings have a colour, unless the user said NO_COLOR', () => {
    expect(shown.get('colour')).toMatch(/␛\[33m! the run is being stopped/u);
    expect(shown.get('plain')).toMatch(/^! the run is being stopped/mu);
    expect(shown.get('plain')).not.toMatch(/␛\[[\d;]*m/u);
  });
});
