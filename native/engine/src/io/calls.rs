//! One blocking call at a time, made by the lane itself: the least work for a depth of one. Must never retry: whoever
//! asked decides about short and interrupted calls.

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;

use rustix::io::{Errno, pread, pwrite};

use super::{Answer, Request};

/// See the module.
#[derive(Default)]
pub(crate) struct Calls {
    answer: Option<Answer>,
}

impl Calls {
    /// Does the I/O.
    ///
    /// # Safety
    /// As [`super::LaneIo::push`].
    pub(crate) unsafe fn push(&mut self, request: Request) {
        // SAFETY: as the caller promises.
        self.answer = Some(Answer { slot: request.slot, outcome: unsafe { call(&request) } });
    }

    pub(crate) fn glance(&mut self, answers: &mut VecDeque<Answer>) {
        answers.extend(self.answer.take());
    }
}

/// Does one I/O by one blocking call.
///
/// # Safety
/// The request's memory is valid and nobody else's during the call, and its file is open.
pub(super) unsafe fn call(request: &Request) -> Result<usize, Errno> {
    // SAFETY: the file is open, as the caller promises.
    let fd = unsafe { BorrowedFd::borrow_raw(request.file.fd) };
    // SAFETY: the memory is valid and ours, as the caller promises. Its bytes are initialised: it is mapped memory.
    let memory = unsafe { std::slice::from_raw_parts_mut(request.memory, request.bytes) };
    if request.writes { pwrite(fd, memory, request.offset) } else { pread(fd, memory, request.offset) }
}
