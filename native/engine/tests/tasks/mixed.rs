//! What a user would lose if mixed tasks did not know what each block holds: a write that the storage lost, an old block put
//! back or one that is torn would pass, or what is right would be called wrong.

use std::fs::OpenOptions;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use proptest::prelude::*;
use seedstorm_content::FaultKind;
use seedstorm_engine::engine::Engine;
use seedstorm_engine::error::Code;
use seedstorm_engine::sink::{MemoryStore, SinkSpec, SyncPolicy};
use seedstorm_engine::task::{
    Finding, FindingKind, Layer, Operation, Order, Overwrites, OwnShard, PatternSpec, Prefix, RangeSpec, ShardHistory,
    TaskSnapshot,
};

use crate::support::{Folder, Outcome, Plan, Run, UNIT, count, engine, files};

const UNITS: u64 = 32;
const PER_OBJECT: u64 = 16;
/// Shards of 4 units, 64 KiB: sixteen cells of 4 KiB.
const SHARD_UNITS: u64 = 4;
const SHARDS: usize = (UNITS / SHARD_UNITS) as usize;
const CELL: u64 = 4096;

fn pattern(stage: u32, order: Order, block_bytes: u64) -> PatternSpec {
    PatternSpec { stage, writes_of_65536: 32_768, order, block_bytes }
}

/// What a coordinator knows of a run with overwrites, and the plan of its tasks.
struct Story {
    plan: Plan,
    layers: Vec<(Layer, Vec<Prefix>)>,
    engine: Arc<Engine>,
}

impl Story {
    fn new(mut plan: Plan) -> Self {
        plan.block = UNIT;
        let story = Self { plan, layers: Vec::new(), engine: engine() };
        story.plan.over_all(&story.engine, Operation::Write).expect_all_done(UNITS);
        story
    }

    fn on_files(target: &Folder, sync: SyncPolicy) -> Self {
        Self::new(Plan::new(UNITS, PER_OBJECT, files(target.run(), sync)))
    }

    fn in_memory() -> Self {
        let store = Arc::new(MemoryStore::new(UNIT, UNITS, UNITS * UNIT).unwrap());
        Self::new(Plan::new(UNITS, PER_OBJECT, SinkSpec::Memory(store)))
    }

    fn overwrites(&self, own: Option<PatternSpec>) -> Overwrites {
        let layers = self.layers.iter().map(|(layer, _)| layer.clone()).collect();
        Overwrites { shard_units: SHARD_UNITS, layers, own }
    }

    fn history(&self, shard: usize, own: OwnShard) -> ShardHistory {
        ShardHistory { layers: self.layers.iter().map(|(_, shards)| shards[shard]).collect(), own }
    }

    /// A run of an operation that knows of the overwrites, with all shards in ranges of four shards.
    fn run(&self, operation: Operation, block: u64, own: Option<PatternSpec>, each: &[OwnShard]) -> Run {
        let mut plan = self.plan.clone();
        plan.block = block;
        plan.overwrites = Some(Arc::new(self.overwrites(own)));
        let run = plan.prepare(&self.engine, operation).unwrap();
        for range in 0..SHARDS / 4 {
            let shards = (range * 4..range * 4 + 4).map(|shard| self.history(shard, each[shard])).collect();
            let (first, end) = (range as u64 * 4 * SHARD_UNITS, (range as u64 + 1) * 4 * SHARD_UNITS);
            run.task.add_range_with(RangeSpec { id: range as u64, first, end }, shards, Vec::new()).unwrap();
        }
        run.task.begin_at(0);
        run
    }

    /// Mixes to the end, so many operations of each shard, and remembers it.
    fn mix(&mut self, pattern: PatternSpec, operations: u64) -> Outcome {
        let own = OwnShard { limit: operations, operations, ..OwnShard::default() };
        let outcome = self.run(Operation::Mixed, pattern.block_bytes, Some(pattern.clone()), &[own; SHARDS]).finish();
        outcome.expect_all_done(UNITS);
        let told = prefixes(&outcome.last);
        assert!(told.iter().all(|prefix| prefix.done == operations), "{told:?}");
        let through = vec![Prefix { done: operations, reserved: operations }; SHARDS];
        self.layers.push((Layer { pattern, rewritten: false }, through));
        outcome
    }

