//! The slow path of verification: says of each wrong sector what it is instead. Nothing in the data helps but the data:
//! a content word, run backwards through the cipher, names its own unit, place and generation.
//!
//! The way through: `sector` names 512 bytes that are wrong, with the places that `origins` finds their words to come
//! from, or else as the mixture that `mixture` takes apart; `lineage` tells whether several pieces can come from one
//! write; this file puts sectors together to what is written as a whole, and `fault` is what is said in the end.
//!
//! Its time for a sector is bounded, whatever the sector holds: for foreign bytes 32 inverse words for each run that is
//! looked for, and in the worst case the content of `origins::MAX_ORIGINS` places besides. The example `diagnosis`
//! measures it.

mod fault;
mod held;
mod lineage;
mod mixture;
mod origins;
mod sector;

pub use fault::{
    DiagnosisError, Fault, FaultKind, MAX_CANDIDATE_UNITS, MAX_EARLIER_RUNS, MAX_LISTED_PARTS, Part, Place,
    SECTOR_BYTES,
};

use crate::kernel::Store;
use crate::stream::{Pieces, check_range};
use crate::{Content, WORD_BYTES};
use held::{Held, Origin, What};
use sector::Sector;
use std::ops::Range;

/// Words in a row that must be those of one place before they are named by it. The first has a name by chance once in
/// 65,536; the second agrees with it by chance once in 2^128.
const AGREEING_WORDS: usize = 2;

/// Bytes in a row that must agree: as many words, wherever in a word they begin.
const AGREEING_BYTES: usize = AGREEING_WORDS * WORD_BYTES;

/// At most one bit in this many may differ for bytes to count as the expected ones with flipped bits. Unrelated data
/// differs in half of all bits, with a standard deviation of 32 in the 4096 of a sector: 64 is 62 deviations below.
const BITS_FOR_ONE_FLIP: u32 = 64;

/// Bits that may differ in any part of a sector, however short: all those of one byte.
const FLIPS_OF_A_BYTE: u32 = 8;

/// How to name what is wrong: [`Content::diagnose`] with a choice.
///
/// ```
/// use seedstorm_content::{Content, Diagnosis, FaultKind, Parameters};
///
/// let content = Content::new(&Parameters { seed: 2, ..Parameters::default() })?;
/// let last_week = [Content::new(&Parameters { seed: 1, ..Parameters::default() })?];
/// let mut block = vec![0; 8192];
/// content.fill(0, 0, &mut block)?;
/// last_week[0].fill(0, 0, &mut block[4096..4608])?;
///
/// let diagnosis = Diagnosis::of(&content).earlier(&last_week)?;
/// let faults = diagnosis.run(0, 0, &block);
/// assert!(matches!(faults[0].kind, FaultKind::StaleRun { run: 0, .. }));
///
/// let faults = diagnosis.atomic_bytes(4096)?.run(0, 0, &block);
/// assert!(matches!(faults[0].kind, FaultKind::Torn { part_count: 2, .. }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Diagnosis<'a> {
    content: &'a Content,
    earlier: &'a [Content],
    atomic_bytes: u64,
}

impl Content {
    /// Says of every sector of `actual` that is not the stream's from `offset` on what it is instead; neighbours with
    /// one name are one fault. Empty where all is right.
    ///
    /// Sectors are those of the stream. Where the range begins or ends inside one, the part that is there is named, with
    /// less certainty the shorter it is. What lies beyond the end of the stream belongs to nothing and is foreign.
    pub fn diagnose(&self, generation: u16, offset: u64, actual: &[u8]) -> Vec<Fault> {
        Diagnosis::of(self).run(generation, offset, actual)
    }
}

impl<'a> Diagnosis<'a> {
    /// What [`Content::diagnose`] does: sectors of 512 bytes are written as a whole, and nothing is known of earlier runs.
    pub fn of(content: &'a Content) -> Self {
        Self { content, earlier: &[], atomic_bytes: SECTOR_BYTES as u64 }
    }

    /// Calls a mixture inside this many bytes torn, at multiples of it from the start of the stream: the logical sector of
    /// a device (512 or 4096), or a whole object, where objects are of one size. Where the range that is diagnosed cuts
    /// one, only what is in the range counts.
    ///
    /// # Errors
    /// [`DiagnosisError::AtomicBytes`] unless it is a positive multiple of [`SECTOR_BYTES`].
    pub fn atomic_bytes(self, bytes: u64) -> Result<Self, DiagnosisError> {
        let valid = bytes > 0 && bytes.is_multiple_of(SECTOR_BYTES as u64);
        if valid { Ok(Self { atomic_bytes: bytes, ..self }) } else { Err(DiagnosisError::AtomicBytes { given: bytes }) }
    }

    /// Looks for the content of these earlier runs too, each with its own parameters; its key alone tells it from others.
    ///
    /// # Errors
    /// [`DiagnosisError::EarlierRuns`] when they are more than [`MAX_EARLIER_RUNS`].
    pub fn earlier(self, runs: &'a [Content]) -> Result<Self, DiagnosisError> {
        let given = runs.len();
        if given <= MAX_EARLIER_RUNS {
            Ok(Self { earlier: runs, ..self })
        } else {
            Err(DiagnosisError::EarlierRuns { given })
        }
    }

