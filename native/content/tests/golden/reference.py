"""The content function, version 1, a second time: written from docs/content.md alone, section by section, for the reader
and not for speed. It shares no line with the Rust code, and so its answers can prove it.

Standard library only. vectors.py prints what it makes of cases.py.
"""

import struct
from dataclasses import dataclass

MASK_32 = (1 << 32) - 1
MASK_64 = (1 << 64) - 1


# Key: BLAKE3 in derive_key mode, for inputs of at most one chunk (1024 bytes), which all of ours are.

BLAKE3_IV = (
    0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
)  # fmt: skip
BLAKE3_PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
CHUNK_START, CHUNK_END, ROOT, DERIVE_KEY_CONTEXT, DERIVE_KEY_MATERIAL = 1, 2, 8, 32, 64


def rotate_right(value, bits):
    return (value >> bits | value << (32 - bits)) & MASK_32


def blake3_mix(v, a, b, c, d, first, second):
    v[a] = (v[a] + v[b] + first) & MASK_32
    v[d] = rotate_right(v[d] ^ v[a], 16)
    v[c] = (v[c] + v[d]) & MASK_32
    v[b] = rotate_right(v[b] ^ v[c], 12)
    v[a] = (v[a] + v[b] + second) & MASK_32
    v[d] = rotate_right(v[d] ^ v[a], 8)
    v[c] = (v[c] + v[d]) & MASK_32
    v[b] = rotate_right(v[b] ^ v[c], 7)


