//! The slow path of verification: says of each wrong sector what it is instead. Nothing in the data helps but the data:
//! a content word, run backwards through the cipher, names its own unit, place and generation.

use crate::kernel::Store;
use crate::stream::{Pieces, check_range};
use crate::word::WordName;
use crate::{CELL_BYTES, Content, WORD_BYTES};
use std::ops::Range;

/// The grain of naming, in bytes: the smallest sector that storage writes as a whole.
pub const SECTOR_BYTES: usize = 512;

/// Most units that [`FaultKind::Misdirected`] lists: a high dedup ratio has millions of candidates.
pub const MAX_CANDIDATE_UNITS: usize = 16;

/// At most one bit in this many may differ for a sector to count as the expected one with flipped bits. Unrelated data
/// differs in half of all bits, with a standard deviation of 32 in the 4096 of a sector: 64 is 62 deviations below.
const BITS_FOR_ONE_FLIP: u32 = 64;

/// Bits that may differ in any part of a sector, however short: all those of one byte.
const FLIPS_OF_A_BYTE: u32 = 8;

/// Words that must be those of one place before they name a sector that is not wholly that place's. The first has a name
/// by chance once in 65,536; a second one agrees with it by chance once in 2^128.
const AGREEING_WORDS: usize = 2;

/// A range of the stream that does not hold what it should, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it begins, in bytes from the start of the stream.
    pub offset: u64,
    /// Its length in bytes: whole sectors, but where the range that was diagnosed cuts them.
    pub length: u64,
    /// What it holds.
    pub kind: FaultKind,
}

/// What a range holds instead of its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Zeros.
    Zeroed,
    /// This place's content of another generation: a write that was lost or came too late.
    Stale {
        /// The generation that is there.
        generation: u16,
    },
    /// Content of this stream that belongs elsewhere.
    Misdirected {
        /// The units that it may belong to: under dedup several hold the same. Ascending; where they are more than
        /// [`MAX_CANDIDATE_UNITS`], some of them.
        units: Vec<u64>,
        /// Where in any of these units the fault's first byte belongs.
        offset_in_unit: u64,
        /// Its generation.
        generation: u16,
    },
    /// The right content, but for a few bits of one sector.
    BitFlip {
        /// How many bits differ.
        bits: u32,
        /// The first byte that differs, in bytes from the start of the stream.
        first_byte_offset: u64,
    },
    /// Nothing that this stream holds anywhere.
    Foreign,
}

/// A place in a unit and a generation of it: where some bytes may have come from.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Origin {
    uid: u64,
    generation: u16,
    at: usize,
}

impl Content {
    /// Says of every sector of `actual` that is not the stream's from `offset` on what it is instead; neighbours with
    /// one name are one fault. Empty where all is right.
    ///
    /// Sectors are those of the stream. Where the range begins or ends inside one, the part that is there is named, with
    /// less certainty the shorter it is. What lies beyond the end of the stream belongs to nothing and is foreign.
    pub fn diagnose(&self, generation: u16, offset: u64, actual: &[u8]) -> Vec<Fault> {
        if check_range(offset, actual.len()).is_err() {
            return vec![Fault { offset, length: actual.len() as u64, kind: FaultKind::Foreign }];
        }
        let mut faults = Vec::new();
        for piece in Pieces::new(self, offset, actual.len()) {
            for range in sectors(piece.at, piece.range.len()) {
                let origin = Origin { uid: piece.uid, generation, at: piece.at + range.start };
                let start = piece.range.start + range.start;
                let sector = &actual[start..start + range.len()];
                if let Some(kind) = self.name_sector(origin, offset + start as u64, sector) {
                    report(&mut faults, Fault { offset: offset + start as u64, length: sector.len() as u64, kind });
                }
            }
        }
        faults
    }

    /// What a sector is that should be `expected`, or `None` where it is that.
    fn name_sector(&self, expected: Origin, offset: u64, actual: &[u8]) -> Option<FaultKind> {
        let mut right = [0; SECTOR_BYTES];
        let right = &mut right[..actual.len()];
        self.fill_piece(expected.generation, expected.uid, expected.at, Store::Cached, right);
        let bits = different_bits(right, actual);
        if bits == 0 {
            return None;
        }
        if is_nearly(bits, actual) {
            let first = right.iter().zip(actual).position(|(right, actual)| right != actual)?;
            return Some(FaultKind::BitFlip { bits, first_byte_offset: offset + first as u64 });
        }
        if actual.iter().all(|byte| *byte == 0) {
            return Some(FaultKind::Zeroed);
        }
        let Some(origin) = self.origin(expected, right, actual) else { return Some(FaultKind::Foreign) };
        if (origin.uid, origin.at) == (expected.uid, expected.at) {
            return Some(FaultKind::Stale { generation: origin.generation });
        }
        let mut units: Vec<_> = self.units_of(origin.uid).take(MAX_CANDIDATE_UNITS).collect();
        units.sort_unstable();
        Some(FaultKind::Misdirected { units, offset_in_unit: origin.at as u64, generation: origin.generation })
    }

