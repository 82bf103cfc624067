//! The one clock of the data plane: CLOCK_MONOTONIC in nanoseconds. Must never know of wall-clock time, which jumps,
//! nor of the coordinator's clock: others translate.

use rustix::time::{ClockId, Timespec, clock_gettime};

const NS_PER_S: u64 = 1_000_000_000;

/// Nanoseconds on CLOCK_MONOTONIC. Read through the vDSO: some tens of nanoseconds, no system call.
#[inline]
pub fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    // The monotonic clock starts at boot, so neither part is ever negative.
    now.tv_sec as u64 * NS_PER_S + now.tv_nsec as u64
}

/// An instant of CLOCK_MONOTONIC as the system takes it.
pub(crate) fn timespec(instant_ns: u64) -> Timespec {
    Timespec { tv_sec: (instant_ns / NS_PER_S) as i64, tv_nsec: (instant_ns % NS_PER_S) as i64 }
}
