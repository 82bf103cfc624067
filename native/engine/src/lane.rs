//! A lane, and the work that lanes take part in. Knows nothing of what the work is for.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::engine::jobs::Jobs;
use crate::error::{Code, Error, Result};
use crate::memory::LaneBuffer;

/// Work that every lane of an engine, or every lane that was chosen for it, takes part in at once.
pub trait Job: Send + Sync + 'static {
    /// Called once on every lane that takes part; returns when this lane has nothing left to do. A lane may come here
    /// after `abort` was called, and should then leave at once. It may panic: the job then fails with `LanePanicked`.
    fn run(&self, lane: &mut Lane);

    /// Asks lanes that are still inside `run` to leave soon: a lane panicked, or the engine closes. Called at most
    /// once, from the panicked lane or from the thread that closes, while other lanes are inside `run`, and never
    /// once `finished` has begun. Must not block and must not close the engine.
    fn abort(&self, reason: &Error);

    /// Called exactly once, on the last lane to leave. The outcome is an error when a lane panicked or when the
    /// engine was closed before all lanes had left; a job that waited behind another one when the engine was closed
    /// gets `EngineClosed` without having run.
    ///
    /// The next job begins when this returns, so it must be short. It may submit further jobs. It may not wait for
    /// the engine to close (see [`crate::engine::Engine::close`]).
    fn finished(&self, outcome: Result<()>);
}

/// What a job sees of the lane that it runs on.
#[derive(Debug)]
pub struct Lane {
    /// Its number in the engine.
    pub index: usize,
    /// Position of its pool in the engine's placement.
    pub pool: usize,
    /// OS index of the PU it is pinned to.
    pub pu: u32,
    /// OS index of its NUMA node.
    pub node: u32,
    /// Page-aligned memory, on the lane's node, touched by the lane; grows by [`LaneBuffer::reserve`]. What an
    /// earlier job left in it is still there.
    pub buffer: LaneBuffer,
}

impl Lane {
    /// Takes part in job after job until the engine closes, and checks itself after each.
    pub(crate) fn serve(mut self, jobs: &Jobs, check: impl Fn(&Self)) {
        while let Some(job) = jobs.next(self.index) {
            let ran = catch_unwind(AssertUnwindSafe(|| job.run(&mut self)));
            if let Err(panic) = ran {
                jobs.fail(self.panicked(&*panic));
            }
            quietly(move || drop::<Arc<dyn Job>>(job));
            check(&self);
            jobs.leave();
        }
    }

    fn panicked(&self, panic: &(dyn Any + Send)) -> Error {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
        Error::new(
            Code::LanePanicked,
            format!("lane {} on PU {} panicked: {text}", self.index, self.pu),
            "report this as a defect; the engine can still be used",
        )
    }
}

/// Runs code of a job that has no way to fail: its panic is told by the panic hook and must not take the lane along.
pub(crate) fn quietly(run: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(run));
}
