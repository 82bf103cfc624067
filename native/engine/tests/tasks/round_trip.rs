//! What is written is what the content function says, is found good by a verify, and is gone after a delete.

use seedstorm_content::Parameters;
use seedstorm_engine::sink::{Direct, FileOptions, SinkSpec, SyncPolicy, remove_run_folder};
use seedstorm_engine::task::{FindingCounts, Operation};

use crate::support::{Folder, Plan, UNIT, count, engine, files, files_with};

/// Writes, looks at the files with other eyes, verifies, reads and deletes.
fn round_trip(plan: &Plan) {
    let engine = engine();
    let units = plan.layout.units();
    let bytes = units * plan.layout.unit_bytes();
    let written = plan.over_all(&engine, Operation::Write);
    written.expect_all_done(units);
    assert_eq!(count(&written.last, |counts| counts.bytes), bytes);
    for object in 0..plan.layout.objects() {
        assert!(std::fs::read(plan.file(object)).unwrap() == plan.bytes_of(object), "object {object}");
    }
    for operation in [Operation::Verify, Operation::Read] {
        let read = plan.over_all(&engine, operation);
        read.expect_all_done(units);
        assert_eq!(count(&read.last, |counts| counts.bytes), bytes);
        assert_eq!(read.last.finding_counts, FindingCounts::default());
        let timed: u64 = read.last.pools.iter().map(|pool| pool.timed()).sum();
        assert_eq!(timed, read.operations(), "every operation has a latency");
    }
    let deleted = plan.over_all(&engine, Operation::Delete);
    deleted.expect_all_done(units);
    assert_eq!(deleted.operations(), plan.layout.objects());
    let SinkSpec::File { folders, .. } = &plan.sink else { unreachable!() };
    for folder in folders {
        assert_eq!(remove_run_folder(folder), Ok(true), "nothing was left in it");
        assert!(!folder.exists());
    }
}

#[test]
fn blocks_smaller_than_a_unit_make_the_right_files() {
    let target = Folder::new();
    let mut plan = Plan::new(41, 8, files(target.run(), SyncPolicy::Range));
    plan.block = 4096;
    round_trip(&plan);
}

#[test]
fn blocks_of_a_unit_make_the_right_files() {
    let target = Folder::new();
    round_trip(&Plan::new(41, 8, files(target.run(), SyncPolicy::Range)));
}

#[test]
fn blocks_of_several_units_make_the_right_files_although_ranges_and_objects_cut_them() {
    let target = Folder::new();
    let mut plan = Plan::new(41, 10, files(target.run(), SyncPolicy::Range));
    plan.block = 4 * UNIT;
    round_trip(&plan);
}

#[test]
fn deduplicated_and_compressible_data_makes_the_right_files() {
    let target = Folder::new();
    let parameters = Parameters {
        seed: 7,
        namespace: "a run".into(),
        unit_bytes: UNIT,
        dedup_milli: 2000,
        window_bits: 3,
        compress_milli: 2500,
        ..Parameters::default()
    };
    let mut plan = Plan::with(parameters, 64, 24, files(target.run(), SyncPolicy::File));
    plan.block = 8192;
    round_trip(&plan);
}

#[test]
fn buffered_files_are_as_right_as_direct_ones() {
    let target = Folder::new();
    let sink = files_with(vec![target.run()], Direct::No, SyncPolicy::File, FileOptions::default());
    round_trip(&Plan::new(20, 3, sink));
}

#[test]
fn files_in_several_paths_are_right_under_every_policy_and_all_of_them_are_removed() {
    use SyncPolicy::{Block, End, File, Never, Range};
    for sync in [Block, Range, File, End, Never] {
        let targets = [Folder::new(), Folder::new(), Folder::new()];
        let runs: Vec<_> = targets.iter().map(Folder::run).collect();
        let plan = Plan::new(41, 4, files_with(runs.clone(), Direct::Auto, sync, FileOptions::default()));
        for object in 0..11 {
            assert!(plan.file(object).starts_with(&runs[object as usize % 3]));
        }
        round_trip(&plan);
    }
}

