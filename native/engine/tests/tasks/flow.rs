//! What the control plane relies on: start, deadline, fence, late ranges, finish and cancel.

use seedstorm_engine::clock::now_ns;
use seedstorm_engine::error::Code;
use seedstorm_engine::sink::SinkSpec;
use seedstorm_engine::task::{Operation, RangeSpec};

use crate::support::{Plan, engine, operations};

/// So many units that no test is through with them: 2^40, to be made and dropped.
const ENDLESS: u64 = 1 << 27;

fn endless() -> Plan {
    Plan::new(ENDLESS, 1 << 20, SinkSpec::Null)
}

#[test]
fn no_lane_begins_before_the_common_instant() {
    let run = endless().prepare(&engine(), Operation::Generate).unwrap();
    run.add(1, 0..100);
    run.until(|snapshot| snapshot.lanes_ready == 4);
    assert_eq!(operations(&run.task.snapshot()), 0);
    let instant_ns = now_ns() + 5_000_000;
    run.task.begin_at(instant_ns);
    let done = run.finish();
    assert_eq!(done.result, Ok(()));
    assert!(done.last.started_ns >= instant_ns);
    assert!(done.last.last_done_ns > done.last.started_ns);
}

#[test]
fn a_start_that_is_far_off_can_be_called_off() {
    let run = endless().prepare(&engine(), Operation::Generate).unwrap();
    run.task.begin_at(u64::MAX);
    run.until(|snapshot| snapshot.lanes_ready == 4);
    run.task.cancel();
    assert_eq!(run.ended().result.unwrap_err().code, Code::Cancelled);
}

#[test]
fn nothing_is_submitted_past_the_deadline_and_moving_it_resumes() {
    let run = endless().prepare(&engine(), Operation::Generate).unwrap();
    run.task.begin_at(0);
    run.add(1, 0..ENDLESS);
    run.until(|snapshot| operations(snapshot) > 0);
    let deadline_ns = now_ns() + 10_000_000;
    run.task.set_deadline(deadline_ns);
    // Past the deadline plus the longest operation nothing can be in flight any more.
    let late = run.until(|snapshot| now_ns() > deadline_ns + 2 * snapshot.pools[0].slowest_ns() + 20_000_000);
    let slowest_ns = late.pools.iter().map(|pool| pool.slowest_ns()).max().unwrap();
    assert!(late.last_done_ns < deadline_ns + slowest_ns, "submitted after the deadline");
    run.task.set_deadline(u64::MAX);
    run.until(|snapshot| operations(snapshot) > operations(&late));
    run.task.cancel();
    assert_eq!(run.ended().result.unwrap_err().code, Code::Cancelled);
}

#[test]
fn a_task_past_its_deadline_can_be_cancelled_and_its_ranges_fenced() {
    let run = endless().prepare(&engine(), Operation::Write).unwrap();
    run.task.set_deadline(0);
    run.task.begin_at(0);
    run.add(1, 0..100);
    run.add(2, 100..200);
    run.task.fence_range(1);
    run.until(|snapshot| snapshot.ranges.iter().any(|range| range.id == 1 && range.drained));
    run.task.finish();
    run.task.cancel();
    let last = run.ended();
    assert_eq!(last.operations(), 0);
    assert_eq!(last.result.unwrap_err().code, Code::Cancelled);
}

#[test]
fn a_fenced_range_gives_no_more_claims_and_the_task_goes_on_with_others() {
    let run = endless().prepare(&engine(), Operation::Write).unwrap();
    run.task.begin_at(0);
    run.add(1, 0..ENDLESS);
    run.add(2, 0..1000);
    run.until(|snapshot| operations(snapshot) > 0);
    run.task.fence_range(1);
    let drained = run.until(|snapshot| snapshot.ranges.iter().any(|range| range.id == 1 && range.drained));
    let fenced = drained.ranges.iter().find(|range| range.id == 1).unwrap();
    assert!(!fenced.complete && fenced.failed.is_none());
    let done: u64 = fenced.done.iter().map(|(first, end)| end - first).sum();
    let last = run.finish();
    assert_eq!(last.result, Ok(()));
    assert!(last.last.ranges.iter().all(|range| range.id != 1), "it was retired");
    assert_eq!(last.operations(), done + 1000, "what was done is counted, and nothing came after it");
}

#[test]
fn a_range_that_is_added_late_is_done_too_and_a_complete_one_is_told_once() {
    let run = endless().prepare(&engine(), Operation::Write).unwrap();
    run.task.begin_at(0);
    for id in 0..5 {
        let first = id * 10;
        run.add(id, first..first + 10);
        let snapshot = run.until(|snapshot| snapshot.ranges.iter().all(|range| range.complete));
        assert_eq!(snapshot.ranges.len(), 1);
        assert_eq!((snapshot.ranges[0].id, &snapshot.ranges[0].done), (id, &vec![(first, first + 10)]));
        assert_eq!(run.task.snapshot().ranges, []);
    }
    assert_eq!(run.finish().operations(), 50);
}

