//! Keeps the process's other threads off the cores that have lanes, as long as other cores are left to them: a lane that
//! shares its core with an event loop waits for it, and the event loop for the lane.
//!
//! Affinity belongs to the process, so this is the one place with state of its own: what the process was allowed before,
//! and which PUs the lanes of all its engines have taken.

use std::collections::BTreeSet;
use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::cpuset;
use crate::placement::{Placement, PlacementOptions, Share, place};
use crate::topology::Topology;

/// With more agents on a host than this, nobody works out which cores none of them uses.
const MAX_SHARES: usize = 64;

/// How often threads are looked for: one that was started meanwhile has its starter's mask of before.
const ROUNDS: usize = 3;

static PROCESS: Mutex<Process> =
    Mutex::new(Process { before: Vec::new(), now: Vec::new(), taken: Vec::new(), lanes: BTreeSet::new() });

struct Process {
    /// What the process was allowed before any thread was moved; empty while none is.
    before: Vec<u32>,
    /// What its threads are allowed now.
    now: Vec<u32>,
    /// What each engine's lanes have taken.
    taken: Vec<Vec<u32>>,
    /// Threads that are lanes.
    lanes: BTreeSet<libc::pid_t>,
}

fn process() -> MutexGuard<'static, Process> {
    PROCESS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The PUs that the process may use, also while its threads are kept off some of them.
///
/// # Errors
/// What the kernel answers.
pub(crate) fn allowed() -> std::io::Result<Vec<u32>> {
    let process = process();
    let allowed = cpuset::allowed_to_process()?;
    // Somebody may have changed it since.
    Ok(if !process.before.is_empty() && allowed == process.now { process.before.clone() } else { allowed })
}

/// While this lives, the thread that made it is a lane, which stays where it was pinned.
#[derive(Debug)]
pub(crate) struct LaneThread(libc::pid_t);

impl LaneThread {
    pub(crate) fn new() -> Self {
        // SAFETY: takes nothing and cannot fail.
        let thread = unsafe { libc::gettid() };
        process().lanes.insert(thread);
        Self(thread)
    }
}

impl Drop for LaneThread {
    fn drop(&mut self) {
        process().lanes.remove(&self.0);
    }
}

/// While this lives, threads that run wherever the process may run keep off one engine's lanes.
#[derive(Debug)]
pub(crate) struct Apart {
    taken: Vec<u32>,
}

impl Apart {
    /// Off the cores of these lanes, and of the other agents' that share out the host; off none where no core would be
    /// left.
    pub(crate) fn new(topology: &Topology, placement: &Placement, options: &PlacementOptions) -> Option<Self> {
        let taken = taken(topology, placement, options)?;
        let mut process = process();
        if process.before.is_empty() {
            let allowed = cpuset::allowed_to_process().ok()?;
            process.now.clone_from(&allowed);
            process.before = allowed;
        }
        process.taken.push(taken.clone());
        process.apply();
        Some(Self { taken })
    }
}

impl Drop for Apart {
    /// Lets threads back.
    fn drop(&mut self) {
        let mut process = process();
        if let Some(at) = process.taken.iter().position(|taken| *taken == self.taken) {
            process.taken.swap_remove(at);
        }
        process.apply();
        if process.taken.is_empty() {
            process.before.clear();
        }
    }
}

/// What is taken from the process. `None` when there are too many agents to tell.
fn taken(topology: &Topology, placement: &Placement, options: &PlacementOptions) -> Option<Vec<u32>> {
    let mut taken = pus_of(topology, placement);
    let Share { of, .. } = options.share;
    if of > MAX_SHARES {
        return None;
    }
    let others = (0..of).map(|index| Share { index, of }).filter(|share| *share != options.share);
    for share in others {
        let placement = place(topology, &PlacementOptions { share, ..options.clone() }).ok()?;
        taken.extend(pus_of(topology, &placement));
    }
    Some(taken.into_iter().collect())
}

/// All PUs of the cores that have lanes: a second hardware thread takes from the first.
fn pus_of(topology: &Topology, placement: &Placement) -> BTreeSet<u32> {
    let lanes = placement.pools.iter().flat_map(|pool| &pool.lanes);
    lanes.flat_map(|lane| topology.cores[lane.core].pus.iter().copied()).collect()
}

impl Process {
    fn apply(&mut self) {
        let is_taken = |pu: &u32| self.taken.iter().any(|taken| taken.contains(pu));
        let mut left: Vec<u32> = self.before.iter().copied().filter(|pu| !is_taken(pu)).collect();
        if left.is_empty() {
            left.clone_from(&self.before);
        }
        if left == self.now {
            return;
        }
        for _ in 0..ROUNDS {
            let mut moved = false;
            for thread in threads() {
                // What somebody else has pinned has a mask of its own.
                if !self.lanes.contains(&thread) && cpuset::allowed_to(thread).is_ok_and(|allowed| allowed == self.now)
                {
                    moved |= cpuset::allow(thread, &left).is_ok();
                }
            }
            if !moved {
                break;
            }
        }
        self.now = left;
    }
}

/// Ids of this process's threads.
fn threads() -> Vec<libc::pid_t> {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    tasks.filter_map(|task| task.file_name().to_str()?.parse().ok()).collect()
}
