//! The engine: one thread for every lane of a placement, started once, parked between jobs, joined by `close`.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::apart::{Apart, LaneThread};
use crate::cpuset;
use crate::engine::jobs::Jobs;
use crate::error::{Code, Error, Result};
use crate::lane::{Job, Lane};
use crate::limits::place_within_limits;
use crate::memory::{self, Binding, HUGE_PAGE_BYTES, HugePages, LaneBuffer, MemoryOptions, Wish};
use crate::notes::Notes;
use crate::placement::{LanePlacement, Placement, PlacementOptions, PoolPlacement};
use crate::topology::Topology;

pub(crate) mod jobs;

pub use jobs::MAX_WAITING_JOBS;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

/// The most lanes that one engine starts.
pub const MAX_LANES: usize = 4096;

/// A lane's stack. Jobs keep their data in the lane's buffer, so this is ample, and 4,096 lanes stay modest.
const STACK_BYTES: usize = 1 << 20;

thread_local! {
    /// The jobs that this thread serves as a lane; compared and never read through.
    static SERVES: Cell<*const Jobs> = const { Cell::new(std::ptr::null()) };
}

/// What an engine is made of.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// The machine.
    pub topology: Arc<Topology>,
    /// Which lanes to place on it.
    pub placement: PlacementOptions,
    /// Where the lanes' memory comes from.
    pub memory: MemoryOptions,
    /// Bytes of each lane's buffer at the start; 256 KiB to 1 MiB fit the L2 of today's cores.
    pub buffer_bytes: usize,
    /// Whether lanes are pinned to their PUs and buffers bound to their nodes. `false` only for tests on the topology
    /// of another machine.
    pub pin: bool,
}

impl EngineOptions {
    /// All that a machine has: one pinned lane on every core, with a buffer of 1 MiB.
    pub fn on(topology: Arc<Topology>) -> Self {
        let (placement, memory) = (PlacementOptions::default(), MemoryOptions::default());
        Self { topology, placement, memory, buffer_bytes: 1 << 20, pin: true }
    }
}

/// A set of running lanes.
pub struct Engine {
    topology: Arc<Topology>,
    placement: Placement,
    jobs: Arc<Jobs>,
    pub(crate) notes: Arc<Notes>,
    /// Until the lanes have ended.
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    threads: Vec<JoinHandle<()>>,
    apart: Option<Apart>,
}

