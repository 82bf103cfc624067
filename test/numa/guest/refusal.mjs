// Asks for an engine that cannot be had, and then, in the same process, for one that can.
import { Engine } from '@seedstorm/native';
import { content } from './content.mjs';
import { memoryByNode } from './kernel-says.mjs';

const [refused, possible] = process.argv.slice(2).map((options) => JSON.parse(options));
const seen = {};
try {
  await Engine.start(refused);
} catch ({ code, what, mend }) {
  seen.error = { code, what, mend };
}
seen.left = memoryByNode().bound;
const engine = await Engine.start(possible);
const lanes = await engine.bench(content, 0.1);
seen.generatedBytes = lanes.map((lane) => lane.generatedBytes);
seen.explained = await engine.explain();
seen.bound = memoryByNode().bound;
console.log(JSON.stringify(seen));
await engine.close();
