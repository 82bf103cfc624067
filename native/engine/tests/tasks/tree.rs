//! The whole life of a tree of small files: directories, files, names, and all gone again; what is wrong in it is named.

use std::collections::HashSet;
use std::fs;
use std::sync::Arc;

use seedstorm_content::{Content, Parameters};
use seedstorm_engine::engine::Engine;
use seedstorm_engine::error::{Code, ErrorKind};
use seedstorm_engine::layout::{Layout, Names, Tree};
use seedstorm_engine::sink::{Direct, FileOptions, SinkSpec, SyncPolicy, remove_run_folder};
use seedstorm_engine::task::{ErrorLimits, Operation, Policy};

use crate::support::{Folder, Outcome, Plan, count, engine, files_with};

const UNIT: u64 = 4096;

/// A tree of 4 directories with 5 files each.
fn tree(file_bytes: u64, branching: u64) -> Tree {
    Tree { directories: 4, files_per_directory: 5, file_bytes, branching, names: Names::default(), next: None }
}

fn plan(target: &Folder, tree: Tree, sync: SyncPolicy) -> Plan {
    let parameters = Parameters { seed: 42, unit_bytes: UNIT, ..Parameters::default() };
    let sink = files_with(vec![target.run()], Direct::No, sync, FileOptions::default());
    let layout = Layout::of_tree(UNIT, tree).unwrap();
    let content = Arc::new(Content::new(&parameters).unwrap());
    Plan { layout, content, block: UNIT, ..Plan::with(parameters, 1, 1, sink) }
}

/// The same with the names of another generation, and those of the next.
fn with_names(plan: &Plan, names: Names, next: Option<Names>) -> Plan {
    let tree = Tree { names, next, ..plan.layout.tree().unwrap().clone() };
    Plan { layout: Layout::of_tree(UNIT, tree).unwrap(), ..plan.clone() }
}

fn made(plan: &Plan, engine: &Arc<Engine>) {
    for operation in [Operation::Mkdir, Operation::Create] {
        plan.over_all(engine, operation).expect_all_done(plan.layout.units());
    }
}

fn existed(outcome: &Outcome) -> u64 {
    count(&outcome.last, |counts| counts.existed)
}

fn kinds(outcome: &Outcome) -> Vec<(&str, &str)> {
    let mut kinds: Vec<_> =
        outcome.findings().iter().map(|finding| (finding.file.as_str(), finding.kind.name())).collect();
    kinds.sort_unstable();
    kinds
}

/// Everything that can be done with a tree, in an order that makes sense.
fn whole_life(tree: Tree, sync: SyncPolicy) {
    let (target, engine) = (Folder::new(), engine());
    let first = plan(&target, tree, sync);
    let (units, files) = (first.layout.units(), first.layout.objects());
    let bytes = files * first.layout.bytes_of(0);
    let mkdir = first.over_all(&engine, Operation::Mkdir);
    mkdir.expect_all_done(units);
    assert_eq!((mkdir.operations(), count(&mkdir.last, |counts| counts.folders)), (4, 4));
    let create = first.over_all(&engine, Operation::Create);
    create.expect_all_done(units);
    assert_eq!((create.operations(), existed(&create)), (files, 0));
    assert_eq!(count(&create.last, |counts| counts.bytes), bytes);
    assert_eq!(count(&create.last, |counts| counts.syncs) > 0, sync != SyncPolicy::Never);
    for object in 0..files {
        assert_eq!(fs::read(first.file(object)).unwrap(), first.bytes_of(object), "object {object}");
    }
    let mut now = first;
    for shift in [0, 1] {
        let names = now.layout.tree().unwrap().names;
        let next = Names { renames: names.renames + 1, shift };
        let rename = with_names(&now, names, Some(next)).over_all(&engine, Operation::Rename);
        rename.expect_all_done(units);
        assert_eq!(rename.operations(), files);
        now = with_names(&now, next, None);
        for operation in [Operation::Stat, Operation::Read, Operation::Verify] {
            let looked = now.over_all(&engine, operation);
            looked.expect_all_done(units);
            assert_eq!((looked.operations(), looked.findings()), (files, &[][..]), "{operation:?}");
            assert_eq!(looked.last.io_engine, "calls");
            let timed: u64 = looked.last.pools.iter().map(|pool| pool.timed()).sum();
            assert_eq!(timed, files, "every operation has a latency");
            let read = if operation == Operation::Stat { 0 } else { bytes };
            assert_eq!(count(&looked.last, |counts| counts.bytes), read);
        }
        let listed = now.over_all(&engine, Operation::List);
        listed.expect_all_done(units);
        assert_eq!((listed.operations(), listed.findings()), (files + 4, &[][..]), "files and directories");
        assert_eq!(count(&listed.last, |counts| counts.folders), 5, "the run's own folder is read too");
        assert_eq!(count(&listed.last, |counts| counts.foreign), 0);
    }
    let deleted = now.over_all(&engine, Operation::Delete);
    deleted.expect_all_done(units);
    assert_eq!((deleted.operations(), count(&deleted.last, |counts| counts.folders)), (files, 4));
    assert_eq!(remove_run_folder(&target.run()), Ok(true), "nothing was left in it");
}

