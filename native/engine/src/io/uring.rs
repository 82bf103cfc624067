//! One io_uring of one lane: registered memory and files where the system allows, one issuer, completions run when the
//! lane asks for them. Older kernels refuse what they do not know, so the ring is tried from the newest set-up down.

use std::collections::VecDeque;
use std::os::fd::RawFd;
use std::time::Duration;

use io_uring::types::{Fd, Fixed, SubmitArgs, Timespec};
use io_uring::{Builder, IoUring, opcode, squeue};
use rustix::io::Errno;

use super::{Answer, FOR_EVER, IoOptions, Request};
use crate::clock::now_ns;
use crate::sink::text_of;

/// Files that a ring knows by number; more are used by their descriptors, which costs a look-up each.
const FILES: u32 = 256;

/// `IORING_ENTER_GETEVENTS` (io_uring_enter(2)): run what completed.
const GETEVENTS: u32 = 1;

/// See the module.
pub(crate) struct Uring {
    ring: IoUring,
    /// Whether the lane's memory is registered, as buffer 0.
    memory: bool,
    /// Places in the table of files that are free.
    free_files: Vec<u32>,
    /// Requests that were pushed and not answered.
    in_flight: usize,
}

/// Set-ups from the newest kernel's to the oldest's: 6.1, 5.19, any.
const LADDER: [fn(&mut Builder); 3] = [
    |ring| {
        ring.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag().setup_submit_all();
    },
    |ring| {
        ring.setup_coop_taskrun().setup_taskrun_flag().setup_submit_all();
    },
    |_| {},
];

impl Uring {
    /// A ring for the calling lane, which alone may use it.
    ///
    /// # Errors
    /// What the kernel answers; `NOSYS` when it is too old (before 5.11) to wait with a time limit.
    pub(super) fn open(options: &mut IoOptions) -> Result<(Self, Option<String>), Errno> {
        let ring = Self::build(options.depth as u32)?;
        if !ring.params().is_feature_ext_arg() || !ring.params().is_feature_nodrop() {
            return Err(Errno::NOSYS);
        }
        let submitter = ring.submitter();
        let part = libc::iovec { iov_base: options.memory.as_mut_ptr().cast(), iov_len: options.memory.len() };
        // SAFETY: the memory is the lane's buffer, which stays mapped until the lane drops this.
        let (memory, note) = match unsafe { submitter.register_buffers(&[part]) } {
            Ok(()) => (true, None),
            Err(error) => {
                let why = text_of(errno_of(&error));
                (
                    false,
                    Some(format!(
                        "io_uring works without registered memory ({why}): raise the limit of locked memory (ulimit -l)"
                    )),
                )
            }
        };
        let files = if submitter.register_files(&[-1; FILES as usize]).is_ok() { FILES } else { 0 };
        keep_workers_on(&ring, options.pus);
        Ok((Self { ring, memory, free_files: (0..files).rev().collect(), in_flight: 0 }, note))
    }

    fn build(depth: u32) -> Result<IoUring, Errno> {
        let mut refused = Errno::NOSYS;
        for rung in LADDER {
            let mut builder = IoUring::builder();
            rung(&mut builder);
            match builder.build(depth.next_power_of_two()) {
                Ok(ring) => return Ok(ring),
                Err(error) => refused = errno_of(&error),
            }
            if refused != Errno::INVAL {
                break;
            }
        }
        Err(refused)
    }

    pub(super) fn register(&mut self, fd: RawFd) -> Option<u32> {
        let place = self.free_files.pop()?;
        if self.ring.submitter().register_files_update(place, &[fd]).is_ok() {
            return Some(place);
        }
        self.free_files.push(place);
        None
    }

    pub(super) fn unregister(&mut self, place: u32) {
        // Should it fail, the file stays open in the ring until the ring is gone: the place is then not used again.
        if self.ring.submitter().register_files_update(place, &[-1]).is_ok() {
            self.free_files.push(place);
        }
    }

    /// # Safety
    /// As [`super::LaneIo::push`].
    #[inline]
    pub(super) unsafe fn push(&mut self, request: Request) {
        let entry = self.entry(&request).user_data(u64::from(request.slot));
        // SAFETY: memory and file stay valid until the answer, as the caller promises.
        let pushed = unsafe { self.ring.submission().push(&entry) };
        debug_assert!(pushed.is_ok(), "the ring has a place for each slot");
        self.in_flight += usize::from(pushed.is_ok());
    }

