//! Tasks: one operation over the units of one layout on one sink, done by the lanes of an engine. A task is given ranges
//! of units while it runs and gives counts; it must never know of runs, stages, leases or other agents.

mod bits;
mod cells;
mod claims;
mod control;
mod durability;
mod errors;
mod expected;
mod faults;
mod findings;
mod halt;
mod in_flight;
mod lanes;
mod late;
mod metadata;
mod mixed;
mod pacer;
mod pacing;
mod pattern;
mod poison;
mod queue;
mod range;
mod remove;
mod replay;
mod reread;
mod shards;
mod shared;
mod snapshot;
mod spec;
pub(crate) mod start;
mod stored;
mod transfer;
mod tree;
mod way;

use std::sync::Arc;

pub use crate::pool_counters::PoolCounters;
pub use cells::{FIRST_OVERWRITE, OVERWRITES};
pub use control::MAX_RANGES;
pub use errors::{ErrorLimits, ErrorRow};
pub use findings::{Evidence, Finding, FindingCounts, FindingKind, MAX_FINDINGS};
pub use late::LateWrites;
pub use pacer::{Arrivals, Rate, RateOf, Share};
pub use pattern::{Order, PatternSpec};
pub use range::{RangeProgress, RangeSpec};
pub use replay::{CELL_BYTES, Layer, Overwrites, OwnShard, Prefix, ShardHistory};
pub use reread::{Place, Reread, Saw, Way, look_again};
pub use shared::Ended;
pub use snapshot::{LaneCounts, TaskSnapshot};
pub use spec::{MAX_QUEUE_DEPTH, Operation, Policy, TaskSpec};

use crate::engine::Engine;
use crate::error::{Code, Error, Result};
use crate::lanes::Lanes;
use crate::sink::FileWork;
use crate::sink::objects::ObjectSink;
use late::Late;
use range::SeedRange;
use shards::Shards;
use shared::{Shared, Sink};

/// How much a task has done at an instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// The instant, by CLOCK_MONOTONIC in ns.
    pub at_ns: u64,
    /// Operations that came back without an error, since the beginning.
    pub operations: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A task that an engine's lanes work on. All calls but [`Task::prepare`] return at once and do no I/O.
///
/// Dropping it cancels it, unless it was told to finish; its lanes then leave by themselves.
pub struct Task {
    shared: Arc<Shared>,
}

impl Task {
    /// Looks at the sink, makes the run's folder when the task writes files, and gives the task to the lanes, which
    /// wait for [`Task::begin_at`]. Calls the file system, which may take its time.
    ///
    /// `ended` is called exactly once, on a lane (or on the thread that closes the engine before the task ran), after
    /// the last lane has left and all files are closed: `Ok` when the task was finished, also when ranges failed, for
    /// those say so themselves; [`Code::Cancelled`], [`Code::LanePanicked`], [`Code::EngineClosed`] or
    /// [`Code::OutOfMemory`] when it was ended early. It must not wait for anything. When `prepare` itself fails,
    /// `ended` is not called.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`], [`Code::TargetMissing`], [`Code::TargetNotWritable`], [`Code::DiskFull`],
    /// [`Code::Io`], those of [`Engine::submit`]; [`Code::OutOfMemory`], [`Code::NumaMemory`] or [`Code::HugePages`] when
    /// its blocks would not fit the lanes' memory.
    pub fn prepare(engine: &Arc<Engine>, spec: TaskSpec, ended: Ended) -> Result<Self> {
        spec.validate()?;
        let lanes = Lanes::of(engine.placement(), None, spec.lanes)?;
        engine.check_room(&lanes, spec.buffer_bytes())?;
        let replays = spec.replays()?;
        let sink = Sink::prepare(&spec)?;
        let shared = Arc::new(Shared::new(spec, sink, replays, engine, &lanes, ended));
        match engine.submit_to(lanes, Arc::clone(&shared) as Arc<dyn crate::lane::Job>) {
            Ok(()) => Ok(Self { shared }),
            Err(error) => {
                if let Some(sink) = shared.object_sink() {
                    sink.unprepare();
                }
                Err(error)
            }
        }
    }

    /// What fell back so far, and what the engine has to say, to be shown.
    pub fn notes(&self) -> Vec<String> {
        self.shared.notes()
    }

    /// The common start: lanes begin at this instant of CLOCK_MONOTONIC, in ns; at once when it has passed.
    pub fn begin_at(&self, monotonic_ns: u64) {
        self.shared.control.start.set(monotonic_ns);
    }

    /// Lanes submit nothing at or after this instant of CLOCK_MONOTONIC, in ns, until it is moved; syncs of what is
    /// written are no submissions. At first there is no deadline.
    pub fn set_deadline(&self, monotonic_ns: u64) {
        self.shared.control.set_deadline(monotonic_ns);
    }

    /// The task's share of the rate, from this moment on; the first one from the start on. Without one its lanes begin
    /// nothing. Does nothing to a task without a rate.
    pub fn share_rate(&self, share: Share) {
        if let Some(pacing) = &self.shared.pacing {
            pacing.tell(share, crate::clock::now_ns());
        }
    }

