//! What lanes wait for: the common start, ranges, the deadline, syncs, the end. The one lock of a task, taken by a lane
//! only when it goes to another range or has nothing to do. Must never do I/O, nor call anything that does.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::halt::Halt;
use super::range::SeedRange;
use super::start::Start;
use crate::clock::now_ns;
use crate::error::{Code, Error, Result};

/// Ranges that a task holds at a time. Leases are a few per agent; so many mean that nobody reads the snapshots.
pub const MAX_RANGES: usize = 65_536;

/// What a lane is to do next.
pub(super) enum Work {
    /// Claim from this range.
    Range(Arc<SeedRange>),
    /// Close what is open for this range, which was stopped.
    Close(Arc<SeedRange>),
    /// Make this object durable; with `last`, nothing will be written to it any more.
    Sync { object: u64, last: bool },
    /// Leave the task.
    Leave,
}

/// What a lane that is past the deadline is to do.
pub(super) enum Parked {
    /// The deadline was moved.
    Go,
    /// Leave the range: it was stopped, or the task's time is over.
    Stop,
    /// Make this object durable, then ask again: that is no new data.
    Sync(u64),
}

/// The task's switchboard.
pub(super) struct Control {
    pub(super) start: Start,
    state: Mutex<State>,
    wake: Condvar,
    halt: Arc<Halt>,
    /// What is submitted before this instant is the ramp.
    counts_from_ns: AtomicU64,
    cancelled: Arc<AtomicBool>,
    sync_queued: AtomicBool,
    /// Ranges that may have claims left: read without the lock by lanes that look often.
    queued: AtomicUsize,
    /// How often something changed that a lane may wait for whose operations are not allowed yet.
    changes: AtomicU64,
    /// How often a lane came to the end of a range, of a sync or of a close.
    ended_work: AtomicU64,
    /// Whether objects stay open until they are synced at the end.
    syncs_at_end: bool,
}

#[derive(Default)]
struct State {
    /// Ranges that may have claims left, in the order in which they are served.
    queue: VecDeque<Arc<SeedRange>>,
    /// All ranges that are not retired.
    ranges: Vec<Arc<SeedRange>>,
    to_close: Vec<Arc<SeedRange>>,
    syncs: BTreeSet<u64>,
    finishing: bool,
    /// The syncs of the end were queued.
    ending: bool,
    /// Lanes that are at work.
    busy: usize,
    /// Of these, those that wait for the deadline to be moved.
    late: usize,
    /// The task's time is over.
    over: bool,
    /// Why the task ends early.
    failure: Option<Error>,
}

