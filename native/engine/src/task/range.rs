//! One seed range that a task works on: which of its claims are taken, written and durable, and its open objects.
//! Lanes meet here; between claims they touch only atomics. Must never know what is done with the units.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};

use super::bits::{Bits, Copied};
use super::claims::{Claim, Claims};
use super::late::Late;
use super::replay::Prefix;
use super::shards::Shards;
use crate::error::{Error, Result};
use crate::sink::object::ObjectFile;
use crate::sink::s3::Upload;

/// A seed range, as it is given to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeSpec {
    /// Names it in [`super::Task::fence_range`] and in snapshots; not used twice at a time.
    pub id: u64,
    /// Its first unit.
    pub first: u64,
    /// The unit behind its last one.
    pub end: u64,
}

/// How far a range has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeProgress {
    /// The range's id.
    pub id: u64,
    /// Units that are done in the plan's sense, as merged runs [first, end): written and durable under the sync
    /// policy, or read, verified, made or removed.
    pub done: Vec<(u64, u64)>,
    /// Units whose I/O was acknowledged, likewise; those that are not also done are not durable yet.
    pub written: Vec<(u64, u64)>,
    /// Units that will not be done, because of an error that the plan lets pass, likewise; none of them is done.
    pub failed_units: Vec<(u64, u64)>,
    /// All units are done or failed, and the objects that were open for the range are closed.
    pub complete: bool,
    /// The range was fenced, cut short or failed, and no lane works on it nor has an I/O in flight on it any more.
    pub drained: bool,
    /// Why what is not done will not be done.
    pub failed: Option<Error>,
    /// Of a mixed task, how far each of its shards has come, in order: what is done in the plan's sense, and up to where
    /// operations may be begun once [`super::Task::allow`] says so; in a range that is complete or drained, were begun.
    pub shards: Vec<Prefix>,
}

/// A value on cache lines of its own, so that those who write it do not slow down those who read its neighbours.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Apart<T>(T);

/// What is known of a segment's object.
#[derive(Clone, Debug)]
pub(super) enum Opened {
    /// It is an open file.
    File(Arc<ObjectFile>),
    /// It is made of parts, by this upload.
    Upload(Arc<Upload>),
    /// It needs no opening: a store is asked for it by name.
    ByName,
    /// It is not there.
    Missing,
}

impl Opened {
    /// Whether somebody must close it.
    fn stays_open(&self) -> bool {
        matches!(self, Self::File(_) | Self::Upload(_))
    }
}

/// The part of a range that lies in one object.
#[derive(Debug)]
struct Segment {
    /// Claims that are not written yet.
    left: AtomicU64,
    /// Its object, once a lane opened it. Locked while it is opened, so that it is opened once.
    object: Mutex<Option<Opened>>,
    /// Whether it was already reported that this object is missing or too short.
    reported: AtomicBool,
}

/// A range in work.
#[derive(Debug)]
pub(super) struct SeedRange {
    pub(super) id: u64,
    pub(super) claims: Claims,
    next: Apart<AtomicU64>,
    written: Bits,
    /// What of it is durable, where that is not the same.
    durable: Option<Bits>,
    /// Units that failed with an error that the plan lets pass, by their place in the range; made with the first of them.
    passed_over: OnceLock<Bits>,
    /// Units in which something is wrong, by their place in the range; made with the first of them.
    corrupt: OnceLock<Bits>,
    segments: Box<[Segment]>,
    segments_left: AtomicUsize,
    /// Lanes that work on it now.
    inside: AtomicUsize,
    /// Objects that are open for it.
    open: AtomicUsize,
    /// No more claims: fenced, cut short or failed.
    stopped: AtomicBool,
    /// It is still the task's, but its time is over: what is written of it is to be made durable.
    short: AtomicBool,
    /// A sync failed: what is not durable is lost.
    lost: AtomicBool,
    failed: OnceLock<Error>,
    /// What is known of overwritten blocks; empty where there are none.
    pub(super) shards: Shards,
    /// Old content that is no fault in it.
    pub(super) late: Late,
}

