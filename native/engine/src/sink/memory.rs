//! The memory sink: keeps units in this engine's memory, near the lane that wrote them. Must never know what the bytes
//! mean.

use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::error::{Code, Error, Result};
use crate::memory::{LaneBuffer, Wish};

/// Memory is had from the system in slabs of at least this size: small enough that a lane's unused rest is no loss,
/// large enough that the system is seldom asked.
const SLAB_BYTES: u64 = 8 << 20;

/// Slots are made in chunks of this many, so that a store for a huge run costs only what is written.
const CHUNK_UNITS: u64 = 4096;

/// Marks a slot whose memory a lane is reading or writing now. Memory of a unit starts on a page, so the bit is free.
const BUSY: usize = 1;

/// One unit: its memory or null, and the mark [`BUSY`]. A lane marks the slot for the time of one copy, so that two
/// lanes that are given the same unit (a range that was handed back and forth) never touch the same bytes at once.
#[derive(Debug, Default)]
struct Slot(AtomicPtr<u8>);

/// Units kept in memory, up to a limit. Shared by the tasks of a run.
#[derive(Debug)]
pub struct MemoryStore {
    unit_bytes: u64,
    units: u64,
    limit_bytes: u64,
    stored_bytes: AtomicU64,
    chunks: Box<[OnceLock<Box<[Slot]>>]>,
    /// What the slots' memory is part of; freed with the store.
    slabs: Mutex<Vec<LaneBuffer>>,
    /// Memory for units that was given back.
    spare: Mutex<Vec<Piece>>,
}

/// Memory for one unit, inside one of the store's slabs; nobody else has it.
#[derive(Debug)]
struct Piece(*mut u8);

// SAFETY: a piece is memory of a slab, which is not tied to any thread, and has one owner.
unsafe impl Send for Piece {}

impl MemoryStore {
    /// A store for units 0 to `units` of `unit_bytes` bytes each, which keeps at most `limit_bytes`.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] when the unit is no multiple of 4096.
    pub fn new(unit_bytes: u64, units: u64, limit_bytes: u64) -> Result<Self> {
        if unit_bytes == 0 || !unit_bytes.is_multiple_of(4096) {
            let what = format!("a unit of {unit_bytes} bytes is no multiple of 4096");
            return Err(Error::new(Code::InvalidArgument, what, "choose another unit size"));
        }
        Ok(Self {
            unit_bytes,
            units,
            limit_bytes,
            stored_bytes: AtomicU64::new(0),
            chunks: (0..units.div_ceil(CHUNK_UNITS)).map(|_| OnceLock::new()).collect(),
            slabs: Mutex::default(),
            spare: Mutex::default(),
        })
    }

    /// Bytes of the units that are kept now.
    pub fn stored_bytes(&self) -> u64 {
        self.stored_bytes.load(Ordering::Relaxed)
    }

    /// Bytes in a unit.
    pub fn unit_bytes(&self) -> u64 {
        self.unit_bytes
    }

    /// Units that there is room to name.
    pub fn units(&self) -> u64 {
        self.units
    }

    fn slot(&self, unit: u64) -> &Slot {
        let chunk = self.chunks[(unit / CHUNK_UNITS) as usize]
            .get_or_init(|| (0..CHUNK_UNITS).map(|_| Slot::default()).collect());
        &chunk[(unit % CHUNK_UNITS) as usize]
    }

    /// Copies what is kept at `offset` of the run's linear space into `into`.
    ///
    /// # Errors
    /// The first unit that is not kept.
    pub(crate) fn read(&self, offset: u64, into: &mut [u8]) -> std::result::Result<(), u64> {
        for part in Parts::new(self.unit_bytes, offset, into.len()) {
            let held = self.slot(part.unit).hold();
            if held.memory.is_null() {
                return Err(part.unit);
            }
            // SAFETY: the memory is a unit's, `part` lies inside the unit, the slot is held so that nobody writes
            // to it now, and `into` is other memory. Slabs are zeroed, so every byte is initialised.
            unsafe {
                let from = held.memory.add(part.in_unit);
                from.copy_to_nonoverlapping(into[part.at..].as_mut_ptr(), part.bytes);
            }
        }
        Ok(())
    }

