// Starts an engine with the options that it is given, lets its lanes work, and prints what the kernel says of them.
import { Engine } from '@seedstorm/native';
import { content } from './content.mjs';
import { laneThreads, memoryByNode } from './kernel-says.mjs';

const engine = await Engine.start(JSON.parse(process.argv[2]));
await engine.bench(content, 0.1);
const { placement } = engine;
console.log(JSON.stringify({ placement, threads: laneThreads(), memory: memoryByNode() }));
await engine.close();