impl Engine {
    /// Places the lanes and starts them; returns when each is pinned and has touched its buffer. When one cannot, all
    /// are ended again and the first error is returned. While the engine lives, the process's other threads keep off the
    /// cores of pinned lanes, where any other core is left to them.
    ///
    /// # Errors
    /// Those of [`place`](crate::placement::place); `InvalidArgument` for more than [`MAX_LANES`] lanes; `LaneStart` when
    /// the system refuses a thread or to pin it; `OutOfMemory`, `NumaMemory` and `HugePages` for the buffers.
    pub fn new(options: EngineOptions) -> Result<Self> {
        let (placement, note) = place_within_limits(&options.topology, &options.placement)?;
        let lanes = placement.lane_count();
        check_limits(&placement, &options)?;
        let jobs = Arc::new(Jobs::new(lanes));
        let notes = Arc::new(Notes::default());
        note.into_iter().for_each(|note| notes.add(note));
        let mut threads = Vec::with_capacity(lanes);
        let (up, ups) = channel();
        let mut started = Ok(());
        'spawn: for (at, pool) in placement.pools.iter().enumerate() {
            for lane in &pool.lanes {
                let seat = Seat::new(at, pool, lane, &options, &notes);
                let (jobs, up) = (Arc::clone(&jobs), up.clone());
                let thread = thread::Builder::new().name(format!("lane-{}", lane.index)).stack_size(STACK_BYTES);
                match thread.spawn(move || seat.serve(&jobs, up)) {
                    Ok(thread) => threads.push(thread),
                    Err(error) => {
                        started = Err(not_started(lane, &error.to_string()));
                        break 'spawn;
                    }
                }
            }
        }
        drop(up);
        // Ends when every thread has told its outcome and dropped its sender.
        for up in ups {
            started = started.and(up);
        }
        let running = Mutex::new(Running { threads, apart: None });
        let engine = Self { topology: options.topology, placement, jobs, notes, running };
        // On an error the engine is dropped, which ends the lanes that are up.
        started?;
        if options.pin {
            engine.running().apart = Apart::new(&engine.topology, &engine.placement, &options.placement);
        }
        Ok(engine)
    }

    /// The machine that the lanes were placed on.
    pub fn topology(&self) -> &Arc<Topology> {
        &self.topology
    }

    /// The pools and lanes.
    pub fn placement(&self) -> &Placement {
        &self.placement
    }

    /// How many lanes there are.
    pub fn lane_count(&self) -> usize {
        self.placement.lane_count()
    }

    /// What was asked for and not got, and what changed since; each thing once.
    pub fn notes(&self) -> Vec<String> {
        self.notes.all()
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a job to all lanes. Jobs run one after the other in the order of submission.
    ///
    /// # Errors
    /// `EngineClosed`; `QueueFull` when [`MAX_WAITING_JOBS`] wait already. The job is then dropped without any
    /// call of its methods.
    pub fn submit(&self, job: Arc<dyn Job>) -> Result<()> {
        self.jobs.submit(job)
    }

    /// Aborts the running job and those that wait, and joins every thread. May be called again and from several
    /// threads: each call returns when all lanes have ended.
    ///
    /// # Errors
    /// `CloseOnLane` when called on one of this engine's own lanes, inside a job's `run` or `finished`: closing has
    /// begun and nothing more is accepted, but a lane cannot wait for its own end. Calling it again on another
    /// thread waits.
    pub fn close(&self) -> Result<()> {
        self.jobs.close();
        if std::ptr::eq(SERVES.get(), Arc::as_ptr(&self.jobs)) {
            return Err(Error::new(
                Code::CloseOnLane,
                "the engine was asked to close by one of its own lanes, which cannot wait for itself",
                "call close on another thread; the engine accepts no more work",
            ));
        }
        // Held while joining, so that a second caller returns no earlier than the first.
        let mut running = self.running();
        for thread in running.threads.drain(..) {
            // A lane's thread ends without panicking: it catches what jobs do.
            let _ = thread.join();
        }
        running.apart = None;
        Ok(())
    }
}

impl Drop for Engine {
    /// Closes. When the last owner is a lane (a job that held the engine), its threads end by themselves, unjoined.
    fn drop(&mut self) {
        let _ = self.close();
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("placement", &self.placement).finish_non_exhaustive()
    }
}

/// What can be known before any lane has touched anything, since the kernel answers a touch too many by killing.
fn check_limits(placement: &Placement, options: &EngineOptions) -> Result<()> {
    let lanes = placement.lane_count();
    if lanes > MAX_LANES {
        let what = format!("{lanes} lanes were asked for, and an engine has at most {MAX_LANES}");
        return Err(Error::new(Code::InvalidArgument, what, "use fewer lanes per pool or fewer NUMA nodes"));
    }
    let buffer_bytes = options.buffer_bytes;
    let all = (lanes as u64).saturating_mul(buffer_bytes as u64);
    if let Some(available) = memory::available_bytes()
        && all > available
    {
        let what =
            format!("{lanes} lanes with {buffer_bytes} bytes each need {all} bytes, and {available} are available");
        return Err(Error::new(
            Code::OutOfMemory,
            what,
            "use fewer lanes or smaller buffers, or raise the memory limit",
        ));
    }
    let is_strict = options.pin && options.memory.binding == Binding::Strict;
    // Explicit huge pages are not taken from what is free.
    if !is_strict || options.memory.huge_pages == HugePages::Explicit {
        return Ok(());
    }
    let mut wanted = BTreeMap::<u32, u64>::new();
    for pool in &placement.pools {
        *wanted.entry(pool.memory_node).or_default() += (pool.lanes.len() as u64).saturating_mul(buffer_bytes as u64);
    }
    for (node, wanted) in wanted {
        let huge = memory::free_huge_pages(Some(node), HUGE_PAGE_BYTES).saturating_mul(HUGE_PAGE_BYTES as u64);
        let huge = if options.memory.huge_pages == HugePages::Auto { huge } else { 0 };
        if let Some(free) = memory::node_free_bytes(node)
            && wanted > free.saturating_add(huge)
        {
            return Err(memory::node_full(node, wanted, free));
        }
    }
    Ok(())
}