#[test]
fn empty_files_are_made_looked_at_renamed_and_removed_with_their_directories() {
    whole_life(tree(0, 0), SyncPolicy::Never);
}

#[test]
fn files_of_3901_bytes_hold_the_first_bytes_of_their_units_to_the_last_byte() {
    whole_life(tree(3901, 0), SyncPolicy::Range);
}

#[test]
fn files_of_several_blocks_and_a_rest_are_written_and_read_whole() {
    whole_life(tree(3 * UNIT + 7, 0), SyncPolicy::File);
}

#[test]
fn directories_within_directories_are_made_whoever_comes_first_and_removed_from_the_deepest_up() {
    whole_life(tree(100, 1), SyncPolicy::Block);
    whole_life(tree(100, 2), SyncPolicy::Never);
}

#[test]
fn a_file_that_is_gone_too_short_or_too_long_is_named_by_stat_and_by_verify() {
    let (target, engine) = (Folder::new(), engine());
    let plan = plan(&target, tree(3901, 0), SyncPolicy::Never);
    made(&plan, &engine);
    fs::remove_file(plan.file(3)).unwrap();
    fs::write(plan.file(7), &plan.bytes_of(7)[..1000]).unwrap();
    fs::write(plan.file(11), [&plan.bytes_of(11)[..], b"more"].concat()).unwrap();
    for operation in [Operation::Stat, Operation::Verify] {
        let looked = plan.over_all(&engine, operation);
        looked.expect_all_done(20);
        assert_eq!(
            kinds(&looked),
            [
                ("d00000000/f00000003", "missing"),
                ("d00000001/f00000007", "truncated"),
                ("d00000002/f00000011", "too long")
            ],
            "{operation:?}"
        );
        assert_eq!(count(&looked.last, |counts| counts.corrupt_units), 3);
        let again: Vec<_> = looked.findings().iter().map(|finding| format!("{:?}", finding.again)).collect();
        assert!(again.iter().all(|again| again.contains("Same")), "{again:?}");
    }
    // A list knows names, and no lengths.
    assert_eq!(kinds(&plan.over_all(&engine, Operation::List)), [("d00000000/f00000003", "missing")]);
    let read = plan.over_all(&engine, Operation::Read);
    assert!(read.last.ranges.iter().any(|range| range.failed.is_some()), "a plain read fails");
}

#[test]
fn a_changed_byte_in_the_rest_of_a_file_is_found() {
    let (target, engine) = (Folder::new(), engine());
    let plan = plan(&target, tree(3901, 0), SyncPolicy::Never);
    made(&plan, &engine);
    let mut bytes = plan.bytes_of(8);
    bytes[3900] ^= 1;
    fs::write(plan.file(8), bytes).unwrap();
    assert_eq!(kinds(&plan.over_all(&engine, Operation::Verify)), [("d00000001/f00000008", "bit flip")]);
}

