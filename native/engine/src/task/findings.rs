//! Faults that a verify found: the first ones in full, all of them by kind. Must never know how data is compared.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use seedstorm_content::{FaultKind, Part, Place};

/// How many findings of a task are kept in full.
pub const MAX_FINDINGS: usize = 1000;

/// A place where the storage gave back something else than it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Number of the object in the layout.
    pub object: u64,
    /// The object's name relative to the run's folder.
    pub file: String,
    /// The unit that the fault's first byte belongs to.
    pub unit: u64,
    /// Where in the object the fault begins, in bytes.
    pub offset_in_file: u64,
    /// Its length in bytes.
    pub length: u64,
    /// What is there instead.
    pub kind: FindingKind,
    /// The generation that was expected.
    pub expected_generation: u16,
    /// Number of the lane that read it.
    pub lane: usize,
    /// When it was read, by CLOCK_MONOTONIC in ns.
    pub read_at_ns: u64,
}

/// What was found instead of the right bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FindingKind {
    /// Zeros.
    Zeroed,
    /// This place's content of another generation.
    Stale {
        /// The generation that is there.
        generation: u16,
    },
    /// Content of an earlier run.
    StaleRun {
        /// Which of the earlier runs that were given, from 0.
        run: usize,
        /// Where in that run it belongs.
        place: Place,
    },
    /// Content of this run that belongs elsewhere. Of the units that it may belong to, those beyond the run's end are left
    /// out where others are known.
    Misdirected(Place),
    /// The right bytes but for a few bits.
    BitFlip {
        /// How many bits differ.
        bits: u32,
        /// The first byte that differs, in bytes from the object's beginning.
        first_byte_in_file: u64,
    },
    /// Bytes that no unit of this run holds anywhere.
    Foreign,
    /// A mixture inside what is written as a whole.
    Torn {
        /// Its first parts, in order.
        parts: Vec<FindingPart>,
        /// How many parts it has.
        part_count: usize,
    },
    /// The object is not there.
    Missing,
    /// The object ends too early.
    Truncated {
        /// How long it is, in bytes.
        file_bytes: u64,
    },
}

/// A part of what is torn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingPart {
    /// Where in the object it begins, in bytes.
    pub offset_in_file: u64,
    /// Its length in bytes.
    pub length: u64,
    /// What is there, never torn itself; `None` for what belongs there.
    pub kind: Option<FindingKind>,
}

impl FindingKind {
    /// Names of all kinds, in the order of [`FindingKind::index`].
    pub const NAMES: [&str; 8] =
        ["zeroed", "stale", "misdirected", "bit flip", "foreign", "missing", "truncated", "torn"];

    /// The kind's place in [`FindingKind::NAMES`].
    pub fn index(&self) -> usize {
        match self {
            Self::Zeroed => 0,
            Self::Stale { .. } | Self::StaleRun { .. } => 1,
            Self::Misdirected(_) => 2,
            Self::BitFlip { .. } => 3,
            Self::Foreign => 4,
            Self::Missing => 5,
            Self::Truncated { .. } => 6,
            Self::Torn { .. } => 7,
        }
    }

    /// The kind's name, as users see it.
    pub fn name(&self) -> &'static str {
        Self::NAMES[self.index()]
    }

    /// The content's word for a fault as a finding's. `object_start`: where the object begins in the run's linear
    /// space; `units`: how many the run has, since the content knows of no end.
    pub(super) fn of_fault(kind: FaultKind, object_start: u64, units: u64) -> Self {
        match kind {
            FaultKind::Zeroed => Self::Zeroed,
            FaultKind::Stale { generation } => Self::Stale { generation },
            FaultKind::StaleRun { run, place } => Self::StaleRun { run, place },
            FaultKind::Misdirected(place) => Self::Misdirected(within(place, units)),
            FaultKind::BitFlip { bits, first_byte_offset } => {
                Self::BitFlip { bits, first_byte_in_file: first_byte_offset - object_start }
            }
            FaultKind::Torn { parts, part_count } => {
                let parts = parts.into_iter().map(|Part { offset, length, kind }| FindingPart {
                    offset_in_file: offset - object_start,
                    length,
                    kind: kind.map(|kind| Self::of_fault(kind, object_start, units)),
                });
                Self::Torn { parts: parts.collect(), part_count }
            }
            FaultKind::Foreign => Self::Foreign,
        }
    }
}

/// A place without the units beyond the end of a run of `units`, unless there are no others: then it is from nowhere else.
fn within(mut place: Place, units: u64) -> Place {
    if place.units.iter().any(|unit| *unit < units) {
        let listed = place.units.len();
        place.units.retain(|unit| *unit < units);
        place.unit_count -= (listed - place.units.len()) as u64;
    }
    place
}