    fn verify(&self, block: u64) -> Outcome {
        let outcome = self.run(Operation::Verify, block, None, &[OwnShard::default(); SHARDS]).finish();
        outcome.expect_all_done(UNITS);
        outcome
    }

    /// The bytes of an object's cell.
    fn cell(&self, cell: u64) -> Vec<u8> {
        let mut bytes = vec![0; CELL as usize];
        let file = std::fs::File::open(self.plan.file(0)).unwrap();
        file.read_exact_at(&mut bytes, cell * CELL).unwrap();
        bytes
    }

    fn put(&self, cell: u64, bytes: &[u8]) {
        let file = OpenOptions::new().write(true).open(self.plan.file(0)).unwrap();
        file.write_all_at(bytes, cell * CELL).unwrap();
    }
}

/// How far each shard has come, in order.
fn prefixes(snapshot: &TaskSnapshot) -> Vec<Prefix> {
    let mut ranges: Vec<_> = snapshot.ranges.iter().collect();
    ranges.sort_by_key(|range| range.id);
    ranges.into_iter().flat_map(|range| range.shards.clone()).collect()
}

fn place(finding: &Finding) -> (u64, Range<u64>) {
    (finding.object, finding.offset_in_file..finding.offset_in_file + finding.length)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn whatever_was_mixed_by_several_lanes_verifies_and_nothing_right_is_called_wrong(
        depth in 1usize..20, in_memory: bool, operations in proptest::collection::vec(0u64..600, 1..4),
        orders in proptest::collection::vec(0usize..4, 4), blocks in proptest::collection::vec(0usize..4, 4), rewrite_at in 0usize..6,
    ) {
        let target = Folder::new();
        let mut story = if in_memory { Story::in_memory() } else { Story::on_files(&target, SyncPolicy::Range) };
        story.plan.depth = depth;
        for (nth, operations) in operations.into_iter().enumerate() {
            let order = [Order::Sequential, Order::Uniform, Order::Strided { cells: 3 }, Order::Zipfian { theta: 0.99 }][orders[nth]];
            let block = [CELL, 2 * CELL, UNIT, 4 * UNIT][blocks[nth]];
            let outcome = story.mix(pattern(nth as u32, order, block), operations);
            prop_assert_eq!(outcome.findings(), []);
            prop_assert_eq!(count(&outcome.last, |counts| counts.operations), operations * SHARDS as u64);
            if nth == rewrite_at {
                story.plan.generation += 1;
                story.plan.over_all(&story.engine, Operation::Write).expect_all_done(UNITS);
                story.layers.last_mut().unwrap().0.rewritten = true;
            }
        }
        for block in [512, CELL, UNIT, 8 * UNIT] {
            let verified = story.verify(block);
            prop_assert_eq!(verified.findings(), []);
            prop_assert_eq!(verified.last.cells_in_doubt, 0);
        }
    }
}

#[test]
fn each_cell_holds_what_a_model_that_does_the_operations_one_by_one_says() {
    let target = Folder::new();
    let mut story = Story::on_files(&target, SyncPolicy::End);
    story.plan.depth = 8;
    // Every operation of a sequential order writes: round after round, the nth with the nth generation.
    let all = PatternSpec { writes_of_65536: 65_536, ..pattern(0, Order::Sequential, CELL) };
    story.mix(all, 16 * 3 + 5);
    let mut expected = vec![0; CELL as usize];
    for cell in 0..16 {
        let generation = 1000 + 2 + u16::from(cell < 5);
        story.plan.content.fill(generation, cell * CELL, &mut expected).unwrap();
        assert!(story.cell(cell) == expected, "cell {cell}");
    }
}

