import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { planKeys } from './keys.js';
import { parsePlan } from './parse.js';
import { planJsonSchema, planReference } from './reference.js';

/** What an editor does: YAML to JSON values, then the JSON Schema. */
const editor = z.fromJSONSchema(planJsonSchema() as Parameters<typeof z.fromJSONSchema>[0]);
const editorTakes = (text: string) => editor.safeParse(parse(text)).success;

describe('the JSON Schema for editors', () => {
  test.each(['quickstart', 'null', 'network', 'steady', 'sweep', 'rates'])(
    'does not redline examples/%s.yaml',
    (name) => {
      const text = readFileSync(new URL(`../../../examples/${name}.yaml`, import.meta.url), 'utf8');
      expect(editor.safeParse(parse(text)).error).toBeUndefined();
    },
  );

  const plan =
    'data: { size: 1GiB, unit: 4096 }\ntarget: { kind: file, path: /t, io: { direct: true } }\nstages: [{ write: {} }]\n';

  test('takes values both as YAML numbers and booleans and as text', () => {
    expect(editorTakes(plan)).toBe(true);
    expect(editorTakes(`${plan}seed: 42\nagents: { minimum: "3" }\ncontrol: { lease: 10s }\n`)).toBe(true);
  });

  test.each([
    ['a wrong key', `${plan}sed: 1\n`],
    ['a wrong unit', plan.replace('1GiB', '1 gig')],
    ['a missing target', plan.replace(/target.*\n/u, '')],
    ['a wrong word', plan.replace('direct: true', 'sync: blok')],
    ['an unknown stage', plan.replace('write', 'wirte')],
  ])('redlines %s while it is typed', (_name, text) => {
    expect(editorTakes(text)).toBe(false);
  });
});

describe('the reference page', () => {
  test('shows every key of the plan', () => {
    const page = planReference();
    for (const key of planKeys) expect(page).toContain(`| \`${key.path.at(-1)}\` | ${key.doc.meaning} |`);
  });

  test('has examples that can be pasted into a plan', () => {
    for (const { path, targetKind, takes, doc } of planKeys) {
      if (path[0] === 'stages' && path.length === 2) {
        expect(parse(doc.example), doc.example).toEqual([{ [path[1] ?? '']: expect.anything() }]);
        continue;
      }
      const value = (parse(doc.example) as Record<string, unknown>)[path.at(-1) ?? ''];
      expect(value, doc.example).not.toBe(undefined);
      if (takes === undefined || path[0] === 'stages') continue;
      const text = withValue(path, targetKind, doc.example.slice(doc.example.indexOf(':') + 1).trim());
      expect(() => parsePlan(text, 'plan.yaml'), text).not.toThrow();
    }
  });
});

/** The smallest plan that has this value at this path. */
function withValue(path: readonly string[], targetKind: string | undefined, value: string): string {
  const ofKind = {
    null: { kind: 'null' },
    memory: { kind: 'memory' },
    block: { kind: 'block', device: '/dev/t' },
    file: { kind: 'file', path: '/t', ...(path.at(-1) === 'align' ? { files: { count: '1' } } : {}) },
    s3: { kind: 's3', bucket: 'abc', ...(path.at(-1) === 'endpoints' ? {} : { endpoint: 'http://h' }) },
  };
  /** What must be there for a key in it to be valid. */
  const mappings: Record<string, object> = {
    dedup: { ratio: '1.5' },
    compress: { ratio: '1.5' },
    uniform: { min: '1MiB', max: '64MiB' },
    tree: { directories: '1', filesPerDirectory: '1' },
    sweep: path.at(-1) === 'rate' ? {} : { queueDepth: ['1', '8'] },
    lognormal: { median: '4MiB', sigma: '1.2', max: '1GiB' },
  };
  const isOfTree = path[1] === 'tree';
  const plan: Record<string, unknown> = {
    data: isOfTree ? {} : { size: '10TiB' },
    target: ofKind[(targetKind ?? 'null') as keyof typeof ofKind],
    stages: [isOfTree ? { mkdir: {} } : { write: path[0] === 'sweep' && path[1] === 'rate' ? { rate: 'sweep' } : {} }],
  };
  let inside = plan;
  for (const step of path.slice(0, -1)) {
    inside[step] ??= { ...mappings[step] };
    inside = inside[step] as Record<string, unknown>;
  }
  inside[path.at(-1) ?? ''] = value;
  return JSON.stringify(plan);
}
