//! Data that is not what it must be is found, named and placed.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use seedstorm_content::{FaultKind, Part, Place};
use seedstorm_engine::error::ErrorKind;
use seedstorm_engine::sink::{Direct, FileOptions, SinkSpec, SyncPolicy};
use seedstorm_engine::task::{
    ErrorLimits, Finding, FindingKind, LateWrites, Operation, Place as Spot, Policy, RangeSpec, Saw, Way, look_again,
};

use crate::support::{Folder, Outcome, Plan, UNIT, count, engine, files};

/// 24 units in files of 10, 10 and 4, written; then `harm` is done to them, then they are verified.
fn verified_after(harm: impl FnOnce(&Plan)) -> Outcome {
    verified_in_blocks(UNIT, harm)
}

fn verified_in_blocks(block: u64, harm: impl FnOnce(&Plan)) -> Outcome {
    let target = Folder::new();
    let mut plan = Plan::new(24, 10, files(target.run(), SyncPolicy::File));
    plan.block = block;
    let engine = engine();
    plan.over_all(&engine, Operation::Write).expect_all_done(24);
    harm(&plan);
    plan.over_all(&engine, Operation::Verify)
}

fn open(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

/// The one finding, after asserting that every unit was verified all the same.
fn only(outcome: &Outcome) -> &Finding {
    outcome.expect_all_done(24);
    assert_eq!(outcome.findings().len(), 1, "{:#?}", outcome.findings());
    assert_eq!(outcome.last.finding_counts.iter().sum::<u64>(), 1);
    &outcome.findings()[0]
}

/// A place that one unit has.
fn place(unit: u64, offset_in_unit: u64) -> Place {
    Place { units: vec![unit], unit_count: 1, offset_in_unit, generation: 0 }
}

fn corrupt(outcome: &Outcome) -> (u64, u64) {
    (count(&outcome.last, |counts| counts.corrupt_units), count(&outcome.last, |counts| counts.corrupt_blocks))
}

#[test]
fn one_flipped_byte_is_found_with_its_file_offset_unit_and_name() {
    for block in [4096, UNIT, 4 * UNIT] {
        let at = 3 * UNIT + 5000;
        let outcome = verified_in_blocks(block, |plan| {
            let file = open(&plan.file(1));
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).unwrap();
            file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
        });
        let finding = only(&outcome);
        assert_eq!((finding.file.as_str(), finding.object, finding.unit), ("f00000001", 1, 13));
        assert_eq!(finding.kind, FindingKind::Wrong(FaultKind::BitFlip { bits: 1, first_byte_offset: at }));
        assert_eq!(finding.kind.name(), "bit flip");
        assert!((finding.offset_in_file..finding.offset_in_file + finding.length).contains(&at));
        assert!(finding.read_at_ns > 0);
        assert_eq!(corrupt(&outcome), (1, 1));
    }
}

#[test]
fn a_zeroed_block_is_called_zeroed() {
    let outcome = verified_after(|plan| open(&plan.file(0)).write_all_at(&[0; 4096], 2 * UNIT + 8192).unwrap());
    let finding = only(&outcome);
    assert_eq!(finding.kind, FindingKind::Wrong(FaultKind::Zeroed));
    assert_eq!((finding.unit, finding.offset_in_file, finding.length), (2, 2 * UNIT + 8192, 4096));
}

#[test]
fn a_block_of_another_place_is_called_misdirected_and_its_place_is_named() {
    let outcome = verified_after(|plan| {
        let stray = &plan.bytes_of(1)[UNIT as usize + 4096..][..4096];
        open(&plan.file(0)).write_all_at(stray, 0).unwrap();
    });
    let finding = only(&outcome);
    assert_eq!((finding.file.as_str(), finding.unit, finding.offset_in_file), ("f00000000", 0, 0));
    assert_eq!(finding.kind, FindingKind::Wrong(FaultKind::Misdirected(place(11, 4096))));
}