/// How many findings of each kind were made, in the order of [`FindingKind::NAMES`].
pub type FindingCounts = [u64; FindingKind::NAMES.len()];

/// The findings of a task. Locked only when there is one, which is rare or else the least of the user's troubles.
#[derive(Debug, Default)]
pub(super) struct Findings {
    kept: Mutex<Kept>,
    counts: [AtomicU64; FindingKind::NAMES.len()],
}

#[derive(Debug, Default)]
struct Kept {
    /// Not given out yet.
    fresh: Vec<Finding>,
    /// Kept since the beginning.
    total: usize,
}

impl Findings {
    pub(super) fn add(&self, finding: Finding) {
        self.counts[finding.kind.index()].fetch_add(1, Relaxed);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.total < MAX_FINDINGS {
            kept.total += 1;
            kept.fresh.push(finding);
        }
    }

    /// Those kept since the last call.
    pub(super) fn take(&self) -> Vec<Finding> {
        std::mem::take(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner).fresh)
    }

    pub(super) fn counts(&self) -> FindingCounts {
        self.counts.each_ref().map(|count| count.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(kind: FindingKind) -> Finding {
        Finding {
            object: 0,
            file: "f00000000".into(),
            unit: 0,
            offset_in_file: 0,
            length: 512,
            kind,
            expected_generation: 0,
            lane: 0,
            read_at_ns: 0,
        }
    }

    #[test]
    fn a_disk_full_of_faults_is_counted_to_the_last_but_does_not_fill_memory() {
        let findings = Findings::default();
        for _ in 0..MAX_FINDINGS + 5 {
            findings.add(finding(FindingKind::Zeroed));
        }
        findings.add(finding(FindingKind::Missing));
        assert_eq!(findings.take().len(), MAX_FINDINGS);
        assert_eq!(findings.take(), [], "each is given out once");
        assert_eq!(findings.counts(), [MAX_FINDINGS as u64 + 5, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn a_flipped_byte_is_placed_in_the_file_and_not_in_the_run() {
        let fault = FaultKind::BitFlip { bits: 1, first_byte_offset: 1_048_576 + 7 };
        let kind = FindingKind::of_fault(fault, 1_048_576, 10);
        assert_eq!(kind, FindingKind::BitFlip { bits: 1, first_byte_in_file: 7 });
        assert_eq!(kind.name(), "bit flip");
    }

    #[test]
    fn units_beyond_the_end_of_the_run_are_not_blamed() {
        let place =
            |units: &[u64], unit_count| Place { units: units.to_vec(), unit_count, offset_in_unit: 0, generation: 0 };
        let named = |place| FindingKind::of_fault(FaultKind::Misdirected(place), 0, 10);
        assert_eq!(named(place(&[3, 9, 10, 4000], 4)), FindingKind::Misdirected(place(&[3, 9], 2)));
        assert_eq!(named(place(&[3, 4000], 70)), FindingKind::Misdirected(place(&[3], 69)), "some are not listed");
        assert_eq!(named(place(&[4000], 1)), FindingKind::Misdirected(place(&[4000], 1)), "it is from nowhere else");
    }

    #[test]
    fn the_parts_of_a_torn_sector_are_placed_in_the_file_and_not_in_the_run() {
        let part = |offset, kind| Part { offset, length: 256, kind };
        let flip = FaultKind::BitFlip { bits: 1, first_byte_offset: 1_048_576 + 300 };
        let fault = FaultKind::Torn { parts: vec![part(1_048_576, None), part(1_048_832, Some(flip))], part_count: 2 };
        let kind = FindingKind::of_fault(fault, 1_048_576, 10);
        let part = |offset_in_file, kind| FindingPart { offset_in_file, length: 256, kind };
        let flip = FindingKind::BitFlip { bits: 1, first_byte_in_file: 300 };
        assert_eq!(kind, FindingKind::Torn { parts: vec![part(0, None), part(256, Some(flip))], part_count: 2 });
        assert_eq!(kind.name(), "torn");
    }

    #[test]
    fn what_an_earlier_run_left_is_stale_too() {
        let place = Place { units: vec![99], unit_count: 1, offset_in_unit: 0, generation: 0 };
        let kind = FindingKind::of_fault(FaultKind::StaleRun { run: 2, place: place.clone() }, 0, 10);
        assert_eq!(
            (kind.name(), &kind),
            ("stale", &FindingKind::StaleRun { run: 2, place }),
            "its units are its run's"
        );
    }
}
