/** Whatever is wrong from outside: one clear error with its code and what to do, nothing started, nothing left. */
import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, openSync, rmSync, statfsSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, type TestContext } from 'vitest';
import { Cluster } from './support/cluster.js';
import { commandFile } from './support/command.js';
import { expectError } from './support/errors.js';
import { planTo } from './support/plans.js';
import { Sandbox } from './support/sandbox.js';
import { test } from './support/test.js';

const MiB = 1024 ** 2;
const isRoot = process.getuid?.() === 0;

describe('a plan with a mistake', () => {
  const good = 'data: { size: 8MiB }\ntarget: { kind: file, path: target }\nstages:\n  - write: {}\n';

  test.concurrent.for([
    {
      name: 'a wrong key is placed, and the right one named',
      text: good.replace('size', 'sise'),
      code: 'SEEDSTORM_E_PLAN_UNKNOWN_KEY',
      what: /plan-1\.yaml:1:9: unknown key "sise" in data/u,
      mend: /did you mean "size"\?/u,
    },
    {
      name: 'a wrong key deep in the plan is placed too',
      text: good.replace('path: target', 'path: target, io: { blok: 1MiB }'),
      code: 'SEEDSTORM_E_PLAN_UNKNOWN_KEY',
      what: /plan-1\.yaml:2:43: unknown key "blok" in target\.io/u,
      mend: /did you mean "block"\?/u,
    },
    {
      name: 'a wrong unit is not guessed at',
      text: good.replace('8MiB', '8MBi'),
      code: 'SEEDSTORM_E_PLAN_INVALID',
      what: /plan-1\.yaml:1:15: data\.size: “8MBi” is not a size/u,
      mend: /4GiB or 10TB/u,
    },
    {
      name: 'a size without a unit is not guessed at',
      text: good.replace('path: target', 'path: target, files: { size: big }'),
      code: 'SEEDSTORM_E_PLAN_INVALID',
      what: /plan-1\.yaml:2:52: target\.files\.size: “big” is not a size/u,
      mend: /\S/u,
    },
    {
      name: 'a missing target is missed',
      text: good.replace(/^target.*\n/mu, ''),
      code: 'SEEDSTORM_E_PLAN_INVALID',
      what: /plan-1\.yaml:1:1: target is missing/u,
      mend: /target: \{ kind: file/u,
    },
    {
      name: 'a key that stands twice does not win silently',
      text: `${good}data: { size: 1TiB }\n`,
      code: 'SEEDSTORM_E_PLAN_SYNTAX',
      what: /plan-1\.yaml:5:1: “data” is given twice, first on line 1/u,
      mend: /remove one/u,
    },
    {
      name: 'an empty plan is not a run of nothing',
      text: '',
      code: 'SEEDSTORM_E_PLAN_INVALID',
      what: /plan-1\.yaml:1:1: the plan is empty/u,
      mend: /data, target and stages/u,
    },
    {
      name: 'what is not YAML is placed',
      text: good.replace('8MiB }', '8MiB'),
      code: 'SEEDSTORM_E_PLAN_SYNTAX',
      what: /plan-1\.yaml:\d+:\d+: /u,
      mend: /YAML/u,
    },
    {
      name: 'a verify of nothing is told before anything is written',
      text: good.replace('- write', '- verify'),
      code: 'SEEDSTORM_E_PLAN_INVALID',
      what: /plan-1\.yaml:4:5: stages\[0\]\.verify: there is nothing to verify/u,
      mend: /put a write stage before it/u,
    },
  ])('$name', async ({ text, code, what, mend }, { sandbox }) => {
    const ended = await sandbox.run('run', sandbox.plan(text), '--agents', '3');
    expectError(ended, 2, code, what);
    expect(ended.stderr).toMatch(mend);
    expect(ended.stdout).toBe('');
    sandbox.expectNothingLeft();
  });

  test('all mistakes of a plan are told at once', async ({ sandbox }) => {
    const text = good.replace('size', 'sise').replace('file', 'flie');
    const { code, stderr } = await sandbox.run('run', sandbox.plan(text));
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error .*plan-1\.yaml:1:9: unknown key "sise"/mu);
    expect(stderr).toMatch(/^error .*plan-1\.yaml:2:17: .*“flie”/mu);
  });

  test('a plan file that is not there, or is no text, is named', async ({ sandbox }) => {
    const missing = join(sandbox.folder, 'none.yaml');
    expectError(await sandbox.run('run', missing), 2, 'SEEDSTORM_E_PLAN_UNREADABLE', /none\.yaml does not exist/u);
    expectError(await sandbox.run('run', sandbox.target), 2, 'SEEDSTORM_E_PLAN_UNREADABLE', /target/u);
    const bytes = join(sandbox.folder, 'bytes.yaml');
    writeFileSync(bytes, Buffer.from([0xff, 0xfe, 0x00, 0x80]));
    expectError(await sandbox.run('run', bytes), 2, 'SEEDSTORM_E_PLAN_UNREADABLE', /bytes\.yaml/u);
    sandbox.expectNothingLeft();
  });
});