fn not_started(lane: &LanePlacement, why: &str) -> Error {
    Error::new(
        Code::LaneStart,
        format!("lane {} for PU {} could not be started: {why}", lane.index, lane.pu),
        "raise the limit on threads (ulimit -u, the cgroup's pids.max) or use fewer lanes",
    )
}

/// What a lane's thread needs to become a lane.
struct Seat {
    index: usize,
    pool: usize,
    pu: u32,
    node: u32,
    wish: Wish,
    buffer_bytes: usize,
    pin: bool,
    notes: Arc<Notes>,
    /// Address of the buffer that was looked at last.
    looked_at: Cell<usize>,
}

impl Seat {
    fn new(at: usize, pool: &PoolPlacement, lane: &LanePlacement, options: &EngineOptions, notes: &Arc<Notes>) -> Self {
        let is_strict = options.memory.binding == Binding::Strict;
        // With a single node there is nothing to choose, and one system call less that a sandbox could object to.
        let bind = options.pin && (is_strict || options.topology.numa_nodes.len() > 1);
        Self {
            index: lane.index,
            pool: at,
            pu: lane.pu,
            node: pool.numa_node,
            wish: Wish { node: bind.then_some(pool.memory_node), options: options.memory },
            buffer_bytes: options.buffer_bytes,
            pin: options.pin,
            notes: Arc::clone(notes),
            looked_at: Cell::new(0),
        }
    }

    fn serve(self, jobs: &Jobs, up: Sender<Result<()>>) {
        SERVES.set(jobs);
        let _lane = LaneThread::new();
        let (lane, outcome) = match self.sit() {
            Ok(lane) => (Some(lane), Ok(())),
            Err(error) => (None, Err(error)),
        };
        // The receiver lives until every sender is gone.
        let _ = up.send(outcome);
        drop(up);
        if let Some(lane) = lane {
            lane.serve(jobs, |lane| self.check(lane));
        }
    }

    fn sit(&self) -> Result<Lane> {
        if self.pin {
            cpuset::pin_thread(self.pu).map_err(|error| {
                Error::new(
                    Code::LaneStart,
                    format!("lane {} could not be pinned to PU {}: {error}", self.index, self.pu),
                    "check that the PU is on-line and in this process's cpuset",
                )
            })?;
        }
        let buffer = LaneBuffer::new(self.buffer_bytes, self.wish)?;
        self.look_at(&buffer);
        Ok(Lane { index: self.index, pool: self.pool, pu: self.pu, node: self.node, buffer })
    }

    /// Notes what was asked of memory and not got.
    fn look_at(&self, buffer: &LaneBuffer) {
        self.looked_at.set(buffer.as_ptr().addr());
        buffer.shortcomings().into_iter().for_each(|note| self.notes.add(note));
    }

    /// Notes what became of the lane while it worked. The kernel moves a thread whose PU goes off-line, or out of the
    /// cpuset, without a word.
    fn check(&self, lane: &Lane) {
        if lane.buffer.as_ptr().addr() != self.looked_at.get() {
            self.look_at(&lane.buffer);
        }
        let pu = cpuset::current_pu();
        if self.pin && pu != self.pu {
            self.notes.add(format!(
                "lane {} was moved from PU {} to PU {pu} by the system: is the PU off-line, or out of the cpuset?",
                lane.index, self.pu
            ));
        }
    }
}
