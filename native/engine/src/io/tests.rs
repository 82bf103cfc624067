use std::collections::{BTreeMap, VecDeque};
use std::os::fd::AsRawFd;

use super::*;
use crate::clock::now_ns;

const BLOCK: usize = 4096;
const DEPTH: usize = 8;

/// A file that is gone as soon as it is closed.
fn file() -> std::fs::File {
    rustix::fs::memfd_create("io", rustix::fs::MemfdFlags::CLOEXEC).unwrap().into()
}

/// Each way that this machine has, with a lane's memory.
fn each_way(mut test: impl FnMut(&mut LaneIo, *mut u8)) {
    for engine in [IoEngine::Uring, IoEngine::Aio, IoEngine::Threads, IoEngine::Auto] {
        let mut memory = vec![0u8; DEPTH * BLOCK];
        let base = memory.as_mut_ptr();
        let mut options = IoOptions { engine, depth: DEPTH, direct: true, memory: &mut memory, pus: &[] };
        match LaneIo::open(&mut options) {
            Ok((mut io, _)) => test(&mut io, base),
            // A sandbox may forbid some; threads never.
            Err(error) => {
                assert_eq!(error.code, Code::IoEngine);
                assert_ne!(engine, IoEngine::Threads);
            }
        }
    }
}

/// A request for the whole memory of a slot.
fn request(file: FileHandle, base: *mut u8, slot: u32, writes: bool, offset: u64) -> Request {
    // SAFETY: inside the memory of `each_way`.
    let memory = unsafe { base.add(slot as usize * BLOCK) };
    Request { slot, writes, file, offset, memory, bytes: BLOCK }
}

fn all(io: &mut LaneIo, count: usize) -> BTreeMap<u32, std::result::Result<usize, Errno>> {
    let mut answers = VecDeque::new();
    while answers.len() < count {
        io.wait(FOR_EVER, &mut answers);
    }
    assert_eq!(answers.len(), count);
    answers.into_iter().map(|answer| (answer.slot, answer.outcome)).collect()
}

#[test]
fn every_way_moves_each_block_to_and_from_its_own_place() {
    each_way(|io, base| {
        let file = file();
        let handle = io.know(file.as_raw_fd());
        for slot in 0..DEPTH as u32 {
            let request = request(handle, base, slot, true, u64::from(slot) * BLOCK as u64);
            // SAFETY: the memory is nobody else's until the answers have come.
            unsafe {
                request.memory.write_bytes(slot as u8 + 1, BLOCK);
                io.push(request);
            }
        }
        io.submit();
        assert!(all(io, DEPTH).values().all(|outcome| *outcome == Ok(BLOCK)));
        for slot in 0..DEPTH as u32 {
            // Backwards, so that no block comes from where it was.
            let request = request(handle, base, slot, false, (DEPTH as u64 - 1 - u64::from(slot)) * BLOCK as u64);
            // SAFETY: as above.
            unsafe { io.push(request) };
        }
        assert!(all(io, DEPTH).values().all(|outcome| *outcome == Ok(BLOCK)));
        for slot in 0..DEPTH {
            // SAFETY: nothing is in flight.
            let block = unsafe { std::slice::from_raw_parts(base.add(slot * BLOCK), BLOCK) };
            assert!(block.iter().all(|byte| *byte as usize == DEPTH - slot), "{}", io.name());
        }
        io.forget(handle);
    });
}

#[test]
fn every_way_tells_the_systems_error_and_the_files_end_of_the_block_that_met_it() {
    each_way(|io, base| {
        let file = file();
        file.set_len(BLOCK as u64 + 100).unwrap();
        let (good, bad) = (io.know(file.as_raw_fd()), io.know(1 << 20));
        // SAFETY: the memory is nobody else's until the answers have come.
        unsafe {
            io.push(request(good, base, 0, false, BLOCK as u64));
            io.push(request(bad, base, 1, false, 0));
            io.push(request(good, base, 2, false, 1 << 20));
        }
        let answers = all(io, 3);
        assert_eq!(answers[&0], Ok(100), "{}", io.name());
        assert_eq!(answers[&1], Err(Errno::BADF), "{}", io.name());
        assert_eq!(answers[&2], Ok(0), "{}", io.name());
    });
}

#[test]
fn waiting_ends_at_its_instant_and_an_answer_that_comes_later_is_not_lost() {
    each_way(|io, base| {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        // AIO knows no sockets: it has nothing that does not answer at once.
        if matches!(io, LaneIo::Aio(_)) {
            return;
        }
        let handle = io.know(ours.as_raw_fd());
        let mut read = request(handle, base, 0, false, 0);
        if matches!(io, LaneIo::Threads(_)) {
            return;
        }
        read.bytes = 5;
        // SAFETY: the memory is nobody else's until the answer has come.
        unsafe { io.push(read) };
        let mut answers = VecDeque::new();
        let until_ns = now_ns() + 20_000_000;
        io.wait(until_ns, &mut answers);
        assert!(answers.is_empty() && now_ns() >= until_ns);
        std::io::Write::write_all(&mut &theirs, b"later").unwrap();
        assert_eq!(all(io, 1)[&0], Ok(5));
    });
}

#[test]
fn to_wait_for_nothing_does_not_take_for_ever() {
    each_way(|io, base| {
        let mut answers = VecDeque::new();
        io.wait(FOR_EVER, &mut answers);
        let file = file();
        let handle = io.know(file.as_raw_fd());
        // SAFETY: the memory is nobody else's until the answer has come.
        unsafe { io.push(request(handle, base, 0, true, 0)) };
        io.submit();
        while answers.is_empty() {
            io.glance(&mut answers);
        }
        // Its answer was taken by the glance.
        io.wait(FOR_EVER, &mut answers);
        assert_eq!(answers.len(), 1);
    });
}

#[test]
fn what_is_in_flight_is_waited_for_before_the_memory_is_given_back() {
    each_way(|io, base| {
        let file = file();
        let handle = io.know(file.as_raw_fd());
        for slot in 0..DEPTH as u32 {
            // SAFETY: the memory outlives the I/O, which is dropped first.
            unsafe { io.push(request(handle, base, slot, true, u64::from(slot) * BLOCK as u64)) };
        }
        io.submit();
    });
}

#[test]
fn memory_that_a_ring_locked_is_free_for_the_next_ring_at_once() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: to become somebody whose locked memory is limited takes root");
        return;
    }
    // Those who stay root know no limit.
    let limit = libc::rlimit { rlim_cur: 1 << 20, rlim_max: 1 << 20 };
    // SAFETY: the limit lives beyond the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) }, 0);
    let nobody = std::thread::spawn(|| {
        // SAFETY: the bare system call changes this thread alone, which ends with the test.
        assert_eq!(unsafe { libc::syscall(libc::SYS_setresuid, 65_534, 65_534, 65_534) }, 0);
        let mut memory = vec![0u8; 768 << 10];
        for _ in 0..10 {
            let (engine, memory) = (IoEngine::Uring, &mut memory[..]);
            let mut options = IoOptions { engine, depth: DEPTH, direct: true, memory, pus: &[] };
            let Ok((_ring, note)) = LaneIo::open(&mut options) else { return };
            assert_eq!(note, None);
        }
    });
    nobody.join().unwrap();
}