    /// The task's time is over at this instant of CLOCK_MONOTONIC, in ns; at first that is never. From then on lanes submit
    /// nothing more: what is made and not handed over is dropped, what is in flight comes back and counts, what is written
    /// becomes durable as the sync policy says, and every range is then `drained`, also one that is added later. It may be
    /// moved, to now too, until it has come.
    pub fn end_at(&self, monotonic_ns: u64) {
        self.shared.control.set_end(monotonic_ns);
    }

    /// What is submitted before this instant of CLOCK_MONOTONIC, in ns, is a ramp: it counts among operations and bytes, which
    /// tell it apart, and is in no histogram. To be set before [`Task::begin_at`]; at first all counts.
    pub fn count_from(&self, monotonic_ns: u64) {
        self.shared.control.set_counts_from(monotonic_ns);
    }

    /// Gives the task units to work on. Ranges are served in the order in which they were added.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] for a range that is empty, outside the layout, too long or under an id in use, or when
    /// the task was told to finish; [`Code::QueueFull`] beyond [`MAX_RANGES`]; why the task ended early, if it did.
    pub fn add_range(&self, range: RangeSpec) -> Result<()> {
        self.add_range_with(range, Vec::new(), Vec::new())
    }

    /// The same for a task of which [`TaskSpec::overwrites`] tells: with what is known of each shard that has units in the
    /// range, in order. `late`: what may have come late to its units, and is then found without being a fault.
    ///
    /// # Errors
    /// Those of [`Task::add_range`]; [`Code::InvalidArgument`] for what cannot be true of shards or of late writes.
    pub fn add_range_with(&self, range: RangeSpec, shards: Vec<ShardHistory>, late: Vec<LateWrites>) -> Result<()> {
        let spec = &self.shared.spec;
        let claims = spec.claims(range)?;
        let shards = Shards::new(self.shared.replays.as_ref(), &spec.layout, claims.units(), shards)?;
        let range = SeedRange::new(range.id, claims, spec.durable_apart());
        self.shared.control.add(range.with_shards(shards).with_late(Late::new(late)?))
    }

    /// Allows a mixed task operations below these limits on the shards of a range, in order: those that its last snapshots told
    /// as reserved, once that is known to whoever goes on if this process dies. Does nothing when there is no such range.
    pub fn allow(&self, range: u64, limits: &[u64]) {
        self.shared.control.allow(range, limits);
    }

    /// Takes a range back: no lane claims from it again, and claims in progress stop at the next block. Its snapshot
    /// says `drained` when no I/O on it is in flight any more. Does nothing when there is no such range.
    pub fn fence_range(&self, id: u64) {
        self.shared.control.fence(id);
    }

    /// Makes all that was written before this call durable, on the lanes; under [`crate::sink::SyncPolicy::End`] only,
    /// for under any other what is to be durable is already, or soon will be. Progress of the ranges shows when it is
    /// done. The end of a task that was finished does the same.
    pub fn sync(&self) {
        if self.shared.spec.syncs_at_end() {
            self.shared.control.queue_syncs(self.shared.kept_objects());
        }
    }

    /// How often a lane came to the end of a range, a sync or a close: when it has changed, a snapshot has news. One
    /// atomic read, for callers that look often.
    pub fn ended_work(&self) -> u64 {
        self.shared.control.ended_work()
    }

    /// Operations and their bytes so far, of all lanes: a few atomic reads a lane, for callers that look at exact instants.
    pub fn moved(&self) -> Moved {
        let mut moved = Moved { at_ns: crate::clock::now_ns(), ..Moved::default() };
        for (_, cell) in self.shared.cells() {
            moved.operations += cell.counters.operations.get();
            moved.bytes += cell.counters.bytes.get();
        }
        moved
    }

    /// What was done so far; also after the task ended. Copies counters and never waits for a lane.
    pub fn snapshot(&self) -> TaskSnapshot {
        self.shared.snapshot()
    }

    /// What a task on files did beside the I/O: what was in the page cache, what was preallocated. What is in the cache
    /// at the end is known once `ended` was called.
    pub fn file_work(&self) -> Option<FileWork> {
        self.shared.object_sink().and_then(ObjectSink::file_work)
    }

    /// No more ranges come: lanes do what is left, what is not durable is synced, files are closed and `ended` is
    /// called. Past the deadline this waits until the deadline is moved, the ranges are fenced, the task's time is over or
    /// it is cancelled.
    pub fn finish(&self) {
        self.shared.control.finish();
    }

    /// Ends the task early: lanes leave after the I/O in flight, nothing is synced, files are closed and `ended` is
    /// called with [`Code::Cancelled`].
    pub fn cancel(&self) {
        let mend = "start the run again when it is wanted";
        self.shared.control.end_early(Error::new(Code::Cancelled, "the task was cancelled", mend));
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if !self.shared.control.is_finishing() {
            self.cancel();
        }
    }
}
