//! Several blocks of a lane in flight: as many as were asked for, by every way that there is, and none of them lost.

use seedstorm_engine::error::{Code, ErrorKind};
use seedstorm_engine::io::IoEngine;
use seedstorm_engine::sink::{Direct, FileOptions, SinkSpec, SyncPolicy};
use seedstorm_engine::task::Operation;

use crate::support::{Folder, Plan, UNIT, count, engine, files};

/// Blocks of a quarter of a unit, so that a claim has several of them, in one file and in several.
fn plan(target: &Folder, per_object: u64, depth: usize, io: IoEngine) -> Plan {
    let mut plan = Plan::new(640, per_object, files(target.run(), SyncPolicy::Never));
    plan.block = UNIT / 4;
    (plan.depth, plan.io) = (depth, io);
    plan
}

#[test]
fn every_way_to_files_writes_and_verifies_the_same_bytes_at_every_depth() {
    for io in [IoEngine::Auto, IoEngine::Uring, IoEngine::Aio, IoEngine::Threads] {
        for (depth, per_object) in [(1, 640), (2, 7), (5, 640), (32, 64)] {
            let target = Folder::new();
            let plan = plan(&target, per_object, depth, io);
            let engine = engine();
            let written = plan.over_all(&engine, Operation::Write);
            // A sandbox may forbid io_uring; what was asked for by name is then an error and nothing else.
            if written.result.as_ref().is_err_and(|error| error.code == Code::IoEngine) {
                continue;
            }
            written.expect_all_done(640);
            for object in 0..plan.layout.objects() {
                assert!(std::fs::read(plan.file(object)).unwrap() == plan.bytes_of(object), "{io} {depth} {object}");
            }
            let verified = plan.over_all(&engine, Operation::Verify);
            verified.expect_all_done(640);
            assert_eq!(verified.findings(), []);
            plan.over_all(&engine, Operation::Read).expect_all_done(640);
        }
    }
}

#[test]
fn as_many_blocks_are_in_flight_as_were_asked_for_and_the_way_they_go_is_told() {
    let target = Folder::new();
    for (depth, io, name) in [(1, IoEngine::Auto, "calls"), (16, IoEngine::Threads, "threads")] {
        let plan = plan(&target, 640, depth, io);
        let written = plan.over_all(&engine(), Operation::Write);
        assert_eq!(written.last.io_engine, name);
        assert!(written.last.pools.iter().all(|pool| pool.greatest_in_flight <= depth as u64));
        assert_eq!(written.last.pools.iter().map(|pool| pool.greatest_in_flight).max(), Some(depth as u64));
    }
}

#[test]
fn a_fault_among_many_blocks_in_flight_is_found_where_it_is_and_only_there() {
    let target = Folder::new();
    let plan = plan(&target, 64, 32, IoEngine::Auto);
    let engine = engine();
    plan.over_all(&engine, Operation::Write).expect_all_done(640);
    let path = plan.file(3);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[5 * UNIT as usize + 4711] ^= 4;
    std::fs::write(&path, bytes).unwrap();
    let verified = plan.over_all(&engine, Operation::Verify);
    verified.expect_all_done(640);
    let places: Vec<_> = verified
        .findings()
        .iter()
        .map(|finding| (finding.object, finding.unit, finding.offset_in_file, finding.kind.name()))
        .collect();
    assert_eq!(places, [(3, 3 * 64 + 5, 5 * UNIT + 4711 / 512 * 512, "bit flip")]);
}

#[test]
fn a_unit_with_many_bad_blocks_in_flight_counts_as_one_corrupt_unit() {
    let target = Folder::new();
    let plan = plan(&target, 64, 32, IoEngine::Auto);
    let engine = engine();
    plan.over_all(&engine, Operation::Write).expect_all_done(640);
    let path = plan.file(3);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[5 * UNIT as usize..7 * UNIT as usize].fill(0);
    std::fs::write(&path, bytes).unwrap();
    let verified = plan.over_all(&engine, Operation::Verify);
    verified.expect_all_done(640);
    assert_eq!(count(&verified.last, |counts| counts.corrupt_blocks), 8);
    assert_eq!(count(&verified.last, |counts| counts.corrupt_units), 2);
}

#[test]
fn errors_that_pass_among_many_blocks_in_flight_fail_their_own_units_and_no_others() {
    for io in [IoEngine::Auto, IoEngine::Threads] {
        let target = Folder::new();
        let mut plan = plan(&target, 64, 32, io);
        let engine = engine();
        plan.over_all(&engine, Operation::Write).expect_all_done(640);
        std::fs::OpenOptions::new().write(true).open(plan.file(3)).unwrap().set_len(61 * UNIT).unwrap();
        plan.policy.errors.in_all = 1000;
        plan.policy.errors.of_kind[ErrorKind::Missing.index()] = 1000;
        let read = plan.over_all(&engine, Operation::Read);
        assert_eq!(read.result, Ok(()));
        assert!(read.last.ranges.iter().all(|range| range.complete && range.failed.is_none()));
        let failed: u64 =
            read.last.ranges.iter().flat_map(|range| &range.failed_units).map(|(first, end)| end - first).sum();
        let done: u64 = read.last.ranges.iter().flat_map(|range| &range.done).map(|(first, end)| end - first).sum();
        assert_eq!((failed, done), (3, 637));
        assert!(read.last.errors.iter().all(|row| row.path == plan.file(3).to_str().unwrap()));
    }
}

#[test]
fn buffered_files_take_blocks_that_share_no_border_with_units() {
    let target = Folder::new();
    // As IOR-hard has them: 47,008 bytes, in one shared file.
    let mut plan = Plan::new(
        3000,
        3000,
        SinkSpec::File {
            folders: vec![target.run()],
            direct: Direct::No,
            sync: SyncPolicy::End,
            options: FileOptions::default(),
        },
    );
    plan.block = 47_008;
    let engine = engine();
    plan.over_all(&engine, Operation::Write).expect_all_done(3000);
    assert!(std::fs::read(plan.file(0)).unwrap() == plan.bytes_of(0));
    let verified = plan.over_all(&engine, Operation::Verify);
    verified.expect_all_done(3000);
    assert_eq!(verified.findings(), []);
    plan.sink = files(target.run(), SyncPolicy::End);
    assert_eq!(plan.prepare(&engine, Operation::Verify).err().map(|error| error.code), Some(Code::InvalidArgument));
}
