//! What a lane counts. Each lane writes its own counters and nobody else does; anybody reads them at any time. Must
//! never know what the numbers are for.

use std::ops::AddAssign;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::classes::{ByClass, Class};
use crate::cpu::{self, CpuTime};
use crate::histogram::LaneHistogram;

/// Declares each counter once: as an atomic that a lane writes and as a number in a snapshot.
macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// What one lane counts in one task. Written by that lane only.
        #[derive(Debug, Default)]
        pub(crate) struct LaneCounters { $($(#[doc = $doc])+ pub(crate) $name: Counter,)+ }

        /// Counts since the beginning of a task: of one lane, or added up over several.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counts { $($(#[doc = $doc])+ pub $name: u64,)+ }

        impl LaneCounters {
            pub(crate) fn read(&self) -> Counts {
                Counts { $($name: self.$name.get(),)+ }
            }
        }

        impl AddAssign for Counts {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)+
            }
        }
    };
}

counters! {
    /// I/O operations (blocks; objects, for deletes) that came back without an error.
    operations,
    /// Bytes of those operations.
    bytes,
    /// Of the operations, those that were submitted before the task counts: they are in no histogram.
    ramp_operations,
    /// Bytes of those.
    ramp_bytes,
    /// Bytes that peers sent and this lane received.
    received_bytes,
    /// Operations, syncs and closes that failed.
    errors,
    /// Units in which at least one byte was missing or not what it must be.
    corrupt_units,
    /// Blocks in which at least one byte was missing or not what it must be.
    corrupt_blocks,
    /// Time inside I/O operations, in ns: the sum of their service times.
    io_ns,
    /// Time between them, spent on making, poisoning and comparing bytes, in ns.
    content_ns,
    /// How many times an object was synced.
    syncs,
    /// Time spent on that, in ns.
    sync_ns,
    /// How many objects were closed after they were written.
    closes,
    /// Time spent on that, in ns.
    close_ns,
    /// Objects that a delete found gone already.
    absent,
    /// Objects that a delete left alone because it was told to.
    spared,
    /// Files and directories that were to be made, or renamed, and that an earlier attempt had made or renamed.
    existed,
    /// Names that a list found and the layout does not make.
    foreign,
    /// Directories that were made, listed or removed.
    folders,
}

/// A counter with one writer.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds to it. Only ever called by the counter's lane: with one writer a plain load and store is enough, and much
    /// cheaper than a locked add.
    #[inline]
    pub(crate) fn add(&self, more: u64) {
        self.0.store(self.0.load(Relaxed) + more, Relaxed);
    }

    /// Sets it. Only ever called by the counter's lane.
    #[inline]
    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    #[inline]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Everything that one lane writes while it works, on cache lines of its own: two lines, because processors fetch
/// them in pairs. Made by the lane, so that it lies in memory near it.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct LaneCell {
    pub(crate) counters: LaneCounters,
    /// What is counted by class of operations.
    pub(crate) classes: ByClass<ClassCell>,
    /// Cells that were read of which nobody knows which of several generations they hold.
    pub(crate) cells_in_doubt: Counter,
    /// The most blocks that were in flight at once.
    pub(crate) greatest_in_flight: Counter,
    /// When the lane passed the common start, by CLOCK_MONOTONIC in ns; 0: not yet.
    pub(crate) begun_ns: Counter,
    /// When the first operation was submitted, by CLOCK_MONOTONIC in ns; 0: none yet.
    pub(crate) started_ns: Counter,
    /// When the last operation, sync or close came back, by CLOCK_MONOTONIC in ns; 0: none yet.
    pub(crate) last_done_ns: Counter,
    /// The CPU time of the lane's thread.
    pub(crate) cpu: LaneCpu,
    /// Under a rate: when the last operation came back, by CLOCK_MONOTONIC in ns; 0: none yet.
    pub(crate) last_paced_ns: Counter,
    /// Under a rate: how long after its instant the last operation that came back was submitted, in ns.
    pub(crate) late_ns: Counter,
}

/// The CPU time that a lane's thread uses for one task: from its own reading when it has left, until then from the
/// system's account of its thread. Written by that lane only.
#[derive(Default)]
pub(crate) struct LaneCpu {
    /// The thread's number in the system; 0: not begun.
    thread: Counter,
    /// What the thread had used before.
    before_user_ns: Counter,
    before_system_ns: Counter,
    /// 1 once the lane has left.
    left: Counter,
    user_ns: Counter,
    system_ns: Counter,
}

impl LaneCpu {
    /// From here on the lane works for this task.
    pub(crate) fn begin(&self) {
        let CpuTime { user_ns, system_ns } = cpu::of_this_thread();
        self.before_user_ns.set(user_ns);
        self.before_system_ns.set(system_ns);
        self.thread.set(cpu::this_thread());
    }

