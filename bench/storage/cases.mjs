// What is measured of storage, in the order in which it is: what is compared stands close together. A case's id is
// `PLACE PROGRAM OPERATION ORDER BLOCK SHAPE`; operations are `create` (a new file, its room reserved), `write` (over a
// file that is there), `read` and `verify`.

export const KiB = 2 ** 10;
export const MiB = 2 ** 20;

/** Blocks, each with the bytes of a file of them: enough for a second or so on a usual disk. */
export const large = { name: '1MiB', bytes: MiB, fileBytes: 1024 * MiB };
export const small = { name: '4KiB', bytes: 4 * KiB, fileBytes: 256 * MiB };
export const blocks = [large, small];
export const depth = 32;
/** Compressible and deduplicated data. */
export const shapes = ['compress2', 'dedup2'];

/** One case of one place. */
function named(place, program, operation, block, shape = 'plain') {
  const order = 'sequential';
  return { id: [place, program, operation, order, block.name, shape].join(' '), program, operation, block, shape };
}

/**
 * The ids of a place's cases, by what they are compared as. New files of a tmpfs are memory that is touched for the first
 * time: how fast that goes is up to this machine, or to the host of a virtual one, and so they are left out.
 */
export function idsOf(place) {
  const id = (...of) => named(place, ...of).id;
  const pair = (operation, block) => ({ own: id('seedstorm', operation, block), fio: id('fio', operation, block) });
  return {
    create: place === 'tmpfs' ? undefined : pair('create', large),
    write: pair('write', large),
    read: pair('read', large),
    verify: id('seedstorm', 'verify', large),
    shapes: shapes.map((shape) => [shape, id('seedstorm', 'write', large, shape)]),
    smallWrite: pair('write', small),
    smallRead: pair('read', small),
    smallVerify: id('seedstorm', 'verify', small),
  };
}

/** Every case of a place, in order. */
export function casesOf(place) {
  const both = (operation, block) => ['fio', 'seedstorm'].map((program) => named(place, program, operation, block));
  return [
    ...(idsOf(place).create ? both('create', large) : []),
    ...both('write', large),
    ...shapes.map((shape) => named(place, 'seedstorm', 'write', large, shape)),
    ...both('read', large),
    named(place, 'seedstorm', 'verify', large),
    ...both('write', small),
    ...both('read', small),
    named(place, 'seedstorm', 'verify', small),
  ];
}
