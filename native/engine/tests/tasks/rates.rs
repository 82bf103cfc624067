//! Tasks that keep a rate: how many operations there are, from when their response counts, and what interrupts the wait.

use seedstorm_engine::clock::now_ns;
use seedstorm_engine::error::Code;
use seedstorm_engine::io::IoEngine;
use seedstorm_engine::sink::{SinkSpec, SyncPolicy};
use seedstorm_engine::task::{Arrivals, Operation, Rate, RateOf, Share, TaskSnapshot};

use crate::support::{Folder, Plan, UNIT, engine, files, operations};

const MS: u64 = 1_000_000;

fn rate(of: RateOf) -> Option<Rate> {
    Some(Rate { of, arrivals: Arrivals::Constant, seed: 1 })
}

/// A share of the four lanes of the tests' engine.
fn share(of_all: f64) -> Share {
    Share { per_lane: of_all / 4.0, first_lane: 0, lanes: 4 }
}

fn responses(snapshot: &TaskSnapshot) -> u64 {
    let classes = snapshot.pools.iter().flat_map(|pool| &pool.classes);
    classes.filter_map(|of| of.response.as_ref()).map(|response| response.count()).sum()
}

/// How long, in ms, it took to do these units at a rate, and the last word on it.
fn took_ms(plan: &Plan, operation: Operation, of_all: f64) -> (u64, TaskSnapshot) {
    let run = plan.prepare(&engine(), operation).unwrap();
    run.task.share_rate(share(of_all));
    let start_ns = now_ns() + 5 * MS;
    run.task.begin_at(start_ns);
    run.add(1, 0..plan.layout.units());
    let outcome = run.finish();
    outcome.expect_all_done(plan.layout.units());
    ((outcome.last.last_paced_ns - start_ns) / MS, outcome.last)
}

#[test]
fn operations_keep_the_rate_on_every_way_to_the_storage_and_each_has_a_response_time() {
    let folder = Folder::new();
    let ways = [
        (SinkSpec::Null, IoEngine::Auto, 1),
        (files(folder.0.join("uring"), SyncPolicy::End), IoEngine::Auto, 4),
        (files(folder.0.join("threads"), SyncPolicy::End), IoEngine::Threads, 4),
        (files(folder.0.join("calls"), SyncPolicy::End), IoEngine::Threads, 1),
    ];
    for (sink, io, depth) in ways {
        let plan = Plan { io, depth, rate: rate(RateOf::Operations), ..Plan::new(400, 400, sink) };
        let (took, last) = took_ms(&plan, Operation::Write, 2000.0);
        // 400 operations, the first at once: the last one's instant is 199.5 ms after the start.
        // Never sooner; later only by what a busy machine adds.
        assert!((199..1000).contains(&took), "{io} {depth}: {took} ms");
        assert_eq!((operations(&last), responses(&last)), (400, 400));
    }
}

#[test]
fn a_rate_in_bytes_gives_large_blocks_longer_intervals() {
    for block in [UNIT / 4, UNIT] {
        let plan = Plan { block, rate: rate(RateOf::Bytes), ..Plan::new(100, 100, SinkSpec::Null) };
        let (took, _) = took_ms(&plan, Operation::Generate, 500.0 * UNIT as f64);
        assert!((190..1000).contains(&took), "blocks of {block}: {took} ms");
    }
}

#[test]
fn a_storage_that_is_slower_than_the_rate_shows_it_in_the_response_and_not_in_the_service() {
    // What cannot be kept up with: a billion operations a second.
    let plan = Plan { rate: rate(RateOf::Operations), ..Plan::new(2000, 2000, SinkSpec::Null) };
    let (_, last) = took_ms(&plan, Operation::Write, 1e9);
    let classes: Vec<_> = last.pools.iter().flat_map(|pool| &pool.classes).collect();
    let service_ns = classes.iter().map(|of| of.service.max_ns).max().unwrap();
    let response_ns = classes.iter().filter_map(|of| of.response.as_ref()).map(|of| of.max_ns).max().unwrap();
    assert!(response_ns > service_ns && last.late_ns > 0, "{service_ns} {response_ns} {}", last.late_ns);
    assert!(response_ns >= last.late_ns);
}

#[test]
fn a_share_that_changes_is_kept_from_then_on_and_cuts_a_wait_short() {
    let plan = Plan { rate: rate(RateOf::Operations), ..Plan::new(1000, 1000, SinkSpec::Null) };
    let run = plan.prepare(&engine(), Operation::Write).unwrap();
    run.task.share_rate(share(0.001));
    run.task.begin_at(0);
    run.add(1, 0..1000);
    run.until(|snapshot| operations(snapshot) == 1);
    let from_ns = now_ns();
    run.task.share_rate(share(10_000.0));
    let outcome = run.finish();
    outcome.expect_all_done(1000);
    let took_ms = (outcome.last.last_paced_ns - from_ns) / MS;
    assert!((95..1000).contains(&took_ms), "{took_ms} ms");
}

#[test]
fn lanes_that_wait_for_their_instant_can_be_called_off_fenced_and_stopped_by_the_deadline() {
    let folder = Folder::new();
    for sink in [SinkSpec::Null, files(folder.run(), SyncPolicy::End)] {
        let plan = Plan { rate: rate(RateOf::Operations), ..Plan::new(1000, 1000, sink) };
        let run = plan.prepare(&engine(), Operation::Write).unwrap();
        run.task.share_rate(share(4.0));
        run.task.begin_at(0);
        run.add(1, 0..500);
        run.add(2, 500..1000);
        run.until(|snapshot| operations(snapshot) > 0);
        run.task.fence_range(1);
        run.until(|snapshot| snapshot.ranges.iter().all(|range| range.id != 1 || range.drained));
        run.task.set_deadline(now_ns());
        run.task.cancel();
        assert_eq!(run.ended().result.unwrap_err().code, Code::Cancelled);
    }
}

#[test]
fn without_a_share_nothing_begins() {
    let plan = Plan { rate: rate(RateOf::Operations), ..Plan::new(10, 10, SinkSpec::Null) };
    let run = plan.prepare(&engine(), Operation::Write).unwrap();
    run.task.begin_at(0);
    run.add(1, 0..10);
    let until_ns = now_ns() + 30 * MS;
    run.until(|snapshot| {
        assert_eq!(operations(snapshot), 0);
        now_ns() > until_ns
    });
    run.task.share_rate(share(1e6));
    run.finish().expect_all_done(10);
}