impl Control {
    pub(super) fn new(syncs_at_end: bool) -> Self {
        Self {
            start: Start::default(),
            state: Mutex::default(),
            wake: Condvar::new(),
            halt: Arc::default(),
            counts_from_ns: AtomicU64::new(0),
            cancelled: Arc::default(),
            sync_queued: AtomicBool::new(false),
            queued: AtomicUsize::new(0),
            changes: AtomicU64::new(0),
            ended_work: AtomicU64::new(0),
            syncs_at_end,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code under the lock panics; if it did, the state would still be whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.wake.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_until<'a>(&self, state: MutexGuard<'a, State>, until_ns: u64, now_ns: u64) -> MutexGuard<'a, State> {
        let patience = Duration::from_nanos(until_ns.saturating_sub(now_ns));
        self.wake.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner).0
    }

    // What the control plane calls.

    pub(super) fn set_deadline(&self, monotonic_ns: u64) {
        self.move_halt(|halt| halt.set_deadline(monotonic_ns));
    }

    /// Sets or moves the instant at which the task's time is over. Once it is, that stays so.
    pub(super) fn set_end(&self, monotonic_ns: u64) {
        self.move_halt(|halt| halt.set_end(monotonic_ns));
    }

    pub(super) fn set_counts_from(&self, monotonic_ns: u64) {
        self.counts_from_ns.store(monotonic_ns, Ordering::Relaxed);
    }

    fn move_halt(&self, change: impl FnOnce(&Halt)) {
        // Under the lock, or a lane that just found itself late could miss it and park.
        let state = self.lock();
        change(&self.halt);
        let late = state.late;
        drop(state);
        // The deadline moves with every heartbeat: lanes that have nothing to do sleep on.
        if late > 0 {
            self.wake.notify_all();
        }
    }

    pub(super) fn add(&self, range: SeedRange) -> Result<()> {
        let refuse = |code, what: String, mend: &str| Err(Error::new(code, what, mend));
        let mut state = self.lock();
        if let Some(failure) = &state.failure {
            return Err(failure.clone());
        }
        if state.finishing {
            return refuse(
                Code::InvalidArgument,
                format!("range {} came after the task was told to finish", range.id),
                "give all ranges before finishing",
            );
        }
        if state.ranges.iter().any(|other| other.id == range.id) {
            return refuse(
                Code::InvalidArgument,
                format!("the task already works on a range {}", range.id),
                "give each range an id of its own",
            );
        }
        if state.ranges.len() >= MAX_RANGES {
            return refuse(
                Code::QueueFull,
                format!("the task already holds {MAX_RANGES} ranges"),
                "wait until ranges are complete, and take snapshots: they retire complete ranges",
            );
        }
        let range = Arc::new(range);
        state.ranges.push(Arc::clone(&range));
        if self.look_at_time(&mut state, now_ns()) {
            range.cut_short();
            return Ok(());
        }
        state.queue.push_back(range);
        self.changes.fetch_add(1, Ordering::Release);
        self.queued.store(state.queue.len(), Ordering::Relaxed);
        drop(state);
        self.wake.notify_all();
        Ok(())
    }

    pub(super) fn fence(&self, id: u64) {
        let mut state = self.lock();
        let Some(range) = state.ranges.iter().find(|range| range.id == id).cloned() else { return };
        range.fence();
        self.changes.fetch_add(1, Ordering::Release);
        // A lane closes its files: closing may take its time, and the caller has none.
        state.to_close.push(range);
        drop(state);
        self.wake.notify_all();
    }

    /// Allows operations on the shards of a range.
    pub(super) fn allow(&self, id: u64, limits: &[u64]) {
        let state = self.lock();
        let Some(range) = state.ranges.iter().find(|range| range.id == id) else { return };
        range.shards.allow(limits);
        self.changes.fetch_add(1, Ordering::Release);
        drop(state);
        self.wake.notify_all();
    }

    /// A range was cut short and its last lane has left it: what is open for it is to be closed by a lane that has nothing in
    /// flight.
    pub(super) fn close_later(&self, range: Arc<SeedRange>) {
        self.lock().to_close.push(range);
    }

    /// Whether somebody has seen that the task's time is over: then all its ranges are cut short.
    pub(super) fn is_over(&self) -> bool {
        self.lock().over
    }

    pub(super) fn queue_syncs(&self, objects: Vec<u64>) {
        let mut state = self.lock();
        state.syncs.extend(objects);
        self.sync_queued.store(!state.syncs.is_empty(), Ordering::Relaxed);
        drop(state);
        self.wake.notify_all();
    }

    pub(super) fn finish(&self) {
        self.lock().finishing = true;
        self.wake.notify_all();
    }

    pub(super) fn is_finishing(&self) -> bool {
        self.lock().finishing
    }

    /// Ends the task early; the first reason counts.
    pub(super) fn end_early(&self, reason: Error) {
        let mut state = self.lock();
        state.failure.get_or_insert(reason);
        self.cancelled.store(true, Ordering::Release);
        drop(state);
        self.wake.notify_all();
        self.start.call_off();
    }

    /// Why the task ended early, if it did.
    pub(super) fn failure(&self) -> Option<Error> {
        self.lock().failure.clone()
    }

    /// How often a lane came to the end of a piece of work.
    pub(super) fn ended_work(&self) -> u64 {
        self.ended_work.load(Ordering::Relaxed)
    }

    /// All ranges that are not retired.
    pub(super) fn ranges(&self) -> Vec<Arc<SeedRange>> {
        self.lock().ranges.clone()
    }

    /// Retires ranges: nothing more is to be said of them.
    pub(super) fn retire(&self, ids: &[u64]) {
        if !ids.is_empty() {
            self.lock().ranges.retain(|range| !ids.contains(&range.id));
        }
    }

    // What lanes call.

    /// Whether the task ends early.
    #[inline]
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Whether a lane should ask for work although its range has more.
    #[inline]
    pub(super) fn is_sync_queued(&self) -> bool {
        self.sync_queued.load(Ordering::Relaxed)
    }

    /// Nothing is submitted at or after this instant: see [`Control::time_is_over`] and [`Control::park`].
    #[inline]
    pub(super) fn halt_ns(&self) -> u64 {
        self.halt.first_ns()
    }

    /// What is submitted before this instant is the ramp: it is told apart.
    #[inline]
    pub(super) fn counts_from_ns(&self) -> u64 {
        self.counts_from_ns.load(Ordering::Relaxed)
    }

    /// Whether, at this instant, the task's time is over; then every range is stopped when this returns.
    #[cold]
    pub(super) fn time_is_over(&self, now_ns: u64) -> bool {
        self.look_at_time(&mut self.lock(), now_ns)
    }

    fn look_at_time(&self, state: &mut State, now_ns: u64) -> bool {
        if !state.over && now_ns >= self.halt.end_ns() {
            state.over = true;
            for range in &state.ranges {
                range.cut_short();
            }
            // Those that no lane is in are closed by a lane; the others are queued by the last lane to leave them.
            state.to_close.extend(state.ranges.iter().cloned());
            self.wake.notify_all();
        }
        state.over
    }

    /// Until when what failed may be tried again; to be asked as often as it matters.
    pub(super) fn retry_limit(&self) -> impl Fn() -> u64 + 'static {
        let (halt, cancelled) = (Arc::clone(&self.halt), Arc::clone(&self.cancelled));
        move || if cancelled.load(Ordering::Relaxed) { 0 } else { halt.first_ns() }
    }

    /// Waits for something to do. `was_busy`: the lane comes from work that it got here. `kept` names the objects
    /// that are to be synced at the end.
    pub(super) fn next(&self, was_busy: bool, kept: impl Fn() -> Vec<u64>) -> Work {
        let mut state = self.lock();
        if was_busy {
            state.busy -= 1;
            self.note_ended_work();
        }
        loop {
            if state.failure.is_some() {
                return Work::Leave;
            }
            if let Some(work) = self.some_work(&mut state) {
                state.busy += 1;
                return work;
            }
            if state.finishing {
                // What other lanes still write is to be synced too, so the end's syncs wait until all are idle.
                if !self.syncs_at_end {
                    return Work::Leave;
                }
                if state.busy == 0 {
                    if state.ending {
                        self.wake.notify_all();
                        return Work::Leave;
                    }
                    state.ending = true;
                    state.syncs.extend(kept());
                    self.wake.notify_all();
                    continue;
                }
            }
            state = self.wait(state);
        }
    }

    /// Another range to claim from, for a lane that is at work. None: it is to ask [`Control::next`] when it has nothing
    /// in flight.
    pub(super) fn more(&self) -> Option<Arc<SeedRange>> {
        if self.queued.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut state = self.lock();
        if state.failure.is_some() || !state.syncs.is_empty() || !state.to_close.is_empty() {
            return None;
        }
        self.some_range(&mut state)
    }

    /// A lane came to the end of a piece of work.
    pub(super) fn note_ended_work(&self) {
        self.ended_work.fetch_add(1, Ordering::Relaxed);
    }

    fn some_work(&self, state: &mut State) -> Option<Work> {
        if let Some(object) = self.some_sync(state) {
            return Some(Work::Sync { object, last: state.ending });
        }
        if let Some(range) = state.to_close.pop() {
            return Some(Work::Close(range));
        }
        self.some_range(state).map(Work::Range)
    }

    fn some_range(&self, state: &mut State) -> Option<Arc<SeedRange>> {
        while let Some(range) = state.queue.front() {
            if range.is_spent() {
                state.queue.pop_front();
                self.queued.store(state.queue.len(), Ordering::Relaxed);
            } else {
                // Under the lock, so that a range which is fenced is either entered or never will be.
                range.enter();
                return Some(Arc::clone(range));
            }
        }
        None
    }

    /// How often something changed.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Waits, for a lane with nothing in flight, until more has changed, the task ends or its time is over, or there is an object to be made
    /// durable, which it gives.
    pub(super) fn wait_for_change(&self, seen: u64) -> Option<u64> {
        let mut state = self.lock();
        loop {
            if let Some(object) = self.some_sync(&mut state) {
                return Some(object);
            }
            let now_ns = now_ns();
            if self.look_at_time(&mut state, now_ns) || self.changes() > seen || state.failure.is_some() {
                return None;
            }
            state = self.wait_until(state, self.halt.end_ns(), now_ns);
        }
    }

    fn some_sync(&self, state: &mut State) -> Option<u64> {
        let object = state.syncs.pop_first();
        self.sync_queued.store(!state.syncs.is_empty(), Ordering::Relaxed);
        object
    }

    /// Waits, past the deadline, for something to change.
    pub(super) fn park(&self, range: &SeedRange) -> Parked {
        let mut state = self.lock();
        loop {
            let now_ns = now_ns();
            if self.look_at_time(&mut state, now_ns) || state.failure.is_some() || range.is_stopped() {
                return Parked::Stop;
            }
            if now_ns < self.halt_ns() {
                return Parked::Go;
            }
            if let Some(object) = self.some_sync(&mut state) {
                return Parked::Sync(object);
            }
            state.late += 1;
            state = self.wait_until(state, self.halt.end_ns(), now_ns);
            state.late -= 1;
        }
    }
}
