//! Traffic between engines of one process, over loopback, as agents on several hosts have it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use seedstorm_engine::clock::now_ns;
use seedstorm_engine::engine::{Engine, EngineOptions};
use seedstorm_engine::error::{Code, Result};
use seedstorm_engine::network::{ListenOn, Network, NetworkSnapshot, NetworkSpec, Target};
use seedstorm_engine::topology::{Topology, TopologySource};

const MS: u64 = 1_000_000;

fn engine(lanes: usize) -> Arc<Engine> {
    let topology = Topology::load(&TopologySource::Synthetic(format!("numa:1 core:{lanes} pu:1"))).unwrap();
    let options = EngineOptions { buffer_bytes: 4096, pin: false, ..EngineOptions::on(Arc::new(topology)) };
    Arc::new(Engine::new(options).unwrap())
}

fn spec(duration_ms: u64) -> NetworkSpec {
    NetworkSpec {
        block_bytes: 64 << 10,
        streams: 1,
        lanes: None,
        duration_ns: duration_ms * MS,
        token: [7; 32],
        listen: ListenOn::Address([127, 0, 0, 1].into()),
    }
}

struct Peer {
    network: Network,
    ended: Receiver<Result<()>>,
    _engine: Arc<Engine>,
}

impl Peer {
    fn listen(lanes: usize, spec: NetworkSpec) -> Self {
        let (engine, (tell, ended)) = (engine(lanes), channel());
        let network = Network::listen(&engine, spec, Box::new(move |outcome| tell.send(outcome).unwrap())).unwrap();
        Self { network, ended, _engine: engine }
    }

    fn end(&self) -> Result<()> {
        self.ended.recv_timeout(Duration::from_secs(30)).unwrap()
    }
}

/// Connects each to those that it is to send to, and starts all together.
fn begin(peers: &[Peer], sends_to: &[&[usize]]) {
    for (own, targets) in sends_to.iter().enumerate() {
        let target = |peer: &usize| Target { peer: *peer as u32, address: peers[*peer].network.address().to_string() };
        let targets: Vec<_> = targets.iter().map(target).collect();
        assert_eq!(peers[own].network.connect(own as u32, &targets).unwrap(), []);
    }
    let at_ns = now_ns() + 20 * MS;
    peers.iter().for_each(|peer| peer.network.begin_at(at_ns));
}

fn received(snapshot: &NetworkSnapshot) -> u64 {
    snapshot.pools.iter().map(|pool| pool.counts.received_bytes).sum()
}

fn sent(snapshot: &NetworkSnapshot) -> u64 {
    snapshot.pools.iter().map(|pool| pool.counts.bytes).sum()
}

#[test]
fn whatever_is_sent_is_received_and_told_by_peer_and_lasts_as_long_as_was_asked() {
    for (lanes, streams) in [(1, 1), (2, 3)] {
        let spec = NetworkSpec { streams, ..spec(300) };
        let peers = [Peer::listen(lanes, spec.clone()), Peer::listen(lanes, spec.clone()), Peer::listen(lanes, spec)];
        begin(&peers, &[&[1, 2], &[0, 2], &[0, 1]]);
        peers.iter().for_each(|peer| peer.end().unwrap());
        let told: Vec<_> = peers.iter().map(|peer| peer.network.snapshot()).collect();
        assert_eq!(told.iter().map(sent).sum::<u64>(), told.iter().map(received).sum::<u64>());
        for (own, snapshot) in told.iter().enumerate() {
            assert_eq!(snapshot.peers.len(), 2);
            for peer in &snapshot.peers {
                let other = told[peer.peer as usize].peers.iter().find(|other| other.peer as usize == own).unwrap();
                assert!(peer.sent_bytes > 0);
                assert_eq!((peer.sent_bytes, peer.broken), (other.received_bytes, 0));
            }
            let [pool] = &snapshot.pools[..] else { panic!("{snapshot:?}") };
            assert_eq!((pool.lanes, pool.counts.errors), (lanes, 0));
            assert_eq!(pool.timed(), pool.counts.operations);
            assert!(pool.counts.operations > 0 && pool.counts.bytes >= pool.counts.operations * (64 << 10));
            let took_ms = (snapshot.last_done_ns - snapshot.started_ns) / MS;
            assert!((250..2000).contains(&took_ms), "{took_ms}");
        }
    }
}

#[test]
fn in_one_direction_one_sends_and_the_other_only_receives() {
    let peers = [Peer::listen(2, spec(100)), Peer::listen(1, spec(100))];
    begin(&peers, &[&[1], &[]]);
    peers.iter().for_each(|peer| peer.end().unwrap());
    let [from, to] = peers.map(|peer| peer.network.snapshot());
    assert_eq!((received(&from), sent(&to)), (0, 0));
    assert!(sent(&from) > 0);
    assert_eq!(sent(&from), received(&to));
}

