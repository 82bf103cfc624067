/** A machine to emulate: its nodes, as the kernel will see them, in QEMU's words. */

/** One NUMA node. Its CPUs are numbered on from those of the node before. */
export interface ShapeNode {
  /** 0 for a node with memory only. */
  readonly cpus: number;
  /** 0 for a node with CPUs only. */
  readonly mebibytes: number;
}

/** A machine. */
export interface Shape {
  readonly nodes: readonly ShapeNode[];
  /** Row after row: from the row's node to the column's; 10 is a node's own memory. */
  readonly distances: readonly (readonly number[])[];
}

/** QEMU's arguments for it. */
export function machineArguments({ nodes, distances }: Shape): string[] {
  const cpus = nodes.reduce((sum, node) => sum + node.cpus, 0);
  const memory = nodes.reduce((sum, node) => sum + node.mebibytes, 0);
  const args = ['-smp', `${cpus},sockets=1,cores=${cpus},threads=1`, '-m', `${memory}M`];
  for (const [node, { mebibytes }] of nodes.entries()) {
    const [first] = cpusOf({ nodes, distances }, node);
    const backend = `memory-backend-ram,id=memory${node},size=${mebibytes}M`;
    if (mebibytes > 0) args.push('-object', backend);
    const own = [`node,nodeid=${node}`];
    if (mebibytes > 0) own.push(`memdev=memory${node}`);
    if (first !== undefined) own.push(`cpus=${first}-${cpusOf({ nodes, distances }, node).at(-1)}`);
    args.push('-numa', own.join(','));
  }
  for (const [from, row] of distances.entries()) {
    for (const [to, distance] of row.entries()) args.push('-numa', `dist,src=${from},dst=${to},val=${distance}`);
  }
  return args;
}

/** The CPUs of a node. */
export function cpusOf({ nodes }: Shape, node: number): number[] {
  const before = nodes.slice(0, node).reduce((sum, { cpus }) => sum + cpus, 0);
  return Array.from({ length: nodes[node]?.cpus ?? 0 }, (_, index) => before + index);
}
