//! What a task has done so far, copied out for the control plane: counters merged per pool, histograms and findings as
//! differences, ranges with their progress. Never waits for a lane or for I/O.

use super::control::Control;
use super::errors::ErrorRow;
use super::findings::{Finding, FindingCounts};
use super::range::RangeProgress;
use super::shared::{Member, Shared, Sink};
use crate::counters::{Counts, LaneCell};
use crate::pool_counters::PoolCounters;
use crate::sink::s3::StoreWork;

/// How far a task has come. Counters are cumulative; histograms and findings are what is new since the snapshot before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskSnapshot {
    /// Lanes that have arrived and wait, or waited, for the start: when all have, the task is ready.
    pub lanes_ready: usize,
    /// When the last of the lanes passed the start, by CLOCK_MONOTONIC in ns; 0 until all have.
    pub all_begun_ns: u64,
    /// When the first operation was submitted, by CLOCK_MONOTONIC in ns; 0: none yet.
    pub started_ns: u64,
    /// When the last operation, sync or close came back, by CLOCK_MONOTONIC in ns; 0: none yet.
    pub last_done_ns: u64,
    /// When the first of the lanes that did anything came to its last end of something, likewise; 0: none yet.
    pub first_done_ns: u64,
    /// Under a rate: when the last operation came back, by CLOCK_MONOTONIC in ns; 0: none yet.
    pub last_paced_ns: u64,
    /// Under a rate: the longest that a lane's latest operation was submitted after its instant, in ns.
    pub late_ns: u64,
    /// What each pool did; pools of which no lane takes part have 0 lanes.
    pub pools: Vec<PoolCounters>,
    /// What each lane did.
    pub lanes: Vec<LaneCounts>,
    /// The ranges. One that is complete, or drained and with nothing left to sync, is in no later snapshot.
    pub ranges: Vec<RangeProgress>,
    /// Findings kept since the snapshot before.
    pub findings: Vec<Finding>,
    /// All findings by kind, cumulative.
    pub finding_counts: FindingCounts,
    /// Cells that a verify read of which nobody knows which of several generations they hold, cumulative.
    pub cells_in_doubt: u64,
    /// Which ways the I/O of files goes: one, but where some lanes got what others did not. Empty: none does.
    pub io_engine: String,
    /// Faults whose bytes could not be kept, because more were found than are given out between two snapshots.
    pub evidence_skipped: u64,
    /// I/O errors by kind, object and lane: the rows that changed since the snapshot before, with cumulative counts.
    pub errors: Vec<ErrorRow>,
    /// What fell back, all of it each time.
    pub notes: Vec<String>,
    /// What was asked of a store, where the sink is one.
    pub store: Option<StoreWork>,
}

/// What one lane did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneCounts {
    /// The lane's number in the engine.
    pub lane: usize,
    /// Its pool's number in the placement.
    pub pool: usize,
    /// Cumulative.
    pub counts: Counts,
}

impl Shared {
    pub(super) fn snapshot(&self) -> TaskSnapshot {
        // Held throughout: each difference and each retired range is given to one caller, whole.
        let mut given = self.given.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Ranges before counters, so that what is reported as done is counted.
        let ranges = ranges(&self.control, self.spec.syncs_at_end());
        let read: Vec<(usize, Option<(&LaneCell, Counts)>)> = (self.members.iter())
            .map(|member| (member.pool, member.cell.get().map(|cell| (&**cell, cell.counters.read()))))
            .collect();
        let pools = given.next(&self.pools, &read);
        let lanes = std::iter::zip(&self.members, &read)
            .filter_map(|(member, (pool, cell))| {
                cell.map(|(_, counts)| LaneCounts { lane: member.lane, pool: *pool, counts })
            })
            .collect();
        let started = self.cells().map(|(_, cell)| cell.started_ns.get()).filter(|instant_ns| *instant_ns > 0);
        TaskSnapshot {
            lanes_ready: self.control.start.arrived(),
            all_begun_ns: self.all_begun_ns(),
            started_ns: started.min().unwrap_or(0),
            last_done_ns: self.cells().map(|(_, cell)| cell.last_done_ns.get()).max().unwrap_or(0),
            first_done_ns: self.first_done_ns(),
            last_paced_ns: self.cells().map(|(_, cell)| cell.last_paced_ns.get()).max().unwrap_or(0),
            late_ns: self.cells().map(|(_, cell)| cell.late_ns.get()).max().unwrap_or(0),
            pools,
            lanes,
            ranges,
            findings: self.findings.take(),
            finding_counts: self.findings.counts(),
            cells_in_doubt: self.cells().map(|(_, cell)| cell.cells_in_doubt.get()).sum(),
            io_engine: self.io_engines(),
            evidence_skipped: self.findings.skipped(),
            errors: self.errors.take(),
            notes: self.notes(),
            store: match &self.sink {
                Sink::Store(store) => Some(store.work()),
                _ => None,
            },
        }
    }

    fn first_done_ns(&self) -> u64 {
        self.cells().map(|(_, cell)| cell.last_done_ns.get()).filter(|instant_ns| *instant_ns > 0).min().unwrap_or(0)
    }

    fn all_begun_ns(&self) -> u64 {
        let begun_ns = |member: &Member| member.cell.get().map_or(0, |cell| cell.begun_ns.get());
        let of_each = self.members.iter().map(begun_ns);
        if of_each.clone().all(|instant_ns| instant_ns > 0) { of_each.max().unwrap_or(0) } else { 0 }
    }
}

fn ranges(control: &Control, syncs_at_end: bool) -> Vec<RangeProgress> {
    let ranges: Vec<RangeProgress> = control.ranges().iter().map(|range| range.progress()).collect();
    // A range that failed on a write, or was cut short, still has its good writes synced at the end; one that was fenced is
    // not ours.
    let keeps_short = control.is_over();
    let is_over = |range: &&RangeProgress| {
        let is_fenced = range.failed.is_none() && !keeps_short;
        range.complete || range.drained && (is_fenced || !syncs_at_end || range.done == range.written)
    };
    let over: Vec<u64> = ranges.iter().filter(is_over).map(|range| range.id).collect();
    control.retire(&over);
    ranges
}
