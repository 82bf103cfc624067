//! Connects to peers, all at once and within a bounded time, and greets them. What is connected goes to the lanes.

use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::greeting::{GREETING_BYTES, WELCOME, greeting};
use super::shared::Shared;
use super::{Target, system_error};
use crate::clock::{now_ns, timespec};
use crate::error::{Code, Error, Result};
use crate::sink::os_error::text;

/// How long peers may take to answer, all together.
const PATIENCE_NS: u64 = 10_000_000_000;
const EVENTS: usize = 256;

/// A peer that could not be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreached {
    /// Its number.
    pub peer: u32,
    /// Where it was looked for, and why it was not found.
    pub why: String,
}

/// The addresses of `host:port`.
pub(super) fn addresses(host: &str) -> Result<Vec<SocketAddr>> {
    let unknown = |why: &str| {
        let mend = "give it as host:port, with a name or an address that this host knows";
        Error::new(Code::Network, format!("“{host}” is not known here: {why}"), mend)
    };
    let found: Vec<_> = host.to_socket_addrs().map_err(|error| unknown(&error.to_string()))?.collect();
    if found.is_empty() { Err(unknown("it has no address")) } else { Ok(found) }
}

/// The system's number of an error of the standard library.
pub(super) fn from_io(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

/// A connection on its way.
struct Call {
    peer: u32,
    socket: OwnedFd,
    /// Whether it has greeted, and waits for the answer.
    greeted: bool,
}

/// Makes `of_each` connections to each target. Tells, once a peer, who was not reached.
pub(super) fn dial(shared: &Shared, own: u32, targets: &[Target], of_each: usize) -> Result<Vec<Unreached>> {
    let mut dialling = Dialling { shared, targets, calls: Vec::new(), unreached: Vec::new() };
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|errno| system_error("dial", errno))?;
    // Turn by turn over the peers, so that lanes, which are dealt connections in this order, get some of each.
    let known: Vec<_> = targets.iter().map(|target| addresses(&target.address)).collect();
    for _ in 0..of_each {
        for (target, addresses) in std::iter::zip(targets, &known) {
            match addresses {
                Ok(addresses) => dialling.begin(&epoll, target.peer, addresses[0])?,
                Err(error) => dialling.missed(target.peer, &error.what),
            }
        }
    }
    dialling.finish(&epoll, &greeting(&shared.spec.token, own))?;
    Ok(dialling.unreached)
}

struct Dialling<'a> {
    shared: &'a Shared,
    targets: &'a [Target],
    calls: Vec<Option<Call>>,
    unreached: Vec<Unreached>,
}

impl Dialling<'_> {
    fn begin(&mut self, epoll: &OwnedFd, peer: u32, to: SocketAddr) -> Result<()> {
        let none_left = |errno| system_error("make a socket", errno);
        let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None).map_err(none_left)?;
        match rustix::net::connect(&socket, &to) {
            Ok(()) | Err(Errno::INPROGRESS) => {
                let data = epoll::EventData::new_u64(self.calls.len() as u64);
                epoll::add(epoll, &socket, data, epoll::EventFlags::OUT).map_err(none_left)?;
                self.calls.push(Some(Call { peer, socket, greeted: false }));
            }
            Err(errno) => self.missed(peer, &text(errno)),
        }
        Ok(())
    }

    fn finish(&mut self, epoll: &OwnedFd, greeting: &[u8; GREETING_BYTES]) -> Result<()> {
        let deadline_ns = now_ns() + PATIENCE_NS;
        let mut left = self.calls.len();
        let mut events = Vec::with_capacity(EVENTS);
        while left > 0 && !self.shared.is_cancelled() {
            let now_ns = now_ns();
            if now_ns >= deadline_ns {
                break;
            }
            events.clear();
            match epoll::wait(epoll, spare_capacity(&mut events), Some(&timespec(deadline_ns - now_ns))) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(system_error("wait for peers", errno)),
            }
            for event in &events {
                let epoll::Event { data, .. } = *event;
                let at = data.u64() as usize;
                match self.step(epoll, at, greeting) {
                    Ok(true) => left -= 1,
                    Ok(false) => {}
                    Err(why) => {
                        left -= 1;
                        if let Some(call) = self.calls[at].take() {
                            self.missed(call.peer, &why);
                        }
                    }
                }
            }
        }
        for call in std::mem::take(&mut self.calls).into_iter().flatten() {
            self.missed(call.peer, &format!("no answer within {} s", PATIENCE_NS / 1_000_000_000));
        }
        Ok(())
    }

    /// Goes on with a call for which there is news; `true`: it has come to its end, and is the lanes'.
    fn step(&mut self, epoll: &OwnedFd, at: usize, greeting: &[u8]) -> std::result::Result<bool, String> {
        let Some(call) = &mut self.calls[at] else { return Ok(false) };
        if !call.greeted {
            match rustix::net::sockopt::socket_error(&call.socket) {
                Ok(Ok(())) => {}
                Ok(Err(errno)) | Err(errno) => return Err(text(errno)),
            }
            // A short write into an empty buffer is none that a healthy system makes.
            match rustix::net::send(&call.socket, greeting, SendFlags::NOSIGNAL) {
                Ok(bytes) if bytes == greeting.len() => {}
                Ok(_) => return Err("it took a part of the greeting".into()),
                Err(errno) => return Err(text(errno)),
            }
            call.greeted = true;
            let data = epoll::EventData::new_u64(at as u64);
            epoll::modify(epoll, &call.socket, data, epoll::EventFlags::IN).map_err(text)?;
            return Ok(false);
        }
        let mut answer = [0];
        match rustix::net::recv(&call.socket, &mut answer, RecvFlags::empty()) {
            Ok((1, _)) if answer[0] == WELCOME => {}
            Ok(_) => return Err("it refused us: another stage, or no agent, listens there".into()),
            Err(Errno::AGAIN | Errno::INTR) => return Ok(false),
            Err(errno) => return Err(text(errno)),
        }
        let Some(call) = self.calls[at].take() else { return Ok(false) };
        let _ = epoll::delete(epoll, &call.socket);
        self.shared.deal(call.socket, call.peer, true, |_| true);
        Ok(true)
    }

    fn missed(&mut self, peer: u32, why: &str) {
        if self.unreached.iter().all(|missed| missed.peer != peer) {
            let address = self.targets.iter().find(|target| target.peer == peer).map_or("", |target| &target.address);
            self.unreached.push(Unreached { peer, why: format!("{address}: {why}") });
        }
    }
}
