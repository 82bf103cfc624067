//! The engine: one thread for every lane of a placement, started once, parked between jobs, joined by `close`.

use std::cell::Cell;
use std::fmt;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::cpuset;
use crate::engine::jobs::Jobs;
use crate::error::{Code, Error, Result};
use crate::lane::{Job, Lane};
use crate::lanes::Lanes;
use crate::memory::{LaneBuffer, available_bytes};
use crate::placement::{LanePlacement, Placement, PlacementOptions, PoolPlacement, place};
use crate::topology::Topology;

pub(crate) mod jobs;
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
    /// Bytes of each lane's buffer at the start; 256 KiB to 1 MiB fit the L2 of today's cores.
    pub buffer_bytes: usize,
    /// Whether lanes are pinned to their PUs and buffers bound to their nodes. `false` only for tests on the topology
    /// of another machine.
    pub pin: bool,
}

/// A set of running lanes.
pub struct Engine {
    topology: Arc<Topology>,
    placement: Placement,
    jobs: Arc<Jobs>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Engine {
    /// Places the lanes and starts them; returns when each is pinned and has touched its buffer. When one cannot, all
    /// are ended again and the first error is returned.
    ///
    /// # Errors
    /// Those of [`place`]; `InvalidArgument` for more than [`MAX_LANES`] lanes; `LaneStart` when the system refuses a
    /// thread or to pin it; `OutOfMemory` for the buffers.
    pub fn new(options: EngineOptions) -> Result<Self> {
        let placement = place(&options.topology, &options.placement)?;
        let lanes = placement.lane_count();
        check_limits(lanes, options.buffer_bytes)?;
        let jobs = Arc::new(Jobs::new(lanes));
        let mut threads = Vec::with_capacity(lanes);
        let (up, ups) = channel();
        let mut started = Ok(());
        'spawn: for (at, pool) in placement.pools.iter().enumerate() {
            for lane in &pool.lanes {
                let seat = Seat::new(at, pool, lane, &options);
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
        let engine = Self { topology: options.topology, placement, jobs, threads: Mutex::new(threads) };
        // On an error the engine is dropped, which ends the lanes that are up.
        started.map(|()| engine)
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
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            // A lane's thread ends without panicking: it catches what jobs do.
            let _ = thread.join();
        }
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

fn check_limits(lanes: usize, buffer_bytes: usize) -> Result<()> {
    if lanes > MAX_LANES {
        let what = format!("{lanes} lanes were asked for, and an engine has at most {MAX_LANES}");
        return Err(Error::new(Code::InvalidArgument, what, "use fewer lanes per pool or fewer NUMA nodes"));
    }
    let all = (lanes as u64).saturating_mul(buffer_bytes as u64);
    match available_bytes() {
        Some(available) if all > available => Err(Error::new(
            Code::OutOfMemory,
            format!(
                "{lanes} lanes with {buffer_bytes} bytes each need {all} bytes, and the system has {available} available"
            ),
            "use fewer lanes or smaller buffers",
        )),
        _ => Ok(()),
    }
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
    memory_node: Option<u32>,
    buffer_bytes: usize,
    pin: bool,
}

impl Seat {
    fn new(at: usize, pool: &PoolPlacement, lane: &LanePlacement, options: &EngineOptions) -> Self {
        // With a single node there is nothing to choose, and one system call less that a sandbox could object to.
        let bind = options.pin && options.topology.numa_nodes.len() > 1;
        Self {
            index: lane.index,
            pool: at,
            pu: lane.pu,
            node: pool.numa_node,
            memory_node: bind.then_some(pool.memory_node),
            buffer_bytes: options.buffer_bytes,
            pin: options.pin,
        }
    }

    fn serve(self, jobs: &Jobs, up: Sender<Result<()>>) {
        SERVES.set(jobs);
        let (lane, outcome) = match self.sit() {
            Ok(lane) => (Some(lane), Ok(())),
            Err(error) => (None, Err(error)),
        };
        // The receiver lives until every sender is gone.
        let _ = up.send(outcome);
        drop(up);
        if let Some(lane) = lane {
            lane.serve(jobs);
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
        let buffer = LaneBuffer::new(self.buffer_bytes, self.memory_node)?;
        Ok(Lane { index: self.index, pool: self.pool, pu: self.pu, node: self.node, buffer })
    }
}