#[test]
fn a_sector_half_overwritten_by_another_unit_is_called_torn_with_both_halves() {
    let outcome = verified_after(|plan| {
        let stray = &plan.bytes_of(1)[UNIT as usize + 4096 + 256..][..256];
        open(&plan.file(0)).write_all_at(stray, 3 * UNIT + 1024 + 256).unwrap();
    });
    let finding = only(&outcome);
    assert_eq!((finding.unit, finding.offset_in_file, finding.length), (3, 3 * UNIT + 1024, 512));
    let part = |offset, kind| Part { offset: 3 * UNIT + offset, length: 256, kind };
    let stray = FaultKind::Misdirected(place(11, 4096 + 256));
    let parts = vec![part(1024, None), part(1280, Some(stray))];
    assert_eq!(finding.kind, FindingKind::Wrong(FaultKind::Torn { parts, part_count: 2 }));
    assert_eq!(corrupt(&outcome), (1, 1));
}

#[test]
fn an_old_generation_is_called_stale() {
    let outcome = verified_after(|plan| {
        let old = Plan { generation: 7, ..plan.clone() };
        open(&plan.file(2)).write_all_at(&old.bytes_of(2)[4096..8192], 4096).unwrap();
    });
    let finding = only(&outcome);
    assert_eq!((finding.unit, &finding.kind), (20, &FindingKind::Wrong(FaultKind::Stale { generation: 7 })));
    assert_eq!(finding.expected_generation, 0);
}

#[test]
fn an_old_generation_that_a_lost_holder_may_have_written_late_is_indeterminate_and_counts_as_no_corruption() {
    let target = Folder::new();
    let plan = Plan { generation: 1, ..Plan::new(24, 10, files(target.run(), SyncPolicy::File)) };
    let old = Plan { generation: 0, ..plan.clone() };
    let engine = engine();
    plan.over_all(&engine, Operation::Write).expect_all_done(24);
    let (stale, file) = (old.bytes_of(2), open(&plan.file(2)));
    // Of the late unit all but a half of one sector is old; the unit behind it is nobody's late write.
    file.write_all_at(&stale[UNIT as usize..][..1024 + 256], UNIT).unwrap();
    file.write_all_at(&stale[2 * UNIT as usize..][..512], 2 * UNIT).unwrap();
    let run = plan.prepare(&engine, Operation::Verify).unwrap();
    run.task.begin_at(0);
    let late = vec![LateWrites { units: 21..22, generations: 0..1 }];
    run.task.add_range_with(RangeSpec { id: 1, first: 0, end: 24 }, Vec::new(), late).unwrap();
    let outcome = run.finish();
    outcome.expect_all_done(24);
    let found = |finding: &Finding| (finding.kind.name(), finding.unit, finding.offset_in_file, finding.length);
    let mut all: Vec<_> = outcome.findings().iter().map(found).collect();
    all.sort_by_key(|(_, _, offset, _)| *offset);
    let expected = [("indeterminate", 21, UNIT, 1024), ("torn", 21, UNIT + 1024, 512), ("stale", 22, 2 * UNIT, 512)];
    assert_eq!(all, expected);
    assert_eq!(corrupt(&outcome).0, 2, "a torn sector and a stale one, and not what may be late");
    let only_late = |finding: &&Finding| matches!(finding.kind, FindingKind::Indeterminate { generation: 0 });
    assert_eq!(outcome.findings().iter().filter(only_late).count(), 1);
}

#[test]
fn bytes_of_nobody_are_called_foreign() {
    let outcome = verified_after(|plan| open(&plan.file(0)).write_all_at(&[0x5a; 512], 512).unwrap());
    assert_eq!(
        (only(&outcome).kind.clone(), only(&outcome).offset_in_file),
        (FindingKind::Wrong(FaultKind::Foreign), 512)
    );
}

