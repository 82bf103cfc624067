//! Which job runs, which lanes are still in it, and which jobs wait. All turns of an engine go through here; it must
//! never know of threads, PUs or memory.
//!
//! No foreign code (a job's methods or its drop) ever runs under the lock.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::error::{Code, Error, Result};
use crate::lane::{Job, quietly};

/// Jobs that may wait behind the one that runs. A waiting job costs nothing, but so many mean that somebody submits
/// without ever looking at the outcomes.
pub const MAX_WAITING_JOBS: usize = 1024;

pub(crate) struct Jobs {
    lanes: usize,
    state: Mutex<State>,
    /// Lanes wait here for a turn to begin or the engine to close.
    begin: Condvar,
    /// The last lane of a turn waits here for a call of `abort` to return.
    abort_returned: Condvar,
}

struct State {
    closed: bool,
    turns: u64,
    /// Never `None` while jobs wait.
    current: Option<Turn>,
    waiting: VecDeque<Arc<dyn Job>>,
}

struct Turn {
    number: u64,
    job: Arc<dyn Job>,
    /// Lanes that have not left yet. 0 while `finished` runs.
    inside: usize,
    aborting: bool,
    failure: Option<Error>,
}

impl State {
    fn begin(&mut self, job: Arc<dyn Job>, lanes: usize) {
        self.turns += 1;
        self.current = Some(Turn { number: self.turns, job, inside: lanes, aborting: false, failure: None });
    }
}

pub(crate) fn closed() -> Error {
    Error::new(Code::EngineClosed, "the engine is closed", "make a new engine")
}

impl Jobs {
    pub(crate) fn new(lanes: usize) -> Self {
        let state = State { closed: false, turns: 0, current: None, waiting: VecDeque::new() };
        Self { lanes, state: Mutex::new(state), begin: Condvar::new(), abort_returned: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code under the lock panics; if it did, the state would still be whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn submit(&self, job: Arc<dyn Job>) -> Result<()> {
        let mut state = self.lock();
        if state.closed {
            return Err(closed());
        }
        if state.waiting.len() >= MAX_WAITING_JOBS {
            let what = format!("{MAX_WAITING_JOBS} jobs already wait for the engine's lanes");
            return Err(Error::new(Code::QueueFull, what, "wait for earlier tasks to end"));
        }
        if state.current.is_some() {
            state.waiting.push_back(job);
            return Ok(());
        }
        state.begin(job, self.lanes);
        // Lanes that woke under the lock would only wait for it.
        drop(state);
        self.begin.notify_all();
        Ok(())
    }

    /// Waits for the turn after `last`. `None`: the engine is closed and no turn is left.
    pub(crate) fn next(&self, last: u64) -> Option<(u64, Arc<dyn Job>)> {
        let mut state = self.lock();
        loop {
            match &state.current {
                Some(turn) if turn.number > last => return Some((turn.number, Arc::clone(&turn.job))),
                None if state.closed => return None,
                _ => state = self.begin.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Fails the running job (of this turn, when one is given) and asks its lanes to leave. The first failure counts.
    pub(crate) fn fail(&self, turn: Option<u64>, reason: Error) {
        let mut state = self.lock();
        let Some(current) = state.current.as_mut() else { return };
        if turn.is_some_and(|turn| turn != current.number) || current.inside == 0 || current.failure.is_some() {
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

    /// A lane leaves this turn. The last one tells the job and begins the next turn.
    pub(crate) fn leave(&self, turn: u64) {
        let mut state = self.lock();
        let Some(current) = state.current.as_mut().filter(|current| current.number == turn) else { return };
        current.inside -= 1;
        if current.inside > 0 {
            return;
        }
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

    /// Begins the next waiting job; after closing, tells all of them that they will not run.
    fn advance(&self) {
        let mut state = self.lock();
        while state.closed
            && let Some(job) = state.waiting.pop_front()
        {
            drop(state);
            quietly(move || job.finished(Err(closed())));
            state = self.lock();
        }
        let done = state.current.take();
        if let Some(job) = state.waiting.pop_front() {
            state.begin(job, self.lanes);
        }
        let has_news = state.current.is_some() || state.closed;
        drop(state);
        if has_news {
            self.begin.notify_all();
        }
        quietly(move || drop(done));
    }

    /// Refuses further jobs and asks the running one to leave. Lanes end when it, and all that wait, are finished.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.begin.notify_all();
        self.fail(None, closed());
    }
}
