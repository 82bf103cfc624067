/** How results become JSON: seeds as decimal strings, other 64-bit numbers as numbers where JSON can hold them. */

/** One line of JSON. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (key, item) => {
    if (typeof item !== 'bigint') return item;
    const safe = item <= BigInt(Number.MAX_SAFE_INTEGER) && item >= -BigInt(Number.MAX_SAFE_INTEGER);
    return key === 'seed' || !safe ? String(item) : Number(item);
  });
}
