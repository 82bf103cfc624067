//! The engine: one thread for every lane of a placement, started once, parked between jobs, joined by `close`.

use std::cell::Cell;
use std::fmt;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::apart::Apart;
use crate::engine::jobs::Jobs;
use crate::engine::lane_start::LaneStart;
use crate::engine::room::Room;
use crate::error::{Code, Error, Result};
use crate::lane::Job;
use crate::lanes::Lanes;
use crate::limits::place_within_limits;
use crate::memory::MemoryOptions;
use crate::notes::Notes;
use crate::placement::{LanePlacement, Placement, PlacementOptions, PoolPlacement};
use crate::topology::Topology;

pub(crate) mod jobs;
mod lane_start;
pub(crate) mod room;
mod seats;

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
    room: Arc<Room>,
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
        check_limit(lanes)?;
        let room = Arc::new(Room::new(&options));
        room.check(memory_nodes(&placement, &Lanes::all()), options.buffer_bytes)?;
        let jobs = Arc::new(Jobs::new(lanes));
        let notes = Arc::new(Notes::default());
        note.into_iter().for_each(|note| notes.add(note));
        let mut threads = Vec::with_capacity(lanes);
        let (up, ups) = channel();
        let mut started = Ok(());
        'spawn: for (at, pool) in placement.pools.iter().enumerate() {
            for lane in &pool.lanes {
                let start = LaneStart::new(at, pool, lane, &options, (&notes, &room));
                let (jobs, up) = (Arc::clone(&jobs), up.clone());
                let thread = thread::Builder::new().name(format!("lane-{}", lane.index)).stack_size(STACK_BYTES);
                match thread.spawn(move || start.serve(&jobs, up)) {
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
        let engine = Self { topology: options.topology, placement, jobs, notes, room, running };
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

    /// Whether these lanes will find room for buffers of so many bytes each.
    ///
    /// # Errors
    /// `OutOfMemory`, `NumaMemory` or `HugePages`, with what was asked and what there is.
    pub(crate) fn check_room(&self, lanes: &Lanes, buffer_bytes: usize) -> Result<()> {
        self.room.check(memory_nodes(&self.placement, lanes), buffer_bytes)
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
        self.submit_to(Lanes::all(), job)
    }

    /// Gives a job to these lanes; the others sleep on, and no other job runs meanwhile. Jobs run one after the other in
    /// the order of submission. The caller does not wait until the lanes are awake.
    ///
    /// # Errors
    /// As [`Engine::submit`]; `InvalidArgument` for lanes that this engine does not have.
    pub fn submit_to(&self, lanes: Lanes, job: Arc<dyn Job>) -> Result<()> {
        self.jobs.submit(lanes, job)
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

/// The node that the buffer of each of these lanes is to come from.
fn memory_nodes(placement: &Placement, lanes: &Lanes) -> impl Iterator<Item = u32> {
    let of_pool = |pool: &PoolPlacement| std::iter::repeat_n(pool.memory_node, pool.lanes.len());
    let all: Vec<u32> = placement.pools.iter().flat_map(of_pool).collect();
    lanes.within(0..all.len()).map(move |lane| all[lane])
}

fn check_limit(lanes: usize) -> Result<()> {
    if lanes > MAX_LANES {
        let what = format!("{lanes} lanes were asked for, and an engine has at most {MAX_LANES}");
        return Err(Error::new(Code::InvalidArgument, what, "use fewer lanes per pool or fewer NUMA nodes"));
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
