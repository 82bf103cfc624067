// Makes proto/src/generated from the .proto files. `--check` compares instead and says what to run.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const buf = join(here, '../node_modules/.bin/buf');
const check = process.argv.includes('--check');

/** Every file below `folder`, by relative path. */
function filesOf(folder) {
  return Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [path.slice(folder.length + 1), readFileSync(path, 'utf8')]),
  );
}

execFileSync(buf, ['lint'], { cwd: here, stdio: 'inherit' });
if (!check) {
  execFileSync(buf, ['generate'], { cwd: here, stdio: 'inherit' });
} else {
  const copy = mkdtempSync(join(tmpdir(), 'seedstorm-proto-'));
  try {
    for (const name of ['seedstorm', 'buf.yaml', 'buf.gen.yaml'])
      cpSync(join(here, name), join(copy, name), { recursive: true });
    const template = readFileSync(join(copy, 'buf.gen.yaml'), 'utf8').replace(
      '../node_modules',
      join(here, '../node_modules'),
    );
    execFileSync(buf, ['generate', '--template', template], { cwd: copy, stdio: 'inherit' });
    const fresh = filesOf(join(copy, 'src/generated'));
    const committed = filesOf(join(here, 'src/generated'));
    const differ = [...new Set([...Object.keys(fresh), ...Object.keys(committed)])].filter(
      (f) => fresh[f] !== committed[f],
    );
    if (differ.length > 0) {
      console.error(
        `proto/src/generated is not what the .proto files give: ${differ.join(', ')}\n  mend: npm run proto`,
      );
      process.exit(1);
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}