    /// It does not any more.
    pub(crate) fn end(&self) {
        let CpuTime { user_ns, system_ns } = cpu::of_this_thread() - self.before();
        self.user_ns.set(user_ns);
        self.system_ns.set(system_ns);
        self.left.set(1);
    }

    /// What was used up to now. Of a lane at work it is in steps of 10 ms.
    pub(crate) fn read(&self) -> CpuTime {
        let thread = self.thread.get();
        if self.left.get() == 0 && thread > 0 {
            return cpu::of_thread(thread).map_or_else(CpuTime::default, |now| now - self.before());
        }
        CpuTime { user_ns: self.user_ns.get(), system_ns: self.system_ns.get() }
    }

    fn before(&self) -> CpuTime {
        CpuTime { user_ns: self.before_user_ns.get(), system_ns: self.before_system_ns.get() }
    }
}

/// What one lane counts of one class of operations.
#[derive(Default)]
pub(crate) struct ClassCell {
    /// Operations that came back without an error.
    pub(crate) operations: Counter,
    /// Bytes of those operations.
    pub(crate) bytes: Counter,
    /// Operations that failed.
    pub(crate) errors: Counter,
    /// Service times of successful operations.
    pub(crate) service: LaneHistogram,
    /// Under a rate: times of the same operations from the instants at which they were to begin.
    pub(crate) response: OnceLock<Box<LaneHistogram>>,
}

impl LaneCell {
    /// Something came back at this instant; answers may be dealt with in another order than they came. Only ever called by the
    /// cell's lane.
    #[inline]
    pub(crate) fn note_done(&self, instant_ns: u64) {
        if instant_ns > self.last_done_ns.get() {
            self.last_done_ns.set(instant_ns);
        }
    }

    /// Counts a successful operation that took so long. Only ever called by the cell's lane.
    #[inline]
    pub(crate) fn count(&self, class: Class, service_ns: u64, bytes: u64) {
        let of = self.classes.of(class);
        of.service.record(service_ns);
        of.operations.add(1);
        of.bytes.add(bytes);
        if class.operation.is_part() {
            return;
        }
        self.counters.operations.add(1);
        self.counters.bytes.add(bytes);
        self.counters.io_ns.add(service_ns);
    }

    /// Counts a successful operation that was submitted before the task counts. Only ever called by the cell's lane.
    #[inline]
    pub(crate) fn count_in_ramp(&self, class: Class, service_ns: u64, bytes: u64) {
        if class.operation.is_part() {
            return;
        }
        self.counters.ramp_operations.add(1);
        self.counters.ramp_bytes.add(bytes);
        self.counters.operations.add(1);
        self.counters.bytes.add(bytes);
        self.counters.io_ns.add(service_ns);
    }

    /// Counts how long after the instant at which it was to begin a successful operation came back, beside
    /// [`LaneCell::count`]. Only ever called by the cell's lane.
    pub(crate) fn count_response(&self, class: Class, response_ns: u64) {
        self.classes.of(class).response.get_or_init(Box::default).record(response_ns);
    }

    /// Counts an operation that failed. Only ever called by the cell's lane.
    pub(crate) fn count_error(&self, class: Class) {
        self.classes.of(class).errors.add(1);
        self.counters.errors.add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classes::OperationKind;

    #[test]
    fn the_time_to_a_first_byte_is_told_and_is_no_operation_of_its_own() {
        let cell = LaneCell::default();
        cell.count(Class::of(OperationKind::FirstByte, 4096), 10, 0);
        cell.count(Class::of(OperationKind::Read, 4096), 30, 4096);
        let sum = Counts { operations: 1, bytes: 4096, io_ns: 30, ..Counts::default() };
        assert_eq!(cell.counters.read(), sum);
        assert_eq!(cell.classes.of(Class::of(OperationKind::FirstByte, 1)).operations.get(), 1);
    }

    #[test]
    fn the_last_thing_done_never_goes_back_whatever_is_dealt_with_first() {
        let cell = LaneCell::default();
        for instant_ns in [20, 10, 30, 25] {
            cell.note_done(instant_ns);
        }
        assert_eq!(cell.last_done_ns.get(), 30);
    }

    #[test]
    fn the_counts_of_a_pool_are_the_sum_of_its_lanes() {
        let cells = [LaneCell::default(), LaneCell::default()];
        for (n, cell) in cells.iter().enumerate() {
            cell.counters.operations.add(n as u64 + 1);
            cell.counters.bytes.add(4096);
        }
        let mut sum = Counts::default();
        for cell in &cells {
            sum += cell.counters.read();
        }
        assert_eq!(sum, Counts { operations: 3, bytes: 8192, ..Counts::default() });
    }

    #[test]
    fn lanes_do_not_slow_each_other_down_by_sharing_cache_lines() {
        assert_eq!(align_of::<LaneCell>(), 128);
        assert_eq!(size_of::<LaneCell>() % 128, 0);
    }
}
