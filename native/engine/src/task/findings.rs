//! Faults that a verify found: the first ones in full, all of them by kind. Must never know how data is compared.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use seedstorm_content::FaultKind;

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
    /// Other bytes; offsets are in bytes from the object's beginning. Units beyond the run's end are left out where others
    /// are known.
    Wrong(FaultKind),
    /// The object is not there.
    Missing,
    /// The object ends too early.
    Truncated {
        /// How long it is, in bytes.
        file_bytes: u64,
    },
}

impl FindingKind {
    /// Names of all kinds, in the order of [`FindingKind::index`].
    pub const NAMES: [&str; FaultKind::NAMES.len() + 2] = {
        let mut names = ["missing"; FaultKind::NAMES.len() + 2];
        let (faults, _) = names.split_at_mut(FaultKind::NAMES.len());
        faults.copy_from_slice(&FaultKind::NAMES);
        names[FaultKind::NAMES.len() + 1] = "truncated";
        names
    };

    /// The kind's place in [`FindingKind::NAMES`].
    pub fn index(&self) -> usize {
        match self {
            Self::Wrong(kind) => kind.index(),
            Self::Missing => FaultKind::NAMES.len(),
            Self::Truncated { .. } => FaultKind::NAMES.len() + 1,
        }
    }

    /// The kind's name, as users see it.
    pub fn name(&self) -> &'static str {
        Self::NAMES[self.index()]
    }

    /// The same with its offsets in bytes from where the object's first byte is at `start`: in the device that it is a
    /// part of.
    #[must_use]
    pub fn behind(self, start: u64) -> Self {
        match self {
            Self::Wrong(kind) => Self::Wrong(kind.behind(start)),
            Self::Missing | Self::Truncated { .. } => self,
        }
    }

    /// The content's word for a fault as a finding's. `object_start`: where the object begins in the run's linear
    /// space; `units`: how many the run has, since the content knows of no end.
    pub(super) fn of_fault(kind: FaultKind, object_start: u64, units: u64) -> Self {
        Self::Wrong(kind.seen_from(object_start).of_units(units))
    }
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
    use seedstorm_content::{Part, Place};

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
            findings.add(finding(FindingKind::Wrong(FaultKind::Zeroed)));
        }
        findings.add(finding(FindingKind::Missing));
        assert_eq!(findings.take().len(), MAX_FINDINGS);
        assert_eq!(findings.take(), [], "each is given out once");
        assert_eq!(findings.counts(), [MAX_FINDINGS as u64 + 5, 0, 0, 0, 0, 0, 1, 0]);
    }

    #[test]
    fn a_flipped_byte_is_placed_in_the_file_and_not_in_the_run() {
        let fault = FaultKind::BitFlip { bits: 1, first_byte_offset: 1_048_576 + 7 };
        let kind = FindingKind::of_fault(fault, 1_048_576, 10);
        assert_eq!(kind, FindingKind::Wrong(FaultKind::BitFlip { bits: 1, first_byte_offset: 7 }));
        assert_eq!(kind.name(), "bit flip");
    }

    #[test]
    fn units_beyond_the_end_of_the_run_are_not_blamed() {
        let place =
            |units: &[u64], unit_count| Place { units: units.to_vec(), unit_count, offset_in_unit: 0, generation: 0 };
        let misdirected = |units, unit_count| FindingKind::Wrong(FaultKind::Misdirected(place(units, unit_count)));
        let named = |place| FindingKind::of_fault(FaultKind::Misdirected(place), 0, 10);
        assert_eq!(named(place(&[3, 9, 10, 4000], 4)), misdirected(&[3, 9], 2));
        assert_eq!(named(place(&[3, 4000], 70)), misdirected(&[3], 69), "some are not listed");
        assert_eq!(named(place(&[4000], 1)), misdirected(&[4000], 1), "it is from nowhere else");
    }

    #[test]
    fn the_parts_of_a_torn_sector_are_placed_in_the_file_and_not_in_the_run() {
        let part = |offset, kind| Part { offset, length: 256, kind };
        let flip = FaultKind::BitFlip { bits: 1, first_byte_offset: 1_048_576 + 300 };
        let fault = FaultKind::Torn { parts: vec![part(1_048_576, None), part(1_048_832, Some(flip))], part_count: 2 };
        let kind = FindingKind::of_fault(fault, 1_048_576, 10);
        let flip = FaultKind::BitFlip { bits: 1, first_byte_offset: 300 };
        let torn = FaultKind::Torn { parts: vec![part(0, None), part(256, Some(flip))], part_count: 2 };
        assert_eq!(kind, FindingKind::Wrong(torn));
        assert_eq!(kind.name(), "torn");
    }

    #[test]
    fn what_an_earlier_run_left_is_stale_too() {
        let place = Place { units: vec![99], unit_count: 1, offset_in_unit: 0, generation: 0 };
        let fault = FaultKind::StaleRun { run: 2, place };
        let kind = FindingKind::of_fault(fault.clone(), 0, 10);
        assert_eq!((kind.name(), kind), ("stale", FindingKind::Wrong(fault)), "its units are its run's");
    }
}
