//! What was sent and received so far, copied out for the control plane: counters merged per pool as those of tasks are,
//! and what each peer got and gave. Never waits for a lane.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use super::shared::{Shared, lock};
use crate::pool_counters::PoolCounters;

/// How far the traffic has come. Counters are cumulative; histograms are what is new since the snapshot before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkSnapshot {
    /// When the first block was begun or byte received, by CLOCK_MONOTONIC in ns; 0: none yet.
    pub started_ns: u64,
    /// When the last bytes were taken by the system or received, by CLOCK_MONOTONIC in ns; 0: none yet.
    pub last_done_ns: u64,
    /// What each pool did; pools of which no lane takes part have 0 lanes. `operations` and `bytes` are what was sent.
    /// `latency` is of each block sent: from when the system had taken the one before it on that connection until it had
    /// taken this one.
    pub pools: Vec<PoolCounters>,
    /// What was exchanged with each peer, by rising number.
    pub peers: Vec<PeerTraffic>,
    /// Connections that did not know the token, or broke off before it was told.
    pub strangers: u64,
}

/// What was exchanged with one peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerTraffic {
    /// The peer's number.
    pub peer: u32,
    /// Bytes that the system took to send to it.
    pub sent_bytes: u64,
    /// Bytes that came from it.
    pub received_bytes: u64,
    /// Connections that broke before their time.
    pub broken: u64,
    /// Why the first of them did.
    pub why: Option<String>,
}

impl Shared {
    pub(super) fn snapshot(&self) -> NetworkSnapshot {
        // Held throughout: each difference is given to one caller.
        let mut given = lock(&self.given);
        let lanes: Vec<_> = self
            .seats
            .iter()
            .map(|seat| (seat.pool, seat.cell.get().map(|cell| (&**cell, cell.counters.read()))))
            .collect();
        let pools = given.next(&self.pools, &lanes);
        let cells = || self.seats.iter().filter_map(|seat| seat.cell.get());
        let started = cells().map(|cell| cell.started_ns.get()).filter(|instant_ns| *instant_ns > 0);
        NetworkSnapshot {
            started_ns: started.min().unwrap_or(0),
            last_done_ns: cells().map(|cell| cell.last_done_ns.get()).max().unwrap_or(0),
            pools,
            peers: self.peers(),
            strangers: self.strangers.load(Ordering::Relaxed),
        }
    }

    fn peers(&self) -> Vec<PeerTraffic> {
        let mut peers = BTreeMap::<u32, PeerTraffic>::new();
        for link in lock(&self.links).iter() {
            let peer = peers.entry(link.peer).or_insert_with(|| PeerTraffic { peer: link.peer, ..Default::default() });
            *if link.sends { &mut peer.sent_bytes } else { &mut peer.received_bytes } += link.bytes.get();
            if let Some(why) = link.broken.get() {
                peer.broken += 1;
                peer.why.get_or_insert_with(|| why.clone());
            }
        }
        peers.into_values().collect()
    }
}
