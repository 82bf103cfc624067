//! Sinks that are not files.

use std::sync::Arc;

use seedstorm_engine::error::Code;
use seedstorm_engine::sink::{MemoryStore, SinkSpec};
use seedstorm_engine::task::{FindingCounts, FindingKind, Operation};

use crate::support::{Plan, UNIT, count, engine};

fn memory(units: u64, limit_units: u64) -> Arc<MemoryStore> {
    Arc::new(MemoryStore::new(UNIT, units, limit_units * UNIT).unwrap())
}

#[test]
fn what_was_written_to_memory_is_verified_and_given_back_by_a_delete() {
    for block in [4096, UNIT, 4 * UNIT] {
        let store = memory(200, 200);
        let mut plan = Plan::new(200, 30, SinkSpec::Memory(Arc::clone(&store)));
        plan.block = block;
        let engine = engine();
        for operation in [Operation::Write, Operation::Verify, Operation::Read] {
            let outcome = plan.over_all(&engine, operation);
            outcome.expect_all_done(200);
            assert_eq!(count(&outcome.last, |counts| counts.bytes), 200 * UNIT);
            assert_eq!(outcome.last.finding_counts, FindingCounts::default());
        }
        assert_eq!(store.stored_bytes(), 200 * UNIT);
        plan.over_all(&engine, Operation::Delete).expect_all_done(200);
        assert_eq!(store.stored_bytes(), 0);
    }
}

#[test]
fn a_unit_that_is_not_in_memory_is_missing_and_its_neighbours_are_still_verified() {
    for (block, blocks) in [(4096, 4 * 70), (UNIT, 70), (4 * UNIT, 70)] {
        let mut plan = Plan::new(100, 100, SinkSpec::Memory(memory(100, 100)));
        let engine = engine();
        let run = plan.prepare(&engine, Operation::Write).unwrap();
        run.task.begin_at(0);
        run.add(1, 10..40);
        assert_eq!(run.finish().result, Ok(()));
        plan.block = block;
        let outcome = plan.over_all(&engine, Operation::Verify);
        outcome.expect_all_done(100);
        assert_eq!(count(&outcome.last, |counts| counts.corrupt_units), 70, "blocks of {block}");
        assert_eq!(count(&outcome.last, |counts| counts.corrupt_blocks), blocks);
        assert!(outcome.findings().iter().all(|finding| finding.kind == FindingKind::Missing));
        assert!(outcome.findings().iter().all(|finding| !(10..40).contains(&finding.unit)));
        let read = plan.over_all(&engine, Operation::Read);
        assert_eq!(read.last.ranges[0].failed.as_ref().unwrap().code, Code::ObjectMissing);
    }
}

#[test]
fn a_memory_limit_that_is_reached_is_an_error_of_the_range_and_not_of_the_host() {
    let plan = Plan::new(64, 64, SinkSpec::Memory(memory(64, 32)));
    let outcome = plan.over_all(&engine(), Operation::Write);
    let failed: Vec<_> = outcome.last.ranges.iter().filter_map(|range| range.failed.as_ref()).collect();
    assert!(!failed.is_empty() && failed.iter().all(|error| error.code == Code::OutOfMemory), "{failed:?}");
    let done: u64 = outcome.last.ranges.iter().flat_map(|range| &range.done).map(|(first, end)| end - first).sum();
    assert_eq!(done, 32);
}

#[test]
fn a_store_for_another_layout_is_refused() {
    let plan = Plan::new(64, 64, SinkSpec::Memory(memory(63, 64)));
    assert_eq!(plan.prepare(&engine(), Operation::Write).err().unwrap().code, Code::InvalidArgument);
}

#[test]
fn the_null_sink_takes_everything() {
    let plan = Plan::new(64, 10, SinkSpec::Null);
    let engine = engine();
    for operation in [Operation::Generate, Operation::Write] {
        let outcome = plan.over_all(&engine, operation);
        outcome.expect_all_done(64);
        assert_eq!(count(&outcome.last, |counts| counts.bytes), 64 * UNIT);
    }
    plan.over_all(&engine, Operation::Delete).expect_all_done(64);
}