    /// Forgets a unit; its memory is kept for others. `false`: it was not kept.
    pub(crate) fn remove(&self, unit: u64) -> bool {
        let mut held = self.slot(unit).hold();
        if held.memory.is_null() {
            return false;
        }
        let piece = Piece(std::mem::replace(&mut held.memory, std::ptr::null_mut()));
        drop(held);
        self.stored_bytes.fetch_sub(self.unit_bytes, Ordering::Relaxed);
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(piece);
        true
    }

    /// Takes room for one more unit out of the limit.
    fn admit(&self) -> Result<()> {
        let take = |stored: u64| stored.checked_add(self.unit_bytes).filter(|stored| *stored <= self.limit_bytes);
        if self.stored_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
            return Ok(());
        }
        Err(Error::new(
            Code::OutOfMemory,
            format!("the memory sink is full: its limit is {} bytes", self.limit_bytes),
            "raise the target's limit, use more agents, or make the data smaller",
        ))
    }
}

/// One lane's way into the store: has memory in reserve, so that a unit is had without asking anybody.
#[derive(Debug)]
pub(crate) struct MemoryLane {
    store: Arc<MemoryStore>,
    node: u32,
    reserve: Vec<Piece>,
}

impl MemoryLane {
    pub(crate) fn new(store: Arc<MemoryStore>, node: u32) -> Self {
        Self { store, node, reserve: Vec::new() }
    }

    /// Keeps `bytes` at `offset` of the run's linear space.
    ///
    /// # Errors
    /// [`Code::OutOfMemory`] when the limit is reached or the system has no more.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let store = Arc::clone(&self.store);
        for part in Parts::new(store.unit_bytes, offset, bytes.len()) {
            let mut held = store.slot(part.unit).hold();
            if held.memory.is_null() {
                held.memory = self.piece()?.0;
            }
            // SAFETY: the memory is a unit's, `part` lies inside the unit, the slot is held so that nobody else
            // touches it now, and `bytes` is other memory.
            unsafe {
                let to = held.memory.add(part.in_unit);
                to.copy_from_nonoverlapping(bytes[part.at..].as_ptr(), part.bytes);
            }
        }
        Ok(())
    }

    fn piece(&mut self) -> Result<Piece> {
        self.store.admit()?;
        if self.reserve.is_empty()
            && let Err(error) = self.refill()
        {
            self.store.stored_bytes.fetch_sub(self.store.unit_bytes, Ordering::Relaxed);
            return Err(error);
        }
        Ok(self.reserve.pop().expect("refilled just now"))
    }

    /// Gets memory for at least one unit: what others gave back, else a slab, made and touched by this lane.
    fn refill(&mut self) -> Result<()> {
        let unit_bytes = self.store.unit_bytes;
        let wanted = (SLAB_BYTES.min(self.store.limit_bytes) / unit_bytes).max(1);
        {
            let mut spare = self.store.spare.lock().unwrap_or_else(PoisonError::into_inner);
            let from = spare.len().saturating_sub(wanted as usize);
            self.reserve.extend(spare.drain(from..));
        }
        if !self.reserve.is_empty() {
            return Ok(());
        }
        let mut slab = LaneBuffer::new((wanted * unit_bytes) as usize, Wish::near(Some(self.node)))?;
        // SAFETY: each offset is inside the slab, which is `wanted` units long.
        let pieces = (0..wanted).map(|n| unsafe { slab.as_mut_slice().as_mut_ptr().add((n * unit_bytes) as usize) });
        // The lowest is popped first, so that units written in order lie in order.
        self.reserve.extend(pieces.map(Piece));
        self.reserve.reverse();
        self.store.slabs.lock().unwrap_or_else(PoisonError::into_inner).push(slab);
        Ok(())
    }
}

impl Drop for MemoryLane {
    fn drop(&mut self) {
        self.store.spare.lock().unwrap_or_else(PoisonError::into_inner).append(&mut self.reserve);
    }
}

/// A slot that is marked busy; unmarked, with the memory it then has, when dropped.
struct Held<'a> {
    slot: &'a Slot,
    memory: *mut u8,
}

