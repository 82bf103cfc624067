// What is measured, in the order in which it is: what is compared stands close together. A case's id is its worker and
// the line that the worker is told, without the time.

export const KiB = 2 ** 10;
export const MiB = 2 ** 20;

/** Chunk sizes of the curves: powers of four. */
export const curveSizes = [4, 16, 64, 256]
  .map((size) => size * KiB)
  .concat([1, 4, 16, 64, 256].map((size) => size * MiB));
/** Sizes that targets name. */
export const tiny = 64;
export const small = 4 * KiB;
export const middle = 256 * KiB;
export const large = 32 * MiB;
export const huge = 256 * MiB;

/** Curves of the picture and of the table of chunk sizes, in two panels; `id` is the case at a size. */
export const panels = [
  {
    title: 'one core',
    curves: [
      { title: 'memset', color: '#888', dashed: true, id: (size) => `native memset one ${size}` },
      { title: 'Seedstorm, native', color: '#c2410c', id: (size) => `native fill one ${size}` },
      { title: 'Seedstorm, fillChunkSync', color: '#1d4ed8', id: (size) => `typescript fill sync ${size}` },
      { title: 'dgen-py, one thread', color: '#15803d', id: (size) => `dgen fill one ${size}` },
    ],
  },
  {
    title: 'all cores, one buffer',
    curves: [
      {
        title: 'non-temporal memset',
        color: '#888',
        dashed: true,
        id: (size) => `native stream-memset shared ${size}`,
      },
      { title: 'Seedstorm, native', color: '#c2410c', id: (size) => `native fill shared ${size}` },
      { title: 'Seedstorm, fillChunk', color: '#1d4ed8', id: (size) => `typescript fill async ${size}` },
      { title: 'dgen-py', color: '#15803d', id: (size) => `dgen fill shared ${size}` },
    ],
  },
];

/** The cases of one machine: its limits, Seedstorm's, dgen-py's. `native` is what the native worker says of it. */
export function namesFor({ lanes, blockBytes, l3Bytes }, availableBytes) {
  const cache = blockBytes;
  const allCaches = blockBytes * lanes;
  // Four times what all L3 caches hold, so that little of one round is left in them when the next begins.
  const wanted = Math.max(1024 * MiB, 4 * l3Bytes);
  const dram = Math.floor(Math.min(wanted, availableBytes / 4) / MiB) * MiB;
  const limits = ['memset', 'stream-memset', 'read-scan'].map((operation) => ({
    operation,
    oneCache: `native ${operation} one ${cache}`,
    allCache: `native ${operation} all ${allCaches}`,
    oneDram: `native ${operation} one ${dram}`,
    allDram: `native ${operation} all ${dram}`,
  }));
  const verify = {
    oneCache: `native verify one ${cache}`,
    allCache: `native verify all ${allCaches}`,
    oneDram: `native verify one ${dram}`,
    allDram: `native verify all ${dram}`,
  };
  const shapes = ['fill-compress2', 'fill-dedup2'].map((shape) => ({
    shape,
    oneCache: `native ${shape} one ${cache}`,
    shared: `native ${shape} shared ${huge}`,
  }));
  const inCache = { one: `native fill one ${cache}`, all: `native fill all ${allCaches}` };
  return { cache, dram, clock: 'native clock one 1', limits, verify, shapes, inCache, dgenOne: dgenOne() };
}

/** dgen-py's one-thread cases, of which targets take the best: its chunks must divide its block or be multiples of it. */
function dgenOne() {
  return [64 * KiB, middle, MiB, 4 * MiB, 16 * MiB, large].map((size) => `dgen fill one ${size}`);
}

/** Every case once, in order. */
export function order(names) {
  const { cache, clock, limits, verify, shapes, inCache, dgenOne } = names;
  const [readScan] = limits.filter(({ operation }) => operation === 'read-scan');
  const [memset, streamMemset] = limits;
  const sized = (size) => panels.flatMap(({ curves }) => curves.map(({ id }) => id(size)));
  const placed = [
    clock,
    ...dgenOne,
    inCache.one,
    `typescript fill sync ${cache}`,
    ...shapes.map(({ oneCache }) => oneCache),
    inCache.all,
    verify.oneCache,
    readScan.oneCache,
    verify.allCache,
    readScan.allCache,
    verify.oneDram,
    readScan.oneDram,
    verify.allDram,
    readScan.allDram,
    ...[memset, streamMemset].flatMap(({ oneCache, allCache, oneDram, allDram }) => [
      oneCache,
      allCache,
      oneDram,
      allDram,
    ]),
    `native stream-memset shared ${huge}`,
    `native fill shared ${huge}`,
    ...shapes.map(({ shared }) => shared),
    ...shapes.map(({ shape }) => `typescript ${shape} async ${huge}`),
    `typescript fill sync ${tiny}`,
    `dgen fill one ${tiny}`,
    ...[...curveSizes, large].sort((a, b) => a - b).flatMap(sized),
    `typescript loop-delay full ${huge}`,
    `typescript loop-delay spare ${huge}`,
    `typescript loop-delay idle ${huge}`,
    'fio',
  ];
  return [...new Set(placed)];
}