impl SeedRange {
    /// `durable_apart`: a unit that is written is not yet done.
    pub(super) fn new(id: u64, claims: Claims, durable_apart: bool) -> Self {
        let segment = |index| {
            let span = claims.segment_claims(index);
            let left = AtomicU64::new(span.end - span.start);
            Segment { left, object: Mutex::new(None), reported: AtomicBool::new(false) }
        };
        Self {
            id,
            next: Apart::default(),
            written: Bits::new(claims.count()),
            durable: durable_apart.then(|| Bits::new(claims.count())),
            passed_over: OnceLock::new(),
            corrupt: OnceLock::new(),
            segments: (0..claims.segments()).map(segment).collect(),
            segments_left: AtomicUsize::new(claims.segments()),
            inside: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            short: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            failed: OnceLock::new(),
            shards: Shards::default(),
            late: Late::default(),
            claims,
        }
    }

    /// The same with what is known of its shards.
    pub(super) fn with_shards(self, shards: Shards) -> Self {
        Self { shards, ..self }
    }

    /// The same with what may have come late to its units.
    pub(super) fn with_late(self, late: Late) -> Self {
        Self { late, ..self }
    }

    /// Takes the next claim. None is left, or the range was stopped: `None`.
    #[inline]
    pub(super) fn claim(&self) -> Option<Claim> {
        if self.is_stopped() {
            return None;
        }
        let index = self.next.0.fetch_add(1, Ordering::Relaxed);
        (index < self.claims.count()).then(|| self.claims.get(index))
    }

    /// Whether there is nothing to claim any more.
    pub(super) fn is_spent(&self) -> bool {
        self.is_stopped() || self.next.0.load(Ordering::Relaxed) >= self.claims.count()
    }

