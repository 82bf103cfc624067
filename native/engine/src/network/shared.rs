//! What the lanes, the door and the handle of one exchange share. Must never do I/O.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::doorbell::Doorbell;
use super::{MAX_CONNECTIONS, NetworkSpec};
use crate::counters::{Counter, LaneCell};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::lanes::Lanes;
use crate::notes::Notes;
use crate::pool_counters::Given;
use crate::task::start::Start;

/// Called once with how the traffic ended.
pub type Ended = Box<dyn FnOnce(Result<()>) + Send>;

/// What is counted of one connection: written by the lane that has it, on a cache line of its own.
#[repr(align(64))]
pub(super) struct Link {
    /// The other side's number.
    pub(super) peer: u32,
    /// Whether we send on it; else we receive.
    pub(super) sends: bool,
    pub(super) bytes: Counter,
    /// Why it broke before its time.
    pub(super) broken: OnceLock<String>,
}

/// A connection that greeted and was welcomed.
pub(super) struct Connection {
    pub(super) socket: OwnedFd,
    pub(super) link: Arc<Link>,
}

/// A lane that takes part.
pub(super) struct Seat {
    /// The lane's number in the engine.
    pub(super) lane: usize,
    /// Its pool's number in the placement.
    pub(super) pool: usize,
    /// Its counters, once it has arrived.
    pub(super) cell: OnceLock<Box<LaneCell>>,
    /// The connections that are its; `None` once it has taken them.
    inbox: Mutex<Option<Vec<Connection>>>,
}

impl Seat {
    /// Takes the connections; later ones are refused.
    pub(super) fn take(&self) -> Vec<Connection> {
        lock(&self.inbox).take().unwrap_or_default()
    }
}

/// See the module.
pub(super) struct Shared {
    pub(super) spec: NetworkSpec,
    pub(super) seats: Vec<Seat>,
    /// OS index of each pool's NUMA node.
    pub(super) pools: Vec<u32>,
    pub(super) start: Start,
    /// Rung when lanes are to leave at once.
    pub(super) leave: Doorbell,
    /// Rung when the door is to be closed.
    pub(super) close: Doorbell,
    /// Connections from somebody who did not know the token, or broke off before it was told.
    pub(super) strangers: AtomicU64,
    pub(super) given: Mutex<Given>,
    pub(super) links: Mutex<Vec<Arc<Link>>>,
    /// When sending ends, by CLOCK_MONOTONIC in ns.
    end_ns: AtomicU64,
    cancelled: AtomicBool,
    /// Turns of dealing connections to lanes: those that we send on, and those that we receive on.
    turns: [AtomicUsize; 2],
    failure: Mutex<Option<Error>>,
    ended: Mutex<Option<Ended>>,
    of_engine: Arc<Notes>,
}

impl Shared {
    pub(super) fn new(spec: NetworkSpec, engine: &Engine, lanes: &Lanes, ended: Ended) -> Result<Self> {
        let placement = engine.placement();
        let pools = placement.pools.iter().enumerate();
        let pool_of: Vec<usize> = pools.flat_map(|(at, pool)| std::iter::repeat_n(at, pool.lanes.len())).collect();
        let seat = |lane: usize| Seat {
            lane,
            pool: pool_of[lane],
            cell: OnceLock::new(),
            inbox: Mutex::new(Some(Vec::new())),
        };
        Ok(Self {
            seats: lanes.within(0..pool_of.len()).map(seat).collect(),
            pools: placement.pools.iter().map(|pool| pool.numa_node).collect(),
            start: Start::default(),
            leave: Doorbell::new()?,
            close: Doorbell::new()?,
            strangers: AtomicU64::new(0),
            given: Mutex::new(Given::new(placement.pools.len())),
            links: Mutex::default(),
            end_ns: AtomicU64::new(u64::MAX),
            cancelled: AtomicBool::new(false),
            turns: Default::default(),
            failure: Mutex::new(None),
            ended: Mutex::new(Some(ended)),
            of_engine: Arc::clone(&engine.notes),
            spec,
        })
    }

    pub(super) fn notes(&self) -> Vec<String> {
        self.of_engine.all()
    }

    pub(super) fn begin_at(&self, monotonic_ns: u64) {
        // Before the start, for lanes read it when they are let go.
        self.end_ns.store(monotonic_ns.saturating_add(self.spec.duration_ns), Ordering::Release);
        self.start.set(monotonic_ns);
    }

    pub(super) fn end_ns(&self) -> u64 {
        self.end_ns.load(Ordering::Acquire)
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Ends the traffic early; the first reason counts.
    pub(super) fn end_early(&self, reason: Error) {
        lock(&self.failure).get_or_insert(reason);
        self.cancelled.store(true, Ordering::Release);
        self.start.call_off();
        self.leave.ring();
    }

    /// Gives a connection to a lane, the next in turn, when `last` has gone well. `false`: the lanes take no more.
    pub(super) fn deal(&self, socket: OwnedFd, peer: u32, sends: bool, last: impl FnOnce(&OwnedFd) -> bool) -> bool {
        let turn = self.turns[usize::from(sends)].fetch_add(1, Ordering::Relaxed);
        if turn >= MAX_CONNECTIONS {
            return false;
        }
        let mut inbox = lock(&self.seats[turn % self.seats.len()].inbox);
        let Some(inbox) = inbox.as_mut().filter(|_| last(&socket)) else { return false };
        let link = Arc::new(Link { peer, sends, bytes: Counter::default(), broken: OnceLock::new() });
        lock(&self.links).push(Arc::clone(&link));
        inbox.push(Connection { socket, link });
        true
    }

    pub(super) fn close_door(&self) {
        self.close.ring();
    }

    /// Lets go of everything and tells how it ended.
    pub(super) fn end(&self, outcome: Result<()>) {
        self.close_door();
        for seat in &self.seats {
            drop(seat.take());
        }
        let outcome = outcome.and_then(|()| lock(&self.failure).clone().map_or(Ok(()), Err));
        let ended = lock(&self.ended).take();
        if let Some(ended) = ended {
            ended(outcome);
        }
    }
}

/// No code under these locks panics; if it did, what they guard would still be whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