describe('a target that cannot be used', () => {
  let place: Sandbox;
  let cluster: Cluster;

  beforeAll(async () => {
    place = new Sandbox();
    cluster = await Cluster.start(place, 3);
  });
  afterAll(async () => {
    await cluster.stop();
    expect(place.processes()).toEqual([]);
    await place[Symbol.asyncDispose]();
  });

  test('a folder that does not exist is not made', async ({ sandbox }) => {
    const missing = join(sandbox.target, 'none');
    const ended = await sandbox.run('run', sandbox.plan(planTo(missing)), '--agents', '2');
    expectError(ended, 1, 'SEEDSTORM_E_TARGET_MISSING', /target\/none does not exist/u);
    expect(ended.stdout).toMatch(/^run \S+: failed in /mu);
    sandbox.expectNothingLeft();
  });

  test('a program gets the error in the result, and a person on stderr too', async ({ sandbox }) => {
    const missing = join(sandbox.target, 'none');
    const ended = await cluster.run(sandbox.plan(planTo(missing)), '--json');
    expectError(ended, 1, 'SEEDSTORM_E_TARGET_MISSING', /target\/none does not exist/u);
    expect(ended.result).toMatchObject({
      outcome: 'failed',
      stages: [],
      error: { code: 'SEEDSTORM_E_TARGET_MISSING', mend: expect.stringContaining('target.path') },
    });
  });

  test('a file is not taken for a folder', async ({ sandbox }) => {
    const file = join(sandbox.folder, 'file');
    writeFileSync(file, 'precious');
    const ended = await cluster.run(sandbox.plan(planTo(file)));
    expectError(ended, 1, 'SEEDSTORM_E_TARGET_NOT_WRITABLE', /file is not a folder/u);
    expect(statSync(file).size).toBe(8);
    sandbox.expectNothingLeft();
  });

  test('a folder that the user may not write to is left alone', async ({ sandbox, skip }) => {
    const user = otherUser(skip);
    const target = sandbox.makeFolder('locked');
    chmodSync(target, 0o555);
    const plan = sandbox.plan(planTo(target));
    sandbox.giveTo(user);
    const ended = await sandbox.startAs(user, 'run', plan).ended;
    expectError(ended, 1, 'SEEDSTORM_E_TARGET_NOT_WRITABLE', /locked cannot be written to: permission denied/u);
    sandbox.expectNothingLeft(target);
  });

  test('a file system that is mounted read-only is told as that', async ({ sandbox, skip }) => {
    needsRoot(skip);
    const target = sandbox.mountMemory('readonly', 64 * MiB);
    execFileSync('mount', ['-o', 'remount,ro', target]);
    const ended = await cluster.run(sandbox.plan(planTo(target)));
    expectError(ended, 1, 'SEEDSTORM_E_TARGET_NOT_WRITABLE', /readonly cannot be written to: it is mounted read-only/u);
    sandbox.expectNothingLeft(target);
  });

  test('more data than there is room for is refused before anything is written', async ({ sandbox }) => {
    const { bavail, bsize } = statfsSync(sandbox.target);
    const tooMuch = `${Math.ceil((bavail * bsize) / 1024 ** 3) + 1}GiB`;
    const ended = await cluster.run(sandbox.plan(planTo(sandbox.target, tooMuch)));
    expectError(ended, 1, 'SEEDSTORM_E_SPACE', /target has .* free; the plan writes .* there/u);
    sandbox.expectNothingLeft();
  });

  test('a disk that others fill in mid-run ends the run with what it wrote removed', async ({ sandbox, skip }) => {
    needsRoot(skip);
    const target = sandbox.mountMemory('small', 256 * MiB);
    const plan = sandbox.plan(planTo(target, '160MiB').replace('write: {}', 'write: { delay: 2s }'));
    const run = cluster.start(plan, '--json');
    await run.event('stage-waiting', 'write');
    // There was room when it was looked for; now there is room for some of it.
    const others = join(target, 'others');
    fill(others, 200);
    const ended = await run.ended;
    expectError(ended, 1, 'SEEDSTORM_E_DISK_FULL', /agent-[123]: .*small/u);
    expect(ended.result).toMatchObject({ outcome: 'failed', leftBehind: [] });
    rmSync(others);
    sandbox.expectNothingLeft(target);
  });

  test('direct I/O that is refused is an error when the plan insists, and a note when it does not', async ({
    sandbox,
    skip,
  }) => {
    needsRoot(skip);
    const target = sandbox.mount('ramfs', 'undirected');
    const insisting = sandbox.plan(planTo(target, '8MiB', ', io: { direct: true }'));
    const ended = await cluster.run(insisting);
    expectError(ended, 1, 'SEEDSTORM_E_DIRECT_REFUSED', /undirected refuses O_DIRECT/u);
    sandbox.expectNothingLeft(target);
    const { code, stdout, stderr } = await cluster.run(sandbox.plan(planTo(target)));
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^note: .*O_DIRECT/mu);
    sandbox.expectNothingLeft(target);
  });
});