#[test]
fn a_unit_with_many_bad_blocks_counts_as_one_corrupt_unit() {
    let outcome = verified_in_blocks(4096, |plan| open(&plan.file(0)).write_all_at(&[0; 16_384], UNIT).unwrap());
    outcome.expect_all_done(24);
    assert_eq!(corrupt(&outcome), (1, 4));
    let several = verified_in_blocks(4 * UNIT, |plan| {
        open(&plan.file(0)).write_all_at(&vec![0; 2 * UNIT as usize], UNIT).unwrap();
    });
    assert_eq!(corrupt(&several), (2, 1));
}

#[test]
fn a_truncated_file_is_one_finding_a_range_and_the_rest_is_still_verified() {
    // Files of 10 units in ranges of 7: units 4 to 6 are cut off in the first range, 7 to 9 in the second.
    let outcome = verified_after(|plan| open(&plan.file(0)).set_len(3 * UNIT + 4096).unwrap());
    outcome.expect_all_done(24);
    let mut findings = outcome.findings().to_vec();
    findings.sort_by_key(|finding| finding.offset_in_file);
    let places: Vec<_> =
        findings.iter().map(|finding| (finding.unit, finding.offset_in_file, finding.length)).collect();
    assert_eq!(places, [(3, 3 * UNIT + 4096, 4 * UNIT - 4096), (7, 7 * UNIT, 3 * UNIT)]);
    assert!(findings.iter().all(|finding| finding.kind == FindingKind::Truncated { file_bytes: 3 * UNIT + 4096 }));
    assert_eq!(corrupt(&outcome).0, 7);
}

#[test]
fn a_file_cut_off_amid_a_sector_still_has_its_beginning_verified() {
    let outcome = verified_after(|plan| {
        let file = open(&plan.file(2));
        file.write_all_at(&[0; 512], UNIT).unwrap();
        file.set_len(UNIT + 1000).unwrap();
    });
    outcome.expect_all_done(24);
    let names: Vec<_> = outcome.findings().iter().map(|finding| finding.kind.name()).collect();
    assert!(names.contains(&"zeroed") && names.contains(&"truncated"), "{names:?}");
}

#[test]
fn a_missing_file_is_one_finding_a_range_and_the_rest_is_still_verified() {
    let outcome = verified_after(|plan| fs::remove_file(plan.file(1)).unwrap());
    outcome.expect_all_done(24);
    let mut places: Vec<_> = outcome
        .findings()
        .iter()
        .map(|finding| (finding.file.as_str(), finding.unit, finding.length, finding.kind.name()))
        .collect();
    places.sort_unstable();
    assert_eq!(places, [("f00000001", 10, 4 * UNIT, "missing"), ("f00000001", 14, 6 * UNIT, "missing")]);
    assert_eq!(corrupt(&outcome), (10, 10));
}

#[test]
fn a_run_folder_that_is_gone_is_data_that_is_missing() {
    let outcome = verified_after(|plan| fs::remove_dir_all(plan.file(0).parent().unwrap()).unwrap());
    outcome.expect_all_done(24);
    assert_eq!(corrupt(&outcome).0, 24);
}

#[test]
fn a_plain_read_of_a_file_that_is_missing_or_too_short_fails_and_says_what_it_wanted() {
    use seedstorm_engine::error::Code;
    let target = Folder::new();
    let plan = Plan::new(24, 10, files(target.run(), SyncPolicy::File));
    let engine = engine();
    plan.over_all(&engine, Operation::Write).expect_all_done(24);
    fs::remove_file(plan.file(0)).unwrap();
    open(&plan.file(2)).set_len(UNIT + 512).unwrap();
    let outcome = plan.over_all(&engine, Operation::Read);
    assert_eq!(outcome.result, Ok(()), "a range that failed does not end the task");
    let error_of = |unit: u64| outcome.last.ranges[unit as usize / 7].failed.clone().unwrap();
    assert_eq!((error_of(0).code, error_of(21).code), (Code::ObjectMissing, Code::ObjectMissing));
    assert!(error_of(0).what.ends_with("f00000000 is not there"), "{}", error_of(0));
    assert!(error_of(21).what.contains("f00000002 is too short: wanted 16384 bytes"), "{}", error_of(21));
    assert!(outcome.last.ranges.iter().all(|range| range.complete != range.failed.is_some()));
}