#[test]
fn an_old_version_of_a_block_that_is_put_back_is_stale_and_named_by_its_generation_and_place() {
    let target = Folder::new();
    let mut story = Story::on_files(&target, SyncPolicy::Never);
    let all = |stage| PatternSpec { writes_of_65536: 65_536, ..pattern(stage, Order::Sequential, CELL) };
    let before = story.cell(21);
    story.mix(all(0), 16);
    let between = story.cell(22);
    story.mix(all(1), 16);
    // The write of the first mixed stage, and all that was ever overwritten, were lost.
    story.put(22, &between);
    story.put(21, &before);
    let verified = story.verify(UNIT);
    let mut found: Vec<_> = verified.findings().iter().collect();
    found.sort_by_key(|finding| finding.offset_in_file);
    let [lost, old] = found[..] else { panic!("{found:?}") };
    assert_eq!(lost.kind, FindingKind::Wrong(FaultKind::Stale { generation: 0 }));
    assert_eq!(old.kind, FindingKind::Wrong(FaultKind::Stale { generation: 1000 }));
    assert_eq!(place(lost), (0, 21 * CELL..22 * CELL));
    assert_eq!(place(old), (0, 22 * CELL..23 * CELL));
    assert_eq!((old.expected_generation, old.unit), (1001, 5));
    assert!(old.again.as_ref().is_some_and(|again| again.saw == seedstorm_engine::task::Saw::Same));
}

#[test]
fn a_torn_block_is_found_while_mixing_and_by_a_verify() {
    let target = Folder::new();
    let mut story = Story::on_files(&target, SyncPolicy::Never);
    let all = PatternSpec { writes_of_65536: 65_536, ..pattern(0, Order::Sequential, CELL) };
    let before = story.cell(3);
    story.mix(all, 16);
    let mut torn = story.cell(3);
    torn[512..700].copy_from_slice(&before[512..700]);
    story.put(3, &torn);
    let verified = story.verify(8 * UNIT);
    let [finding] = verified.findings() else { panic!("{:?}", verified.findings()) };
    assert_eq!((finding.kind.name(), place(finding)), ("torn", (0, 3 * CELL + 512..3 * CELL + 1024)));
    let reads = PatternSpec { writes_of_65536: 0, ..pattern(1, Order::Sequential, CELL) };
    let mixed = story.mix(reads, 16);
    assert_eq!(mixed.findings().iter().map(|finding| finding.kind.name()).collect::<Vec<_>>(), ["torn"]);
}

#[test]
fn whoever_goes_on_after_a_death_repeats_what_is_in_doubt_and_in_the_end_all_is_known() {
    let target = Folder::new();
    let mut story = Story::on_files(&target, SyncPolicy::Block);
    let mixed = pattern(0, Order::Zipfian { theta: 0.9 }, CELL);
    // The first holder got to operation 300 of each shard; of that, only 120 were ever reported.
    let first = OwnShard { limit: 300, operations: 300, ..OwnShard::default() };
    story.run(Operation::Mixed, CELL, Some(mixed.clone()), &[first; SHARDS]).finish().expect_all_done(UNITS);
    let before = Prefix { done: 120, reserved: 400 };
    let next = OwnShard { before, limit: 500, operations: 500 };
    let second = story.run(Operation::Mixed, CELL, Some(mixed.clone()), &[next; SHARDS]).finish();
    second.expect_all_done(UNITS);
    assert_eq!(second.findings(), [], "what the first did beyond its reports is not wrong");
    assert!(prefixes(&second.last).iter().all(|prefix| prefix.done == 500));
    story
        .layers
        .push((Layer { pattern: mixed.clone(), rewritten: false }, vec![Prefix { done: 500, reserved: 500 }; SHARDS]));
    let verified = story.verify(UNIT);
    assert_eq!((verified.findings(), verified.last.cells_in_doubt), (&[][..], 0));
    // And had nobody gone on, the cells that 120 to 400 may have touched would be in doubt, and nothing of them wrong.
    story.layers[0].1 = vec![Prefix { done: 120, reserved: 500 }; SHARDS];
    let doubtful = story.verify(UNIT);
    assert_eq!(doubtful.findings(), []);
    assert!(doubtful.last.cells_in_doubt > 0);
    // A later stage that overwrites them knows them again.
    let all = PatternSpec { writes_of_65536: 65_536, ..pattern(1, Order::Sequential, CELL) };
    story.mix(all, 16);
    let known = story.verify(UNIT);
    assert_eq!((known.findings(), known.last.cells_in_doubt), (&[][..], 0));
}

