"""Which places of which streams the golden vectors show: first each parameter alone at the values where code goes wrong,
then all of them mixed."""

import hashlib

from reference import OVERHEAD, Case

END = 1 << 63
MIXED = 260


def cases():
    yield from one_at_a_time()
    yield from (mixed(number) for number in range(MIXED))


def one_at_a_time():
    # Names of streams.
    for seed in (0, 1, 2, 42, 43, (1 << 32) - 1, 1 << 32, 1 << 53, (1 << 63) - 1, 1 << 63, (1 << 64) - 2, (1 << 64) - 1):
        yield Case(seed=seed, length=64)
    for namespace in ("a", "A", "host-7", "with space", "é", "種", "x" * 55, "x" * 56, "x" * 57, "y" * 254, "z" * 255):
        yield Case(seed=42, namespace=namespace, length=64)

    # Edges of words, cells and units, and how far a vector kernel is from its full width.
    for offset in (0, 1, 7, 8, 15, 16, 17, 31, 63, 127, 128, 129, 4095, 4096, 4097):
        yield Case(offset=offset, length=777)
    for length in (1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1023, 4095):
        yield Case(seed=1, offset=5, length=length)
    for unit in (4096, 8192, 12288, 28672, 65536, 1 << 20, (1 << 20) + 4096, (1 << 30) - 4096, 1 << 30):
        for offset in (unit - 1, unit, 3 * unit - 40, 1000 * unit + 9):
            yield Case(seed=2, unit=unit, offset=offset, length=81)

    # Counters near the ends of their fields, and the end of the stream.
    for generation in (0, 1, 7, 255, 256, 32767, 32768, 65534, 65535):
        yield Case(seed=3, generation=generation, offset=999, length=99)
    for unit in (4096, 12288, 1 << 20, 1 << 30):
        for offset in ((1 << 32) - 50, (1 << 40) - 50, (1 << 44) - 50, (1 << 62) - 50, END - 101, END - 5000):
            yield Case(seed=4, unit=unit, offset=offset, length=101)
    yield Case(seed=4, offset=END - 1, length=1)

    # Every codec and record at ratios on both sides of every clamp.
    for codec in OVERHEAD:
        for record in OVERHEAD[codec]:
            for compress_milli in (1001, 1100, 2000, 3333, 9999, 100000):
                yield Case(seed=5, compress_milli=compress_milli, codec=codec, record=record, offset=4000, length=4300)

    # Windows: one unit, some, the usual one, the largest; the smallest and the largest ratio of each.
    for window_bits in (0, 1, 2, 3, 7, 12, 16, 31, 32):
        for dedup_milli in (1000, 1001, 1500, 2300, 10000, 1000 << window_bits):
            if dedup_milli <= 1000 << window_bits:
                for unit_number in (0, 1, (1 << window_bits) - 1, 1 << window_bits, 5 << window_bits | 3, (1 << 51) - 5):
                    offset = unit_number * 4096 + 4000
                    yield Case(
                        seed=6, unit=4096, window_bits=window_bits, dedup_milli=dedup_milli, offset=offset, length=4500
                    )


def mixed(number):
    """A case of which every parameter is drawn: from a hash, so that no library's generator decides the vectors."""
    drawn = iter(hashlib.shake_256(f"golden {number}".encode()).digest(1024))

    def below(bound):
        return int.from_bytes(bytes(next(drawn) for _ in range(16)), "little") % bound

    def one_of(*values):
        return values[below(len(values))]

    window_bits = one_of(0, 1, 2, 5, 8, 12, 12, 12, 20, 32)
    most = 1000 << window_bits
    length = one_of(1 + below(100), 1 + below(9000), 1 + below(30000))
    offset = one_of(below(1 << 20), below(1 << 34), below(1 << 45), below(END - length), END - length - below(1 << 20))
    return Case(
        seed=below(1 << 64),
        namespace=one_of("", "run", f"run-{number}", "żółw"),
        unit=4096 * one_of(1, 2, 3, 16, 256, 256, 1 + below(1 << 18)),
        generation=one_of(0, 0, 1, below(1 << 16)),
        dedup_milli=one_of(1000, min(most, 1000 + below(1000)), min(most, 1000 + below(9000)), 1000 + below(most - 999)),
        window_bits=window_bits,
        compress_milli=one_of(1000, 1001 + below(1000), 1001 + below(9000), 1001 + below(99000)),
        codec=one_of(*OVERHEAD),
        record=one_of(4096, 16384, 131072),
        offset=offset,
        length=length,
    )