/// What a second look by somebody else, who knows only the task, sees of a finding.
fn seen_later(plan: &Plan, finding: &Finding) -> Saw {
    look_again(&plan.spec(Operation::Verify), &Spot::of(finding)).unwrap().unwrap().saw
}

#[test]
fn a_fault_is_looked_at_again_at_once_and_later_and_a_fault_that_stays_is_told_from_one_that_is_gone() {
    let target = Folder::new();
    let mut plan = Plan::new(24, 10, files(target.run(), SyncPolicy::File));
    plan.policy = Policy { evidence: true, ..Policy::default() };
    let engine = engine();
    plan.over_all(&engine, Operation::Write).expect_all_done(24);
    let at = 2 * UNIT + 8192;
    open(&plan.file(0)).write_all_at(&[0; 4096], at).unwrap();
    fs::remove_file(plan.file(1)).unwrap();
    open(&plan.file(2)).set_len(UNIT + 4096).unwrap();
    let outcome = plan.over_all(&engine, Operation::Verify);
    outcome.expect_all_done(24);
    assert!(outcome.findings().len() >= 3);
    for finding in outcome.findings() {
        let again = finding.again.as_ref().unwrap();
        assert_eq!((&again.saw, again.way), (&Saw::Same, Way::Direct), "{finding:?}");
        assert!(again.read_at_ns >= finding.read_at_ns);
        assert_eq!(seen_later(&plan, finding), Saw::Same);
    }
    let zeroed = outcome.findings().iter().find(|finding| finding.kind.name() == "zeroed").unwrap();
    let evidence = zeroed.evidence.as_ref().unwrap();
    assert_eq!(evidence.actual, [0; 4096]);
    assert_eq!(evidence.expected, plan.bytes_of(0)[at as usize..][..4096]);
    // Now other bytes are there; then the right ones.
    open(&plan.file(0)).write_all_at(&[0x5a; 4096], at).unwrap();
    assert_eq!(seen_later(&plan, zeroed), Saw::Other("foreign"));
    for object in 0..3 {
        fs::write(plan.file(object), plan.bytes_of(object)).unwrap();
    }
    for finding in outcome.findings() {
        assert_eq!(seen_later(&plan, finding), Saw::Right, "{finding:?}");
    }
    fs::remove_file(plan.file(0)).unwrap();
    assert_eq!(seen_later(&plan, zeroed), Saw::Other("missing"));
}

#[test]
fn errors_that_the_plan_lets_pass_fail_their_units_alone_and_are_told_by_kind_file_and_lane() {
    let target = Folder::new();
    let mut plan = Plan::new(24, 10, files(target.run(), SyncPolicy::File));
    let engine = engine();
    plan.over_all(&engine, Operation::Write).expect_all_done(24);
    fs::remove_file(plan.file(0)).unwrap();
    let mut errors = ErrorLimits { in_all: 100, ..ErrorLimits::default() };
    errors.of_kind[ErrorKind::Missing.index()] = 100;
    plan.policy.errors = errors;
    let outcome = plan.over_all(&engine, Operation::Read);
    assert_eq!(outcome.result, Ok(()));
    assert!(outcome.last.ranges.iter().all(|range| range.complete && range.failed.is_none()));
    let failed: Vec<_> = outcome.last.ranges.iter().flat_map(|range| range.failed_units.clone()).collect();
    assert_eq!(failed, [(0, 7), (7, 10)]);
    assert_eq!(count(&outcome.last, |counts| counts.errors), 10);
    let rows = &outcome.last.errors;
    assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), 10);
    assert!(rows.iter().all(|row| row.kind == ErrorKind::Missing && row.path == plan.file(0).to_str().unwrap()));
    // One fewer than there are: the last one fails its range.
    plan.policy.errors.of_kind[ErrorKind::Missing.index()] = 9;
    let outcome = plan.over_all(&engine, Operation::Read);
    assert_eq!(outcome.last.ranges.iter().filter(|range| range.failed.is_some()).count(), 1);
}

