// What a node of 384 cores could generate: from cycles per byte measured here, and from that node's clock and memory.
import { median, perCpuSecond } from '../lib/samples.mjs';
import { huge } from './cases.mjs';

/** A node as its vendor describes it: two AMD EPYC 9965. Its clock is the one that it keeps with every core at work. */
export const node = {
  name: '2 × AMD EPYC 9965',
  cores: 384,
  baseGhz: 2.25,
  channels: 24,
  megatransfers: 6400,
  bytesPerTransfer: 8,
};

/** How much of a memory's peak rate streaming writes keep up on server CPUs; an assumption, not measured here. */
export const sustainedShare = 0.8;

/** The seed system's projections for 384 cores, in GB/s. */
export const projections = [1384, 1511];

/** The model's figures, in GB/s unless named otherwise. */
export function model(samples, names) {
  const hertz = samples.each(names.clock, perCpuSecond);
  const cyclesPerByte = (id) => {
    const rates = samples.each(id, perCpuSecond);
    return median(rates.map((rate, round) => hertz[round] / rate));
  };
  const inCache = (cycles) => (node.cores * node.baseGhz) / cycles;
  const generateCycles = cyclesPerByte(names.inCache.one);
  const verifyCycles = cyclesPerByte(names.verify.oneCache);
  const memory = (node.channels * node.megatransfers * node.bytesPerTransfer) / 1000;
  const [fill, stream] = ['fill', 'stream-memset'].map((operation) =>
    samples.each(`native ${operation} shared ${huge}`),
  );
  const ofMemset = median(fill.map((rate, round) => rate / stream[round]));
  const generateInMemory = memory * sustainedShare * Math.min(1, ofMemset);
  return {
    clockGhz: median(hertz) / 1e9,
    generateCycles,
    verifyCycles,
    generateInCache: inCache(generateCycles),
    verifyInCache: inCache(verifyCycles),
    memory,
    sustained: memory * sustainedShare,
    ofMemset,
    generateInMemory,
    coresToFillMemory: Math.ceil(generateInMemory / (node.baseGhz / generateCycles)),
    projections: projections.map((rate) => ({
      rate,
      perCore: rate / node.cores,
      ofMemory: rate / memory,
      memoryCarries: rate <= memory * sustainedShare,
      cacheCarries: rate <= inCache(generateCycles),
    })),
  };
}
