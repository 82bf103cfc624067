//! The loop of one lane: sends where there is room, receives what has come, until the time is over and what was on its way
//! has arrived. Between two blocks it allocates nothing and takes no lock. Must never know who the peers are.

use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown};

use super::shared::{Connection, Shared};
use super::system_error;
use crate::classes::{Class, OperationKind};
use crate::clock::{now_ns, timespec};
use crate::counters::LaneCell;
use crate::error::Result;
use crate::sink::os_error::text;

const EVENTS: usize = 256;
const LEAVE: u64 = u64::MAX;
/// How long before the end a peer may close what it sends on, by the difference of two clocks, without having vanished.
const EARLY_NS: u64 = 100_000_000;
/// After the end: how long nothing may come from a peer that has not closed before it counts as vanished.
const QUIET_NS: u64 = 3_000_000_000;
/// After the end: how long a lane goes on receiving, whatever comes.
const DRAIN_NS: u64 = 10_000_000_000;
/// After the end: how often a lane looks whether peers are quiet.
const LOOK_NS: u64 = 50_000_000;

/// A connection of this lane.
struct Open {
    connection: Connection,
    /// Where in its block a sender is.
    at: usize,
    /// When the block before was sent; for a receiver, when the last bytes came.
    since_ns: u64,
}

pub(super) struct Traffic<'a> {
    shared: &'a Shared,
    cell: &'a LaneCell,
    epoll: OwnedFd,
    connections: Vec<Option<Open>>,
    /// Connections that are still open.
    open: usize,
    end_ns: u64,
}

impl<'a> Traffic<'a> {
    pub(super) fn new(shared: &'a Shared, cell: &'a LaneCell, connections: Vec<Connection>) -> Result<Self> {
        let refused = |errno| system_error("watch connections", errno);
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(refused)?;
        epoll::add(&epoll, &shared.leave, epoll::EventData::new_u64(LEAVE), epoll::EventFlags::IN).map_err(refused)?;
        let since_ns = now_ns();
        for (at, Connection { socket, link }) in connections.iter().enumerate() {
            // Nagle would hold back the end of each block.
            rustix::net::sockopt::set_tcp_nodelay(socket, true).map_err(refused)?;
            let wanted = if link.sends { epoll::EventFlags::OUT } else { epoll::EventFlags::IN };
            epoll::add(&epoll, socket, epoll::EventData::new_u64(at as u64), wanted).map_err(refused)?;
        }
        let open = connections.len();
        let connections =
            connections.into_iter().map(|connection| Some(Open { connection, at: 0, since_ns })).collect();
        Ok(Self { shared, cell, epoll, connections, open, end_ns: shared.end_ns() })
    }

    /// Sends `block` over and over, and receives into `into`.
    pub(super) fn run(&mut self, block: &[u8], into: &mut [u8]) {
        let mut events = Vec::with_capacity(EVENTS);
        let mut sending = true;
        while self.open > 0 && !self.shared.is_cancelled() {
            let now_ns = now_ns();
            if now_ns >= self.end_ns {
                if std::mem::take(&mut sending) {
                    self.stop_sending();
                }
                self.leave_the_quiet(now_ns);
            }
            let wait_ns = if sending { self.end_ns - now_ns } else { LOOK_NS };
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&timespec(wait_ns))) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return self.shared.end_early(system_error("wait for connections", errno)),
            }
            for event in &events {
                let epoll::Event { data, .. } = *event;
                if data.u64() != LEAVE {
                    self.serve(data.u64() as usize, block, into);
                }
            }
        }
    }

    /// One turn of one connection: at most a block, so that the others have theirs.
    fn serve(&mut self, at: usize, block: &[u8], into: &mut [u8]) {
        let Some(open) = &mut self.connections[at] else { return };
        let (counters, socket) = (&self.cell.counters, &open.connection.socket);
        if self.cell.started_ns.get() == 0 {
            self.cell.started_ns.set(now_ns());
        }
        let sends = open.connection.link.sends;
        let moved = if sends {
            rustix::net::send(socket, &block[open.at..], SendFlags::NOSIGNAL)
        } else {
            rustix::net::recv(socket, &mut *into, RecvFlags::empty()).map(|(bytes, _)| bytes)
        };
        let bytes = match moved {
            Ok(0) => return self.closed(at),
            Ok(bytes) => bytes,
            Err(Errno::AGAIN | Errno::INTR) => return,
            Err(errno) => return self.broke(at, &text(errno)),
        };
        let now_ns = now_ns();
        open.connection.link.bytes.add(bytes as u64);
        self.cell.note_done(now_ns);
        if !sends {
            counters.received_bytes.add(bytes as u64);
            open.since_ns = now_ns;
            return;
        }
        counters.bytes.add(bytes as u64);
        open.at += bytes;
        if open.at == block.len() {
            open.at = 0;
            let block_ns = now_ns - open.since_ns;
            open.since_ns = now_ns;
            counters.operations.add(1);
            counters.io_ns.add(block_ns);
            let class = self.cell.classes.of(Class::of(OperationKind::Send, block.len() as u64));
            class.service.record(block_ns);
            class.operations.add(1);
            class.bytes.add(block.len() as u64);
        }
    }

    /// Closes what this lane sends on. What the system has taken it still brings to the peer, and then the end.
    fn stop_sending(&mut self) {
        for slot in &mut self.connections {
            if let Some(open) = slot.take_if(|open| open.connection.link.sends) {
                // The peer may be gone already.
                let _ = rustix::net::shutdown(&open.connection.socket, Shutdown::Write);
                self.open -= 1;
            }
        }
    }

    fn leave_the_quiet(&mut self, now_ns: u64) {
        let is_over = now_ns >= self.end_ns + DRAIN_NS;
        for at in 0..self.connections.len() {
            let quiet_since_ns = self.connections[at].as_ref().map(|open| open.since_ns.max(self.end_ns));
            if quiet_since_ns.is_some_and(|since_ns| is_over || now_ns >= since_ns + QUIET_NS) {
                self.broke(at, "it neither sent nor closed after the end");
            }
        }
    }

    /// The peer has closed what it sent on: at the end, or because it is no more.
    #[cold]
    fn closed(&mut self, at: usize) {
        if now_ns() + EARLY_NS < self.end_ns {
            return self.broke(at, "it closed before the end");
        }
        if self.connections[at].take().is_some() {
            self.open -= 1;
        }
    }

    #[cold]
    fn broke(&mut self, at: usize, why: &str) {
        let Some(open) = self.connections[at].take() else { return };
        self.open -= 1;
        self.cell.counters.errors.add(1);
        let _ = open.connection.link.broken.set(why.to_owned());
    }
}
