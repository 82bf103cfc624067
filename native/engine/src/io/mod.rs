//! How one lane keeps several reads and writes of files in flight: through io_uring, Linux AIO, threads that help, or
//! one blocking call at a time. Must never know what the bytes mean, which unit they belong to, or what comes next.
//!
//! Requests are pushed, handed to the kernel together by `submit` or `wait`, and come back as answers, in any order.
//! Nothing here allocates or locks after it was opened.

mod aio;
mod calls;
mod threads;
mod uring;

use std::collections::VecDeque;
use std::os::fd::RawFd;

use rustix::io::Errno;

use crate::error::{Code, Error, Result};
use crate::named::named;
use crate::sink::text_of;
use aio::Aio;
use calls::Calls;
use threads::Threads;
use uring::Uring;

named! {
    /// Which way the I/O of files goes.
    IoEngine {
        /// io_uring; where that is missing or forbidden Linux AIO for direct I/O, else threads. One I/O at a time goes by
        /// blocking calls.
        #[default]
        Auto => "auto",
        /// io_uring, or an error.
        Uring => "io_uring",
        /// Linux AIO, or an error. Only direct I/O overlaps; buffered I/O blocks in the submission.
        Aio => "aio",
        /// Blocking calls: of the lane itself for a depth of one, else of one thread for each I/O in flight.
        Threads => "threads",
    }
}

/// Waits for as long as it takes.
pub(crate) const FOR_EVER: u64 = u64::MAX;

/// A file as a lane's I/O knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileHandle {
    fd: RawFd,
    /// Its place in the ring's table of files, where it has one.
    registered: Option<u32>,
}

/// One I/O. The memory and the file must be left alone until the answer has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    /// Names it in the answer; below the depth, and in flight once at a time.
    pub(crate) slot: u32,
    /// Whether bytes go to the file; else they come from it.
    pub(crate) writes: bool,
    pub(crate) file: FileHandle,
    /// Where in the file, in bytes.
    pub(crate) offset: u64,
    /// Where in memory: inside the lane's buffer.
    pub(crate) memory: *mut u8,
    pub(crate) bytes: usize,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) slot: u32,
    /// Bytes moved, perhaps fewer than asked.
    pub(crate) outcome: std::result::Result<usize, Errno>,
}

/// What a lane's I/O is opened with.
pub(crate) struct IoOptions<'a> {
    pub(crate) engine: IoEngine,
    /// The most I/Os in flight; at least 1.
    pub(crate) depth: usize,
    /// Whether files are opened with O_DIRECT, as far as one can say before they are.
    pub(crate) direct: bool,
    /// The memory that all I/O goes to or comes from.
    pub(crate) memory: &'a mut [u8],
    /// OS indexes of the PUs that helpers of this lane may run on: those of its node. Empty: any.
    pub(crate) pus: &'a [u32],
}

/// One lane's way to files.
pub(crate) enum LaneIo {
    Uring(Box<Uring>),
    Aio(Aio),
    Threads(Threads),
    Calls(Calls),
}

impl LaneIo {
    /// Opens the way that was asked for, or the best there is; with it goes what fell back, to be shown.
    ///
    /// # Errors
    /// [`Code::IoEngine`] when it cannot be had.
    pub(crate) fn open(options: &mut IoOptions) -> Result<(Self, Option<String>)> {
        match options.engine {
            IoEngine::Auto if options.depth == 1 => Ok((Self::Calls(Calls::default()), None)),
            IoEngine::Auto => Self::best(options),
            IoEngine::Uring => {
                let (ring, note) = Uring::open(options).map_err(|errno| refused("io_uring", errno))?;
                Ok((Self::Uring(Box::new(ring)), note))
            }
            IoEngine::Aio => {
                Ok((Self::Aio(Aio::open(options.depth).map_err(|errno| refused("Linux AIO", errno))?), None))
            }
            IoEngine::Threads => Ok((Self::helped(options)?, None)),
        }
    }