impl Slot {
    fn hold(&self) -> Held<'_> {
        loop {
            let memory = self.0.load(Ordering::Relaxed).map_addr(|address| address & !BUSY);
            let busy = memory.map_addr(|address| address | BUSY);
            if self.0.compare_exchange_weak(memory, busy, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                return Held { slot: self, memory };
            }
            // Another lane copies one unit: microseconds, and only when two ranges overlap.
            std::hint::spin_loop();
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.slot.0.store(self.memory, Ordering::Release);
    }
}

/// The part of a block that lies in one unit.
struct Part {
    unit: u64,
    in_unit: usize,
    /// Where in the block.
    at: usize,
    bytes: usize,
}

/// Cuts a block at the borders of units.
struct Parts {
    unit_bytes: u64,
    offset: u64,
    length: usize,
    at: usize,
}

impl Parts {
    fn new(unit_bytes: u64, offset: u64, length: usize) -> Self {
        Self { unit_bytes, offset, length, at: 0 }
    }
}

impl Iterator for Parts {
    type Item = Part;

    fn next(&mut self) -> Option<Part> {
        let position = self.offset + self.at as u64;
        let in_unit = position % self.unit_bytes;
        let bytes = (self.unit_bytes - in_unit).min((self.length - self.at) as u64) as usize;
        let part = Part { unit: position / self.unit_bytes, in_unit: in_unit as usize, at: self.at, bytes };
        self.at += bytes;
        (bytes > 0).then_some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(units: u64, limit_units: u64) -> Arc<MemoryStore> {
        Arc::new(MemoryStore::new(8192, units, limit_units * 8192).unwrap())
    }

    #[test]
    fn what_was_written_in_any_cut_is_read_back_in_any_other() {
        let store = store(64, 64);
        let mut lane = MemoryLane::new(Arc::clone(&store), 0);
        let all: Vec<u8> = (0..64 * 8192u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for (n, block) in all.chunks(12_288).enumerate() {
            lane.write(n as u64 * 12_288, block).unwrap();
        }
        let mut back = vec![0; all.len()];
        for (n, block) in back.chunks_mut(5000).enumerate() {
            store.read(n as u64 * 5000, block).unwrap();
        }
        assert!(back == all);
        assert_eq!(store.stored_bytes(), 64 * 8192);
    }

    #[test]
    fn a_unit_that_was_never_written_is_said_to_be_missing_and_not_zeros() {
        let store = store(8, 8);
        let mut lane = MemoryLane::new(Arc::clone(&store), 0);
        lane.write(0, &[1; 8192]).unwrap();
        assert_eq!(store.read(0, &mut [0; 3 * 8192]), Err(1));
    }

    #[test]
    fn the_limit_is_kept_to_the_unit_and_what_is_deleted_can_be_used_again() {
        let store = store(8, 3);
        let mut lane = MemoryLane::new(Arc::clone(&store), 0);
        lane.write(0, &[1; 3 * 8192]).unwrap();
        assert_eq!(lane.write(3 * 8192, &[1; 8192]).unwrap_err().code, Code::OutOfMemory);
        lane.write(8192, &[2; 8192]).unwrap();
        assert!(store.remove(1));
        assert!(!store.remove(1));
        lane.write(3 * 8192, &[3; 8192]).unwrap();
        let mut back = [0; 8192];
        store.read(3 * 8192, &mut back).unwrap();
        assert_eq!(back, [3; 8192]);
        assert_eq!(store.stored_bytes(), 3 * 8192);
    }

    #[test]
    fn lanes_that_write_the_same_unit_at_once_never_mix_their_bytes() {
        let store = store(1, 1);
        std::thread::scope(|scope| {
            for value in 1..=4 {
                let store = Arc::clone(&store);
                scope.spawn(move || {
                    let mut lane = MemoryLane::new(Arc::clone(&store), 0);
                    let mut back = [0; 8192];
                    for _ in 0..500 {
                        lane.write(0, &[value; 8192]).unwrap();
                        store.read(0, &mut back).unwrap();
                        assert!(back.iter().all(|byte| *byte == back[0]));
                    }
                });
            }
        });
        assert_eq!(store.stored_bytes(), 8192);
    }
}
