//! Which job runs, which lanes are still in it, and which jobs wait. All turns of an engine go through here; it must
//! never know of threads, PUs or memory.
//!
//! Hundreds of lanes come and go at once, so they meet at no lock: each is called at a seat of its own, and leaving is
//! one atomic count. The lock is for those who submit, fail and close, and for the last lane of a turn. No foreign code
//! (a job's methods or its drop) ever runs under it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::engine::seats::Seats;
use crate::error::{Code, Error, Result};
use crate::lane::{Job, quietly};
use crate::lanes::Lanes;

/// Jobs that may wait behind the one that runs. A waiting job costs nothing, but so many mean that somebody submits
/// without ever looking at the outcomes.
pub const MAX_WAITING_JOBS: usize = 1024;

pub(crate) struct Jobs {
    seats: Seats,
    inside: Inside,
    state: Mutex<State>,
    /// The last lane of a turn waits here for a call of `abort` to return.
    abort_returned: Condvar,
}

/// Lanes that have not left the turn yet; 0 from before `finished` runs. Set under the lock, when a turn begins. On
/// cache lines of its own, for every lane writes it.
#[repr(align(128))]
struct Inside(AtomicUsize);

struct State {
    closed: bool,
    /// Never `None` while jobs wait.
    current: Option<Turn>,
    waiting: VecDeque<(Arc<dyn Job>, Lanes)>,
}

struct Turn {
    job: Arc<dyn Job>,
    aborting: bool,
    failure: Option<Error>,
}

pub(crate) fn closed() -> Error {
    Error::new(Code::EngineClosed, "the engine is closed", "make a new engine")
}

impl Jobs {
    pub(crate) fn new(lanes: usize) -> Self {
        let state = State { closed: false, current: None, waiting: VecDeque::new() };
        Self {
            seats: Seats::new(lanes),
            inside: Inside(AtomicUsize::new(0)),
            state: Mutex::new(state),
            abort_returned: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code under the lock panics; if it did, the state would still be whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn submit(&self, lanes: Lanes, job: Arc<dyn Job>) -> Result<()> {
        if !lanes.are_among(self.seats.count()) {
            let what = format!("a job is for lanes that an engine of {} lanes does not have", self.seats.count());
            return Err(Error::new(Code::InvalidArgument, what, "choose among the lanes of the engine that does it"));
        }
        let mut state = self.lock();
        if state.closed {
            return Err(closed());
        }
        if state.waiting.len() >= MAX_WAITING_JOBS {
            let what = format!("{MAX_WAITING_JOBS} jobs already wait for the engine's lanes");
            return Err(Error::new(Code::QueueFull, what, "wait for earlier tasks to end"));
        }
        if state.current.is_some() {
            state.waiting.push_back((job, lanes));
            return Ok(());
        }
        self.begin(state, job, lanes);
        Ok(())
    }

    /// Begins a turn. Nobody else can before its last lane has left, so its lanes are called outside the lock.
    fn begin(&self, mut state: MutexGuard<'_, State>, job: Arc<dyn Job>, lanes: Lanes) {
        state.current = Some(Turn { job: Arc::clone(&job), aborting: false, failure: None });
        self.inside.0.store(lanes.count(self.seats.count()), Ordering::Relaxed);
        drop(state);
        self.seats.call(job, &lanes);
    }

    /// Waits for this lane's next turn. `None`: the engine is closed and no turn is left.
    pub(crate) fn next(&self, lane: usize) -> Option<Arc<dyn Job>> {
        self.seats.wait(lane)
    }

    /// Fails the running job and asks its lanes to leave. The first failure counts.
    pub(crate) fn fail(&self, reason: Error) {
        let mut state = self.lock();
        let Some(current) = state.current.as_mut() else { return };
        // When the last lane has left, it is too late; when it leaves after this, it waits for the call of `abort`.
        if self.inside.0.load(Ordering::Acquire) == 0 || current.failure.is_some() {
            return;
        }
        current.failure = Some(reason.clone());
        current.aborting = true;
        let job = Arc::clone(&current.job);
        drop(state);
        quietly(move || job.abort(&reason));
        if let Some(current) = self.lock().current.as_mut() {
            current.aborting = false;
        }
        self.abort_returned.notify_all();
    }

    /// A lane leaves the turn that it was called to. The last one tells the job and begins the next turn.
    pub(crate) fn leave(&self) {
        // The last to leave has what all others did before it, and so has the job's `finished`.
        if self.inside.0.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        let mut state = self.lock();
        while state.current.as_ref().is_some_and(|current| current.aborting) {
            state = self.abort_returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let Some(current) = state.current.as_mut() else { return };
        let outcome = current.failure.take().map_or(Ok(()), Err);
        let job = Arc::clone(&current.job);
        drop(state);
        quietly(move || job.finished(outcome));
        self.advance();
    }

    /// Begins the next waiting job; after closing, tells all of them that they will not run, and the lanes to end.
    fn advance(&self) {
        let mut state = self.lock();
        while state.closed
            && let Some((job, _)) = state.waiting.pop_front()
        {
            drop(state);
            quietly(move || job.finished(Err(closed())));
            state = self.lock();
        }
        let done = state.current.take();
        if let Some((job, lanes)) = state.waiting.pop_front() {
            self.begin(state, job, lanes);
        } else if state.closed {
            drop(state);
            self.seats.end();
        } else {
            drop(state);
        }
        quietly(move || drop(done));
    }

    /// Refuses further jobs and asks the running one to leave. Lanes end when it, and all that wait, are finished.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let idle = state.current.is_none();
        drop(state);
        if idle {
            self.seats.end();
        }
        self.fail(closed());
    }
}
