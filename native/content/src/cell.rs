//! The shape of a cell of 4096 bytes: `literal` bytes that no codec shortens, and after them the last `period` of these
//! over and over, so that every 4 KiB compresses at the ratio and none of it is a run of zeros.

use crate::CELL_BYTES;
use crate::parameters::{Codec, ONE_MILLI, Parameters, Record};
use std::ops::Range;

/// A cell's period is an odd multiple of this many bytes: no two 512-byte sectors are equal while it is long, and
/// copying goes in whole vectors.
pub(crate) const PERIOD_GRAIN: usize = 32;

/// Masks that keep the first bytes of a block, by their number.
const KEEP: [[u8; PERIOD_GRAIN]; PERIOD_GRAIN] = {
    let mut masks = [[0; PERIOD_GRAIN]; PERIOD_GRAIN];
    let mut kept = 0;
    while kept < PERIOD_GRAIN {
        let mut at = 0;
        while at < kept {
            masks[kept][at] = 0xFF;
            at += 1;
        }
        kept += 1;
    }
    masks
};

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
    ///
    /// It copies blocks of [`PERIOD_GRAIN`] from multiples of that: a block that is read was then stored whole, or is
    /// part of a whole vector, and comes straight out of the store buffer. A copy from where the literal ends reads
    /// across two stores and waits for both: with literals of 352 to 1000 bytes that took three times as long.
    #[inline(always)]
    pub(crate) fn repeat(self, cell: &mut [u8; CELL_BYTES]) {
        self.close(cell);
        let blocks = cell.as_chunks_mut::<PERIOD_GRAIN>().0;
        let period = self.period / PERIOD_GRAIN;
        let mut filled = self.last_period().end / PERIOD_GRAIN;
        // Any multiple of the period is a period too, once that much is filled: reading from twice as far each time
        // leaves a short chain of copies that wait for one another even where the period is one block.
        let mut distance = period;
        while filled < blocks.len() {
            let end = blocks.len().min(filled + distance);
            copy_back(blocks, filled..end, distance);
            filled = end;
            distance *= 2;
        }
    }

    /// Fills the block in which the literal ends, whose literal bytes are there.
    #[inline(always)]
    pub(crate) fn close(self, cell: &mut [u8; CELL_BYTES]) {
        let blocks = cell.as_chunks_mut::<PERIOD_GRAIN>().0;
        let last = self.literal / PERIOD_GRAIN;
        let (repeated, keep) = (blocks[last - self.period / PERIOD_GRAIN], &KEEP[self.literal % PERIOD_GRAIN]);
        for (at, byte) in blocks[last].iter_mut().enumerate() {
            *byte = *byte & keep[at] | repeated[at] & !keep[at];
        }
    }

    /// The last period of a cell that is filled and closed: what comes after it is the same over and over.
    #[inline(always)]
    pub(crate) fn last_period(self) -> Range<usize> {
        let end = (self.literal / PERIOD_GRAIN + 1) * PERIOD_GRAIN;
        end - self.period..end
    }
}

/// Copies to each block of the range the one `distance` before it.
#[inline(always)]
fn copy_back(blocks: &mut [[u8; PERIOD_GRAIN]], range: Range<usize>, distance: usize) {
    for at in range {
        blocks[at] = blocks[at - distance];
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

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(compress_milli: u32, codec: Codec, record: Record) -> Cell {
        Cell::new(&Parameters { compress_milli, codec, record, ..Parameters::default() })
    }

    #[test]
    fn each_codec_and_record_is_given_the_literal_bytes_of_the_table() {
        // At 2:1 a cell should become 2048 bytes.
        for (codec, overheads) in [
            (Codec::Any, [41, 41, 41]),
            (Codec::Lz4, [26, 22, 20]),
            (Codec::Zstd, [20, 10, 6]),
            (Codec::Deflate, [82, 42, 31]),
            (Codec::AtLeast, [100, 100, 100]),
        ] {
            for (record, overhead) in Record::ALL.into_iter().zip(overheads) {
                assert_eq!(cell(2000, codec, record).literal, 2048 - overhead, "{codec:?} {record:?}");
            }
        }
    }

    #[test]
    fn every_ratio_has_a_period_that_is_an_odd_multiple_of_32_and_not_longer_than_the_literal() {
        for codec in Codec::ALL {
            for record in Record::ALL {
                assert!(cell(1000, codec, record).is_plain());
                for ratio in 1001..=100_000 {
                    let Cell { literal, period } = cell(ratio, codec, record);
                    assert!((32..4096).contains(&literal), "{ratio}");
                    assert!(period % 64 == 32 && period <= literal && period + 64 > literal, "{ratio}");
                }
            }
        }
    }

    #[test]
    fn every_byte_after_the_literal_is_the_one_a_period_before() {
        for ratio in [1001, 1333, 2000, 2500, 5000, 10_000, 33_333, 100_000] {
            let cell = cell(ratio, Codec::Any, Record::Kib128);
            let mut bytes = std::array::from_fn(|nth| if nth < cell.literal { (nth * 31 / 8) as u8 } else { 0xFF });
            cell.repeat(&mut bytes);
            for nth in cell.literal..CELL_BYTES {
                assert_eq!(bytes[nth], bytes[nth - cell.period], "byte {nth} at {ratio}/1000");
            }
        }
    }
}
