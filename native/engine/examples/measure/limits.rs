//! This machine's own limits: what no generator can beat.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use seedstorm_engine::engine::Engine;

use crate::Failure;
use crate::case::Operation;
use crate::crew::{Cpu, Sample, at_once, timed};
use crate::vectors::{self, VectorWidth};

/// Buffers are whole multiples of this: what the vector loops do in one turn.
pub const GRAIN_BYTES: usize = 512;

/// Bytes between looks at the clock: a fraction of a millisecond, so that a large buffer does not overrun the time.
const STEP_BYTES: usize = 1 << 20;

/// Pieces that each lane gets of a small buffer that all share: enough to even out lanes of unequal speed.
const PIECES_PER_LANE: usize = 4;

/// What memset writes.
const PATTERN: u8 = 0xa5;

/// One lane's memset, non-temporal memset or read scan, around and around its own buffer.
pub fn own(operation: Operation, buffer: &mut [u8], time: Duration) -> Sample {
    let (width, length, mut at) = (VectorWidth::widest(), buffer.len(), 0);
    timed(time, Cpu::Thread, || {
        let mut bytes = 0;
        while bytes < STEP_BYTES && length > 0 {
            let part = &mut buffer[at..length.min(at + STEP_BYTES)];
            bytes += part.len();
            at = (at + part.len()) % length;
            apply(operation, width, part);
        }
        bytes as u64
    })
}

/// All lanes' memset or non-temporal memset of one buffer of the caller, again and again: as the engine fills one, each
/// time claimed piece by piece, and over when the last piece is.
pub fn shared(engine: &Engine, operation: Operation, buffer: &mut [u8], time: Duration) -> Result<Sample, Failure> {
    let (lanes, bytes) = (engine.lane_count(), buffer.len() / GRAIN_BYTES * GRAIN_BYTES);
    let piece = (bytes / (lanes * PIECES_PER_LANE)).next_multiple_of(GRAIN_BYTES).clamp(GRAIN_BYTES, STEP_BYTES);
    let (start, width) = (buffer.as_mut_ptr() as usize, VectorWidth::widest());
    let mut failure = None;
    let sample = timed(time, Cpu::Process, || {
        let next = AtomicUsize::new(0);
        let pass = at_once(engine, lanes, move |_| {
            loop {
                let from = next.fetch_add(piece, Ordering::Relaxed);
                if from >= bytes {
                    return Ok(());
                }
                // SAFETY: inside the caller's buffer, which is borrowed until every lane has left (`at_once` waits for
                // that); the cursor gives each piece, disjoint from all others, to one lane only.
                let part =
                    unsafe { std::slice::from_raw_parts_mut((start as *mut u8).add(from), piece.min(bytes - from)) };
                apply(operation, width, part);
            }
        });
        failure = failure.take().or(pass.err());
        bytes as u64
    });
    failure.map_or(Ok(sample), Err)
}

fn apply(operation: Operation, width: VectorWidth, part: &mut [u8]) {
    match operation {
        Operation::StreamMemset => vectors::stream(width, part, PATTERN),
        Operation::ReadScan => vectors::scan(width, part),
        _ => std::hint::black_box(part).fill(PATTERN),
    }
}

/// Cycles of the core's clock, by a chain of multiplications that each take three. Counters of the time stamp tell
/// another clock, and those of performance are seldom open in a virtual machine.
///
/// Nothing where no instruction of known latency is at hand.
pub fn clock(time: Duration) -> Sample {
    /// Cycles from one 64-bit `imul` to the next that needs its outcome, on Intel since Nehalem and AMD since Zen, by
    /// Agner Fog's instruction tables.
    const LATENCY: u64 = 3;
    const CHAINS: u64 = 4096;
    const CHAIN: u64 = 8;
    timed(time, Cpu::Thread, || {
        let mut value = 3_u64;
        if cfg!(not(target_arch = "x86_64")) {
            return 0;
        }
        for _ in 0..CHAINS {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: multiplies a register by itself.
            unsafe {
                std::arch::asm!(
                    "imul {0}, {0}", "imul {0}, {0}", "imul {0}, {0}", "imul {0}, {0}",
                    "imul {0}, {0}", "imul {0}, {0}", "imul {0}, {0}", "imul {0}, {0}",
                    inout(reg) value, options(nomem, nostack)
                );
            }
        }
        std::hint::black_box(value);
        CHAINS * CHAIN * LATENCY
    })
}
