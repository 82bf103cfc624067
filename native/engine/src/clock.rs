//! The one clock of the data plane: CLOCK_MONOTONIC in nanoseconds. Must never know of wall-clock time, which jumps,
//! nor of the coordinator's clock: others translate.

use rustix::thread::clock_nanosleep_absolute;
use rustix::time::{ClockId, Timespec, clock_gettime};

const NS_PER_S: u64 = 1_000_000_000;

/// Nanoseconds on CLOCK_MONOTONIC. Read through the vDSO: some tens of nanoseconds, no system call.
#[inline]
pub fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    // The monotonic clock starts at boot, so neither part is ever negative.
    now.tv_sec as u64 * NS_PER_S + now.tv_nsec as u64
}

/// Sleeps until CLOCK_MONOTONIC shows `instant_ns`; returns at once when that has passed. The sleep is to an absolute
/// instant: many threads that wait for the same one wake together, however long each took to get here.
pub fn sleep_until_ns(instant_ns: u64) {
    let seconds = (instant_ns / NS_PER_S).min(i64::MAX as u64);
    let request = Timespec { tv_sec: seconds as i64, tv_nsec: (instant_ns % NS_PER_S) as i64 };
    // A signal ends the sleep early; any other error is an instant that the clock cannot express, which is no sleep.
    while let Err(error) = clock_nanosleep_absolute(ClockId::Monotonic, &request) {
        if error != rustix::io::Errno::INTR {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_never_starts_before_the_common_instant() {
        let instant_ns = now_ns() + 3_000_000;
        sleep_until_ns(instant_ns);
        assert!(now_ns() >= instant_ns);
    }

    #[test]
    fn an_instant_in_the_past_costs_no_wait() {
        let before_ns = now_ns();
        sleep_until_ns(0);
        sleep_until_ns(before_ns);
        assert!(now_ns() - before_ns < NS_PER_S);
    }
}