#[test]
fn a_stranger_is_dropped_and_counted_and_does_not_disturb() {
    let peers = [Peer::listen(1, spec(300)), Peer::listen(1, spec(300))];
    let address = peers[0].network.address();
    let mut wrong = TcpStream::connect(address).unwrap();
    wrong.write_all(&[8; 36]).unwrap();
    assert_eq!(wrong.read(&mut [0; 1]).unwrap_or(0), 0, "a stranger is told nothing");
    // One that says nothing does not keep the others out, and one that breaks off in the middle is none of us either.
    let silent = TcpStream::connect(address).unwrap();
    let mut half = TcpStream::connect(address).unwrap();
    half.write_all(&[7; 10]).unwrap();
    drop(half);
    begin(&peers, &[&[1], &[0]]);
    peers.iter().for_each(|peer| peer.end().unwrap());
    let [a, b] = [0, 1].map(|at: usize| peers[at].network.snapshot());
    assert_eq!((a.strangers, b.strangers), (2, 0));
    assert_eq!(sent(&a) + sent(&b), received(&a) + received(&b));
    drop(silent);
}

#[test]
fn a_peer_that_vanishes_is_counted_and_named_and_the_rest_goes_on_to_the_end() {
    let peers = [Peer::listen(1, spec(600)), Peer::listen(1, spec(600)), Peer::listen(1, spec(600))];
    begin(&peers, &[&[1, 2], &[0, 2], &[0, 1]]);
    while peers.iter().any(|peer| received(&peer.network.snapshot()) == 0) {
        std::thread::yield_now();
    }
    peers[2].network.cancel();
    assert_eq!(peers[2].end().unwrap_err().code, Code::Cancelled);
    let before = peers[0].network.snapshot();
    for peer in &peers[..2] {
        peer.end().unwrap();
        let told = peer.network.snapshot();
        let broken: Vec<_> = told.peers.iter().filter(|peer| peer.broken > 0).collect();
        assert_eq!(broken.iter().map(|peer| peer.peer).collect::<Vec<_>>(), [2]);
        assert!(broken[0].why.is_some());
        assert_eq!(told.pools[0].counts.errors, broken[0].broken);
    }
    assert!(received(&peers[0].network.snapshot()) > received(&before));
}

#[test]
fn a_peer_that_falls_silent_without_a_word_does_not_hang_the_others() {
    let peer = Peer::listen(1, spec(50));
    let mut mute = TcpStream::connect(peer.network.address()).unwrap();
    mute.write_all(&[[7; 32].as_slice(), &1u32.to_le_bytes()].concat()).unwrap();
    mute.read_exact(&mut [0; 1]).unwrap();
    peer.network.begin_at(now_ns());
    peer.end().unwrap();
    let told = peer.network.snapshot();
    assert_eq!(told.peers.iter().map(|peer| (peer.peer, peer.broken)).collect::<Vec<_>>(), [(1, 1)]);
    assert!(told.peers[0].why.as_ref().unwrap().contains("after the end"));
}

#[test]
fn who_cannot_be_reached_is_named_with_the_reason() {
    let peer = Peer::listen(1, spec(50));
    let gone = Peer::listen(1, spec(50)).network.address();
    let other = Peer::listen(1, NetworkSpec { token: [9; 32], ..spec(50) });
    let target = |peer, address: String| Target { peer, address };
    let targets = [
        target(1, gone.to_string()),
        target(2, other.network.address().to_string()),
        target(3, "no-such-host.invalid:1".into()),
    ];
    let unreached = peer.network.connect(0, &targets).unwrap();
    let why = |number| &unreached.iter().find(|missed| missed.peer == number).unwrap().why;
    assert_eq!(unreached.len(), 3);
    assert!(why(1).contains("refused"), "{}", why(1));
    assert!(why(2).contains("refused us"), "{}", why(2));
    assert!(why(3).contains("not known"), "{}", why(3));
    assert_eq!(other.network.snapshot().strangers, 1);
}

#[test]
fn closing_the_engine_ends_traffic_of_a_day_at_once_and_before_the_start_too() {
    for starts in [false, true] {
        let peers = [Peer::listen(2, spec(86_400_000)), Peer::listen(2, spec(86_400_000))];
        if starts {
            begin(&peers, &[&[1], &[0]]);
        }
        for peer in &peers {
            peer._engine.close().unwrap();
            assert_eq!(peer.end().unwrap_err().code, Code::EngineClosed);
        }
    }
}

#[test]
fn a_host_without_peers_ends_at_once_and_what_cannot_be_is_refused() {
    let peer = Peer::listen(1, spec(60_000));
    peer.network.begin_at(now_ns());
    peer.end().unwrap();
    let engine = engine(1);
    let mut cases = vec![
        NetworkSpec { block_bytes: 0, ..spec(1) },
        NetworkSpec { block_bytes: 1 << 40, ..spec(1) },
        NetworkSpec { streams: 0, ..spec(1) },
        spec(0),
        spec(86_400_001),
    ];
    cases.push(NetworkSpec { listen: ListenOn::Address([192, 0, 2, 1].into()), ..spec(1) });
    for spec in cases {
        let refused = Network::listen(&engine, spec, Box::new(|_| unreachable!())).err().unwrap();
        assert_eq!(refused.code, Code::InvalidArgument, "{refused}");
    }
    let refused = Network::listen(
        &engine,
        NetworkSpec { listen: ListenOn::WayTo("no-such-host.invalid:1".into()), ..spec(1) },
        Box::new(|_| unreachable!()),
    );
    assert_eq!(refused.err().unwrap().code, Code::Network);
    let towards = Peer::listen(1, NetworkSpec { listen: ListenOn::WayTo("127.0.0.1:9".into()), ..spec(1) });
    assert!(towards.network.address().ip().is_loopback());
}
