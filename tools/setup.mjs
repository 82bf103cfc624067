// Set-up for `npm start` and `npm test`, in one place. Plain JavaScript with no dependency: it runs on a fresh clone,
// before any install. Idempotent; a second call with nothing to do looks at time stamps only.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '..');

const nodeFloor = [20, 20];
const rustFloor = [1, 95];
/** What the native build needs of Debian, and what tells that it is there. */
const debian = [
  { name: 'libhwloc-dev', there: () => pkgConfig('hwloc') },
  { name: 'libudev-dev', there: () => pkgConfig('libudev') },
  { name: 'pkg-config', there: () => has('pkg-config') },
  { name: 'gcc', there: () => has('cc') },
  { name: 'libc6-dev', there: () => existsSync('/usr/include/stdio.h') },
];
const napiBuild = ['build', '--release', '--cwd', 'native/node', '--dts', 'binding.d.ts'];
const stamps = join(root, 'node_modules/.cache/seedstorm');

/** Ends the process with what went wrong and what to do. */
function fail(what, mend) {
  console.error(`set-up failed: ${what}\n  mend: ${mend}`);
  process.exit(1);
}

/** A command of an installed npm package. */
export function bin(name) {
  return join(root, 'node_modules/.bin', name);
}

function has(command) {
  return spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;
}

function pkgConfig(module) {
  return spawnSync('pkg-config', ['--exists', module]).status === 0;
}

/** Runs a step; shows its time when done, and everything that it printed when it fails. */
function step(title, command, args, options = {}) {
  return new Promise((resolve) => {
    const began = Date.now();
    process.stderr.write(`  ${title} … `);
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], ...options });
    const output = [];
    child.stdout.on('data', (chunk) => output.push(chunk));
    child.stderr.on('data', (chunk) => output.push(chunk));
    // A build can take minutes: a dot now and then shows that it lives.
    const dots = setInterval(() => process.stderr.write('.'), 5000);
    const end = (status) => {
      clearInterval(dots);
      if (status === 0) {
        process.stderr.write(`${((Date.now() - began) / 1000).toFixed(1)} s\n`);
        resolve();
      } else {
        process.stderr.write('failed\n');
        process.stderr.write(Buffer.concat(output));
        fail(`${command} ${args.join(' ')} ended with ${status}`, options.mend ?? 'see the output above');
      }
    };
    child.on('error', (error) => end(error.message));
    child.on('close', end);
  });
}

/** What changes when a file below these paths changes, comes or goes: the newest time, and how many there are. */
function stateOf(paths) {
  let latest = 0;
  let files = 0;
  const visit = (path) => {
    if (!existsSync(path)) return;
    const stat = statSync(path);
    if (!stat.isDirectory()) {
      latest = Math.max(latest, stat.mtimeMs);
      files += 1;
      return;
    }
    for (const name of readdirSync(path)) {
      if (!['node_modules', 'dist', 'target'].includes(name) && !name.endsWith('.node')) visit(join(path, name));
    }
  };
  for (const path of paths) visit(join(root, path));
  return `${latest} ${files}`;
}

/** Does `work` unless it was done after the last change of `inputs` and its `outputs` are there. */
async function unlessFresh(name, inputs, outputs, work) {
  const stamp = join(stamps, name);
  const done = existsSync(stamp) && readFileSync(stamp, 'utf8') === stateOf(inputs);
  if (done && outputs.every((output) => existsSync(join(root, output)))) return;
  await work();
  mkdirSync(stamps, { recursive: true });
  // Taken after the work: a build may write files that are committed, such as binding.d.ts.
  writeFileSync(stamp, stateOf(inputs));
}

function checkVersions() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < nodeFloor[0] || (major === nodeFloor[0] && minor < nodeFloor[1])) {
    fail(
      `Node ${process.versions.node} is older than ${nodeFloor.join('.')}`,
      'install Node 20.20 or newer from https://nodejs.org or your distribution, then call this again',
    );
  }
  const rustc = spawnSync('rustc', ['--version'], { cwd: root, encoding: 'utf8' });
  const found = /^rustc (\d+)\.(\d+)/u.exec(rustc.stdout ?? '');
  if (
    found === null ||
    Number(found[1]) < rustFloor[0] ||
    (Number(found[1]) === 1 && Number(found[2]) < rustFloor[1])
  ) {
    fail(
      found === null
        ? 'there is no Rust toolchain on the path'
        : `${rustc.stdout.trim()} is older than ${rustFloor.join('.')}`,
      'install Rust by https://rustup.rs (or `rustup update stable`), then call this again',
    );
  }
}

/** Installs Debian packages when root; else says the exact command. */
export async function installDebian(packages) {
  const command = `apt-get install -y --no-install-recommends ${packages.join(' ')}`;
  if (!has('apt-get')) fail(`missing: ${packages.join(', ')}`, 'install what your distribution calls these packages');
  if (process.getuid() !== 0) fail(`missing Debian packages: ${packages.join(', ')}`, `sudo ${command}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await step('apt-get update', 'apt-get', ['update', '-q'], { env });
  await step(`installing ${packages.join(', ')}`, 'apt-get', command.split(' ').slice(1), { env });
}

/** What it takes to build anything native. */
export async function setupToolchain() {
  checkVersions();
  const missing = debian.filter((p) => !p.there()).map((p) => p.name);
  if (missing.length > 0) await installDebian(missing);
}

/** Everything from a fresh clone to a built tree. */
export async function setup() {
  await setupToolchain();
  await unlessFresh('npm', ['package-lock.json'], ['node_modules/.package-lock.json'], () =>
    step('npm ci', 'npm', ['ci', '--no-audit', '--no-fund'], { mend: 'check that the npm registry can be reached' }),
  );
  await unlessFresh('native', ['native', 'Cargo.toml', 'Cargo.lock'], ['native/node/seedstorm.node'], () =>
    step('building the native engine (release)', bin('napi'), napiBuild),
  );
  await unlessFresh(
    'typescript',
    ['tsconfig.base.json', 'errors', 'proto', 'native/node', 'coordinator', 'agent', 'cli'],
    ['cli/dist/main.js'],
    () => step('building TypeScript', bin('tsc'), ['-b']),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stderr.write('set-up of Seedstorm (npm packages, native engine, TypeScript)\n');
  await setup();
  process.stderr.write('set-up done\n');
}
