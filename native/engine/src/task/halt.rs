//! When lanes stop: at a deadline until that is moved, and for good when the task's time is over. Lanes compare with one
//! instant, whichever comes first. Must never read a clock, nor wait; whoever sets an instant holds the task's lock.

use std::sync::atomic::{AtomicU64, Ordering};

/// An instant that does not come.
const NEVER: u64 = u64::MAX;

/// By CLOCK_MONOTONIC, in ns.
pub(super) struct Halt {
    first_ns: AtomicU64,
    deadline_ns: AtomicU64,
    end_ns: AtomicU64,
}

impl Default for Halt {
    fn default() -> Self {
        let never = || AtomicU64::new(NEVER);
        Self { first_ns: never(), deadline_ns: never(), end_ns: never() }
    }
}

impl Halt {
    /// Nothing is submitted at or after this instant.
    #[inline]
    pub(super) fn first_ns(&self) -> u64 {
        self.first_ns.load(Ordering::Acquire)
    }

    /// When the task's time is over.
    pub(super) fn end_ns(&self) -> u64 {
        self.end_ns.load(Ordering::Acquire)
    }

    pub(super) fn set_deadline(&self, monotonic_ns: u64) {
        self.deadline_ns.store(monotonic_ns, Ordering::Release);
        self.choose();
    }

    pub(super) fn set_end(&self, monotonic_ns: u64) {
        self.end_ns.store(monotonic_ns, Ordering::Release);
        self.choose();
    }

    fn choose(&self) {
        let first_ns = self.deadline_ns.load(Ordering::Acquire).min(self.end_ns());
        self.first_ns.store(first_ns, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whichever_comes_first_stops_lanes_however_both_are_moved() {
        let halt = Halt::default();
        assert_eq!(halt.first_ns(), NEVER);
        halt.set_end(50);
        halt.set_deadline(40);
        assert_eq!((halt.first_ns(), halt.end_ns()), (40, 50));
        halt.set_deadline(60);
        assert_eq!(halt.first_ns(), 50);
        halt.set_end(NEVER);
        assert_eq!(halt.first_ns(), 60);
    }
}
