//! Threads that help one lane, one for each I/O in flight, where the kernel has no way to do several at once. They run on
//! the lane's node. Lane and helper hand a request over by one atomic; nobody waits for a lock.

use std::cell::UnsafeCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use rustix::io::Errno;

use super::calls::call;
use super::{Answer, FOR_EVER, Request};
use crate::clock::now_ns;
use crate::cpuset;

/// A helper makes one system call and keeps nothing.
const STACK_BYTES: usize = 64 << 10;

/// The lane may write the request.
const IDLE: u32 = 0;
/// The helper may read the request and write the outcome.
const ASKED: u32 = 1;
/// The lane may read the outcome.
const ANSWERED: u32 = 2;
/// The helper ends.
const OVER: u32 = 3;

/// Where a lane and one helper meet.
struct Desk {
    state: AtomicU32,
    request: UnsafeCell<Option<Request>>,
    outcome: UnsafeCell<Result<usize, Errno>>,
    lane: Thread,
}

// SAFETY: `state` says whose the cells are, and each side hands them over by a release store that the other acquires.
// The request's pointer is only used while it is asked, which whoever pushed it promised is sound from any thread.
unsafe impl Sync for Desk {}
// SAFETY: see above.
unsafe impl Send for Desk {}

/// See the module.
pub(crate) struct Threads {
    desks: Box<[Arc<Desk>]>,
    helpers: Vec<JoinHandle<()>>,
    in_flight: usize,
}

impl Threads {
    /// Starts a helper for each of `depth` I/Os of the calling lane, on these PUs (any, when there are none).
    ///
    /// # Errors
    /// What the system answers when it refuses a thread.
    pub(super) fn open(depth: usize, pus: &[u32]) -> std::io::Result<Self> {
        let lane = thread::current();
        let desk = |_| {
            let (state, request, outcome) = (AtomicU32::new(IDLE), UnsafeCell::new(None), UnsafeCell::new(Ok(0)));
            Arc::new(Desk { state, request, outcome, lane: lane.clone() })
        };
        let desks: Box<[_]> = (0..depth).map(desk).collect();
        let mut threads = Self { desks, helpers: Vec::with_capacity(depth), in_flight: 0 };
        for desk in &threads.desks {
            let (desk, pus) = (Arc::clone(desk), pus.to_vec());
            let helper = thread::Builder::new().name("lane-helper".into()).stack_size(STACK_BYTES);
            threads.helpers.push(helper.spawn(move || {
                if !pus.is_empty() {
                    // A wish: a helper elsewhere is slower, and does the same.
                    let _ = cpuset::allow(0, &pus);
                }
                desk.serve();
            })?);
        }
        Ok(threads)
    }

    /// # Safety
    /// As [`super::LaneIo::push`].
    pub(super) unsafe fn push(&mut self, request: Request) {
        let slot = request.slot as usize;
        let desk = &self.desks[slot];
        debug_assert_eq!(desk.state.load(Ordering::Relaxed), IDLE);
        // SAFETY: the desk is idle, so the cell is the lane's.
        unsafe { *desk.request.get() = Some(request) };
        desk.state.store(ASKED, Ordering::Release);
        self.helpers[slot].thread().unpark();
        self.in_flight += 1;
    }

    pub(super) fn glance(&mut self, answers: &mut VecDeque<Answer>) {
        for (slot, desk) in self.desks.iter().enumerate() {
            if desk.state.load(Ordering::Acquire) == ANSWERED {
                // SAFETY: the desk is answered, so the cell is the lane's.
                let outcome = unsafe { *desk.outcome.get() };
                answers.push_back(Answer { slot: slot as u32, outcome });
                desk.state.store(IDLE, Ordering::Relaxed);
                self.in_flight -= 1;
            }
        }
    }

    pub(super) fn wait(&mut self, until_ns: u64, answers: &mut VecDeque<Answer>) {
        let had = answers.len();
        loop {
            self.glance(answers);
            if answers.len() > had || self.in_flight == 0 {
                return;
            }
            if until_ns == FOR_EVER {
                thread::park();
                continue;
            }
            match until_ns.saturating_sub(now_ns()) {
                0 => return,
                left_ns => thread::park_timeout(Duration::from_nanos(left_ns)),
            }
        }
    }
}

impl Desk {
    fn serve(&self) {
        loop {
            match self.state.load(Ordering::Acquire) {
                ASKED => {
                    // SAFETY: the desk was asked, so both cells are the helper's, and the request is good until answered.
                    unsafe {
                        let request = (*self.request.get()).take();
                        *self.outcome.get() = request.map_or(Err(Errno::INVAL), |request| call(&request));
                    }
                    self.state.store(ANSWERED, Ordering::Release);
                    self.lane.unpark();
                }
                OVER => return,
                _ => thread::park(),
            }
        }
    }
}

impl Drop for Threads {
    /// Waits for all that is in flight: until then a helper may write into the lane's memory.
    fn drop(&mut self) {
        let mut answers = VecDeque::new();
        while self.in_flight > 0 {
            self.wait(FOR_EVER, &mut answers);
        }
        for (desk, helper) in self.desks.iter().zip(self.helpers.drain(..)) {
            desk.state.store(OVER, Ordering::Release);
            helper.thread().unpark();
            // A helper does not panic.
            let _ = helper.join();
        }
    }
}
