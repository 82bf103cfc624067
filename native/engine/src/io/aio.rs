//! Linux AIO (io_submit(2)), for kernels and containers without io_uring. It overlaps direct I/O only.

use std::collections::VecDeque;
use std::mem::MaybeUninit;

use rustix::io::Errno;

use super::{Answer, FOR_EVER, Request};
use crate::clock::now_ns;

/// Answers that are taken at a time.
const TAKEN: usize = 64;

const IOCB_CMD_PREAD: u16 = 0;
const IOCB_CMD_PWRITE: u16 = 1;

/// `struct iocb` of linux/aio_abi.h, on little-endian machines.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Iocb {
    data: u64,
    key: u32,
    rw_flags: u32,
    opcode: u16,
    priority: i16,
    fd: u32,
    memory: u64,
    bytes: u64,
    offset: i64,
    reserved: u64,
    flags: u32,
    eventfd: u32,
}

/// `struct io_event` of linux/aio_abi.h.
#[repr(C)]
#[derive(Clone, Copy)]
struct IoEvent {
    data: u64,
    request: u64,
    result: i64,
    result2: i64,
}

/// See the module.
pub(crate) struct Aio {
    context: libc::c_ulong,
    /// A request for each slot: the kernel reads it during the submission.
    requests: Box<[Iocb]>,
    /// Slots that were pushed and not handed over.
    pushed: Vec<u32>,
    /// What the kernel refused to take at all, as answers.
    refused: Vec<Answer>,
    /// Requests that were handed over and not answered.
    in_flight: usize,
}

impl Aio {
    /// A context for so many requests at once.
    ///
    /// # Errors
    /// What the kernel answers: `AGAIN` beyond fs.aio-max-nr.
    pub(super) fn open(depth: usize) -> Result<Self, Errno> {
        let mut context: libc::c_ulong = 0;
        // SAFETY: the kernel writes the context's name there, and nothing else.
        let status = unsafe { libc::syscall(libc::SYS_io_setup, depth as libc::c_ulong, &raw mut context) };
        if status < 0 {
            return Err(last_errno());
        }
        let requests = vec![Iocb::default(); depth].into_boxed_slice();
        let (pushed, refused) = (Vec::with_capacity(depth), Vec::with_capacity(depth));
        Ok(Self { context, requests, pushed, refused, in_flight: 0 })
    }

    pub(super) fn push(&mut self, request: Request) {
        self.requests[request.slot as usize] = Iocb {
            data: u64::from(request.slot),
            opcode: if request.writes { IOCB_CMD_PWRITE } else { IOCB_CMD_PREAD },
            fd: request.file.fd as u32,
            memory: request.memory.addr() as u64,
            bytes: request.bytes as u64,
            offset: request.offset as i64,
            ..Iocb::default()
        };
        // The kernel writes there by its address alone: it must be taken for reachable from now on.
        let _ = request.memory.expose_provenance();
        self.pushed.push(request.slot);
    }

    pub(super) fn submit(&mut self) {
        while let Some(slot) = self.pushed.first().copied() {
            let mut list = [std::ptr::null_mut::<Iocb>(); TAKEN];
            let count = self.pushed.len().min(TAKEN);
            for (entry, slot) in list.iter_mut().zip(&self.pushed[..count]) {
                *entry = &raw mut self.requests[*slot as usize];
            }
            // SAFETY: the list names `count` requests that live as long as this; their memory and files stay valid until
            // the answers, as whoever pushed them promised.
            let taken = unsafe { libc::syscall(libc::SYS_io_submit, self.context, count, list.as_mut_ptr()) };
            match taken {
                0.. => {
                    self.in_flight += taken as usize;
                    self.pushed.drain(..taken as usize);
                }
                _ => match last_errno() {
                    // Room comes with the answers.
                    Errno::AGAIN if self.in_flight > 0 => return,
                    Errno::AGAIN | Errno::INTR => {}
                    errno => {
                        // The first of the list is meant.
                        self.refused.push(Answer { slot, outcome: Err(errno) });
                        self.pushed.remove(0);
                    }
                },
            }
        }
    }

    pub(super) fn glance(&mut self, answers: &mut VecDeque<Answer>) {
        answers.extend(self.refused.drain(..));
        if self.in_flight > 0 {
            self.get(0, Some(0), answers);
        }
    }

    pub(super) fn wait(&mut self, until_ns: u64, answers: &mut VecDeque<Answer>) {
        let had = answers.len();
        loop {
            self.submit();
            answers.extend(self.refused.drain(..));
            if answers.len() > had || self.in_flight == 0 {
                return;
            }
            let limit = (until_ns != FOR_EVER).then(|| until_ns.saturating_sub(now_ns()));
            self.get(1, limit, answers);
            if answers.len() > had || limit == Some(0) {
                return;
            }
        }
    }

    fn get(&mut self, at_least: libc::c_long, limit_ns: Option<u64>, answers: &mut VecDeque<Answer>) {
        let mut events = [const { MaybeUninit::<IoEvent>::uninit() }; TAKEN];
        let limit = limit_ns.map(crate::clock::timespec);
        let limit = limit.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: the kernel writes at most TAKEN events, for which there is room; the limit lives beyond the call.
        let count = unsafe {
            libc::syscall(
                libc::SYS_io_getevents,
                self.context,
                at_least,
                TAKEN as libc::c_long,
                events.as_mut_ptr(),
                limit,
            )
        };
        // Interrupted, the caller asks again.
        for event in events.iter().take(usize::try_from(count).unwrap_or(0)) {
            // SAFETY: the kernel wrote the first `count`.
            let event = unsafe { event.assume_init_ref() };
            let outcome = usize::try_from(event.result).map_err(|_| Errno::from_raw_os_error(-event.result as i32));
            answers.push_back(Answer { slot: event.data as u32, outcome });
            self.in_flight -= 1;
        }
    }
}

impl Drop for Aio {
    /// Waits for all that is in flight: until then the kernel may write into the lane's memory.
    fn drop(&mut self) {
        let mut answers = VecDeque::new();
        while self.in_flight > 0 {
            self.get(1, None, &mut answers);
        }
        // SAFETY: the context is this one's own, and nothing is in flight.
        unsafe { libc::syscall(libc::SYS_io_destroy, self.context) };
    }
}

fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
