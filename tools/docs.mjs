// Makes the pages that come from code: docs/reference/plan.md and plan.schema.json from the plan's schema,
// docs/reference/command.md from the command's flags, docs/errors.md from the catalogue of errors. With --check it writes nothing and fails when a page is not up to date.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createProgram } from '../cli/dist/program.js';
import { planJsonSchema, planReference } from '../coordinator/dist/plan/index.js';
import { catalog, ExitCode } from '../errors/dist/index.js';

const root = fileURLToPath(new URL('..', import.meta.url));

const pages = {
  'docs/errors.md': errorsPage(),
  'docs/reference/command.md': await commandPage(),
  'docs/reference/plan.md': planReference(),
  'docs/reference/plan.schema.json': `${JSON.stringify(planJsonSchema(), null, 2)}\n`,
};

const check = process.argv.includes('--check');
for (const [name, text] of Object.entries(pages)) {
  const file = path.join(root, name);
  if ((await readFile(file, 'utf8').catch(() => undefined)) === text) continue;
  if (check) {
    console.error(`${name} is not what the code says: run \`npm run build && npm run docs\` and commit the result`);
    process.exitCode = 1;
    continue;
  }
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, text);
  console.log(`wrote ${name}`);
}

function errorsPage() {
  const areas = [...new Set(catalog.map((entry) => entry.area))];
  const sections = areas.map((area) => {
    const rows = catalog
      .filter((entry) => entry.area === area)
      .map((entry) => `| \`${entry.code}\` | ${entry.meaning} | ${entry.mend} | ${entry.exit} |`);
    return [
      `## ${area[0].toUpperCase()}${area.slice(1)}`,
      '',
      '| code | means | usual mend | exit |',
      '|---|---|---|---|',
      ...rows,
    ].join('\n');
  });
  return `# Errors

<!-- Made by \`npm run docs\` from errors/src/catalog.ts; do not edit. -->

Every error has a code that stays the same across versions, says what happened to what, and what to do next:

\`\`\`
error SEEDSTORM_E_PLAN_UNKNOWN_KEY: plan.yaml:7:5: unknown key "sise" in data
  mend: did you mean "size"?
\`\`\`

The \`seedstorm\` command ends with ${ExitCode.passed} when everything passed, ${ExitCode.failed} when the run failed, ${ExitCode.usage} when the command line or the
plan is wrong, ${ExitCode.criterion} when data was corrupt or a criterion was missed, and ${ExitCode.stopped} when the user stopped it.

${sections.join('\n\n')}
`;
}

async function commandPage() {
  const program = await createProgram();
  const sections = [program, ...program.commands].map((command) => {
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text), getOutHelpWidth: () => 100 }).outputHelp();
    const name = command === program ? 'seedstorm' : `seedstorm ${command.name()}`;
    return [`## ${name}`, '', '```', help.trimEnd(), '```'].join('\n');
  });
  return `# The command

<!-- Made by \`npm run docs\` from cli/src/commands; do not edit. -->

${sections.join('\n\n')}
`;
}
