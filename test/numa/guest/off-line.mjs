// Switches a CPU off on which a lane works, and tells what becomes of the lane.
import { writeFileSync } from 'node:fs';
import { Engine } from '@seedstorm/native';
import { content } from './content.mjs';

const pu = Number(process.argv[2]);
const engine = await Engine.start();
const working = engine.bench(content, 1);
setTimeout(() => writeFileSync(`/sys/devices/system/cpu/cpu${pu}/online`, '0'), 200);
const during = await working;
const after = await engine.bench(content, 0.1);
const { notes } = engine;
await engine.close();
const next = await Engine.start();
const pus = next.placement.flatMap(({ lanes }) => lanes.map((lane) => lane.pu));
await next.close();
const generated = (lanes) => lanes.map(({ generatedBytes }) => generatedBytes);
console.log(JSON.stringify({ during: generated(during), after: generated(after), notes, pus }));
