//! What a diagnosis says: the public names of what can stand where the stream's bytes should.

use std::fmt;

/// The grain of naming, in bytes: the smallest sector that storage writes as a whole.
pub const SECTOR_BYTES: usize = 512;

/// Most units that a [`Place`] lists. A dedup ratio up to it, far beyond any real data's, leaves no list incomplete; the
/// ratios that remain have up to billions of candidates.
pub const MAX_CANDIDATE_UNITS: usize = 64;

/// Most parts that [`FaultKind::Torn`] lists.
pub const MAX_LISTED_PARTS: usize = 8;

/// Most earlier runs whose content one diagnosis looks for: each costs as much time on foreign bytes as the run's own.
pub const MAX_EARLIER_RUNS: usize = 16;

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
    /// Stale as well, but from before this run: content of an earlier run, wherever in that it belongs.
    StaleRun {
        /// Which of the earlier runs, counted from 0 in the order in which they were given.
        run: usize,
        /// Where in that run it belongs, in that run's own units.
        place: Place,
    },
    /// Content of this stream that belongs elsewhere.
    Misdirected(Place),
    /// The right content, but for a few bits of one sector of 512 bytes: at most 64 of its 4096. Unrelated bytes differ
    /// in half of all bits, so 16 of them in a row are as likely called a bit flip as not, and 32 practically never;
    /// more bits than 64 are called foreign, since nothing then tells whose they are.
    BitFlip {
        /// How many bits differ.
        bits: u32,
        /// The first byte that differs, in bytes from the start of the stream.
        first_byte_offset: u64,
    },
    /// A mixture inside what should have been written as a whole. The fault spans all of it, right bytes too.
    Torn {
        /// What it is made of, in order: at most the first [`MAX_LISTED_PARTS`].
        parts: Vec<Part>,
        /// How many parts there are.
        part_count: usize,
    },
    /// Nothing that this stream, or any earlier run that was given, holds anywhere.
    Foreign,
}

impl FaultKind {
    /// What faults are called, in the order of [`FaultKind::index`].
    pub const NAMES: [&str; 6] = ["zeroed", "stale", "misdirected", "bit flip", "torn", "foreign"];

    /// The kind's place in [`FaultKind::NAMES`].
    pub fn index(&self) -> usize {
        match self {
            Self::Zeroed => 0,
            Self::Stale { .. } | Self::StaleRun { .. } => 1,
            Self::Misdirected(_) => 2,
            Self::BitFlip { .. } => 3,
            Self::Torn { .. } => 4,
            Self::Foreign => 5,
        }
    }

    /// What a fault is called.
    pub fn name(&self) -> &'static str {
        Self::NAMES[self.index()]
    }

    /// The same with its offsets in bytes from `start` on, a place of the stream before the fault.
    #[must_use]
    pub fn seen_from(self, start: u64) -> Self {
        self.with_offsets(&|offset| offset - start)
    }

    /// The same with its offsets in bytes from a place `start` before the stream.
    #[must_use]
    pub fn behind(self, start: u64) -> Self {
        self.with_offsets(&|offset| offset + start)
    }

    fn with_offsets(mut self, moved: &impl Fn(u64) -> u64) -> Self {
        match &mut self {
            Self::BitFlip { first_byte_offset, .. } => *first_byte_offset = moved(*first_byte_offset),
            Self::Torn { parts, .. } => {
                for part in parts {
                    part.offset = moved(part.offset);
                    part.kind = part.kind.take().map(|kind| kind.with_offsets(moved));
                }
            }
            Self::Zeroed | Self::Stale { .. } | Self::StaleRun { .. } | Self::Misdirected(_) | Self::Foreign => {}
        }
        self
    }

    /// The same without the units from `units` on that content which is not where it belongs may be of: for a run that
    /// ends there, where the stream does not. Where there are no others, it is from nowhere else, and they stay.
    #[must_use]
    pub fn of_units(mut self, units: u64) -> Self {
        match &mut self {
            Self::Misdirected(place) => place.keep_below(units),
            Self::Torn { parts, .. } => {
                for part in parts {
                    part.kind = part.kind.take().map(|kind| kind.of_units(units));
                }
            }
            Self::Zeroed | Self::Stale { .. } | Self::StaleRun { .. } | Self::BitFlip { .. } | Self::Foreign => {}
        }
        self
    }
}

/// Where some content belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The units that it may belong to: under dedup several hold the same. Ascending. All of them, or
    /// [`MAX_CANDIDATE_UNITS`] where there are more.
    pub units: Vec<u64>,
    /// How many units hold it: as many as `units` lists, or more.
    pub unit_count: u64,
    /// Where in any of these units the first byte belongs.
    pub offset_in_unit: u64,
    /// Its generation.
    pub generation: u16,
}

impl Place {
    fn keep_below(&mut self, units: u64) {
        if self.units.iter().any(|unit| *unit < units) {
            let listed = self.units.len();
            self.units.retain(|unit| *unit < units);
            self.unit_count -= (listed - self.units.len()) as u64;
        }
    }
}

/// A range inside a torn sector or object. Where two parts agree on the bytes between them, the boundary is put on the
/// roundest offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it begins, in bytes from the start of the stream.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
    /// What it holds instead of its content, never torn itself; `None` where it is right.
    pub kind: Option<FaultKind>,
}

/// A diagnosis that cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiagnosisError {
    /// What is written as a whole must be a positive multiple of [`SECTOR_BYTES`].
    AtomicBytes {
        /// Its bytes, as given.
        given: u64,
    },
    /// There are more than [`MAX_EARLIER_RUNS`] earlier runs.
    EarlierRuns {
        /// How many were given.
        given: usize,
    },
}

impl fmt::Display for DiagnosisError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtomicBytes { given } => {
                write!(f, "what is written as a whole must be a positive multiple of {SECTOR_BYTES} bytes, not {given}")
            }
            Self::EarlierRuns { given } => {
                write!(f, "at most {MAX_EARLIER_RUNS} earlier runs can be looked for at once, not {given}")
            }
        }
    }
}

impl std::error::Error for DiagnosisError {}

impl Part {
    /// Whether a part that begins where this one ends only goes on with it, so that both are one.
    fn goes_on_with(&self, next: &Self) -> bool {
        let adjacent = self.offset + self.length == next.offset;
        adjacent
            && match (&self.kind, &next.kind) {
                (Some(FaultKind::Zeroed | FaultKind::Foreign | FaultKind::Stale { .. }) | None, kind) => {
                    self.kind == *kind
                }
                _ => false,
            }
    }
}

/// Adds a part, or makes the last one longer where this one only goes on with it.
pub(super) fn append(parts: &mut Vec<Part>, part: Part) {
    match parts.last_mut() {
        Some(last) if last.goes_on_with(&part) => last.length += part.length,
        _ => parts.push(part),
    }
}
