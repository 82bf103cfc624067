//! Lanes that exchange bytes allocate nothing: not for a block, not for a turn.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use seedstorm_engine::clock::now_ns;
use seedstorm_engine::engine::{Engine, EngineOptions};
use seedstorm_engine::network::{ListenOn, Network, NetworkSpec, Target};
use seedstorm_engine::topology::{Topology, TopologySource};

/// The system's allocator, which counts how often it is asked.
struct Counting;

static ASKED: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.fetch_add(1, Relaxed);
        // SAFETY: the caller keeps the promises of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the promises of `GlobalAlloc::dealloc`, and `alloc` gave the system's memory.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn blocks_are_sent_and_received_without_an_allocation() {
    let topology = Arc::new(Topology::load(&TopologySource::Synthetic("numa:1 core:1 pu:1".into())).unwrap());
    let spec = NetworkSpec {
        block_bytes: 64 << 10,
        streams: 2,
        lanes: None,
        duration_ns: 600_000_000,
        token: [1; 32],
        listen: ListenOn::Address([127, 0, 0, 1].into()),
    };
    let engines = [0; 2].map(|_| {
        let options = EngineOptions { buffer_bytes: 4096, pin: false, ..EngineOptions::on(Arc::clone(&topology)) };
        Arc::new(Engine::new(options).unwrap())
    });
    let (tell, ended) = channel();
    let [a, b] = engines.each_ref().map(|engine| {
        let tell = tell.clone();
        Network::listen(engine, spec.clone(), Box::new(move |outcome| tell.send(outcome).unwrap())).unwrap()
    });
    assert_eq!(a.connect(0, &[Target { peer: 1, address: b.address().to_string() }]).unwrap(), []);
    assert_eq!(b.connect(1, &[Target { peer: 0, address: a.address().to_string() }]).unwrap(), []);
    let at_ns = now_ns();
    a.begin_at(at_ns);
    b.begin_at(at_ns);
    let sent = || a.snapshot().pools[0].counts.operations;
    // Until both are at it.
    let is_at_it = |network: &Network| {
        let counts = network.snapshot().pools[0].counts;
        counts.operations > 0 && counts.received_bytes > 0
    };
    while !is_at_it(&a) || !is_at_it(&b) {
        thread::yield_now();
    }
    let before = sent();
    let asked = ASKED.load(Relaxed);
    thread::sleep(Duration::from_millis(200));
    assert_eq!(ASKED.load(Relaxed), asked);
    assert!(sent() > before, "blocks were sent meanwhile");
    for _ in 0..2 {
        ended.recv().unwrap().unwrap();
    }
}
