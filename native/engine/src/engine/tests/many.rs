//! As many lanes as the largest nodes have, on the topologies of such machines.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Barrier, Mutex};

use super::super::*;
use super::probe;
use crate::topology::TopologySource;

/// The machine's file, whether with its second hyper-threads, and how many lanes and pools that makes.
const MACHINES: [(&str, bool, usize, usize); 3] = [
    ("AMD-19h-Zen4-2xEpyc-9654.xml", false, 192, 2),
    ("AMD-19h-Zen4-2xEpyc-9654.xml", true, 384, 2),
    ("192em64t-12gr2n8c2t.xml", true, 384, 24),
];

fn engine(file: &str, smt: bool) -> Engine {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test/topologies").join(file);
    let topology = Arc::new(Topology::load(&TopologySource::XmlFile(path)).unwrap());
    let placement = PlacementOptions { smt, ..PlacementOptions::default() };
    Engine::new(EngineOptions { placement, buffer_bytes: 256 << 10, pin: false, ..EngineOptions::on(topology) })
        .unwrap()
}

#[test]
fn hundreds_of_lanes_take_part_in_one_job_all_at_once_and_in_the_next() {
    for (file, smt, lanes, pools) in MACHINES {
        let engine = engine(file, smt);
        assert_eq!((engine.lane_count(), engine.placement().pools.len()), (lanes, pools));
        for _ in 0..3 {
            // The barrier opens only when all lanes are inside at once.
            let (all, seen) = (Barrier::new(lanes), Arc::new(Mutex::new(BTreeSet::new())));
            let seen_by = Arc::clone(&seen);
            let (job, outcomes) = probe(move |lane| {
                all.wait();
                assert!(seen_by.lock().unwrap().insert(lane.index), "a lane was called twice");
            });
            engine.submit(job).unwrap();
            assert_eq!(outcomes.recv().unwrap(), Ok(()));
            assert_eq!(seen.lock().unwrap().len(), lanes);
        }
        engine.close().unwrap();
    }
}

#[test]
fn every_choice_of_lanes_is_called_once_and_nobody_else() {
    // From one lane to all, in steps that cut through the groups in which lanes are called.
    let engine = engine(MACHINES[0].0, true);
    for few in (1..=384).step_by(29).chain([16, 17, 384]) {
        let lanes = Lanes::of(engine.placement(), None, Some(few)).unwrap();
        let seen = Arc::new(Mutex::new(BTreeSet::new()));
        let seen_by = Arc::clone(&seen);
        let (job, outcomes) = probe(move |lane| assert!(seen_by.lock().unwrap().insert(lane.index)));
        engine.submit_to(lanes.clone(), job).unwrap();
        assert_eq!(outcomes.recv().unwrap(), Ok(()));
        let expected: BTreeSet<usize> = lanes.within(0..384).collect();
        assert_eq!((seen.lock().unwrap().clone(), expected.len()), (expected.clone(), few));
    }
}