describe('a cluster that cannot be reached', () => {
  /** A token file as it must be. */
  function token(sandbox: Sandbox, text = 'a token of a cluster that is not there'): string {
    const file = join(sandbox.folder, `token-${text.length}`);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  }

  test('a coordinator that is not there is told within seconds', async ({ sandbox }) => {
    const plan = sandbox.plan(planTo(sandbox.target));
    const flags = ['--coordinator', '127.0.0.1:1', '--token-file', token(sandbox)];
    const unreachable = /no coordinator answers at 127\.0\.0\.1:1/u;
    const [run, check, agent] = await Promise.all([
      sandbox.run('run', plan, ...flags),
      sandbox.run('check', plan, ...flags),
      sandbox.run('agent', ...flags, '--join-timeout', '1s'),
    ]);
    for (const ended of [run, check, agent]) {
      expectError(ended, 1, 'SEEDSTORM_E_COORDINATOR_UNREACHABLE', unreachable);
      expect(ended.seconds).toBeLessThan(15);
    }
    sandbox.expectNothingLeft();
  });

  test('another program on the port is not waited for for ever', async ({ sandbox }) => {
    await using http = await listening(createHttpServer((_, response) => response.end('hello')));
    await using silent = await listening(createServer(() => {}));
    const agentFlags = ['--token-file', token(sandbox), '--join-timeout', '1s'];
    const ended = await Promise.all([
      sandbox.run('agent', '--coordinator', http.address, ...agentFlags),
      sandbox.run('agent', '--coordinator', silent.address, ...agentFlags),
      sandbox.run(
        'run',
        sandbox.plan(planTo(sandbox.target)),
        '--coordinator',
        http.address,
        '--token-file',
        token(sandbox),
      ),
    ]);
    for (const each of ended) {
      expectError(each, 1, 'SEEDSTORM_E_COORDINATOR_UNREACHABLE', /127\.0\.0\.1:\d+/u);
      expect(each.seconds).toBeLessThan(20);
    }
    sandbox.expectNothingLeft();
  });

  test('another gRPC service on the port is told apart from a coordinator', async ({ sandbox }) => {
    const server = new GrpcServer();
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      ),
    );
    try {
      const flags = ['--coordinator', `127.0.0.1:${port}`, '--token-file', token(sandbox)];
      const what = /does not speak seedstorm\.v1/u;
      expectError(await sandbox.run('agent', ...flags), 1, 'SEEDSTORM_E_PROTOCOL_VERSION', what);
      const run = await sandbox.run('run', sandbox.plan(planTo(sandbox.target)), ...flags);
      expectError(run, 1, 'SEEDSTORM_E_PROTOCOL_VERSION', what);
    } finally {
      server.forceShutdown();
    }
  });

  test('a token that is missing, too open or empty is told with its path', async ({ sandbox }) => {
    const plan = sandbox.plan(planTo(sandbox.target));
    const address = ['--coordinator', '127.0.0.1:1'];
    const missing = join(sandbox.folder, 'none');
    const cases: [file: string, what: RegExp][] = [
      [missing, /there is no token file .*none/u],
      [token(sandbox, ''), /token-0 holds no token/u],
    ];
    const open = token(sandbox, 'a token that others can read');
    chmodSync(open, 0o644);
    cases.push([open, /others can read the token file .* \(mode 644\)/u]);
    for (const [file, what] of cases) {
      const flags = [...address, '--token-file', file];
      expectError(await sandbox.run('run', plan, ...flags), 1, 'SEEDSTORM_E_UNAUTHENTICATED', what);
      expectError(await sandbox.run('agent', ...flags), 1, 'SEEDSTORM_E_UNAUTHENTICATED', what);
    }
    // Without --token-file it is the user's own, which is not there either.
    const usual = await sandbox.run('run', plan, ...address);
    expectError(usual, 1, 'SEEDSTORM_E_UNAUTHENTICATED', /there is no token file .*\.seedstorm\/token/u);
    const coordinator = await sandbox.run('coordinator', '--listen', '127.0.0.1:0', '--token-file', open);
    expectError(coordinator, 1, 'SEEDSTORM_E_UNAUTHENTICATED', /others can read/u);
  });

  test('a port that is taken, or is no port, ends the coordinator at once', async ({ sandbox }) => {
    await using taken = await listening(createServer());
    const start = (listen: string) => sandbox.run('coordinator', '--listen', listen, '--token-file', token(sandbox));
    const what = new RegExp(`${taken.address} is in use by another process`, 'u');
    expectError(await start(taken.address), 1, 'SEEDSTORM_E_PORT_TAKEN', what);
    expectError(await start('127.0.0.1:99999'), 2, 'SEEDSTORM_E_USAGE', /“127\.0\.0\.1:99999” is not an address/u);
    expectError(await start('127.0.0.1'), 2, 'SEEDSTORM_E_USAGE', /“127\.0\.0\.1” is not an address/u);
    expectError(await start('0.0.0.0:0'), 2, 'SEEDSTORM_E_USAGE', /0\.0\.0\.0:0 is not loopback/u);
    sandbox.expectNothingLeft();
  });
});