#[test]
fn more_than_a_thousand_files_in_several_paths_leave_no_numbered_folder_behind() {
    let targets = [Folder::new(), Folder::new()];
    let runs = targets.iter().map(Folder::run).collect();
    let parameters = Parameters { unit_bytes: 4096, ..Parameters::default() };
    let sink = files_with(runs, Direct::Auto, SyncPolicy::Never, FileOptions::default());
    round_trip(&Plan::with(parameters, 2001, 1, sink));
}

#[test]
fn more_than_a_thousand_files_lie_lie_in_numbered_folders_and_leave_none_behind() {
    let target = Folder::new();
    let parameters = Parameters { unit_bytes: 4096, ..Parameters::default() };
    let plan = Plan::with(parameters, 2001, 1, files(target.run(), SyncPolicy::Never));
    assert_eq!(plan.layout.name_of(2000), "d00002/f00002000");
    round_trip(&plan);
}

#[test]
fn every_sync_policy_ends_with_everything_durable_and_says_how_often_it_synced() {
    // 41 units in files of 8, ranges of 7: six files, six ranges, eleven parts of a range in one file.
    for (policy, syncs) in [
        (SyncPolicy::Block, 0..=0),
        (SyncPolicy::File, 11..=11),
        (SyncPolicy::Range, 11..=11),
        (SyncPolicy::End, 6..=6),
        (SyncPolicy::Never, 0..=0),
    ] {
        let target = Folder::new();
        let plan = Plan::new(41, 8, files(target.run(), policy));
        let engine = engine();
        let written = plan.over_all(&engine, Operation::Write);
        written.expect_all_done(41);
        let synced = count(&written.last, |counts| counts.syncs);
        assert!(syncs.contains(&synced), "{policy:?} made {synced} syncs");
        let closed = count(&written.last, |counts| counts.closes);
        assert_eq!(closed, if policy == SyncPolicy::End { 6 } else { 11 }, "{policy:?}");
        plan.over_all(&engine, Operation::Verify).expect_all_done(41);
    }
}

#[test]
fn what_is_synced_at_the_end_is_not_done_before_and_done_after_a_sync_without_ending_the_task() {
    let target = Folder::new();
    let plan = Plan::new(16, 4, files(target.run(), SyncPolicy::End));
    let run = plan.prepare(&engine(), Operation::Write).unwrap();
    run.task.begin_at(0);
    run.add(1, 0..9);
    let written = run.until(|snapshot| snapshot.ranges[0].written == [(0, 9)]);
    assert_eq!((&written.ranges[0].done, written.ranges[0].complete), (&vec![], false));
    run.task.sync();
    run.until(|snapshot| snapshot.ranges.iter().any(|range| range.complete && range.done == [(0, 9)]));
    run.add(2, 9..16);
    let last = run.finish();
    assert_eq!(last.result, Ok(()));
    assert_eq!(last.last.ranges.len(), 1, "the first range was retired");
    assert_eq!(last.last.ranges[0].done, [(9, 16)], "the end syncs too");
}

#[test]
fn a_sync_reaches_lanes_that_are_parked_past_the_deadline() {
    let target = Folder::new();
    let plan = Plan::new(64, 64, files(target.run(), SyncPolicy::End));
    let run = plan.prepare(&engine(), Operation::Write).unwrap();
    run.task.begin_at(0);
    run.add(1, 0..32);
    run.until(|snapshot| snapshot.ranges[0].written == [(0, 32)]);
    run.task.set_deadline(0);
    run.add(2, 32..64);
    run.task.sync();
    run.until(|snapshot| snapshot.ranges.iter().any(|range| range.id == 1 && range.complete));
    run.task.cancel();
    run.ended();
}