    /// Where a wrong sector's bytes come from, if they are this stream's: the place whose content they are but for
    /// flipped bits, or else the one that the most of its words agree on.
    fn origin(&self, expected: Origin, right: &[u8], actual: &[u8]) -> Option<Origin> {
        let mut content = [0; SECTOR_BYTES];
        let content = &mut content[..actual.len()];
        let mut best = None;
        for candidate in self.candidates(expected, actual) {
            self.fill_piece(candidate.generation, candidate.uid, candidate.at, Store::Cached, content);
            if is_nearly(different_bits(content, actual), actual) {
                return Some(candidate);
            }
            // Words that are where they should be say nothing about where the others come from.
            let votes = words(expected.at, actual)
                .filter(|(place, word)| content[*place..].starts_with(*word) && !right[*place..].starts_with(*word))
                .count();
            if votes >= AGREEING_WORDS && best.is_none_or(|(most, _)| votes > most) {
                best = Some((votes, candidate));
            }
        }
        best.map(|(_, origin)| origin)
    }

    /// The places that a wrong sector's words say it may come from, each once, the likeliest first.
    fn candidates(&self, expected: Origin, actual: &[u8]) -> Vec<Origin> {
        let mut candidates = Vec::new();
        let mut add = |name: WordName, at: usize| {
            let candidate = Origin { uid: name.uid, generation: name.generation, at };
            let in_unit = at + actual.len() <= self.unit_bytes() as usize;
            if in_unit && !candidates.contains(&candidate) {
                candidates.push(candidate);
            }
        };
        let names = words(expected.at, actual).filter_map(|(place, word)| Some((place, self.name_word(word)?)));
        let names: Vec<_> = names.collect();
        // In the repeated part of a cell a word stands in places that are not its own, so its name is only good for the
        // cell. The same place of that cell comes first, then its other sectors: storage misplaces whole blocks.
        let place_in_cell = expected.at % CELL_BYTES;
        let cell = |name: WordName| name.index as usize * WORD_BYTES / CELL_BYTES * CELL_BYTES;
        for (_, name) in &names {
            add(*name, cell(*name) + place_in_cell);
        }
        for (_, name) in &names {
            for place in (place_in_cell % SECTOR_BYTES..CELL_BYTES).step_by(SECTOR_BYTES) {
                add(*name, cell(*name) + place);
            }
        }
        for (place, name) in &names {
            if let Some(at) = (name.index as usize * WORD_BYTES).checked_sub(*place) {
                add(*name, at);
            }
        }
        candidates
    }
}

/// The whole words in a range that begins at byte `at` of a unit, with the place of each in the range.
fn words(at: usize, bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8; WORD_BYTES])> {
    let first = at.next_multiple_of(WORD_BYTES) - at;
    let words = bytes.get(first..).unwrap_or_default().as_chunks().0;
    words.iter().enumerate().map(move |(nth, word)| (first + nth * WORD_BYTES, word))
}

/// Adds a fault, or makes the last one longer where this one only goes on with it.
fn report(faults: &mut Vec<Fault>, fault: Fault) {
    match faults.last_mut() {
        Some(last) if last.offset + last.length == fault.offset && goes_on(last, &fault.kind) => {
            last.length += fault.length;
        }
        _ => faults.push(fault),
    }
}

/// Whether the sector after a fault has the fault's name too. No two bit flips have: each has a place of its own.
fn goes_on(last: &Fault, kind: &FaultKind) -> bool {
    match (&last.kind, kind) {
        (
            FaultKind::Misdirected { units, offset_in_unit, generation },
            FaultKind::Misdirected { units: next_units, offset_in_unit: next_offset, generation: next_generation },
        ) => (units, offset_in_unit + last.length, generation) == (next_units, *next_offset, next_generation),
        (last, kind) => last == kind,
    }
}

/// The ranges, in `length` bytes from byte `at` of a unit on, that lie in one sector each.
fn sectors(at: usize, length: usize) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let end = (start + SECTOR_BYTES - (at + start) % SECTOR_BYTES).min(length);
        let range = start..end;
        start = end;
        (!range.is_empty()).then_some(range)
    })
}

fn different_bits(left: &[u8], right: &[u8]) -> u32 {
    left.iter().zip(right).map(|(left, right)| (left ^ right).count_ones()).sum()
}

/// Whether bytes that differ in this many bits are the same but for flipped bits.
fn is_nearly(different_bits: u32, bytes: &[u8]) -> bool {
    different_bits <= (bytes.len() as u32 * 8 / BITS_FOR_ONE_FLIP).max(FLIPS_OF_A_BYTE)
}

#[cfg(test)]
mod tests;