describe('a command line with a mistake', () => {
  test.concurrent.for<[command: string, what: RegExp]>([
    ['rnu plan.yaml', /unknown command 'rnu'/u],
    ['run', /missing required argument 'plan'/u],
    ['run plan.yaml --agent 3', /unknown option '--agent'/u],
    ['run plan.yaml --agents three', /“three” is not a whole number/u],
    ['run plan.yaml --agents-timeout 5', /“5”/u],
    ['run plan.yaml --coordinator node-1', /“node-1” is not an address/u],
    ['content', /required option '--length <size>' not specified/u],
    ['content --length 64 --dedup x', /“x”/u],
    ['content --length 64 --codec zip', /zip/u],
    ['bench --seconds 0', /“0” is no time for a bench/u],
    ['topology --nodes a,b', /“a”/u],
    ['agent --join-timeout soon', /“soon”/u],
  ])('%s is told to be wrong', async ([command, what], { sandbox }) => {
    const ended = await sandbox.run(...command.split(' '));
    expectError(ended, 2, 'SEEDSTORM_E_USAGE', what);
    expect(ended.stdout).toBe('');
  });

  test('a run with no agents is not waited for', async ({ sandbox }) => {
    const ended = await sandbox.run('run', sandbox.plan(planTo(sandbox.target)), '--agents', '0');
    expectError(ended, 2, 'SEEDSTORM_E_USAGE', /agents/u);
    sandbox.expectNothingLeft();
  });

  test('a run with too few agents ends when the time to wait is over', async ({ sandbox }) => {
    const cluster = await Cluster.start(sandbox, 1);
    const plan = sandbox.plan(planTo(sandbox.target));
    const ended = await cluster.run(plan, '--agents', '2', '--agents-timeout', '1s');
    expectError(ended, 1, 'SEEDSTORM_E_NO_AGENTS', /1 of 2 agents joined within 1 s/u);
    await cluster.stop();
    sandbox.expectNothingLeft();
  });

  test('a second run on the same agents is told to wait', async ({ sandbox }) => {
    const cluster = await Cluster.start(sandbox, 1);
    const plan = sandbox.plan(planTo(sandbox.target));
    const waiting = cluster.start(plan, '--agents', '2');
    await waiting.said(/1 of 2 agents have joined/u);
    expectError(await cluster.run(plan), 1, 'SEEDSTORM_E_RUN_BUSY', /holds the agents/u);
    waiting.signal('SIGINT');
    expect((await waiting.ended).code).toBe(130);
    await cluster.stop();
    sandbox.expectNothingLeft();
  });
});

/** Fills a file until so many MiB are in it or nothing more fits. */
function fill(file: string, mebibytes: number): void {
  const descriptor = openSync(file, 'w');
  try {
    const piece = Buffer.alloc(MiB, 'x');
    for (let i = 0; i < mebibytes; i++) writeSync(descriptor, piece);
  } finally {
    closeSync(descriptor);
  }
}

function needsRoot(skip: TestContext['skip']): void {
  skip(!isRoot, 'needs root, to mount a file system');
}

/** Who is to run the command where root's rights would hide what is tested. */
function otherUser(skip: TestContext['skip']): number {
  if (!isRoot) return process.getuid?.() ?? 0;
  const nobody = 65_534;
  try {
    execFileSync(process.execPath, ['-e', `require('node:fs').accessSync(${JSON.stringify(commandFile)})`], {
      uid: nobody,
      stdio: 'ignore',
    });
  } catch {
    skip(true, 'needs a checkout that other users than root can read');
  }
  return nobody;
}

/** A server on a free port of loopback, until it is disposed of. */
async function listening(server: Server): Promise<{ address: string } & AsyncDisposable> {
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
