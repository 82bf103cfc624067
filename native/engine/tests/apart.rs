//! The process's affinity, which all of its engines share: the only test of its process.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use seedstorm_engine::cpuset;
use seedstorm_engine::engine::{Engine, EngineOptions};
use seedstorm_engine::placement::PlacementOptions;
use seedstorm_engine::topology::{Topology, TopologySource};

#[test]
fn other_threads_keep_off_the_lanes_and_come_back_when_these_end() {
    let topology = || Arc::new(Topology::load(&TopologySource::ThisMachine).unwrap());
    let before = topology().allowed.pus.clone();
    let (asks, questions) = channel::<()>();
    let (answers, answer) = channel();
    let other = thread::spawn(move || {
        for () in questions {
            answers.send(cpuset::allowed_to_thread().unwrap()).unwrap();
        }
    });
    let confined = || {
        asks.send(()).unwrap();
        answer.recv().unwrap()
    };
    let engine = |max_lanes| {
        let placement = PlacementOptions { max_lanes, ..PlacementOptions::default() };
        Engine::new(EngineOptions { placement, ..EngineOptions::on(topology()) }).unwrap()
    };

    let few = engine(Some(1));
    let placed = few.placement().pools[0].lanes[0].clone();
    let taken = &few.topology().cores[placed.core].pus;
    let left: Vec<u32> = before.iter().copied().filter(|pu| !taken.contains(pu)).collect();
    // With one core there is no room: everybody stays where they were.
    let expected = if left.is_empty() { before.clone() } else { left };
    assert_eq!(confined(), expected);
    assert_eq!(cpuset::allowed_to_thread().unwrap(), expected, "a thread that starts others hands its mask on");
    assert_eq!(topology().allowed.pus, before, "the next engine still sees the whole machine");

    let all = engine(None);
    assert_eq!(confined(), before, "no core is left without a lane");
    all.close().unwrap();
    assert_eq!(confined(), expected);
    few.close().unwrap();
    assert_eq!(confined(), before);
    drop(asks);
    other.join().unwrap();
}
