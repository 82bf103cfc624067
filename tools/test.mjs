// `npm test`: sets up what is missing, then runs every check and every test, and ends in one line of totals. A step
// that fails does not stop the next ones: one call shows all that is wrong.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bin, root, setup } from './setup.mjs';

const totals = { passed: 0, failed: 0, skipped: 0 };
/** What failed, told once more at the end. */
const failures = [];
const scratch = mkdtempSync(join(tmpdir(), 'seedstorm-test-'));

/** Runs a command, shows what it prints, and gives its status and its output. */
function run(command, args, env = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const keep = (stream) => (chunk) => {
      output += chunk;
      stream.write(chunk);
    };
    child.stdout.on('data', keep(process.stdout));
    child.stderr.on('data', keep(process.stderr));
    child.on('error', (error) => resolve({ status: error.message, output }));
    child.on('close', (status) => resolve({ status, output }));
  });
}

/** A titled step with its time. `count` turns status and output into totals. */
async function step(title, command, args, count, env) {
  const began = Date.now();
  console.log(`\n── ${title}`);
  const { status, output } = await run(command, args, env);
  const counted = count(status, output);
  for (const key of Object.keys(totals)) totals[key] += counted[key] ?? 0;
  for (const name of counted.names ?? []) failures.push(`${title}: ${name}`);
  if (counted.failed > 0) {
    if ((counted.names ?? []).length === 0) failures.push(title);
    console.log(`── ${title}: failed`);
  }
  console.log(`── ${title}: ${((Date.now() - began) / 1000).toFixed(1)} s`);
}

/** A check counts as one test. */
const asOne = (status) => (status === 0 ? { passed: 1 } : { failed: 1 });

/** cargo test prints a line of results for each test binary. A build that fails prints none, and is one failure. */
function fromCargo(status, output) {
  const counted = { passed: 0, failed: 0, skipped: 0 };
  for (const [, passed, failed, ignored] of output.matchAll(
    /test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored/gu,
  )) {
    counted.passed += Number(passed);
    counted.failed += Number(failed);
    counted.skipped += Number(ignored);
  }
  if (status !== 0 && counted.failed === 0) counted.failed = 1;
  const names = Array.from(output.matchAll(/^test (.+) \.\.\. FAILED$/gmu), ([, name]) => name);
  return { ...counted, names };
}

/** vitest writes a report; without one it did not come to an end, and that is one failure. */
function fromVitest(file) {
  return (status) => {
    try {
      const report = JSON.parse(readFileSync(file, 'utf8'));
      const failed =
        report.numFailedTests +
        report.testResults.filter((r) => r.status === 'failed' && r.assertionResults.length === 0).length;
      const names = report.testResults
        .flatMap(({ assertionResults }) => assertionResults)
        .filter((test) => test.status === 'failed')
        .map((test) => test.fullName);
      return {
        names,
        passed: report.numPassedTests,
        failed: status === 0 ? failed : Math.max(1, failed),
        skipped: report.numPendingTests + report.numTodoTests,
      };
    } catch {
      return { failed: 1 };
    }
  };
}

function vitest(project) {
  const file = join(scratch, `${project}.json`);
  const args = ['run', '--project', project, '--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  return step(`${project} tests (vitest)`, bin('vitest'), args, fromVitest(file));
}

console.log('Seedstorm: set-up (Debian packages, npm packages, native engine, TypeScript)');
await setup();
const portable = {
  RUSTFLAGS: '--cfg aes_backend="soft"',
  CARGO_TARGET_DIR: join(root, 'target/portable'),
  SEEDSTORM_CPU: 'portable',
};
await step('format and lint (biome)', bin('biome'), ['check', '.'], asOne);
await step('types (tsc)', bin('tsc'), ['-b'], asOne);
await step('types of the tests (tsc)', bin('tsc'), ['--noEmit', '-p', 'test'], asOne);
await step('format (rustfmt)', 'cargo', ['fmt', '--all', '--check'], asOne);
await step(
  'lint (clippy)',
  'cargo',
  ['clippy', '--workspace', '--all-targets', '--locked', '--', '-D', 'warnings'],
  asOne,
);
await step('wire: buf lint, generated code', 'node', ['proto/generate.mjs', '--check'], asOne);
await step(
  'native types are the committed ones',
  'git',
  ['diff', '--exit-code', '--', 'native/node/binding.d.ts'],
  asOne,
);
await step('reference pages', 'node', ['tools/docs.mjs', '--check'], asOne);
await step('native tests (cargo)', 'cargo', ['test', '--workspace', '--locked'], fromCargo);
await step(
  'content, portable build (cargo)',
  'cargo',
  ['test', '-p', 'seedstorm-content', '--locked'],
  fromCargo,
  portable,
);
await vitest('unit');
await vitest('black-box');
await vitest('alone');
await vitest('numa');
rmSync(scratch, { recursive: true, force: true });

if (process.env.CI === 'true' && totals.skipped > 0) {
  console.log(`\n${totals.skipped} skipped: under CI a skip is a failure`);
  totals.failed += totals.skipped;
}
if (failures.length > 0) console.log(`\nfailed:\n${failures.map((failure) => `  ${failure}`).join('\n')}`);
console.log(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exit(totals.failed === 0 ? 0 : 1);
