/** The built packages that the command needs when it runs, with all that they depend on. */
import { cpSync, existsSync, mkdirSync, readFileSync, realpathSync, statSync, symlinkSync } from 'node:fs';
import { dirname, extname, join, relative } from 'node:path';
import { root } from '../support/command.js';

/** What is loaded at run time; types, maps and pages for people are left out. */
const loaded = new Set(['.js', '.cjs', '.mjs', '.json', '.node', '.proto']);

/** Copies them to a folder, at the same places as below the root. */
export function copyPackages(to: string): void {
  const seen = new Set<string>();
  const visit = (folder: string): void => {
    const real = realpathSync(folder);
    const place = relative(root, folder);
    if (real !== folder && !existsSync(join(to, place))) {
      mkdirSync(dirname(join(to, place)), { recursive: true });
      symlinkSync(relative(dirname(folder), real), join(to, place));
    }
    if (seen.has(real)) return;
    seen.add(real);
    cpSync(real, join(to, relative(root, real)), { recursive: true, filter: isOwn(real) ? isBuilt : isLoaded });
    const { dependencies = {} }: Manifest = JSON.parse(readFileSync(join(real, 'package.json'), 'utf8'));
    for (const name of Object.keys(dependencies)) if (!name.startsWith('@types/')) visit(resolve(name, real));
  };
  visit(join(root, 'cli'));
}

interface Manifest {
  readonly dependencies?: Record<string, string>;
}

/** Whether it is one of the workspace's packages. */
function isOwn(real: string): boolean {
  return !relative(root, real).startsWith('node_modules');
}

/** Of the workspace's packages: without what they are built from. */
function isBuilt(path: string): boolean {
  return isLoaded(path) && !/\/(?:src|ts)$|\.spec\.js$/u.test(path);
}

function isLoaded(path: string): boolean {
  // What lies deeper is copied where a package asks for it.
  if (path.endsWith('/node_modules')) return false;
  return statSync(path).isDirectory() || loaded.has(extname(path));
}

/** The folder of a package as Node finds it: in the nearest node_modules above. */
function resolve(name: string, from: string): string {
  for (let folder = from; folder.startsWith(dirname(root)); folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name);
    if (existsSync(candidate)) return candidate;
  }
  throw new Error(`${name} is not installed: run \`npm run setup\``);
}
