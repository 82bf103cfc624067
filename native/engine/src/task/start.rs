//! The common start: where a task's lanes wait for its instant. All of them at once wait here and leave, so there is no
//! lock that they would queue for. Must never know what they begin.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crate::bell::{Bell, EVERYBODY};
use crate::clock::now_ns;

/// The instant of a start that nobody has set yet.
const NEVER: u64 = u64::MAX;

/// Where lanes wait for the start.
pub(crate) struct Start {
    /// By CLOCK_MONOTONIC, in ns.
    begin_ns: AtomicU64,
    called_off: AtomicBool,
    arrived: AtomicUsize,
    bell: Bell,
}

impl Default for Start {
    fn default() -> Self {
        let begin_ns = AtomicU64::new(NEVER);
        Self { begin_ns, called_off: AtomicBool::default(), arrived: AtomicUsize::default(), bell: Bell::default() }
    }
}

impl Start {
    /// Sets the instant, or moves it for lanes that still wait.
    pub(crate) fn set(&self, monotonic_ns: u64) {
        self.begin_ns.store(monotonic_ns, Ordering::Release);
        self.bell.ring(EVERYBODY);
    }

    /// The instant that was set, in ns.
    pub(crate) fn begin_ns(&self) -> u64 {
        self.begin_ns.load(Ordering::Acquire)
    }

    /// Lets go of the lanes: there will be no start.
    pub(crate) fn call_off(&self) {
        self.called_off.store(true, Ordering::Release);
        self.bell.ring(EVERYBODY);
    }

    /// How many lanes have arrived.
    pub(crate) fn arrived(&self) -> usize {
        self.arrived.load(Ordering::Acquire)
    }

    /// Waits for the start. `false`: it was called off before.
    pub(crate) fn arrive_and_wait(&self) -> bool {
        self.arrived.fetch_add(1, Ordering::AcqRel);
        loop {
            let heard = self.bell.heard();
            if self.called_off.load(Ordering::Acquire) {
                return false;
            }
            let begin_ns = self.begin_ns.load(Ordering::Acquire);
            if now_ns() >= begin_ns {
                return true;
            }
            self.bell.wait(heard, EVERYBODY, (begin_ns < NEVER).then_some(begin_ns));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn no_lane_begins_before_the_instant_also_when_that_is_moved() {
        let start = Start::default();
        let instant_ns = now_ns() + 5_000_000;
        thread::scope(|scope| {
            let lanes: Vec<_> = (0..8).map(|_| scope.spawn(|| (start.arrive_and_wait(), now_ns()))).collect();
            start.set(now_ns() + 3_600_000_000_000);
            while start.arrived() < 8 {
                thread::yield_now();
            }
            start.set(instant_ns);
            for lane in lanes {
                let (begins, at_ns) = lane.join().unwrap();
                assert!(begins && at_ns >= instant_ns);
            }
        });
    }

    #[test]
    fn lanes_that_wait_for_a_start_that_is_called_off_are_let_go() {
        for instant_ns in [None, Some(now_ns() + 3_600_000_000_000)] {
            let start = Start::default();
            thread::scope(|scope| {
                let lanes: Vec<_> = (0..8).map(|_| scope.spawn(|| start.arrive_and_wait())).collect();
                if let Some(instant_ns) = instant_ns {
                    start.set(instant_ns);
                }
                start.call_off();
                assert!(lanes.into_iter().all(|lane| !lane.join().unwrap()));
            });
        }
    }
}