/// Reads 24 units in files of 10, 10 and 4, the first of which ends at `end`, in such blocks; errors pass.
fn read_with_the_first_file_cut_at(end: u64, block: u64) -> Outcome {
    let target = Folder::new();
    let buffered = SinkSpec::File {
        folders: vec![target.run()],
        direct: Direct::No,
        sync: SyncPolicy::File,
        options: FileOptions::default(),
    };
    let mut plan = Plan::new(24, 10, buffered);
    plan.block = block;
    let engine = engine();
    plan.over_all(&engine, Operation::Write).expect_all_done(24);
    open(&plan.file(0)).set_len(end).unwrap();
    plan.policy.errors.in_all = 100;
    plan.policy.errors.of_kind[ErrorKind::Missing.index()] = 100;
    let run = plan.prepare(&engine, Operation::Read).unwrap();
    run.task.begin_at(0);
    run.add(1, 0..24);
    run.finish()
}

#[test]
fn a_block_that_cannot_be_read_costs_the_units_that_it_is_in_and_no_others() {
    // Blocks of a unit and a half: three units are read in two blocks.
    let outcome = read_with_the_first_file_cut_at(7 * UNIT + UNIT / 2 + 1, UNIT + UNIT / 2);
    let range = &outcome.last.ranges[0];
    assert!(range.complete && range.failed.is_none());
    assert_eq!((&range.failed_units, &range.done), (&vec![(7, 10)], &vec![(0, 7), (10, 24)]));
    assert_eq!(count(&outcome.last, |counts| counts.errors), 2);
}

#[test]
fn each_block_of_a_unit_that_cannot_be_read_is_counted_not_only_the_first() {
    let outcome = read_with_the_first_file_cut_at(9 * UNIT + UNIT / 4, UNIT / 4);
    let range = &outcome.last.ranges[0];
    assert_eq!((&range.failed_units, range.complete), (&vec![(9, 10)], true));
    assert_eq!(count(&outcome.last, |counts| counts.errors), 3);
}

#[test]
fn a_place_that_the_layout_does_not_have_is_refused_and_not_looked_for() {
    let target = Folder::new();
    let plan = Plan::new(24, 10, files(target.run(), SyncPolicy::File));
    let place = |object, offset, length| Spot { object, offset, length, fingerprint: "bytes 00".into() };
    for spot in [place(3, 0, 1), place(0, 10 * UNIT, 1), place(0, u64::MAX, 2), place(0, 0, 0)] {
        let refused = look_again(&plan.spec(Operation::Verify), &spot).unwrap_err();
        assert_eq!(refused.code, seedstorm_engine::error::Code::InvalidArgument);
    }
}

#[test]
fn memory_is_looked_at_again_too() {
    let store = std::sync::Arc::new(seedstorm_engine::sink::MemoryStore::new(UNIT, 24, 1 << 30).unwrap());
    let plan = Plan::new(24, 10, seedstorm_engine::sink::SinkSpec::Memory(store));
    let engine = engine();
    plan.over_all(&engine, Operation::Write).expect_all_done(24);
    // What is there is right, but of another generation than the one that is looked for.
    let other = Plan { generation: 1, ..plan };
    let outcome = other.over_all(&engine, Operation::Verify);
    assert_eq!(outcome.findings().len(), 24);
    for finding in outcome.findings() {
        assert_eq!((finding.kind.name(), &finding.again.as_ref().unwrap().saw), ("stale", &Saw::Same));
    }
}
