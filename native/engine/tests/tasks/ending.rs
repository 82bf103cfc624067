//! A task whose time is over: what it stops, what still counts, and what of it is durable.

use std::time::Duration;

use seedstorm_engine::clock::now_ns;
use seedstorm_engine::io::IoEngine;
use seedstorm_engine::sink::{SinkSpec, SyncPolicy};
use seedstorm_engine::task::{Operation, RangeProgress};

use crate::support::{Folder, Outcome, Plan, UNIT, count, engine, files, operations};

/// So many units that no test is through with them.
const ENDLESS: u64 = 1 << 27;

fn endless() -> Plan {
    Plan::new(ENDLESS, 1 << 20, SinkSpec::Null)
}

fn units(runs: &[(u64, u64)]) -> u64 {
    runs.iter().map(|(first, end)| end - first).sum()
}

#[test]
fn when_the_time_is_over_nothing_more_is_submitted_and_every_range_drains_without_a_failure() {
    for operation in [Operation::Generate, Operation::Write] {
        let run = endless().prepare(&engine(), operation).unwrap();
        let end_ns = now_ns() + 30_000_000;
        run.task.begin_at(0);
        run.task.end_at(end_ns);
        run.add(1, 0..1 << 25);
        run.add(2, 1 << 25..ENDLESS);
        let over = run.until(|snapshot| snapshot.ranges.iter().all(|range| range.drained));
        let slowest_ns = over.pools.iter().map(|pool| pool.slowest_ns()).max().unwrap();
        assert!(now_ns() >= end_ns && over.last_done_ns < end_ns + slowest_ns + 1_000_000, "submitted too late");
        assert!(over.ranges.iter().all(|range| !range.complete && range.failed.is_none()));
        assert_eq!(over.ranges.iter().map(|range| units(&range.done)).sum::<u64>(), operations(&over));
        run.add(3, 0..100);
        let late = run.until(|snapshot| snapshot.ranges.iter().any(|range| range.drained));
        assert_eq!((late.ranges.len(), late.ranges[0].id, units(&late.ranges[0].done)), (1, 3, 0));
        let ended = run.finish();
        assert_eq!((ended.result.clone(), ended.operations()), (Ok(()), operations(&over)));
    }
}

#[test]
fn the_end_can_be_moved_to_now_and_away_until_it_has_come() {
    let run = endless().prepare(&engine(), Operation::Generate).unwrap();
    run.task.end_at(now_ns() + 20_000_000);
    run.task.end_at(u64::MAX);
    run.task.begin_at(0);
    run.add(1, 0..ENDLESS);
    std::thread::sleep(Duration::from_millis(30));
    let before = operations(&run.task.snapshot());
    run.until(|snapshot| operations(snapshot) > before);
    run.task.end_at(now_ns());
    run.until(|snapshot| snapshot.ranges.iter().all(|range| range.drained));
    run.task.end_at(u64::MAX);
    run.add(2, 0..100);
    run.until(|snapshot| snapshot.ranges.iter().any(|range| range.id == 2 && range.drained));
    assert_eq!(run.finish().result, Ok(()));
}

#[test]
fn lanes_that_wait_past_their_deadline_leave_when_the_time_is_over() {
    let run = endless().prepare(&engine(), Operation::Write).unwrap();
    run.task.set_deadline(0);
    run.task.end_at(now_ns() + 20_000_000);
    run.task.begin_at(0);
    run.add(1, 0..ENDLESS);
    let ended = run.finish();
    assert_eq!((ended.result.clone(), ended.operations()), (Ok(()), 0));
}

#[test]
fn what_begins_in_the_ramp_is_told_apart_and_is_in_no_histogram() {
    for operation in [Operation::Generate, Operation::Write] {
        let run = endless().prepare(&engine(), operation).unwrap();
        run.add(1, 0..ENDLESS);
        run.until(|snapshot| snapshot.lanes_ready == 4);
        // Far enough off that lanes have begun by then, on a busy machine too.
        let counts_ns = now_ns() + 200_000_000;
        run.task.count_from(counts_ns);
        run.task.begin_at(0);
        let early = run.until(|snapshot| operations(snapshot) > 0);
        assert!(now_ns() > counts_ns || early.pools.iter().all(|pool| pool.timed() == 0));
        run.task.end_at(counts_ns + 200_000_000);
        let ended = run.finish();
        let in_ramp = count(&ended.last, |counts| counts.ramp_operations);
        let timed = early.pools.iter().chain(&ended.last.pools).map(|pool| pool.timed()).sum::<u64>();
        assert!(in_ramp > 0 && timed > 0);
        assert_eq!(in_ramp + timed, ended.operations());
        assert_eq!(count(&ended.last, |counts| counts.ramp_bytes), in_ramp * UNIT);
    }
}

/// Writes until the time is over, and says what is known of the ranges in the end.
fn write_for(plan: &Plan, millis: u64) -> (Outcome, Vec<RangeProgress>) {
    let run = plan.prepare(&engine(), Operation::Write).unwrap();
    let units = plan.layout.units();
    (0..units / 1000).for_each(|id| run.add(id, id * 1000..(id + 1) * 1000));
    let begin_ns = now_ns();
    run.task.begin_at(begin_ns);
    run.task.end_at(begin_ns + millis * 1_000_000);
    run.task.finish();
    let mut known = Vec::new();
    // What is retired in between is told once.
    let mut take = |ranges: Vec<RangeProgress>| {
        for range in ranges {
            known.retain(|other: &RangeProgress| other.id != range.id);
            known.push(range);
        }
    };
    while now_ns() < begin_ns + 2 * millis * 1_000_000 {
        take(run.task.snapshot().ranges);
        std::thread::sleep(Duration::from_millis(5));
    }
    let ended = run.ended();
    take(ended.last.ranges.clone());
    (ended, known)
}

#[test]
fn what_was_written_when_the_time_is_over_is_durable_under_every_policy_and_reads_back_right() {
    for sync in [SyncPolicy::Block, SyncPolicy::Range, SyncPolicy::File, SyncPolicy::End, SyncPolicy::Never] {
        for (depth, io) in [(1, IoEngine::Auto), (8, IoEngine::Auto), (8, IoEngine::Threads)] {
            let target = Folder::new();
            let mut plan = Plan::new(40_000, 700, files(target.run(), sync));
            (plan.depth, plan.io, plan.block) = (depth, io, 4 * UNIT);
            let (ended, ranges) = write_for(&plan, 40);
            assert_eq!(ended.result, Ok(()));
            let done: u64 = ranges.iter().map(|range| units(&range.done)).sum();
            let lacks: Vec<_> = ranges.iter().filter(|range| range.done != range.written).collect();
            assert!(lacks.is_empty(), "{sync:?}: what was written is not durable of {lacks:?}");
            assert!(done > 0 && ranges.iter().all(|range| range.failed.is_none()), "{sync:?}: {done}");
            // A claim is one block here, so that nothing that was acknowledged is of a claim that was broken off.
            assert_eq!(count(&ended.last, |counts| counts.bytes), done * UNIT, "{sync:?}");
            let check = plan.prepare(&engine(), Operation::Verify).unwrap();
            check.task.begin_at(0);
            for (id, (first, end)) in ranges.iter().flat_map(|range| range.done.iter().copied()).enumerate() {
                check.add(id as u64, first..end);
            }
            let checked = check.finish();
            assert_eq!((checked.result.clone(), checked.findings().len()), (Ok(()), 0), "{sync:?}");
        }
    }
}