#[test]
fn an_empty_file_that_is_gone_or_not_empty_is_found() {
    let (target, engine) = (Folder::new(), engine());
    let plan = plan(&target, tree(0, 0), SyncPolicy::Never);
    made(&plan, &engine);
    fs::remove_file(plan.file(3)).unwrap();
    fs::write(plan.file(4), "x").unwrap();
    for operation in [Operation::Stat, Operation::Verify] {
        let looked = plan.over_all(&engine, operation);
        assert_eq!(
            kinds(&looked),
            [("d00000000/f00000003", "missing"), ("d00000000/f00000004", "too long")],
            "{operation:?}"
        );
    }
}

#[test]
fn a_name_that_is_not_the_runs_is_counted_told_and_left_alone() {
    let (target, engine) = (Folder::new(), engine());
    let plan = plan(&target, tree(0, 2), SyncPolicy::Never);
    made(&plan, &engine);
    let foreign = plan.file(6).with_file_name("strange");
    fs::write(&foreign, "").unwrap();
    let listed = plan.over_all(&engine, Operation::List);
    assert_eq!((count(&listed.last, |counts| counts.foreign), listed.findings()), (1, &[][..]));
    assert!(
        listed.last.notes.iter().any(|note| note.starts_with(foreign.to_str().unwrap())),
        "{:?}",
        listed.last.notes
    );
    plan.over_all(&engine, Operation::Delete).expect_all_done(20);
    assert!(foreign.exists(), "delete removes names of its own layout only");
    assert_eq!(fs::read_dir(foreign.parent().unwrap()).unwrap().count(), 1);
    assert_eq!(remove_run_folder(&target.run()), Ok(false));
}

#[test]
fn who_takes_over_in_mid_create_finds_what_was_made_and_counts_it_apart() {
    let (target, engine) = (Folder::new(), engine());
    let plan = plan(&target, tree(3901, 0), SyncPolicy::Range);
    made(&plan, &engine);
    // As a holder leaves them that dies: one file that is not there, one that is empty, one half.
    fs::remove_file(plan.file(5)).unwrap();
    fs::write(plan.file(6), "").unwrap();
    fs::write(plan.file(7), &plan.bytes_of(7)[..1000]).unwrap();
    let mkdir = plan.over_all(&engine, Operation::Mkdir);
    mkdir.expect_all_done(20);
    assert_eq!((mkdir.operations(), existed(&mkdir)), (0, 4));
    let create = plan.over_all(&engine, Operation::Create);
    create.expect_all_done(20);
    assert_eq!((create.operations(), existed(&create)), (1, 19));
    let verified = plan.over_all(&engine, Operation::Verify);
    assert_eq!((verified.operations(), verified.findings()), (20, &[][..]));
}

#[test]
fn who_takes_over_in_mid_rename_ends_it_and_a_delete_removes_both_names() {
    let (target, engine) = (Folder::new(), engine());
    let plan = plan(&target, tree(0, 0), SyncPolicy::Range);
    made(&plan, &engine);
    let to = Names { renames: 1, shift: 1 };
    let rename = with_names(&plan, Names::default(), Some(to));
    let renamed = with_names(&plan, to, None);
    for object in [2, 9] {
        fs::rename(plan.file(object), renamed.file(object)).unwrap();
    }
    let deleted = rename.clone();
    let ended = rename.over_all(&engine, Operation::Rename);
    ended.expect_all_done(20);
    assert_eq!((ended.operations(), existed(&ended)), (18, 2));
    fs::rename(renamed.file(4), plan.file(4)).unwrap();
    let gone = deleted.over_all(&engine, Operation::Delete);
    gone.expect_all_done(20);
    assert_eq!(gone.operations(), 20);
    assert_eq!(remove_run_folder(&target.run()), Ok(true));
}

