//! What the specs share: random valid parameters, places in the stream, and the content function once more, byte by byte
//! and as plainly as its description, to hold the fast code against.

use crate::ars::Ars;
use crate::kernel::Kernel;
use crate::{Codec, Content, MAX_COMPRESS_MILLI, MAX_STREAM_BYTES, MAX_WINDOW_BITS, Parameters, Record, word};
use proptest::prelude::*;

/// Any valid parameters with units of at most this many cells.
pub(crate) fn parameters(max_unit_cells: u64) -> impl Strategy<Value = Parameters> {
    let compress = prop_oneof![2 => Just(1000), 3 => 1001..20_000u32, 1 => 1001..=MAX_COMPRESS_MILLI];
    // As many orders of magnitude of ratios as the window allows, none of them likelier than another.
    let dedup = (0..=MAX_WINDOW_BITS, 0.0..1.0f64).prop_flat_map(|(bits, part)| {
        let most = 1000u64 << bits;
        let ratio = ((1000.0 * 2f64.powf(part * f64::from(bits))) as u64).clamp(1000, most);
        (Just(bits), prop_oneof![2 => Just(1000), 4 => Just(ratio), 1 => Just(most)])
    });
    let codec = (prop::sample::select(&Codec::ALL[..]), prop::sample::select(&Record::ALL[..]));
    let name = (any::<u64>(), "[a-z]{0,4}");
    (name, 1..=max_unit_cells, dedup, compress, codec).prop_map(|(name, cells, dedup, compress_milli, codec)| {
        Parameters {
            seed: name.0,
            namespace: name.1,
            unit_bytes: cells * 4096,
            dedup_milli: dedup.1,
            window_bits: dedup.0,
            compress_milli,
            codec: codec.0,
            record: codec.1,
        }
    })
}

/// An offset at which a range of `length` bytes lies in the stream; often at its very beginning or end.
pub(crate) fn offset(length: usize) -> impl Strategy<Value = u64> {
    let last = MAX_STREAM_BYTES - length as u64;
    prop_oneof![0..100_000u64, 0..=last, last - 100_000..=last]
}

/// Byte `position` of the stream by the description, step by step.
pub(crate) fn described_byte(parameters: &Parameters, key: [u8; 16], generation: u16, position: u64) -> u8 {
    let portable = Kernel::Portable.proven().expect("runs everywhere");
    let ars = Ars::<5>::new(key);
    let (unit, at) = (position / parameters.unit_bytes, position % parameters.unit_bytes);

    let uid = if parameters.dedup_milli == 1000 {
        unit
    } else {
        let size = 1u128 << parameters.window_bits;
        let (window, j) = (u128::from(unit) / size, u128::from(unit) % size);
        let base = |window: u128| window * size * 1000 / u128::from(parameters.dedup_milli);
        let random = portable.word(&ars, window | 0xD1CE << 112);
        let r = [0, 32, 64, 96].map(|shift| random >> shift & 0xFFFF_FFFF);
        let shift = parameters.window_bits.div_ceil(2);
        let mut x = j;
        for (a, c) in [(r[0], r[1]), (r[2], r[3]), (r[1], r[2])] {
            x = (x * (a | 1) + c) % size;
            x ^= x >> shift;
        }
        let x = if parameters.window_bits == 0 { 0 } else { x };
        (base(window) + x * (base(window + 1) - base(window)) / size) as u64
    };

    let overhead = match (parameters.codec, parameters.record.bytes()) {
        (Codec::Any, _) => 41,
        (Codec::AtLeast, _) => 100,
        (Codec::Lz4, 4096) => 26,
        (Codec::Lz4, 16384) => 22,
        (Codec::Lz4, _) => 20,
        (Codec::Zstd, 4096) => 20,
        (Codec::Zstd, 16384) => 10,
        (Codec::Zstd, _) => 6,
        (Codec::Deflate, 4096) => 82,
        (Codec::Deflate, 16384) => 42,
        (Codec::Deflate, _) => 31,
    };
    let ratio = i64::from(parameters.compress_milli);
    let literal =
        if ratio == 1000 { 4096 } else { ((4_096_000 + ratio / 2) / ratio - overhead).clamp(32, 4096) as u64 };
    let odd = (1..).step_by(2).take_while(|odd| 32 * odd <= literal).last().expect("the literal has 32 bytes");
    let mut in_cell = at % 4096;
    while in_cell >= literal {
        in_cell -= 32 * odd;
    }
    let byte = at / 4096 * 4096 + in_cell;
    let word = portable.word(&ars, word::counter(uid, generation, (byte / 16) as u32));
    word.to_le_bytes()[byte as usize % 16]
}

/// `length` bytes of the stream from `offset` on.
pub(crate) fn filled(content: &Content, generation: u16, offset: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    content.fill(generation, offset, &mut bytes).expect("in the stream");
    bytes
}
