//! Something to wait at without a lock. Threads that wake from a condition variable queue for its mutex one after the
//! other; hundreds of lanes would make a convoy of it. Must never know what is waited for.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::futex;

use crate::clock::timespec;

/// A set of groups of listeners; there are [`GROUPS`].
pub(crate) type Groups = NonZeroU32;

/// How many groups of listeners a bell tells apart: the bits of a futex's bitset.
pub(crate) const GROUPS: usize = 32;

/// Every group.
pub(crate) const EVERYBODY: Groups = NonZeroU32::MAX;

/// A futex, on cache lines of its own: two, because processors fetch them in pairs. It says only that there may be news;
/// who listens looks for them, and waits again when there are none.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct Bell(
    /// How often it was rung.
    AtomicU32,
);

/// How often a bell had been rung. To be asked for before looking for news: then none can be missed.
#[derive(Clone, Copy)]
pub(crate) struct Heard(u32);

impl Bell {
    pub(crate) fn heard(&self) -> Heard {
        Heard(self.0.load(Ordering::Acquire))
    }

    /// Waits until it is rung for one of these groups or CLOCK_MONOTONIC shows `until_ns`, and not at all when it was
    /// rung since `heard` was asked for. May also return without reason.
    pub(crate) fn wait(&self, heard: Heard, groups: Groups, until_ns: Option<u64>) {
        // The wait for a bitset takes an instant, not a span, and on this clock.
        let until = until_ns.map(timespec);
        // Each of its errors is a reason to look for news: rung before, the instant has come, a signal.
        let _ = futex::wait_bitset(&self.0, futex::Flags::PRIVATE, heard.0, until.as_ref(), groups);
    }

    /// Wakes these groups. What they are to find must have been done before.
    pub(crate) fn ring(&self, groups: Groups) {
        self.0.fetch_add(1, Ordering::AcqRel);
        // Fails for wrong arguments only.
        let _ = futex::wake_bitset(&self.0, futex::Flags::PRIVATE, i32::MAX as u32, groups);
    }
}
