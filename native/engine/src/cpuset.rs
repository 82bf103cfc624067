//! The kernel's masks of PUs: which ones this process may run on, and pinning a thread to one.
//!
//! Masks grow as the kernel asks, so that machines with more than 1,024 PUs work. It must never know of topologies.

use std::io;

/// Bits of one word of the kernel's mask.
const WORD_BITS: usize = libc::c_ulong::BITS as usize;

/// The longest mask that is tried: 65,536 PUs, eight times what any kernel is built for.
const MAX_WORDS: usize = 65_536 / WORD_BITS;

/// OS indexes of the PUs that the process (its first thread) may run on, ascending.
///
/// The first thread is asked and not the calling one, since a lane that asks is pinned to a single PU.
///
/// # Errors
/// What the kernel answers, for example when a sandbox forbids the call.
pub fn allowed_to_process() -> io::Result<Vec<u32>> {
    // SAFETY: getpid takes nothing and cannot fail.
    affinity(unsafe { libc::getpid() })
}

/// OS indexes of the PUs that the calling thread may run on, ascending.
///
/// # Errors
/// What the kernel answers.
pub fn allowed_to_thread() -> io::Result<Vec<u32>> {
    affinity(0)
}

/// OS indexes of the PUs that a thread may run on, ascending.
///
/// # Errors
/// What the kernel answers: `ESRCH` when the thread has ended.
pub(crate) fn allowed_to(thread: libc::pid_t) -> io::Result<Vec<u32>> {
    affinity(thread)
}

/// OS index of the PU that the calling thread runs on at this moment.
pub fn current_pu() -> u32 {
    // SAFETY: takes nothing; on Linux it does not fail.
    u32::try_from(unsafe { libc::sched_getcpu() }).unwrap_or(u32::MAX)
}

/// Pins the calling thread to one PU.
///
/// # Errors
/// What the kernel answers: `EINVAL` when the PU does not exist, is off-line or is outside the process's cpuset.
pub fn pin_thread(pu: u32) -> io::Result<()> {
    allow(0, &[pu])
}

/// Lets a thread (0: the calling one) run on these PUs only.
///
/// # Errors
/// As [`pin_thread`], when none of them is there; `ESRCH` when the thread has ended.
pub(crate) fn allow(thread: libc::pid_t, pus: &[u32]) -> io::Result<()> {
    let words = pus.iter().max().map_or(0, |pu| *pu as usize / WORD_BITS + 1);
    if words == 0 || words > MAX_WORDS {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let mut mask = vec![0 as libc::c_ulong; words];
    for pu in pus {
        mask[*pu as usize / WORD_BITS] |= 1 << (*pu as usize % WORD_BITS);
    }
    // SAFETY: the kernel reads exactly the bytes of `mask`, which lives beyond the call.
    let status = unsafe { libc::sched_setaffinity(thread, size_of_val(mask.as_slice()), mask.as_ptr().cast()) };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn affinity(thread: libc::pid_t) -> io::Result<Vec<u32>> {
    let mut words = 1024 / WORD_BITS;
    loop {
        let mut mask = vec![0 as libc::c_ulong; words];
        // SAFETY: the kernel writes at most the bytes of `mask`, which is that long and lives beyond the call.
        let status = unsafe { libc::sched_getaffinity(thread, size_of_val(mask.as_slice()), mask.as_mut_ptr().cast()) };
        if status == 0 {
            return Ok(members(&mask));
        }
        let error = io::Error::last_os_error();
        // EINVAL means that the kernel's own mask is longer than the one offered.
        if error.raw_os_error() != Some(libc::EINVAL) || words >= MAX_WORDS {
            return Err(error);
        }
        words *= 2;
    }
}

fn members(mask: &[libc::c_ulong]) -> Vec<u32> {
    let bits = |(index, word): (usize, &libc::c_ulong)| {
        let word = *word;
        (0..WORD_BITS).filter(move |bit| word >> bit & 1 == 1).map(move |bit| (index * WORD_BITS + bit) as u32)
    };
    mask.iter().enumerate().flat_map(bits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_of_several_words_keeps_every_member() {
        let mut mask = vec![0 as libc::c_ulong; 7];
        for pu in [0_usize, 63, 64, 383] {
            mask[pu / WORD_BITS] |= 1 << (pu % WORD_BITS);
        }
        assert_eq!(members(&mask), [0, 63, 64, 383]);
    }

    #[test]
    fn a_pinned_thread_may_run_on_its_pu_only_and_the_process_keeps_the_rest() {
        let before = allowed_to_process().unwrap();
        let pu = *before.last().unwrap();
        let pinned = std::thread::spawn(move || {
            pin_thread(pu).unwrap();
            (allowed_to_thread().unwrap(), allowed_to_process().unwrap())
        });
        assert_eq!(pinned.join().unwrap(), (vec![pu], before));
    }

    #[test]
    fn pinning_to_a_pu_that_is_not_there_is_refused() {
        let refused = std::thread::spawn(|| (pin_thread(60_000).is_err(), pin_thread(u32::MAX).is_err()));
        assert_eq!(refused.join().unwrap(), (true, true));
    }
}
