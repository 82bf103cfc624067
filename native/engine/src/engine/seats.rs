//! Where lanes wait for their next turn, and how they are called to it. Must never know when turns begin.
//!
//! Each lane has a seat of its own, where its call is put, and all sleep at one bell, which wakes a whole group of them
//! with one system call. To wake a thread costs whoever does it a µs or more, so one thread does not wake hundreds: it
//! wakes a few, and these the others.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::bell::{Bell, EVERYBODY, GROUPS, Groups};
use crate::lane::Job;
use crate::lanes::Lanes;

/// As many lanes are called by one thread; a few tens of µs, which an event loop can spare.
const CALLED_BY_ONE: usize = 16;

pub(crate) struct Seats {
    seats: Box<[Seat]>,
    bell: Bell,
    /// Neighbours that the bell wakes together.
    group: usize,
}

/// On cache lines of its own: two, because processors fetch them in pairs. Its lock is only ever held to put or take.
#[derive(Default)]
#[repr(align(128))]
struct Seat(Mutex<Option<Call>>);

enum Call {
    /// To a turn. Before the lane does anything else, it calls the lanes that have numbers in `next` and take part.
    Turn { job: Arc<dyn Job>, lanes: Lanes, next: Range<usize> },
    /// To end.
    End,
}

impl Seats {
    pub(crate) fn new(lanes: usize) -> Self {
        let seats = (0..lanes).map(|_| Seat::default()).collect();
        Self { seats, bell: Bell::default(), group: lanes.div_ceil(GROUPS).max(1) }
    }

    pub(crate) fn count(&self) -> usize {
        self.seats.len()
    }

    /// Calls lanes to a turn: each must have taken part in no other, or have left it.
    pub(crate) fn call(&self, job: Arc<dyn Job>, lanes: &Lanes) {
        let all = self.count();
        if lanes.count(all) <= CALLED_BY_ONE {
            return self.call_numbers(job, lanes, 0..all, 0..0);
        }
        // The lanes of the first group share out the other groups.
        let first = lanes.nth(0) / self.group * self.group;
        let next = all.min(first + self.group);
        self.call_numbers(job, lanes, first..next, next..all);
    }

    /// Calls the lanes that have these numbers and take part; each gets its share of those of `next` to call.
    fn call_numbers(&self, job: Arc<dyn Job>, lanes: &Lanes, numbers: Range<usize>, next: Range<usize>) {
        let called = lanes.within(numbers);
        // Whole groups, so that no lane is woken before its call is there.
        let share = next.len().div_ceil(self.group).div_ceil(called.len().max(1)) * self.group;
        let (mut groups, last) = (0, called.len().wrapping_sub(1));
        // The last call takes the job along: this thread must not be the last to let go of it.
        let mut job = Some(job);
        for (nth, lane) in called.enumerate() {
            let from = next.end.min(next.start + nth * share);
            let next = from..next.end.min(from + share);
            groups |= 1 << (lane / self.group);
            let job = if nth == last { job.take() } else { job.clone() };
            if let Some(job) = job {
                self.put(lane, Call::Turn { job, lanes: lanes.clone(), next });
            }
        }
        if let Some(groups) = Groups::new(groups) {
            self.bell.ring(groups);
        }
    }

    /// Calls all lanes to end.
    pub(crate) fn end(&self) {
        for lane in 0..self.count() {
            self.put(lane, Call::End);
        }
        self.bell.ring(EVERYBODY);
    }

    /// Waits at a lane's seat until it is called, and calls those that it is to call. `None`: the lane is to end.
    pub(crate) fn wait(&self, lane: usize) -> Option<Arc<dyn Job>> {
        match self.take(lane) {
            Call::Turn { job, lanes, next } => {
                if !next.is_empty() {
                    self.call_numbers(Arc::clone(&job), &lanes, next, 0..0);
                }
                Some(job)
            }
            Call::End => None,
        }
    }

    fn take(&self, lane: usize) -> Call {
        let own = Groups::new(1 << (lane / self.group)).unwrap_or(EVERYBODY);
        loop {
            let heard = self.bell.heard();
            if let Some(call) = self.seat(lane).take() {
                return call;
            }
            self.bell.wait(heard, own, None);
        }
    }

    fn put(&self, lane: usize, call: Call) {
        let before = self.seat(lane).replace(call);
        // A lane takes its call before it leaves the turn, so there is none left but one to end.
        debug_assert!(!matches!(before, Some(Call::Turn { .. })), "lane {lane} was called twice");
    }

    fn seat(&self, lane: usize) -> MutexGuard<'_, Option<Call>> {
        self.seats[lane].0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