    fn best(options: &mut IoOptions) -> Result<(Self, Option<String>)> {
        let why = match Uring::open(options) {
            Ok((ring, note)) => return Ok((Self::Uring(Box::new(ring)), note)),
            Err(errno) => text_of(errno),
        };
        // AIO of buffered files waits in the submission, and so never has more than one in flight.
        if options.direct
            && let Ok(aio) = Aio::open(options.depth)
        {
            return Ok((Self::Aio(aio), Some(format!("io_uring cannot be used ({why}): Linux AIO is used"))));
        }
        let helped = Self::helped(options)?;
        Ok((helped, Some(format!("io_uring cannot be used ({why}): threads that help are used"))))
    }

    fn helped(options: &IoOptions) -> Result<Self> {
        if options.depth == 1 {
            return Ok(Self::Calls(Calls::default()));
        }
        let threads = Threads::open(options.depth, options.pus).map_err(|error| {
            let what = format!("{} threads that help a lane could not be started: {error}", options.depth);
            Error::new(
                Code::IoEngine,
                what,
                "raise the limit on threads (ulimit -u, pids.max) or use a smaller queueDepth",
            )
        })?;
        Ok(Self::Threads(threads))
    }

    /// What it is, for people.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Uring(_) => "io_uring",
            Self::Aio(_) => "aio",
            Self::Threads(_) => "threads",
            Self::Calls(_) => "calls",
        }
    }

    /// Makes a file known. It must stay open until it is forgotten, and no request on it may be in flight then.
    pub(crate) fn know(&mut self, fd: RawFd) -> FileHandle {
        let registered = match self {
            Self::Uring(ring) => ring.register(fd),
            _ => None,
        };
        FileHandle { fd, registered }
    }

    /// Forgets a file.
    pub(crate) fn forget(&mut self, file: FileHandle) {
        if let (Self::Uring(ring), Some(place)) = (self, file.registered) {
            ring.unregister(place);
        }
    }

    /// Adds a request to those that `submit` or `wait` will hand over; at most as many as the depth in all.
    ///
    /// # Safety
    /// The request's memory is valid for its bytes, and nobody else touches it, until its answer has come or this was
    /// dropped. Its file stays open that long.
    #[inline]
    pub(crate) unsafe fn push(&mut self, request: Request) {
        match self {
            // SAFETY: as the caller promises.
            Self::Uring(ring) => unsafe { ring.push(request) },
            Self::Aio(aio) => aio.push(request),
            // SAFETY: as the caller promises.
            Self::Threads(threads) => unsafe { threads.push(request) },
            // SAFETY: as the caller promises.
            Self::Calls(calls) => unsafe { calls.push(request) },
        }
    }

    /// Hands over what was pushed. Does not wait, unless the I/O itself does.
    pub(crate) fn submit(&mut self) {
        match self {
            Self::Uring(ring) => ring.submit(),
            Self::Aio(aio) => aio.submit(),
            Self::Threads(_) | Self::Calls(_) => {}
        }
    }

    /// Takes answers that have come, without waiting.
    #[inline]
    pub(crate) fn glance(&mut self, answers: &mut VecDeque<Answer>) {
        match self {
            Self::Uring(ring) => ring.glance(answers),
            Self::Aio(aio) => aio.glance(answers),
            Self::Threads(threads) => threads.glance(answers),
            Self::Calls(calls) => calls.glance(answers),
        }
    }

    /// Hands over what was pushed, and waits for at least one answer, or until this instant of CLOCK_MONOTONIC.
    pub(crate) fn wait(&mut self, until_ns: u64, answers: &mut VecDeque<Answer>) {
        match self {
            Self::Uring(ring) => ring.wait(until_ns, answers),
            Self::Aio(aio) => aio.wait(until_ns, answers),
            Self::Threads(threads) => threads.wait(until_ns, answers),
            Self::Calls(calls) => calls.glance(answers),
        }
    }
}

fn refused(name: &str, errno: Errno) -> Error {
    let mend = match errno {
        Errno::PERM | Errno::ACCESS => {
            "allow it (sysctl kernel.io_uring_disabled=0, the container's seccomp profile), or set io.engine to auto"
        }
        Errno::AGAIN => "raise fs.aio-max-nr, or set io.engine to auto",
        Errno::NOMEM => {
            "raise the limit of locked memory (ulimit -l), use a smaller queueDepth, or set io.engine to auto"
        }
        _ => "set io.engine to auto, which takes what this kernel has",
    };
    Error::new(Code::IoEngine, format!("{name} cannot be used: {}", text_of(errno)), mend)
}

#[cfg(test)]
mod tests;
