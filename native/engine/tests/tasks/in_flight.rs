//! What could go wrong because several blocks of a lane are in flight while it makes others: hangs, work that is taken for
//! durable, and depths that nobody had.

use std::time::{Duration, Instant};

use seedstorm_engine::clock::now_ns;
use seedstorm_engine::error::Code;
use seedstorm_engine::io::IoEngine;
use seedstorm_engine::sink::{Direct, FileOptions, SinkSpec, SyncPolicy};
use seedstorm_engine::task::Operation;

use crate::support::{Folder, Plan, UNIT, count, engine, files};

#[test]
fn a_deadline_or_a_fence_among_the_first_blocks_does_not_hang_a_lane_whose_answers_all_came_already() {
    for io in [IoEngine::Auto, IoEngine::Aio, IoEngine::Threads] {
        for (nth, fenced) in [(1, false), (2, true), (3, false), (4, true), (5, false), (6, true)] {
            let target = Folder::new();
            let sink = SinkSpec::File {
                folders: vec![target.run()],
                direct: Direct::No,
                sync: SyncPolicy::Never,
                options: FileOptions::default(),
            };
            let mut plan = Plan::new(16_384, 16_384, sink);
            // Two pieces: between them the lane looks for answers.
            plan.block = 32 * UNIT;
            (plan.depth, plan.io, plan.lanes) = (32, io, Some(1));
            let run = plan.prepare(&engine(), Operation::Write).unwrap();
            run.add(1, 0..2048);
            run.until(|snapshot| snapshot.lanes_ready == 1);
            let early_ns = now_ns() + nth * 500_000;
            if !fenced {
                run.task.set_deadline(early_ns);
            }
            run.task.begin_at(0);
            while now_ns() < early_ns {
                std::hint::spin_loop();
            }
            if fenced {
                run.task.fence_range(1);
            } else {
                std::thread::sleep(Duration::from_millis(20));
                run.task.set_deadline(u64::MAX);
            }
            let ended = run.finish();
            assert_eq!(ended.result, Ok(()));
            assert!(fenced || ended.last.ranges.iter().all(|range| range.complete));
        }
    }
}

#[test]
fn a_task_that_is_cancelled_as_a_file_is_written_to_its_end_does_not_hang() {
    for depth in [1, 8].repeat(4) {
        let target = Folder::new();
        let mut plan = Plan::new(100_000, 1, files(target.run(), SyncPolicy::File));
        plan.depth = depth;
        let run = plan.prepare(&engine(), Operation::Write).unwrap();
        run.task.begin_at(0);
        run.add(1, 0..100_000);
        run.until(|snapshot| count(snapshot, |counts| counts.operations) > 50);
        run.task.cancel();
        assert_eq!(run.ended().result.unwrap_err().code, Code::Cancelled);
    }
}

#[test]
fn a_range_that_is_fenced_as_its_last_block_comes_back_is_durable_only_if_it_was_synced() {
    let target = Folder::new();
    let mut plan = Plan::new(1 << 16, 64, files(target.run(), SyncPolicy::Range));
    (plan.block, plan.lanes, plan.depth) = (64 * UNIT, Some(1), 2);
    let run = plan.prepare(&engine(), Operation::Write).unwrap();
    run.task.begin_at(0);
    let mut durable = 0;
    for id in 0..400 {
        run.add(id, id * 64..(id + 1) * 64);
        let start = Instant::now();
        while start.elapsed() < Duration::from_micros(200 + 5 * id) {
            std::hint::spin_loop();
        }
        run.task.fence_range(id);
        let told = run.until(|snapshot| snapshot.ranges.iter().any(|range| range.drained || range.complete));
        durable += told.ranges.iter().filter(|range| !range.done.is_empty()).count() as u64;
    }
    let last = run.finish().last;
    assert_eq!(durable, count(&last, |counts| counts.syncs), "ranges told as durable, and syncs");
}

#[test]
fn blocks_that_came_back_already_are_not_told_as_in_flight() {
    // AIO of buffered files does the I/O in the submission: never is more than one in flight, and no answer waits for
    // longer than it takes to make a few blocks.
    for (block, most) in [(64 * UNIT, 1), (8 * UNIT, 2)] {
        let target = Folder::new();
        let sink = SinkSpec::File {
            folders: vec![target.run()],
            direct: Direct::No,
            sync: SyncPolicy::Never,
            options: FileOptions::default(),
        };
        let mut plan = Plan::new(4096, 4096, sink);
        (plan.block, plan.depth, plan.io, plan.lanes) = (block, 16, IoEngine::Aio, Some(1));
        let run = plan.prepare(&engine(), Operation::Write).unwrap();
        run.add(1, 0..4096);
        run.task.begin_at(0);
        let last = run.finish().last;
        let greatest = last.pools.iter().map(|pool| pool.greatest_in_flight).max();
        assert!(greatest <= Some(most), "{greatest:?} blocks of {block} bytes");
    }
}
