//! A lane's way to a sink that takes its time: to files through the system, to a store by requests. Both are handed I/Os,
//! and give answers in any order. Must never know what an answer means.

use std::collections::VecDeque;
use std::sync::Arc;

use super::lanes::Slots;
use super::range::Opened;
use super::spec::{Operation, TaskSpec};
use super::transfer::Block;
use crate::io::{Answer, LaneIo};
use crate::sink::s3::{S3Done, S3Lane, S3Request};

/// See the module.
pub(super) enum Way {
    Files(LaneIo),
    Store(Box<StoreWay>),
}

impl Way {
    /// Hands over what was pushed. Requests to a store went out as they were pushed.
    pub(super) fn submit(&mut self) {
        if let Self::Files(io) = self {
            io.submit();
        }
    }

    /// Takes answers that have come, without waiting.
    pub(super) fn glance(&mut self, answers: &mut VecDeque<Answer>) {
        match self {
            Self::Files(io) => io.glance(answers),
            Self::Store(store) => {
                store.lane.poll(&mut store.ended);
                store.tell(answers);
            }
        }
    }

    /// Hands over what was pushed, and waits for at least one answer, or until this instant of CLOCK_MONOTONIC.
    pub(super) fn wait(&mut self, until_ns: u64, answers: &mut VecDeque<Answer>) {
        match self {
            Self::Files(io) => io.wait(until_ns, answers),
            Self::Store(store) => {
                store.lane.wait(until_ns, &mut store.ended);
                store.tell(answers);
            }
        }
    }
}

/// A lane's requests to a store, and what became of those that ended.
pub(super) struct StoreWay {
    // Dropped first: with it goes every request's hold on the lane's memory.
    pub(super) lane: S3Lane,
    ended: Vec<S3Done>,
    /// What became of each slot's request, until somebody takes it.
    done: Box<[Option<S3Done>]>,
}

impl StoreWay {
    /// For at most `depth` requests at once.
    pub(super) fn new(lane: S3Lane, depth: usize) -> Self {
        Self { lane, ended: Vec::with_capacity(depth), done: (0..depth).map(|_| None).collect() }
    }

    /// Starts the request for a slot's block.
    ///
    /// # Safety
    /// The slot's memory holds the block, and nobody else touches it, until the answer has come or this was dropped.
    pub(super) unsafe fn push(&mut self, slot: u32, spec: &TaskSpec, block: &Block, opened: &Opened, slots: Slots) {
        let &Block { object, in_object: offset, bytes, .. } = block;
        let request = match (spec.operation, opened) {
            (Operation::Delete, _) => S3Request::Delete { object },
            (Operation::Stat, _) => S3Request::Head { object },
            (Operation::Write, Opened::Upload(upload)) => {
                S3Request::PutPart { upload: Arc::clone(upload), part: (offset / spec.block_bytes as u64) as usize }
            }
            (Operation::Write, _) => S3Request::PutObject { object },
            _ => S3Request::Get { object, offset },
        };
        let moves = !spec.operation.is_by_object();
        let (memory, bytes) = if moves { (slots.at(slot), bytes) } else { (std::ptr::dangling_mut(), 0) };
        // SAFETY: as the caller promises.
        unsafe { self.lane.submit(slot as usize, request, memory, bytes) };
    }

    /// What became of a slot's request, once its answer was given.
    pub(super) fn take(&mut self, slot: u32) -> S3Done {
        self.done[slot as usize].take().expect("what was answered has ended")
    }

    /// How long an object is, if that can be found out.
    pub(super) fn length(&mut self, object: u64) -> Option<u64> {
        self.lane.length(object).ok().flatten()
    }

    fn tell(&mut self, answers: &mut VecDeque<Answer>) {
        for done in self.ended.drain(..) {
            let slot = done.slot;
            self.done[slot] = Some(done);
            answers.push_back(Answer { slot: slot as u32, outcome: Ok(0) });
        }
    }
}
