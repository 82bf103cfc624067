/** The reference page of a plan and the JSON Schema for editors, both made from the schema. */
import { z } from 'zod';
import { stageKinds } from './choices.js';
import { type PlanKey, planKeys } from './keys.js';
import { inWords } from './quote.js';
import { planSchema } from './schema.js';

/** JSON Schema (draft 7, which editors know best) of a plan as it stands in a YAML file. */
export function planJsonSchema(): object {
  const { data, target } = planSchema.shape;
  const own = planSchema.extend({
    data: data.unwrap().meta(data.meta() ?? {}),
    target: target.unwrap().meta(target.meta() ?? {}),
  });
  const ofEarlierRun = planSchema.omit({ data: true, target: true, seed: true, namespace: true, sweep: true });
  const schema = z.toJSONSchema(z.union([own, ofEarlierRun]), { io: 'input', target: 'draft-7', reused: 'ref' });
  return {
    ...schema,
    title: 'Seedstorm plan',
    description: 'What Seedstorm is asked to do, in one file.',
  };
}

/** The reference page in Markdown. */
export function planReference(): string {
  return `${[intro, ...planKeys.flatMap(sections), units].join('\n\n')}\n`;
}

const intro = `# The plan

<!-- Made by \`npm run docs\` from the schema in coordinator/src/plan/schema.ts; do not edit. -->

A plan is one YAML file that says what data to write, where, and in which stages. A key that is not on this page is an
error. Editors that know JSON Schema complete and check plans with [plan.schema.json](plan.schema.json):

\`\`\`yaml
# yaml-language-server: $schema=docs/reference/plan.schema.json
\`\`\`

## The plan's own keys

${table(planKeys.filter((key) => key.path.length === 1))}`;

const units = `## Sizes, durations, ratios

- A size is a number and a unit, such as \`4GiB\`, \`1.5MiB\` or \`10TB\`, or a plain number of bytes. kB, MB, GB, TB, PB
  and EB are powers of 1000; KiB, MiB, GiB, TiB, PiB and EiB are powers of 1024.
- A duration is a number and a unit: \`500ms\`, \`10s\`, \`5m\` or \`2h\`.
- A ratio is a decimal number with at most three decimals; it is read as text, so that 2.3 is exactly 2.3.`;

/** A key's children under a heading; for the target, a section for each kind. */
function sections(key: PlanKey): string[] {
  const name = key.path.join('.');
  const children = planKeys.filter((child) => isChild(child, key));
  // Most keys are those of every stage: said once for all of them.
  if (key.path.length === 2 && key.path[0] === 'stages') return key.path[1] === stageKinds[0] ? stageSections() : [];
  // What several stages take is said for the first of them.
  if (key.path[0] === 'stages' && key.path.length === 3) {
    const [, kind, own] = key.path;
    const first = planKeys.find(({ path }) => path[0] === 'stages' && path.length === 3 && path[2] === own);
    if (first?.path[1] !== kind || children.length === 0) return [];
    return [section(`\`${own}\` of a stage`, key.doc.meaning, children)];
  }
  const kinds = children.filter((child) => child.targetKind !== undefined && child.path.at(-1) === 'kind');
  if (name !== 'target') return children.length === 0 ? [] : [section(`\`${name}\``, key.doc.meaning, children)];
  return kinds.map((kind) => {
    const own = children.filter((child) => child.targetKind === kind.targetKind);
    return section(`\`target\` with \`kind: ${kind.takes}\``, kind.doc.meaning, own);
  });
}

/** What every stage takes, and what some take besides. */
function stageSections(): string[] {
  const groups = new Map<string, PlanKey[]>();
  const seen = new Set<string>();
  for (const key of planKeys) {
    const [root, , name] = key.path;
    const said = `${name} ${key.doc.meaning}`;
    if (root !== 'stages' || name === undefined || key.path.length !== 3 || seen.has(said)) continue;
    seen.add(said);
    const takers = planKeys.filter(
      ({ path, doc }) =>
        path[0] === 'stages' && path.length === 3 && path[2] === name && doc.meaning === key.doc.meaning,
    );
    const kinds = takers.map(({ path }) => `\`${path[1]}\``);
    const who = kinds.length === stageKinds.length ? '' : inWords(kinds);
    groups.set(who, [...(groups.get(who) ?? []), key]);
  }
  return [...groups].map(([who, keys]) =>
    who === ''
      ? section('What each stage takes', 'Every stage takes these keys; `{}` leaves them all out.', keys)
      : section(`What ${who} stages take besides`, 'These keys are for these stages only.', keys),
  );
}

function section(title: string, meaning: string, keys: readonly PlanKey[]): string {
  return `## ${title}\n\n${meaning}\n\n${table(keys)}`;
}

function isChild(child: PlanKey, key: PlanKey): boolean {
  return child.path.length === key.path.length + 1 && key.path.every((step, at) => child.path[at] === step);
}

function table(keys: readonly PlanKey[]): string {
  const rows = keys.map((key) => {
    const takes = key.takes ?? (key.isList ? 'list' : 'see below');
    const otherwise = key.required ? '**needed**' : (key.doc.default ?? '–');
    return `| \`${key.path.at(-1)}\` | ${key.doc.meaning} | ${takes} | ${otherwise} | \`${key.doc.example}\` |`;
  });
  return ['| key | meaning | takes | default | example |', '|---|---|---|---|---|', ...rows].join('\n');
}