#[test]
fn no_operation_is_begun_before_it_is_allowed_and_lanes_that_wait_for_that_end_when_they_must() {
    for in_memory in [false, true] {
        let target = Folder::new();
        let story = if in_memory { Story::in_memory() } else { Story::on_files(&target, SyncPolicy::Never) };
        let uniform = pattern(0, Order::Uniform, CELL);
        let own = OwnShard { limit: 10, operations: 5000, ..OwnShard::default() };
        let run = story.run(Operation::Mixed, CELL, Some(uniform.clone()), &[own; SHARDS]);
        let waits =
            |done: u64| move |snapshot: &TaskSnapshot| prefixes(snapshot).iter().all(|shard| shard.done == done);
        let told = run.until(waits(10));
        assert_eq!(count(&told, |counts| counts.operations), 10 * SHARDS as u64);
        assert!(prefixes(&told).iter().all(|shard| shard.reserved >= 4096), "more is asked for");
        run.task.allow(0, &[100; 4]);
        run.task.allow(1, &[100; 4]);
        run.until(waits(100));
        run.task.fence_range(0);
        let drained = run.until(|snapshot| snapshot.ranges.iter().any(|range| range.id == 0 && range.drained));
        assert_eq!(prefixes(&drained)[0].done, 100);
        run.task.allow(1, &[5000; 4]);
        let ended = run.finish();
        assert_eq!(ended.result, Ok(()));
        assert!(ended.last.ranges.iter().all(|range| range.complete), "{:?}", ended.last.ranges);

        let cancelled = story.run(Operation::Mixed, CELL, Some(uniform), &[own; SHARDS]);
        cancelled.until(waits(10));
        cancelled.task.cancel();
        assert_eq!(cancelled.ended().result.unwrap_err().code, Code::Cancelled);
    }
}

#[test]
fn what_is_done_is_durable_under_the_policy_and_not_before() {
    for (sync, early) in [(SyncPolicy::Range, 0), (SyncPolicy::File, 0), (SyncPolicy::End, 0), (SyncPolicy::Block, 50)]
    {
        let target = Folder::new();
        let story = Story::on_files(&target, sync);
        let own = OwnShard { limit: 50, operations: 90, ..OwnShard::default() };
        let run = story.run(Operation::Mixed, CELL, Some(pattern(0, Order::Uniform, CELL)), &[own; SHARDS]);
        let told = run.until(|snapshot| count(snapshot, |counts| counts.operations) == 50 * SHARDS as u64);
        let told =
            if early > 0 { run.until(|snapshot| prefixes(snapshot).iter().all(|p| p.done == early)) } else { told };
        assert!(prefixes(&told).iter().all(|shard| shard.done == early), "{sync:?}: {:?}", prefixes(&told));
        run.task.allow(0, &[90; 4]);
        run.task.allow(1, &[90; 4]);
        let ended = run.finish();
        ended.expect_all_done(UNITS);
        assert!(prefixes(&ended.last).iter().all(|shard| shard.done == 90), "{sync:?}");
    }
}

#[test]
fn a_mixed_task_on_an_object_that_is_gone_fails_and_makes_none() {
    let target = Folder::new();
    let story = Story::on_files(&target, SyncPolicy::Range);
    std::fs::remove_file(story.plan.file(1)).unwrap();
    let own = OwnShard { limit: 10, operations: 10, ..OwnShard::default() };
    let outcome = story.run(Operation::Mixed, CELL, Some(pattern(0, Order::Uniform, CELL)), &[own; SHARDS]).finish();
    let failed: Vec<_> = outcome.last.ranges.iter().filter_map(|range| range.failed.as_ref()).collect();
    assert_eq!(failed.iter().map(|error| error.code).collect::<Vec<_>>(), [Code::ObjectMissing]);
    assert!(!story.plan.file(1).exists());
}
