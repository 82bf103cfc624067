//! Faults that a verify found: the first ones in full, all of them by kind. Must never know how data is compared.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use seedstorm_content::FaultKind;

use super::reread::Reread;

/// How many findings of a task are kept in full.
pub const MAX_FINDINGS: usize = 1000;

/// How many places that are indeterminate are kept in full: they are no faults, and must not take their room.
const MAX_INDETERMINATE: usize = 100;

/// How many bytes of one fault are kept as evidence.
pub(super) const MAX_EVIDENCE_BYTES: usize = 64 << 10;

/// How many bytes of evidence wait for the next snapshot; a fault that comes when they are full is kept without.
const MAX_WAITING_BYTES: usize = 8 << 20;

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
    /// What was read, in a word: a digest of its bytes, or the length of the object. Whoever reads the place again and
    /// makes the same word of it saw the same.
    pub fingerprint: String,
    /// What the same lane saw when it looked again at once; `None` where the sink cannot be looked at again.
    pub again: Option<Reread>,
    /// Its bytes, where they are kept.
    pub evidence: Option<Evidence>,
}

/// The first bytes of a fault: what was read, and what should have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What was read.
    pub actual: Vec<u8>,
    /// What should have been.
    pub expected: Vec<u8>,
}

/// What was found instead of the right bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FindingKind {
    /// Other bytes; offsets are in bytes from the object's beginning. Units beyond the run's end are left out where others
    /// are known.
    Wrong(FaultKind),
    /// An old generation, where a lost holder may have written it late: nobody knows, and it is no fault.
    Indeterminate {
        /// The generation that is there.
        generation: u16,
    },
    /// The object is not there.
    Missing,
    /// The object ends too early.
    Truncated {
        /// How long it is, in bytes.
        file_bytes: u64,
    },
    /// The object goes on behind its end.
    TooLong {
        /// How long it is, in bytes.
        file_bytes: u64,
    },
}

impl FindingKind {
    /// Names of all kinds, in the order of [`FindingKind::index`].
    pub const NAMES: [&str; FaultKind::NAMES.len() + 4] = {
        let mut names = ["missing"; FaultKind::NAMES.len() + 4];
        let (faults, _) = names.split_at_mut(FaultKind::NAMES.len());
        faults.copy_from_slice(&FaultKind::NAMES);
        names[FaultKind::NAMES.len() + 1] = "truncated";
        names[FaultKind::NAMES.len() + 2] = "too long";
        names[FaultKind::NAMES.len() + 3] = "indeterminate";
        names
    };

    /// The kind's place in [`FindingKind::NAMES`].
    pub fn index(&self) -> usize {
        match self {
            Self::Wrong(kind) => kind.index(),
            Self::Missing => FaultKind::NAMES.len(),
            Self::Truncated { .. } => FaultKind::NAMES.len() + 1,
            Self::TooLong { .. } => FaultKind::NAMES.len() + 2,
            Self::Indeterminate { .. } => FaultKind::NAMES.len() + 3,
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
            Self::Missing | Self::Truncated { .. } | Self::TooLong { .. } | Self::Indeterminate { .. } => self,
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
    /// Faults whose bytes were not kept although they were to be.
    skipped: AtomicU64,
}

#[derive(Debug, Default)]
struct Kept {
    /// Not given out yet.
    fresh: Vec<Finding>,
    /// Faults that were kept since the beginning.
    total: usize,
    /// Places that are indeterminate likewise.
    indeterminate: usize,
    /// Bytes of evidence in `fresh`.
    waiting_bytes: usize,
}

impl Findings {
    /// Whether a further finding would be kept in full; beyond, faults are counted and not looked at again.
    pub(super) fn has_room(&self) -> bool {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).total < MAX_FINDINGS
    }

    /// Counts a finding that is not kept.
    pub(super) fn count(&self, kind: &FindingKind) {
        self.counts[kind.index()].fetch_add(1, Relaxed);
    }

    /// Faults whose bytes were not kept although they were to be.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped.load(Relaxed)
    }

    pub(super) fn add(&self, mut finding: Finding) {
        self.counts[finding.kind.index()].fetch_add(1, Relaxed);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(finding.kind, FindingKind::Indeterminate { .. }) {
            if kept.indeterminate < MAX_INDETERMINATE {
                kept.indeterminate += 1;
                kept.fresh.push(finding);
            }
        } else if kept.total < MAX_FINDINGS {
            kept.total += 1;
            let bytes = finding.evidence.as_ref().map_or(0, |kept| kept.actual.len() + kept.expected.len());
            if kept.waiting_bytes + bytes > MAX_WAITING_BYTES {
                finding.evidence = None;
                self.skipped.fetch_add(1, Relaxed);
            } else {
                kept.waiting_bytes += bytes;
            }
            kept.fresh.push(finding);
        }
    }

    /// Those kept since the last call.
    pub(super) fn take(&self) -> Vec<Finding> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.waiting_bytes = 0;
        std::mem::take(&mut kept.fresh)
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
            fingerprint: String::new(),
            again: None,
            evidence: None,
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
        assert_eq!(findings.counts(), [MAX_FINDINGS as u64 + 5, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
    }

    #[test]
    fn places_that_are_indeterminate_take_no_room_from_faults() {
        let findings = Findings::default();
        for _ in 0..MAX_INDETERMINATE + 7 {
            findings.add(finding(FindingKind::Indeterminate { generation: 1 }));
        }
        for _ in 0..MAX_FINDINGS {
            findings.add(finding(FindingKind::Wrong(FaultKind::Zeroed)));
        }
        assert_eq!(findings.take().len(), MAX_INDETERMINATE + MAX_FINDINGS);
        assert_eq!(
            findings.counts()[FindingKind::Indeterminate { generation: 1 }.index()],
            MAX_INDETERMINATE as u64 + 7
        );
    }

    #[test]
    fn evidence_of_a_disk_full_of_faults_does_not_fill_memory_and_what_is_left_out_is_counted() {
        let findings = Findings::default();
        let kept = || Evidence { actual: vec![1; MAX_EVIDENCE_BYTES], expected: vec![2; MAX_EVIDENCE_BYTES] };
        let fit = MAX_WAITING_BYTES / (2 * MAX_EVIDENCE_BYTES);
        for _ in 0..fit + 3 {
            findings.add(Finding { evidence: Some(kept()), ..finding(FindingKind::Wrong(FaultKind::Foreign)) });
        }
        assert_eq!(findings.take().iter().filter(|finding| finding.evidence.is_some()).count(), fit);
        assert_eq!(findings.skipped(), 3);
        findings.add(Finding { evidence: Some(kept()), ..finding(FindingKind::Wrong(FaultKind::Foreign)) });
        assert!(findings.take()[0].evidence.is_some(), "there is room again when they were taken");
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