    /// Names what is wrong; see [`Content::diagnose`].
    pub fn run(&self, generation: u16, offset: u64, actual: &[u8]) -> Vec<Fault> {
        if check_range(offset, actual.len()).is_err() {
            return vec![Fault { offset, length: actual.len() as u64, kind: FaultKind::Foreign }];
        }
        let mut all = Vec::new();
        let mut atom = Vec::new();
        for piece in Pieces::new(self.content, offset, actual.len()) {
            for range in sectors(piece.at, piece.range.len()) {
                let at = (piece.at + range.start) as i64;
                let bytes = piece.range.start + range.start..piece.range.start + range.end;
                let sector = Sector {
                    expected: Origin { run: 0, uid: piece.uid, generation, at },
                    offset: offset + bytes.start as u64,
                    actual: &actual[bytes.clone()],
                    after: &actual[bytes.end..],
                };
                if sector.offset.is_multiple_of(self.atomic_bytes) {
                    self.close(&mut atom, &mut all);
                }
                let before = atom.last().or(all.last()).and_then(end);
                atom.push(self.name(&sector, before));
            }
        }
        self.close(&mut atom, &mut all);
        let faults = self
            .parts(&all)
            .into_iter()
            .filter_map(|Part { offset, length, kind }| kind.map(|kind| Fault { offset, length, kind }));
        faults.collect()
    }

    /// Ends what is written as a whole: it is torn when its sectors are a mixture, and otherwise its sectors.
    fn close(&self, atom: &mut Vec<Held>, all: &mut Vec<Held>) {
        // A lone sector is what it is, and so is what has no fault.
        if atom.len() > 1 && atom.iter().any(|sector| !matches!(sector.what, What::Right(_))) {
            let mut parts = Vec::new();
            for held in &*atom {
                match &held.what {
                    What::Torn(inner) => inner.iter().for_each(|part| held::append(&mut parts, part.clone())),
                    _ => held::append(&mut parts, held.clone()),
                }
            }
            if atom.iter().any(|sector| matches!(sector.what, What::Torn(_))) || self.is_torn(&parts) {
                let length = atom.iter().map(|sector| sector.length).sum();
                all.push(Held { offset: atom[0].offset, length, what: What::Torn(parts) });
                atom.clear();
            }
        }
        atom.drain(..).for_each(|sector| held::append(all, sector));
    }

    /// What ranges hold, in terms of units.
    fn parts(&self, held: &[Held]) -> Vec<Part> {
        let mut parts = Vec::new();
        for Held { offset, length, what } in held {
            let kind = match what {
                What::Right(_) => None,
                What::Flipped { bits, first_byte_offset, .. } => {
                    Some(FaultKind::BitFlip { bits: *bits, first_byte_offset: *first_byte_offset })
                }
                What::Zeros => Some(FaultKind::Zeroed),
                What::Stale(origin) => Some(FaultKind::Stale { generation: origin.generation }),
                What::Stray(origin) => Some(match origin.run.checked_sub(1) {
                    None => FaultKind::Misdirected(self.place(*origin)),
                    Some(run) => FaultKind::StaleRun { run, place: self.place(*origin) },
                }),
                What::Torn(inner) => {
                    let mut parts = self.parts(inner);
                    let part_count = parts.len();
                    parts.truncate(MAX_LISTED_PARTS);
                    Some(FaultKind::Torn { parts, part_count })
                }
                What::Foreign => Some(FaultKind::Foreign),
            };
            fault::append(&mut parts, Part { offset: *offset, length: *length as u64, kind });
        }
        parts
    }

    fn place(&self, origin: Origin) -> Place {
        let holders = self.content_of(origin).units_of(origin.uid);
        let unit_count = holders.len() as u64;
        let mut units: Vec<_> = holders.take(MAX_CANDIDATE_UNITS).collect();
        units.sort_unstable();
        Place { units, unit_count, offset_in_unit: origin.at as u64, generation: origin.generation }
    }

    /// Writes the content from an origin on, which all lies in its unit.
    fn fill(&self, origin: Origin, out: &mut [u8]) {
        let Origin { uid, generation, at, .. } = origin;
        self.content_of(origin).fill_piece(generation, uid, at as usize, Store::Cached, out);
    }

    /// The content of the run that an origin lies in.
    fn content_of(&self, origin: Origin) -> &'a Content {
        origin.run.checked_sub(1).map_or(self.content, |run| &self.earlier[run])
    }
}

/// The origin of what follows a range that holds strays, if they go on.
fn end(held: &Held) -> Option<Origin> {
    match &held.what {
        What::Stale(origin) | What::Stray(origin) => Some(origin.plus(held.length)),
        What::Torn(parts) => parts.last().and_then(end),
        _ => None,
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
    // Most that are compared are equal, and telling so is faster than counting.
    if left == right {
        return 0;
    }
    let ((left, left_rest), (right, right_rest)) = (left.as_chunks(), right.as_chunks());
    let words = left
        .iter()
        .zip(right)
        .map(|(left, right)| (u64::from_ne_bytes(*left) ^ u64::from_ne_bytes(*right)).count_ones());
    let rest = left_rest.iter().zip(right_rest).map(|(left, right)| (left ^ right).count_ones());
    words.sum::<u32>() + rest.sum::<u32>()
}

/// Whether bytes that differ in this many bits are the same but for flipped bits.
fn is_nearly(different_bits: u32, length: usize) -> bool {
    different_bits <= (length as u32 * 8 / BITS_FOR_ONE_FLIP).max(FLIPS_OF_A_BYTE)
}

#[cfg(test)]
mod tests;