    #[inline]
    fn entry(&self, request: &Request) -> squeue::Entry {
        let Request { memory, bytes, offset, writes, file, .. } = *request;
        // The length of a block is limited to 1 GiB.
        let bytes = bytes as u32;
        match (writes, self.memory, file.registered) {
            (true, true, Some(place)) => opcode::WriteFixed::new(Fixed(place), memory, bytes, 0).offset(offset).build(),
            (true, true, None) => opcode::WriteFixed::new(Fd(file.fd), memory, bytes, 0).offset(offset).build(),
            (true, false, Some(place)) => opcode::Write::new(Fixed(place), memory, bytes).offset(offset).build(),
            (true, false, None) => opcode::Write::new(Fd(file.fd), memory, bytes).offset(offset).build(),
            (false, true, Some(place)) => opcode::ReadFixed::new(Fixed(place), memory, bytes, 0).offset(offset).build(),
            (false, true, None) => opcode::ReadFixed::new(Fd(file.fd), memory, bytes, 0).offset(offset).build(),
            (false, false, Some(place)) => opcode::Read::new(Fixed(place), memory, bytes).offset(offset).build(),
            (false, false, None) => opcode::Read::new(Fd(file.fd), memory, bytes).offset(offset).build(),
        }
    }

    pub(super) fn submit(&mut self) {
        // EAGAIN, EBUSY and EINTR leave entries in the queue, for the next call. Other errors of single requests come as
        // their answers.
        let _ = self.ring.submit();
    }

    #[inline]
    pub(super) fn glance(&mut self, answers: &mut VecDeque<Answer>) {
        if self.ring.submission().taskrun() {
            // SAFETY: submits nothing and takes no argument.
            let _ = unsafe { self.ring.submitter().enter::<libc::sigset_t>(0, 0, GETEVENTS, None) };
        }
        self.take(answers);
    }

    pub(super) fn wait(&mut self, until_ns: u64, answers: &mut VecDeque<Answer>) {
        let had = answers.len();
        // Nothing in flight would never be answered.
        while self.in_flight > 0 {
            let outcome = if until_ns == FOR_EVER {
                self.ring.submit_and_wait(1)
            } else {
                let left = Duration::from_nanos(until_ns.saturating_sub(now_ns()));
                self.ring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&Timespec::from(left)))
            };
            self.take(answers);
            if answers.len() > had {
                return;
            }
            if outcome.is_err_and(|error| error.raw_os_error() == Some(libc::ETIME)) {
                return;
            }
            if until_ns != FOR_EVER && now_ns() >= until_ns {
                return;
            }
        }
    }

    #[inline]
    fn take(&mut self, answers: &mut VecDeque<Answer>) {
        for entry in self.ring.completion() {
            let result = entry.result();
            let outcome = if result < 0 { Err(Errno::from_raw_os_error(-result)) } else { Ok(result as usize) };
            answers.push_back(Answer { slot: entry.user_data() as u32, outcome });
            self.in_flight -= 1;
        }
    }
}

impl Drop for Uring {
    /// Waits for all that is in flight: until then the kernel may write into the lane's memory.
    fn drop(&mut self) {
        let mut answers = VecDeque::new();
        while self.in_flight > 0 {
            self.wait(FOR_EVER, &mut answers);
        }
        if self.memory {
            // The kernel takes a ring apart some time after it was closed; till then the memory would count as locked, and the
            // next task's ring could lock none.
            let _ = self.ring.submitter().unregister_buffers();
        }
    }
}

/// Buffered I/O that would block is done by threads of the kernel: on the lane's node too.
fn keep_workers_on(ring: &IoUring, pus: &[u32]) {
    // SAFETY: an empty set is all zeros.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    let known = pus.iter().filter(|pu| **pu < libc::CPU_SETSIZE as u32);
    for pu in known.clone() {
        // SAFETY: the index was looked at.
        unsafe { libc::CPU_SET(*pu as usize, &mut set) };
    }
    if known.count() > 0 {
        // A wish: kernels before 5.14 do not know it.
        let _ = ring.submitter().register_iowq_aff(&set);
    }
}

fn errno_of(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}
