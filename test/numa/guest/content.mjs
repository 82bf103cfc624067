// Some content, where it makes no difference which.
export const content = {
  seed: 1n,
  namespace: '',
  unitBytes: 65_536,
  dedupMilli: 1000,
  windowBits: 0,
  compressMilli: 1000,
  codec: 'any',
  recordBytes: 4096,
};
