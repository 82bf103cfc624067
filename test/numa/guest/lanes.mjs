// Starts an engine with the options that it is given, lets its lanes work, and prints what it and what the kernel say of them.
import { Engine, loadTopology } from '@seedstorm/native';
import { content } from './content.mjs';
import { laneThreads, memoryByNode, pusOfOthers } from './kernel-says.mjs';

const topology = loadTopology();
const engine = await Engine.start(JSON.parse(process.argv[2]));
await engine.bench(content, 0.1);
const { placement, notes } = engine;
const explained = await engine.explain();
const told = { topology, placement, notes, explained };
console.log(JSON.stringify({ ...told, threads: laneThreads(), others: pusOfOthers(), memory: memoryByNode() }));
await engine.close();
