//! What the network alone carries: the lanes of several engines send to each other and receive, over plain TCP, with the
//! pinning and the buffers that they have for storage. Must never know of agents, runs or stages: peers are numbers.
//!
//! A lane drives its sending and its receiving connections by one epoll, so that none is idle while another has too much,
//! and one lane is enough. Every block that a lane sends is the same one of its buffer, made once and incompressible: what
//! is measured is the network, not the making of bytes.

mod dial;
mod door;
mod doorbell;
mod greeting;
mod job;
mod shared;
mod snapshot;
mod traffic;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

pub use dial::Unreached;
pub use greeting::TOKEN_BYTES;
pub use shared::Ended;
pub use snapshot::{NetworkSnapshot, PeerTraffic};

use crate::engine::Engine;
use crate::error::{Code, Error, Result};
use crate::lane::Job;
use crate::lanes::Lanes;
use crate::sink::os_error::text;
use shared::Shared;

/// Peers that one engine may exchange with, itself included; their numbers are below it.
pub const MAX_PEERS: u32 = 4096;
/// Connections that one engine may have, in each direction.
pub const MAX_CONNECTIONS: usize = 16_384;
/// Bytes in a block, at most: a lane has two of them.
pub const MAX_BLOCK_BYTES: usize = 64 << 20;
/// How long sending lasts, at most: a day, in ns.
pub const MAX_DURATION_NS: u64 = 86_400_000_000_000;

/// What lanes send, for how long, and where peers find them.
#[derive(Clone, Debug)]
pub struct NetworkSpec {
    /// Bytes in a block.
    pub block_bytes: usize,
    /// Sending connections of each lane, at least; more where there are more peers.
    pub streams: usize,
    /// How many lanes take part; all when absent.
    pub lanes: Option<usize>,
    /// How long they send, from the common start, in ns.
    pub duration_ns: u64,
    /// What every connection shows before anything else: who does not know it is a stranger.
    pub token: [u8; TOKEN_BYTES],
    /// The address to listen on.
    pub listen: ListenOn,
}

/// The address to listen on; the port is the system's choice.
#[derive(Clone, Debug)]
pub enum ListenOn {
    /// This address of this host.
    Address(IpAddr),
    /// The address by which this host reaches `host:port`. Nothing is sent there to find out.
    WayTo(String),
}

/// Somebody to send to.
#[derive(Clone, Debug)]
pub struct Target {
    /// The peer's number.
    pub peer: u32,
    /// Where it listens, as `host:port`.
    pub address: String,
}

/// Traffic among this engine's lanes and their peers. All calls but [`Network::listen`] and [`Network::connect`] return at
/// once. Dropping it cancels it.
pub struct Network {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl Network {
    /// Listens for peers, and gives the job to the lanes, which wait for [`Network::begin_at`]. Looks names up, which may
    /// take its time.
    ///
    /// `ended` is called exactly once, on a lane (or on the thread that closes the engine), after the last lane has left:
    /// `Ok` when the time was over and what was on its way had arrived, also when peers vanished; else the reason.
    ///
    /// # Errors
    /// `InvalidArgument`; `Network` when it cannot listen there; those of [`Engine::submit_to`]; `OutOfMemory`,
    /// `NumaMemory` or `HugePages` when two blocks would not fit the lanes' memory.
    pub fn listen(engine: &Arc<Engine>, spec: NetworkSpec, ended: Ended) -> Result<Self> {
        spec.validate()?;
        let lanes = Lanes::of(engine.placement(), None, spec.lanes)?;
        engine.check_room(&lanes, 2 * spec.block_bytes)?;
        let (listener, address) = door::open(&spec.listen)?;
        let shared = Arc::new(Shared::new(spec, engine, &lanes, ended)?);
        door::keep(&shared, listener)?;
        if let Err(error) = engine.submit_to(lanes, Arc::clone(&shared) as Arc<dyn Job>) {
            shared.close_door();
            return Err(error);
        }
        Ok(Self { shared, address })
    }

    /// Where peers reach it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connects to those that this engine, as peer number `own`, is to send to: as many connections to each, and at least
    /// `streams` for each lane. Tells which could not be reached; takes some seconds at most. To be called once, before
    /// the start.
    ///
    /// # Errors
    /// `InvalidArgument` for numbers out of range or too many connections; `Network` when the system has no socket left.
    pub fn connect(&self, own: u32, targets: &[Target]) -> Result<Vec<Unreached>> {
        if own >= MAX_PEERS || targets.iter().any(|target| target.peer >= MAX_PEERS) {
            return Err(invalid(format!("a peer's number is not below {MAX_PEERS}"), "number peers from 0"));
        }
        if targets.is_empty() {
            return Ok(Vec::new());
        }
        let seats = self.shared.seats.len();
        let of_each = (seats * self.shared.spec.streams).div_ceil(targets.len());
        if of_each * targets.len() > MAX_CONNECTIONS {
            let what = format!("{of_each} connections to each of {} peers pass {MAX_CONNECTIONS}", targets.len());
            return Err(invalid(what, "use fewer streams or lanes"));
        }
        dial::dial(&self.shared, own, targets, of_each)
    }

    /// The common start: lanes begin at this instant of CLOCK_MONOTONIC, in ns, and stop sending when the duration has
    /// passed since.
    pub fn begin_at(&self, monotonic_ns: u64) {
        self.shared.begin_at(monotonic_ns);
    }

    /// What was sent and received so far; also after the end. Never waits for a lane.
    pub fn snapshot(&self) -> NetworkSnapshot {
        self.shared.snapshot()
    }

    /// What the engine has to say, to be shown.
    pub fn notes(&self) -> Vec<String> {
        self.shared.notes()
    }

    /// Lanes leave at once, and `ended` is called with [`Code::Cancelled`].
    pub fn cancel(&self) {
        let mend = "start the run again when it is wanted";
        self.shared.end_early(Error::new(Code::Cancelled, "the traffic was cancelled", mend));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl NetworkSpec {
    fn validate(&self) -> Result<()> {
        let Self { block_bytes, streams, duration_ns, .. } = *self;
        if block_bytes == 0 || block_bytes > MAX_BLOCK_BYTES {
            return Err(invalid(format!("a block of {block_bytes} bytes"), "use 1 byte to 64 MiB"));
        }
        if streams == 0 || streams > MAX_CONNECTIONS {
            return Err(invalid(format!("{streams} streams a lane"), "use at least 1"));
        }
        if duration_ns == 0 || duration_ns > MAX_DURATION_NS {
            return Err(invalid(format!("a duration of {duration_ns} ns"), "use more than none and at most a day"));
        }
        Ok(())
    }
}

fn invalid(what: String, mend: &str) -> Error {
    Error::new(Code::InvalidArgument, what, mend)
}

/// An error of the system while it did `what`.
fn system_error(what: &str, errno: rustix::io::Errno) -> Error {
    let mend = "look at this host's addresses, its firewall and its limit of open files (ulimit -n)";
    Error::new(Code::Network, format!("could not {what}: {}", text(errno)), mend)
}