    /// Whether lanes must leave it at the next block.
    #[inline]
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Takes the range back.
    pub(super) fn fence(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    /// The task's time is over.
    pub(super) fn cut_short(&self) {
        if !self.is_stopped() {
            // First: who sees it stopped then knows what is to be done with it.
            self.short.store(true, Ordering::Release);
            self.stopped.store(true, Ordering::Release);
        }
    }

    /// Whether it ended with the task's time, and not all of it is written.
    pub(super) fn is_short(&self) -> bool {
        self.short.load(Ordering::Acquire) && self.segments_left.load(Ordering::Acquire) > 0
    }

    /// Fails the range; the first error counts.
    pub(super) fn fail(&self, error: Error) {
        let _ = self.failed.set(error);
        self.stopped.store(true, Ordering::Release);
    }

    /// A lane begins to work on it.
    pub(super) fn enter(&self) {
        self.inside.fetch_add(1, Ordering::AcqRel);
    }

    /// A lane works on it no longer. `true`: it was the last one and the range was stopped, so that what is open for
    /// it must be closed.
    #[must_use]
    pub(super) fn leave(&self) -> bool {
        self.inside.fetch_sub(1, Ordering::AcqRel) == 1 && self.is_stopped()
    }

    /// Whether no lane works on it.
    pub(super) fn is_idle(&self) -> bool {
        self.inside.load(Ordering::Acquire) == 0
    }

    /// The object of a segment; `open` is called for the first lane that asks, while the others wait.
    pub(super) fn object(&self, segment: usize, open: impl FnOnce() -> Result<Opened>) -> Result<Opened> {
        let mut object = self.locked(segment);
        if let Some(opened) = &*object {
            return Ok(opened.clone());
        }
        let opened = open()?;
        if opened.stays_open() {
            self.open.fetch_add(1, Ordering::AcqRel);
        }
        Ok(object.insert(opened).clone())
    }

    /// Whether a lane opens the object of a segment at this moment.
    pub(super) fn is_being_opened(&self, segment: usize) -> bool {
        matches!(self.segments[segment].object.try_lock(), Err(TryLockError::WouldBlock))
    }

    /// The object of a segment if it is an open file.
    pub(super) fn open_object(&self, segment: usize) -> Option<Arc<ObjectFile>> {
        match &*self.locked(segment) {
            Some(Opened::File(file)) => Some(Arc::clone(file)),
            _ => None,
        }
    }

    /// Takes the object of a segment away, if it is one that the caller must close.
    pub(super) fn take_object(&self, segment: usize) -> Option<Opened> {
        self.locked(segment).take().filter(Opened::stays_open)
    }

    /// An object that was open for this range is closed.
    pub(super) fn closed(&self) {
        self.open.fetch_sub(1, Ordering::AcqRel);
    }

    fn locked(&self, segment: usize) -> MutexGuard<'_, Option<Opened>> {
        // The option is whole whenever a panic can happen.
        self.segments[segment].object.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the caller is the first to report that the object of a segment is missing or too short.
    pub(super) fn first_report(&self, segment: usize) -> bool {
        !self.segments[segment].reported.swap(true, Ordering::Relaxed)
    }

    /// A claim is written. `true`: it was the last one of its segment.
    #[must_use]
    pub(super) fn claim_written(&self, claim: &Claim) -> bool {
        self.written.insert(claim.index);
        self.segments[claim.segment].left.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// A claim failed, and the range goes on without it. `true`: it was the last one of its segment.
    #[must_use]
    pub(super) fn claim_failed(&self, claim: &Claim) -> bool {
        self.units_failed(claim.units.clone());
        self.segments[claim.segment].left.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Units of a claim failed, and the claim goes on without them: whatever becomes of it, they are not done.
    pub(super) fn units_failed(&self, units: Range<u64>) {
        let all = self.claims.units();
        let failed = self.passed_over.get_or_init(|| Bits::new(all.end - all.start));
        for unit in units {
            let _ = failed.insert(unit - all.start);
        }
    }

    /// Something is wrong in a unit of it. `true`: nothing was known to be before.
    #[must_use]
    pub(super) fn unit_corrupt(&self, unit: u64) -> bool {
        let units = self.claims.units();
        self.corrupt.get_or_init(|| Bits::new(units.end - units.start)).insert(unit - units.start)
    }

    /// A segment is written. `true`: it was the last one of the range.
    #[must_use]
    pub(super) fn segment_written(&self) -> bool {
        self.segments_left.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Notes what of these claims is written, to be called before a sync begins.
    pub(super) fn note_written(&self, claims: Range<u64>) -> Copied {
        self.written.copy(claims)
    }

    /// What was noted is durable, or when the sync failed, all that is not durable yet is lost.
    pub(super) fn synced(&self, noted: &Copied, outcome: Result<()>) {
        let Some(durable) = &self.durable else { return };
        match outcome {
            // After a failed sync a good one proves nothing: the system reports lost writes once.
            Ok(()) if self.lost.load(Ordering::Acquire) => {}
            Ok(()) => durable.insert_all(noted),
            Err(error) => {
                if !durable.holds(noted) {
                    self.lost.store(true, Ordering::Release);
                    self.fail(error);
                }
            }
        }
    }

    /// A sync failed with an error that the plan lets pass: what was noted and is not durable failed, and the range goes on.
    pub(super) fn lose(&self, noted: &Copied) {
        if let Some(durable) = &self.durable {
            for claims in durable.missing_of(noted).runs() {
                self.units_failed(self.units_of(&claims));
            }
        }
    }

    /// Whether every claim of a segment was written.
    pub(super) fn is_segment_whole(&self, segment: usize) -> bool {
        let (units, first) = (self.claims.segment_units(segment), self.claims.units().start);
        let span = units.start - first..units.end - first;
        self.passed_over.get().is_none_or(|failed| failed.copy(span).is_empty())
    }

    /// How far it has come.
    pub(super) fn progress(&self) -> RangeProgress {
        let all_closed = || self.open.load(Ordering::Acquire) == 0;
        // Before the units: what a drained range has done is its last word. Stopped before idle: none claims after that.
        let drained = self.is_stopped() && self.is_idle() && all_closed();
        // Durable first: a unit is written before it is durable, so that done is always a part of written.
        let done = self.durable.as_ref().map(|durable| self.units(durable));
        let written = self.units(&self.written);
        let done = done.unwrap_or_else(|| written.clone());
        let failed = self.failed.get().cloned();
        let units = self.claims.units();
        // After those that are done: what of a claim failed is known before the rest of it is.
        let of_range = |run: Range<u64>| (units.start + run.start, units.start + run.end);
        let failed_units: Vec<_> =
            self.passed_over.get().map_or_else(Vec::new, |failed| failed.runs().into_iter().map(of_range).collect());
        let (done, written) = (without(&done, &failed_units), without(&written, &failed_units));
        // After the units: before they were done there may have been nothing open yet.
        let complete = covers(&done, &failed_units, units) && failed.is_none() && all_closed();
        let is_durable = |shard| self.durable.as_ref().is_none_or(|durable| durable.contains(shard));
        RangeProgress {
            id: self.id,
            complete,
            drained,
            failed,
            failed_units,
            shards: self.shards.progress(complete || drained, is_durable),
            written: if self.lost.load(Ordering::Acquire) { done.clone() } else { written },
            done,
        }
    }

    /// Runs of claims as runs of units. Neighbouring claims are neighbouring units, so runs stay runs.
    fn units(&self, claims: &Bits) -> Vec<(u64, u64)> {
        let units = claims.runs().into_iter().map(|run| self.units_of(&run));
        units.map(|units| (units.start, units.end)).collect()
    }

    /// The units of neighbouring claims.
    fn units_of(&self, claims: &Range<u64>) -> Range<u64> {
        self.claims.get(claims.start).units.start..self.claims.get(claims.end - 1).units.end
    }
}

/// The parts of runs that are in none of others; both rise.
fn without(runs: &[(u64, u64)], others: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut left = Vec::with_capacity(runs.len());
    let mut others = others.iter().copied().peekable();
    for (mut first, end) in runs.iter().copied() {
        while let Some((other, other_end)) = others.peek().copied().filter(|(other, _)| *other < end) {
            if first < other {
                left.push((first, other));
            }
            first = first.max(other_end);
            if other_end > end {
                break;
            }
            others.next();
        }
        if first < end {
            left.push((first, end));
        }
    }
    left
}

/// Whether two lists of runs, each rising and none overlapping another, are together all of `units`.
fn covers(some: &[(u64, u64)], others: &[(u64, u64)], units: Range<u64>) -> bool {
    let count = |runs: &[(u64, u64)]| runs.iter().map(|(first, end)| end - first).sum::<u64>();
    count(some) + count(others) == units.end - units.start
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::layout::Layout;

    /// Ten units in objects of four, each a claim.
    fn range(durable_apart: bool) -> SeedRange {
        let layout = Layout::new(4096, 10, 4).unwrap();
        SeedRange::new(1, Claims::new(&layout, 0..10, 1), durable_apart)
    }

    /// Writes the next claims, and says how many segments that completed.
    fn write(range: &SeedRange, claims: usize) -> usize {
        (0..claims).filter(|_| range.claim_written(&range.claim().unwrap())).count()
    }

    fn broken() -> Error {
        Error::new(Code::Io, "could not sync /t/f00000001: Input/output error", "look at the kernel log")
    }

    #[test]
    fn a_failed_sync_undoes_everything_since_the_last_good_one_for_ever() {
        let range = range(true);
        assert_eq!(write(&range, 4), 1);
        range.synced(&range.note_written(0..4), Ok(()));
        assert_eq!(write(&range, 3), 0);
        assert_eq!(range.progress().written, [(0, 7)]);
        let noted = range.note_written(4..8);
        range.synced(&noted, Err(broken()));
        // Linux tells a lost write-back to one sync only: the next one succeeds, and proves nothing.
        range.synced(&noted, Ok(()));
        let progress = range.progress();
        assert_eq!((progress.done, progress.written), (vec![(0, 4)], vec![(0, 4)]));
        assert_eq!((progress.failed, progress.complete), (Some(broken()), false));
        assert!(progress.drained && range.claim().is_none());
    }

    #[test]
    fn a_claim_that_may_fail_is_neither_done_nor_in_the_way_of_the_others() {
        let range = range(true);
        let failed = range.claim().unwrap();
        assert!(!range.claim_failed(&failed));
        assert_eq!(write(&range, 9), 3, "the segment of the failed claim ends too");
        range.synced(&range.note_written(0..10), Ok(()));
        let progress = range.progress();
        assert_eq!((progress.done, progress.failed_units), (vec![(1, 10)], vec![(0, 1)]));
        assert!(progress.complete && progress.failed.is_none());
    }

    #[test]
    fn units_of_a_claim_fail_without_the_others_and_are_done_under_no_policy() {
        let layout = Layout::new(4096, 10, 10).unwrap();
        for durable_apart in [false, true] {
            let range = SeedRange::new(1, Claims::new(&layout, 0..10, 5), durable_apart);
            let claim = range.claim().unwrap();
            range.units_failed(1..3);
            let _ = range.claim_written(&claim);
            assert_eq!(write(&range, 1), 1);
            range.synced(&range.note_written(0..2), Ok(()));
            let progress = range.progress();
            assert_eq!((&progress.done, &progress.failed_units), (&vec![(0, 1), (3, 10)], &vec![(1, 3)]));
            assert!(progress.complete && progress.written == progress.done && !range.is_segment_whole(0));
        }
    }

    #[test]
    fn runs_without_others_are_what_is_left_of_them() {
        assert_eq!(without(&[(0, 10)], &[]), [(0, 10)]);
        assert_eq!(without(&[(0, 10)], &[(0, 2), (4, 5), (9, 10)]), [(2, 4), (5, 9)]);
        assert_eq!(without(&[(2, 4), (6, 8)], &[(0, 3), (3, 7)]), [(7, 8)]);
        assert_eq!(without(&[(0, 3), (5, 7)], &[(1, 6)]), [(0, 1), (6, 7)]);
        assert_eq!(without(&[(0, 3)], &[(0, 3), (5, 7)]), []);
    }

    #[test]
    fn a_failed_sync_that_the_plan_lets_pass_fails_what_it_lost_and_no_more() {
        let range = range(true);
        write(&range, 4);
        range.synced(&range.note_written(0..4), Ok(()));
        write(&range, 6);
        range.lose(&range.note_written(0..10));
        let progress = range.progress();
        assert_eq!((progress.done, progress.failed_units), (vec![(0, 4)], vec![(4, 10)]));
        assert!(progress.complete);
    }

    #[test]
    fn a_failed_sync_of_what_was_durable_already_takes_nothing_back() {
        let range = range(true);
        write(&range, 4);
        let noted = range.note_written(0..4);
        range.synced(&noted, Ok(()));
        range.synced(&noted, Err(broken()));
        assert_eq!((range.progress().done, range.progress().failed), (vec![(0, 4)], None));
    }

    #[test]
    fn without_a_sync_to_come_a_written_unit_is_done() {
        let range = range(false);
        write(&range, 10);
        let progress = range.progress();
        assert!(progress.complete);
        assert_eq!((progress.done, progress.written), (vec![(0, 10)], vec![(0, 10)]));
    }

    #[test]
    fn a_fenced_range_is_drained_only_when_the_last_lane_has_left() {
        let range = range(false);
        range.enter();
        range.enter();
        let claim = range.claim().unwrap();
        range.fence();
        assert!(range.claim().is_none() && !range.progress().drained);
        assert!(!range.leave());
        let _ = range.claim_written(&claim);
        assert!(!range.progress().drained);
        assert!(range.leave(), "the last one is to close what is open");
        assert!(range.progress().drained);
        assert_eq!(range.progress().done, [(0, 1)], "the I/O in flight still counts");
    }

    #[test]
    fn lanes_that_claim_at_once_get_each_unit_once() {
        let layout = Layout::new(4096, 10_000, 33).unwrap();
        let range = SeedRange::new(1, Claims::new(&layout, 0..10_000, 1), false);
        let taken: u64 = std::thread::scope(|scope| {
            let lane = || {
                let mut taken = 0;
                while let Some(claim) = range.claim() {
                    taken += 1;
                    let _ = range.claim_written(&claim);
                }
                taken
            };
            let lanes: Vec<_> = (0..4).map(|_| scope.spawn(lane)).collect();
            lanes.into_iter().map(|lane| lane.join().unwrap()).sum()
        });
        assert_eq!(taken, 10_000);
        assert!(range.progress().complete);
    }
}
