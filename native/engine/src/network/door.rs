//! The door: who may come in. A thread of its own accepts connections, hears their greetings, gives those of peers to the
//! lanes, and drops and counts those of strangers. It never sees a byte of the traffic.

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::dial::{addresses, from_io};
use super::greeting::{GREETING_BYTES, WELCOME, greeted_by};
use super::shared::Shared;
use super::{ListenOn, MAX_PEERS, invalid, system_error};
use crate::clock::{now_ns, timespec};
use crate::error::{Code, Error, Result};

/// Connections that the system keeps for us until they are accepted.
const BACKLOG: i32 = 4096;
/// How long a caller may take to greet.
const GREETING_NS: u64 = 5_000_000_000;
/// Callers that may be at their greeting at a time; beyond it the oldest goes.
const MAX_CALLERS: usize = 1024;
const EVENTS: usize = 256;
/// How often callers are looked at that take too long.
const LOOK_NS: u64 = 500_000_000;
const LISTENER: u64 = u64::MAX;
const CLOSE: u64 = u64::MAX - 1;

/// Listens on a port of the system's choice; the address is what peers are to be told.
pub(super) fn open(on: &ListenOn) -> Result<(TcpListener, SocketAddr)> {
    let ip = match on {
        ListenOn::Address(ip) => *ip,
        ListenOn::WayTo(host) => way_to(host)?,
    };
    let what = format!("listen on {ip}");
    let refused = |errno| match errno {
        Errno::ADDRNOTAVAIL => invalid(format!("{ip} is no address of this host"), "give one of its own addresses"),
        errno => system_error(&what, errno),
    };
    let family = if ip.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None).map_err(refused)?;
    rustix::net::bind(&socket, &SocketAddr::new(ip, 0)).map_err(refused)?;
    rustix::net::listen(&socket, BACKLOG).map_err(refused)?;
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().map_err(|error| refused(from_io(&error)))?;
    Ok((listener, address))
}

/// The address that this host has towards another. A datagram socket that is connected sends nothing: it only asks the
/// routing table.
fn way_to(host: &str) -> Result<IpAddr> {
    let mut why = String::from("it has no address");
    for to in addresses(host)? {
        let any: SocketAddr = if to.is_ipv4() { ([0; 4], 0).into() } else { ([0; 16], 0).into() };
        let asked = UdpSocket::bind(any).and_then(|socket| socket.connect(to).and_then(|()| socket.local_addr()));
        match asked {
            Ok(own) => return Ok(own.ip()),
            Err(error) => why = error.to_string(),
        }
    }
    let what = format!("this host has no way to {host}: {why}");
    Err(Error::new(Code::Network, what, "give the address to listen on"))
}

/// Serves the door on a thread of its own, until it is closed.
pub(super) fn keep(shared: &Arc<Shared>, listener: TcpListener) -> Result<()> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(refused)?;
    epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN).map_err(refused)?;
    epoll::add(&epoll, &shared.close, epoll::EventData::new_u64(CLOSE), epoll::EventFlags::IN).map_err(refused)?;
    let door = Door { shared: Arc::clone(shared), epoll, listener, callers: Vec::new(), calls: 0 };
    let spawned = thread::Builder::new().name("network-door".into()).spawn(move || door.serve());
    spawned.map(drop).map_err(|error| system_error("start a thread", from_io(&error)))
}

fn refused(errno: Errno) -> Error {
    system_error("wait for connections", errno)
}

/// Somebody who is at the greeting.
struct Caller {
    number: u64,
    stream: TcpStream,
    since_ns: u64,
    greeting: [u8; GREETING_BYTES],
    heard: usize,
}

struct Door {
    shared: Arc<Shared>,
    epoll: OwnedFd,
    listener: TcpListener,
    /// In the order in which they came.
    callers: Vec<Caller>,
    calls: u64,
}

impl Door {
    fn serve(mut self) {
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            events.clear();
            let patience = (!self.callers.is_empty()).then(|| timespec(LOOK_NS));
            // Interrupted is as good as nothing new.
            let _ = epoll::wait(&self.epoll, spare_capacity(&mut events), patience.as_ref());
            for event in &events {
                let epoll::Event { data, .. } = *event;
                match data.u64() {
                    CLOSE => return,
                    LISTENER => self.accept(),
                    number => self.hear(number),
                }
            }
            let now_ns = now_ns();
            while self.callers.first().is_some_and(|caller| now_ns - caller.since_ns > GREETING_NS) {
                self.send_away(0);
            }
        }
    }

    fn accept(&mut self) {
        let stream = match self.listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Without this pause, one who finds no file descriptor left would do nothing else.
                if !matches!(from_io(&error), Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) {
                    thread::sleep(Duration::from_millis(10));
                }
                return;
            }
        };
        self.calls += 1;
        let number = self.calls;
        let caller = Caller { number, stream, since_ns: now_ns(), greeting: [0; GREETING_BYTES], heard: 0 };
        let data = epoll::EventData::new_u64(number);
        if caller.stream.set_nonblocking(true).is_err()
            || epoll::add(&self.epoll, &caller.stream, data, epoll::EventFlags::IN).is_err()
        {
            return;
        }
        self.callers.push(caller);
        if self.callers.len() > MAX_CALLERS {
            self.send_away(0);
        }
    }

    fn hear(&mut self, number: u64) {
        let Ok(at) = self.callers.binary_search_by_key(&number, |caller| caller.number) else { return };
        let caller = &mut self.callers[at];
        let heard = caller.heard;
        match rustix::net::recv(&caller.stream, &mut caller.greeting[heard..], RecvFlags::empty()) {
            Ok((bytes, _)) if bytes > 0 => caller.heard += bytes,
            Err(Errno::AGAIN | Errno::INTR) => return,
            _ => return self.send_away(at),
        }
        if caller.heard < GREETING_BYTES {
            return;
        }
        match greeted_by(&caller.greeting, &self.shared.spec.token) {
            Some(peer) if peer < MAX_PEERS => {
                let caller = self.callers.remove(at);
                let _ = epoll::delete(&self.epoll, &caller.stream);
                // One that comes too late, when the lanes have begun, is dropped.
                self.shared.deal(caller.stream.into(), peer, false, welcome);
            }
            _ => self.send_away(at),
        }
    }

    fn send_away(&mut self, at: usize) {
        let caller = self.callers.remove(at);
        let _ = epoll::delete(&self.epoll, &caller.stream);
        self.shared.strangers.fetch_add(1, Ordering::Relaxed);
    }
}

/// Answers a greeting; there is always room for a first byte.
fn welcome(socket: &OwnedFd) -> bool {
    rustix::net::send(socket.as_fd(), &[WELCOME], SendFlags::NOSIGNAL).is_ok()
}