def blake3_compress(chaining, block, flags):
    """The first half of the compression's output; the chunk counter is always 0 here."""
    message = struct.unpack("<16I", block.ljust(64, b"\0"))
    v = [*chaining, *BLAKE3_IV[:4], 0, 0, len(block), flags]
    for _ in range(7):
        for nth, (a, b, c, d) in enumerate(
            [
                (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
            ]  # fmt: skip
        ):
            blake3_mix(v, a, b, c, d, message[2 * nth], message[2 * nth + 1])
        message = [message[index] for index in BLAKE3_PERMUTATION]
    return tuple(v[nth] ^ v[nth + 8] for nth in range(8))


def blake3_chunk(key_words, data, flags):
    """The 32-byte hash of at most 1024 bytes, as eight words."""
    assert len(data) <= 1024
    blocks = [data[at : at + 64] for at in range(0, len(data), 64)] or [b""]
    chaining = key_words
    for nth, block in enumerate(blocks):
        start = CHUNK_START if nth == 0 else 0
        end = CHUNK_END | ROOT if nth == len(blocks) - 1 else 0
        chaining = blake3_compress(chaining, block, flags | start | end)
    return chaining


def derive_key(seed, namespace):
    context = blake3_chunk(BLAKE3_IV, b"seedstorm content v1", DERIVE_KEY_CONTEXT)
    material = struct.pack("<Q", seed) + namespace.encode()
    return struct.pack("<8I", *blake3_chunk(context, material, DERIVE_KEY_MATERIAL))[:16]


# Words: ARS, which is AES's rounds under keys from a Weyl sequence.


def gf_multiply(a, b):
    """The product in AES's field GF(2^8)."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = a << 1 ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return product


def sub_byte(value):
    """AES's S-box: the inverse in the field, then an affine map."""
    inverse = next((x for x in range(256) if gf_multiply(value, x) == 1), 0)
    result = 0x63
    for bits in range(5):
        result ^= (inverse << bits | inverse >> (8 - bits)) & 0xFF
    return result


SUB_BYTE = [sub_byte(value) for value in range(256)]
DOUBLE = [gf_multiply(value, 2) for value in range(256)]
# The state is in columns of four bytes, as in FIPS 197; row r moves r columns to the left.
SHIFT_ROWS = [(4 * (column + row) + row) % 16 for column in range(4) for row in range(4)]


def aesenc(state, key, last=False):
    """What the instruction AESENC (or AESENCLAST) makes of a 128-bit number."""
    data = state.to_bytes(16, "little")
    data = [SUB_BYTE[data[index]] for index in SHIFT_ROWS]
    if not last:
        mixed = []
        for column in range(0, 16, 4):
            a, b, c, d = data[column : column + 4]
            total = a ^ b ^ c ^ d
            mixed += [
                a ^ total ^ DOUBLE[a ^ b],
                b ^ total ^ DOUBLE[b ^ c],
                c ^ total ^ DOUBLE[c ^ d],
                d ^ total ^ DOUBLE[d ^ a],
            ]
        data = mixed
    return int.from_bytes(bytes(data), "little") ^ key


def ars(key, counter, rounds=5):
    key = int.from_bytes(key, "little")
    v = counter ^ key
    for nth in range(1, rounds + 1):
        low = (key & MASK_64) + 0x9E3779B97F4A7C15 & MASK_64
        high = (key >> 64) + 0xBB67AE8584CAA73B & MASK_64
        key = high << 64 | low
        v = aesenc(v, key, last=nth == rounds)
    return v


def word(key, uid, generation, k):
    return ars(key, uid | k << 64 | generation << 96 | 0x5EED << 112).to_bytes(16, "little")


# Cells and compression

OVERHEAD = {
    "any": {4096: 41, 16384: 41, 131072: 41},
    "lz4": {4096: 26, 16384: 22, 131072: 20},
    "zstd": {4096: 20, 16384: 10, 131072: 6},
    "deflate": {4096: 82, 16384: 42, 131072: 31},
    "at-least": {4096: 100, 16384: 100, 131072: 100},
}


def cell_shape(compress_milli, codec, record):
    """L and d of the description."""
    if compress_milli == 1000:
        return 4096, None
    literal = (4096 * 1000 + compress_milli // 2) // compress_milli - OVERHEAD[codec][record]
    literal = min(max(literal, 32), 4096)
    m = literal // 32
    return literal, 32 * (m if m % 2 == 1 else m - 1)


def cell_bytes(key, uid, generation, c, literal, d):
    words = [word(key, uid, generation, k) for k in range(256 * c, 256 * c + (literal + 15) // 16)]
    cell = bytearray(b"".join(words)[:literal])
    for i in range(literal, 4096):
        cell.append(cell[i - d])
    return bytes(cell)


# Dedup


def permute(key, window_bits, w, j):
    if window_bits == 0:
        return 0
    size = 1 << window_bits
    r = struct.unpack("<4I", ars(key, w | 0xD1CE << 112).to_bytes(16, "little"))
    s = (window_bits + 1) // 2
    x = j
    for a, c in ((r[0], r[1]), (r[2], r[3]), (r[1], r[2])):
        x = (x * (a | 1) + c) % size
        x ^= x >> s
    return x


def unique_unit(key, dedup_milli, window_bits, i):
    if dedup_milli == 1000:
        return i
    size = 1 << window_bits
    w, j = divmod(i, size)

    def base(window):
        return window * size * 1000 // dedup_milli

    q = base(w + 1) - base(w)
    return base(w) + permute(key, window_bits, w, j) * q // size


# The stream


@dataclass(frozen=True)
class Case:
    seed: int = 0
    namespace: str = ""
    unit: int = 1 << 20
    generation: int = 0
    dedup_milli: int = 1000
    window_bits: int = 12
    compress_milli: int = 1000
    codec: str = "any"
    record: int = 131072
    offset: int = 0
    length: int = 4096


def stream(key, case):
    """The bytes of the case, cell by cell."""
    literal, d = cell_shape(case.compress_milli, case.codec, case.record)
    first, last = case.offset // 4096, (case.offset + case.length - 1) // 4096
    cells = []
    for number in range(first, last + 1):
        unit, at = divmod(number * 4096, case.unit)
        uid = unique_unit(key, case.dedup_milli, case.window_bits, unit)
        cells.append(cell_bytes(key, uid, case.generation, at // 4096, literal, d))
    skip = case.offset - first * 4096
    return b"".join(cells)[skip : skip + case.length]