#[test]
fn ranges_are_served_in_the_order_in_which_they_came() {
    let mut plan = endless();
    plan.lanes = Some(1);
    let run = plan.prepare(&engine(), Operation::Write).unwrap();
    run.add(1, 5000..ENDLESS);
    run.add(2, 0..10);
    run.task.begin_at(0);
    let snapshot = run.until(|snapshot| snapshot.ranges.iter().any(|range| !range.done.is_empty()));
    assert_eq!((snapshot.ranges[0].done[0].0, &snapshot.ranges[1].done), (5000, &vec![]));
    run.task.cancel();
    run.ended();
}

#[test]
fn a_cancelled_task_ends_soon_with_its_own_code_and_takes_no_more() {
    let run = endless().prepare(&engine(), Operation::Generate).unwrap();
    run.task.begin_at(0);
    run.add(1, 0..ENDLESS);
    run.until(|snapshot| operations(snapshot) > 0);
    run.task.cancel();
    run.task.cancel();
    let error = run.task.add_range(RangeSpec { id: 2, first: 0, end: 1 }).unwrap_err();
    assert_eq!(error.code, Code::Cancelled);
    assert_eq!(run.ended().result.unwrap_err().code, Code::Cancelled);
}

#[test]
fn closing_the_engine_in_the_middle_ends_the_task_with_that_reason() {
    let engine = engine();
    let run = endless().prepare(&engine, Operation::Generate).unwrap();
    run.task.begin_at(0);
    run.add(1, 0..ENDLESS);
    run.until(|snapshot| operations(snapshot) > 0);
    engine.close().unwrap();
    assert_eq!(run.ended().result.unwrap_err().code, Code::EngineClosed);
}

#[test]
fn tasks_on_one_engine_run_one_after_the_other() {
    let engine = engine();
    let first = endless().prepare(&engine, Operation::Generate).unwrap();
    let second = endless().prepare(&engine, Operation::Generate).unwrap();
    for run in [&first, &second] {
        run.add(1, 0..100);
        run.task.begin_at(0);
        run.task.finish();
    }
    let (first, second) = (first.ended(), second.ended());
    assert_eq!((first.operations(), second.operations()), (100, 100));
    assert!(second.last.started_ns >= first.last.last_done_ns);
}

#[test]
fn only_as_many_lanes_as_asked_for_take_part_spread_over_the_pools() {
    let mut plan = endless();
    plan.lanes = Some(2);
    let run = plan.prepare(&engine(), Operation::Generate).unwrap();
    run.add(1, 0..100);
    run.task.begin_at(0);
    let last = run.finish();
    assert_eq!(last.last.pools.iter().map(|pool| pool.lanes).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(last.last.lanes.iter().map(|lane| lane.lane).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(last.operations(), 100);
    plan.lanes = Some(99);
    let run = plan.prepare(&engine(), Operation::Generate).unwrap();
    assert!(run.task.notes()[0].contains("99 lanes were asked for"), "{:?}", run.task.notes());
}

#[test]
fn ranges_that_make_no_sense_are_refused() {
    let run = endless().prepare(&engine(), Operation::Generate).unwrap();
    run.add(1, 0..10);
    for (id, first, end) in [(2, 5, 5), (2, 6, 5), (2, 0, ENDLESS + 1), (1, 20, 30)] {
        let error = run.task.add_range(RangeSpec { id, first, end }).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
    }
    run.task.begin_at(0);
    run.task.finish();
    assert_eq!(run.task.add_range(RangeSpec { id: 3, first: 0, end: 1 }).unwrap_err().code, Code::InvalidArgument);
    assert_eq!(run.ended().result, Ok(()));
}

#[test]
fn a_task_that_makes_no_sense_is_refused_before_anything_is_done() {
    let engine = engine();
    let refused = |plan: &Plan, operation| match plan.prepare(&engine, operation) {
        Ok(_) => panic!("it was taken"),
        Err(error) => assert_eq!(error.code, Code::InvalidArgument),
    };
    refused(&Plan { block: 12_288, ..endless() }, Operation::Write);
    refused(&Plan { block: 256, ..endless() }, Operation::Write);
    refused(&Plan { block: 1 << 31, ..endless() }, Operation::Write);
    refused(&Plan { lanes: Some(0), ..endless() }, Operation::Write);
    refused(&endless(), Operation::Verify);
    let layout = seedstorm_engine::layout::Layout::new(4096, 10, 10).unwrap();
    refused(&Plan { layout, ..endless() }, Operation::Write);
}

#[test]
fn a_handle_that_is_dropped_does_not_leave_the_engine_busy_for_ever() {
    let engine = engine();
    let run = endless().prepare(&engine, Operation::Generate).unwrap();
    drop(run.task);
    let next = endless().prepare(&engine, Operation::Generate).unwrap();
    next.add(1, 0..10);
    next.task.begin_at(0);
    assert_eq!(next.finish().operations(), 10);
}
