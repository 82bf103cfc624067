"""Prints v1.tsv, the golden vectors, after checking the reference against Random123's published answers and the table of
keys in docs/content.md: `python3 vectors.py > v1.tsv`. What it prints never changes; new cases only join at the end.
"""

import hashlib
import struct

from cases import cases
from reference import MASK_64, ars, derive_key, stream

# Name of each column in docs/content.md, and of the case's field.
COLUMNS = {
    "seed": "seed",
    "namespace": "namespace",
    "unit": "unit",
    "generation": "generation",
    "dedupMilli": "dedup_milli",
    "windowBits": "window_bits",
    "compressMilli": "compress_milli",
    "codec": "codec",
    "record": "record",
    "offset": "offset",
    "length": "length",
}


def check_ars():
    """Random123's known answers of ars4x32_R with R = 10."""
    for counter, key, answer in (
        ("00000000 " * 4, "00000000 " * 4, "8d73ee19 506401ef 13c2dbe4 0cbe9c0d"),
        (
            "243f6a88 85a308d3 13198a2e 03707344",
            "a4093822 299f31d0 082efa98 ec4e6c89",
            "a516e7d6 8357ad74 5b59b3ec 8763fff3",
        ),
        ("ffffffff " * 4, "ffffffff ffffffff 00000000 00000000", "bb3743b1 9f635551 ecbc87fc a19478a9"),
    ):
        counter, key, answer = (
            struct.pack("<4I", *(int(part, 16) for part in text.split())) for text in (counter, key, answer)
        )
        assert ars(key, int.from_bytes(counter, "little"), rounds=10).to_bytes(16, "little") == answer


def check_keys():
    """The table of keys in docs/content.md."""
    for seed, namespace, key in (
        (0, "", "f20ff7049b69e6b75cb889c920de566e"),
        (42, "", "c9fe27194edd84fffc5f3de3bd83e564"),
        (42, "host-7", "09e9aef819089d54d8da215672312cde"),
        (MASK_64, "", "737b6f4b2bcdc107fb2da8eaeb237cdd"),
    ):
        assert derive_key(seed, namespace).hex() == key


check_ars()
check_keys()
print(*COLUMNS, "key", "first", "sha256", sep="\t")
for case in cases():
    key = derive_key(case.seed, case.namespace)
    data = stream(key, case)
    assert len(data) == case.length
    values = [getattr(case, field) for field in COLUMNS.values()]
    print(*values, key.hex(), data[:16].hex(), hashlib.sha256(data).hexdigest(), sep="\t")
