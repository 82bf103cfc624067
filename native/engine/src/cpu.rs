//! CPU time of threads, user and system apart. Must never know what the threads do.

use std::fs;
use std::mem::MaybeUninit;
use std::ops::{AddAssign, Sub};

/// CPU time in ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// In the process's own code.
    pub user_ns: u64,
    /// In the kernel, on its behalf.
    pub system_ns: u64,
}

impl AddAssign for CpuTime {
    fn add_assign(&mut self, other: Self) {
        self.user_ns += other.user_ns;
        self.system_ns += other.system_ns;
    }
}

impl Sub for CpuTime {
    type Output = Self;

    /// What is more; nothing where there is less, as of two clocks of different grain.
    fn sub(self, before: Self) -> Self {
        Self {
            user_ns: self.user_ns.saturating_sub(before.user_ns),
            system_ns: self.system_ns.saturating_sub(before.system_ns),
        }
    }
}

/// What the calling thread has used, to the microsecond.
pub(crate) fn of_this_thread() -> CpuTime {
    let mut usage = MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: the kernel writes one rusage there, and nothing else.
    let status = unsafe { libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) };
    if status != 0 {
        return CpuTime::default();
    }
    // SAFETY: the call went well, so it is written.
    let usage = unsafe { usage.assume_init_ref() };
    let ns = |time: libc::timeval| time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1000;
    CpuTime { user_ns: ns(usage.ru_utime), system_ns: ns(usage.ru_stime) }
}

/// What a thread of this process has used, in steps of 10 ms; `None` when it is gone.
pub(crate) fn of_thread(id: u64) -> Option<CpuTime> {
    let stat = fs::read_to_string(format!("/proc/self/task/{id}/stat")).ok()?;
    // SAFETY: asks for a number and takes no memory.
    let ticks = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).ok().filter(|ticks| *ticks > 0)?;
    parse(&stat, 1_000_000_000 / ticks)
}

/// The times of a line of proc_pid_stat(5): the 14th and the 15th field, of which the second, a name, may hold anything.
fn parse(stat: &str, tick_ns: u64) -> Option<CpuTime> {
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok().map(|ticks| ticks * tick_ns);
    Some(CpuTime { user_ns: next()?, system_ns: next()? })
}

/// The calling thread's number in the system.
pub(crate) fn this_thread() -> u64 {
    rustix::thread::gettid().as_raw_nonzero().get() as u64
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn what_a_thread_works_is_counted_as_its_own_and_as_user_time() {
        let before = of_this_thread();
        let start = Instant::now();
        while of_this_thread().user_ns - before.user_ns < 30_000_000 {
            for n in 0..100_000u64 {
                black_box(n * n);
            }
            assert!(start.elapsed() < Duration::from_secs(30), "no time is counted");
        }
        let used = of_this_thread();
        let told = of_thread(this_thread()).unwrap();
        // In steps of 10 ms, and a little later.
        assert!(told.user_ns + 20_000_000 > used.user_ns && told.user_ns < used.user_ns + 1_000_000_000);
        let idle = std::thread::spawn(of_this_thread).join().unwrap();
        assert!(idle.user_ns < 20_000_000, "another thread's time is not ours");
    }

    #[test]
    fn a_thread_with_a_strange_name_is_read_and_one_that_is_gone_is_none() {
        let stat = "12 (a) b (c) R 1 2 3 4 5 6 7 8 9 10 250 75 0 0 20 0 1 0 5";
        assert_eq!(parse(stat, 10_000_000), Some(CpuTime { user_ns: 2_500_000_000, system_ns: 750_000_000 }));
        assert_eq!(parse("12 (short", 1), None);
        assert_eq!(of_thread(u64::MAX), None);
    }
}
