//! The shape of a cell of 4096 bytes: `literal` bytes that no codec shortens, and after them the last `period` of these
//! over and over, so that every 4 KiB compresses at the ratio and none of it is a run of zeros.

use crate::CELL_BYTES;
use crate::parameters::{Codec, ONE_MILLI, Parameters, Record};

/// A cell's period is an odd multiple of this many bytes: no two 512-byte sectors are equal while it is long, and
/// copying goes in whole vectors.
const PERIOD_GRAIN: usize = 32;

/// How a cell is divided for one compression ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    /// Bytes at the cell's start that are words' bytes; 4096 where nothing is to be compressed.
    pub(crate) literal: usize,
    /// Byte i of the rest is byte i − `period`.
    pub(crate) period: usize,
}

impl Cell {
    /// The cell for these parameters, which are valid.
    pub(crate) fn new(parameters: &Parameters) -> Self {
        let ratio = i64::from(parameters.compress_milli);
        let one = ONE_MILLI as i64;
        let cell = CELL_BYTES as i64;
        let literal = if ratio == one {
            cell
        } else {
            let compressed = (cell * one + ratio / 2) / ratio;
            (compressed - overhead(parameters.codec, parameters.record)).clamp(PERIOD_GRAIN as i64, cell)
        };
        let literal = literal as usize;
        let grains = literal / PERIOD_GRAIN;
        Self { literal, period: PERIOD_GRAIN * (grains - (grains + 1) % 2) }
    }

    /// Whether the whole cell is literal.
    pub(crate) fn is_plain(self) -> bool {
        self.literal == CELL_BYTES
    }

    /// Fills the rest of a cell whose literal bytes are there.
    pub(crate) fn repeat(self, cell: &mut [u8; CELL_BYTES]) {
        let mut filled = self.literal;
        // Any multiple of the period is a period too, once that much is filled: copying twice as much each time leaves
        // a handful of copies even where the period is 32 bytes.
        let mut distance = self.period;
        while filled < CELL_BYTES {
            let count = distance.min(CELL_BYTES - filled);
            let from = filled - distance;
            cell.copy_within(from..from + count, filled);
            filled += count;
            distance *= 2;
        }
    }
}

/// What a codec adds to a cell's literal bytes, in bytes: the content function's table, from measurements.
const fn overhead(codec: Codec, record: Record) -> i64 {
    match (codec, record) {
        (Codec::Any, _) => 41,
        (Codec::Lz4, Record::Kib4) => 26,
        (Codec::Lz4, Record::Kib16) => 22,
        (Codec::Lz4, Record::Kib128) => 20,
        (Codec::Zstd, Record::Kib4) => 20,
        (Codec::Zstd, Record::Kib16) => 10,
        (Codec::Zstd, Record::Kib128) => 6,
        (Codec::Deflate, Record::Kib4) => 82,
        (Codec::Deflate, Record::Kib16) => 42,
        (Codec::Deflate, Record::Kib128) => 31,
        (Codec::AtLeast, _) => 100,
    }
}