#[test]
fn errors_at_names_have_their_kind_and_path_and_pass_where_the_plan_lets_them() {
    let (target, engine) = (Folder::new(), engine());
    let mut plan = plan(&target, tree(0, 0), SyncPolicy::Never);
    plan.over_all(&engine, Operation::Mkdir);
    fs::remove_dir(plan.file(5).parent().unwrap()).unwrap();
    let failed = plan.over_all(&engine, Operation::Create);
    let error = failed.last.ranges.iter().find_map(|range| range.failed.clone()).expect("its directory is gone");
    assert_eq!((error.code, error.about.as_ref().unwrap().kind), (Code::Io, ErrorKind::Open));
    assert!(error.what.contains("could not create") && error.what.contains("d00000001/f0000000"), "{}", error.what);
    plan.policy = Policy { errors: ErrorLimits { of_kind: [10; ErrorKind::ALL.len()], in_all: 10 }, ..plan.policy };
    let passed = plan.over_all(&engine, Operation::Create);
    let failed: u64 = passed.last.ranges.iter().flat_map(|range| &range.failed_units).map(|(a, b)| b - a).sum();
    assert_eq!(failed, 5);
    // What was never made is not missed by a list that is told so.
    plan.spared = HashSet::from_iter(5..10);
    assert_eq!(plan.over_all(&engine, Operation::List).findings(), []);
    let rename = with_names(&plan, Names::default(), Some(Names { renames: 1, shift: 0 }));
    let renamed = rename.over_all(&engine, Operation::Rename);
    assert_eq!(renamed.last.errors.iter().map(|row| row.count).sum::<u64>(), 5);
}

#[test]
fn stat_and_list_know_the_folders_of_large_files_too() {
    for objects in [9, 1203] {
        let (target, engine) = (Folder::new(), engine());
        let paths: Vec<_> = ["a", "b"].iter().map(|name| target.0.join(name)).collect();
        paths.iter().for_each(|path| fs::create_dir(path).unwrap());
        let folders = paths.iter().map(|path| path.join("run-1")).collect();
        let sink = files_with(folders, Direct::No, SyncPolicy::Never, FileOptions::default());
        let parameters = Parameters { seed: 42, unit_bytes: UNIT, ..Parameters::default() };
        let plan = Plan::with(parameters, objects * 2, 2, sink);
        plan.over_all(&engine, Operation::Write).expect_all_done(objects * 2);
        for (operation, operations) in [(Operation::Stat, objects), (Operation::List, objects)] {
            let looked = plan.over_all(&engine, operation);
            looked.expect_all_done(objects * 2);
            assert_eq!(looked.findings(), []);
            let folders = if objects > 1000 && operation == Operation::List { 4 } else { 0 };
            assert_eq!(looked.operations(), operations + folders);
        }
        fs::remove_file(plan.file(objects - 1)).unwrap();
        fs::write(plan.file(4), [0; 5000]).unwrap();
        let file = plan.layout.name_of(objects - 1);
        let short = plan.layout.name_of(4);
        let mut both = [(short.as_str(), "truncated"), (file.as_str(), "missing")];
        both.sort_unstable();
        assert_eq!(kinds(&plan.over_all(&engine, Operation::Stat)), both);
        assert_eq!(kinds(&plan.over_all(&engine, Operation::List)), [(file.as_str(), "missing")]);
    }
}

#[test]
fn what_a_tree_or_a_target_cannot_do_is_refused_before_anything_is_touched() {
    let (target, engine) = (Folder::new(), engine());
    let tree = plan(&target, tree(0, 0), SyncPolicy::Range);
    let plain = Plan::new(4, 1, files_with(vec![target.run()], Direct::No, SyncPolicy::Range, FileOptions::default()));
    let nowhere = Plan::new(4, 1, SinkSpec::Null);
    let direct = Plan {
        sink: files_with(vec![target.run()], Direct::Auto, SyncPolicy::Range, FileOptions::default()),
        ..tree.clone()
    };
    let at_end = Plan {
        sink: files_with(vec![target.run()], Direct::No, SyncPolicy::End, FileOptions::default()),
        ..tree.clone()
    };
    for (plan, operation) in [
        (&tree, Operation::Write),
        (&tree, Operation::Rename),
        (&plain, Operation::Mkdir),
        (&plain, Operation::Create),
        (&nowhere, Operation::Stat),
        (&nowhere, Operation::List),
        (&direct, Operation::Create),
        (&at_end, Operation::Create),
    ] {
        let error = plan.prepare(&engine, operation).err().expect("it is refused");
        assert_eq!(error.code, Code::InvalidArgument, "{operation:?}");
    }
    assert!(!target.run().exists());
}
