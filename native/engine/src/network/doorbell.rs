//! A bell for those who wait in an epoll: once rung it stays rung.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};

use super::system_error;
use crate::error::Result;

pub(super) struct Doorbell(OwnedFd);

impl Doorbell {
    pub(super) fn new() -> Result<Self> {
        let made = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        made.map(Self).map_err(|errno| system_error("make an event", errno))
    }

    pub(super) fn ring(&self) {
        // Fails only when it was rung 2^64 times.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }
}

impl AsFd for Doorbell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
