//! What a lane has in flight: handed to its I/O when that is allowed, waited for, timed and counted. Must never know how
//! claims are dealt out, nor what is made of a block.

use std::mem;
use std::sync::Arc;

use super::control::Parked;
use super::lanes::{Flow, LaneRun};
use super::pacing::submission_at;
use super::queue::Fate;
use super::range::{Opened, SeedRange};
use super::way::Way;
use crate::classes::Class;
use crate::clock::now_ns;
use crate::io::Request;

/// As soon as blocks of this many bytes are ready they are handed over, while the next are made; smaller ones go together
/// in one system call.
const HANDED_OVER_BYTES: usize = 64 << 10;

/// When an operation was submitted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Submission {
    /// In ns; 0: it was not.
    pub(super) at_ns: u64,
    /// When it was to be, under a rate; 0: there is none.
    pub(super) intended_ns: u64,
}

impl Submission {
    /// At this instant, as soon as could be.
    pub(super) const fn at(at_ns: u64) -> Self {
        Self { at_ns, intended_ns: 0 }
    }
}

impl LaneRun<'_> {
    /// Hands over and submits what is ready once that is worth a system call.
    pub(super) fn hand_over_some(&mut self) {
        let ready = self.queue.ready.len();
        let is_store = matches!(self.io, Some(Way::Store(_)));
        if is_store || ready * self.shared.spec.block_bytes >= HANDED_OVER_BYTES {
            self.hand_over();
            self.submit();
        }
    }

    /// Hands what is ready to the lane's I/O, if that is allowed now; whoever calls this submits it, or waits, which
    /// submits too. Past the deadline it waits, with nothing in flight; when the task's time is over it drops what is ready.
    pub(super) fn hand_over(&mut self) {
        while !self.queue.ready.is_empty() {
            let now_ns = self.note_content();
            if now_ns >= self.shared.control.halt_ns() {
                if self.shared.control.time_is_over(now_ns) {
                    return self.drop_stopped();
                }
                if self.queue.in_flight > 0 {
                    return;
                }
                let first = self.queue.ready[0];
                let range = Arc::clone(&self.queue.slot_and_hold(first).1.range);
                if self.wait_for_deadline(&range).is_break() {
                    self.drop_stopped();
                }
                continue;
            }
            return self.push_ready(now_ns);
        }
    }

    fn push_ready(&mut self, at_ns: u64) {
        self.drop_stopped();
        let Some(io) = &mut self.io else { return };
        if self.cell.started_ns.get() == 0 {
            self.cell.started_ns.set(at_ns);
        }
        let (ready, mut kept) = (self.queue.ready.len(), 0);
        for at in 0..ready {
            let slot = self.queue.ready[at];
            let (of, hold) = self.queue.slot_and_hold(slot);
            if of.submission.at_ns == 0 {
                match submission_at(&mut self.pacer, at_ns, of.block.bytes) {
                    Some(submission) => of.submission = submission,
                    None => {
                        self.queue.ready[kept] = slot;
                        kept += 1;
                        continue;
                    }
                }
            }
            match (&mut *io, hold.file, &hold.opened) {
                (Way::Files(io), Some(file), Opened::File(object)) => {
                    let moved = of.progress.moved();
                    let offset = object.position(of.block.in_object) + moved as u64;
                    // SAFETY: the rest of the slot's memory; the block is shorter than the slot.
                    let memory = unsafe { self.slots.at(slot).add(moved) };
                    let request =
                        Request { slot, writes: of.block.writes, file, offset, memory, bytes: of.block.bytes - moved };
                    // SAFETY: nobody touches the slot's memory until the block is answered, and its object is held that long;
                    // when the lane leaves early, the I/O is dropped before the buffer is used again.
                    unsafe { io.push(request) };
                }
                // SAFETY: as above.
                (Way::Store(store), _, opened) => unsafe {
                    store.push(slot, &self.shared.spec, &of.block, opened, self.slots);
                },
                _ => unreachable!("only blocks of objects that are open are made ready"),
            }
        }
        self.queue.ready.truncate(kept);
        if kept == ready {
            return;
        }
        self.queue.in_flight += ready - kept;
        let in_flight = (self.queue.in_flight - self.answers.len()) as u64;
        if in_flight > self.cell.greatest_in_flight.get() {
            self.cell.greatest_in_flight.set(in_flight);
        }
        self.unsubmitted = true;
        // Blocking calls have been made by now: that was no content.
        self.since_ns = now_ns();
    }

    /// Submits what was handed over, to make more blocks meanwhile.
    fn submit(&mut self) {
        let Some(io) = &mut self.io else { return };
        if mem::take(&mut self.unsubmitted) {
            io.submit();
            self.since_ns = now_ns();
        }
    }

    /// Gives up what is ready of ranges that were stopped, or of a task that is called off.
    fn drop_stopped(&mut self) {
        let is_cancelled = self.shared.control.is_cancelled();
        let mut at = 0;
        while let Some(slot) = self.queue.ready.get(at).copied() {
            if is_cancelled || self.queue.slot_and_hold(slot).1.range.is_stopped() {
                self.queue.ready.remove(at);
                self.through(slot, Fate::Abandoned);
            } else {
                at += 1;
            }
        }
    }

    /// Waits for something in flight, if nothing has been seen to come back, or for the turn of what is ready; deals with
    /// all that has come, and makes new blocks in between. What was handed over is submitted either way.
    pub(super) fn wait(&mut self) {
        if self.answers.is_empty() {
            self.unlooked_bytes = 0;
            self.note_content();
            self.unsubmitted = false;
            let until_ns = self.next_turn_ns();
            if let Some(io) = &mut self.io {
                io.wait(until_ns, &mut self.answers);
            }
            self.stamp(0);
        } else {
            self.submit();
        }
        while let Some(answer) = self.answers.pop_front() {
            self.answered(answer);
            self.feed();
        }
    }

    /// Looks whether something has come back, in the midst of other work: its time ends now.
    pub(super) fn look(&mut self) {
        self.unlooked_bytes = 0;
        if self.queue.in_flight == self.answers.len() {
            return;
        }
        let Some(io) = &mut self.io else { return };
        let before = self.answers.len();
        io.glance(&mut self.answers);
        if self.answers.len() > before {
            self.note_content();
            self.stamp(before);
        }
    }

    fn stamp(&mut self, from: usize) {
        let now_ns = now_ns();
        self.since_ns = now_ns;
        for answer in self.answers.iter().skip(from) {
            self.queue.slot(answer.slot).done_ns = now_ns;
        }
    }

    /// The time since the last I/O went into making or comparing bytes. Says what time it is now, in ns.
    #[inline]
    fn note_content(&mut self) -> u64 {
        let now_ns = now_ns();
        self.cell.counters.content_ns.add(now_ns - self.since_ns);
        self.since_ns = now_ns;
        now_ns
    }

    /// Waits until something may be submitted, and says what time it then is. Nothing may be in flight.
    #[inline]
    pub(super) fn may_submit(&mut self, range: &SeedRange) -> Flow<Submission> {
        let now_ns = self.note_content();
        if now_ns < self.shared.control.halt_ns() {
            if self.cell.started_ns.get() == 0 {
                self.cell.started_ns.set(now_ns);
            }
            return Flow::Continue(Submission::at(now_ns));
        }
        self.wait_for_deadline(range)
    }

    #[cold]
    fn wait_for_deadline(&mut self, range: &SeedRange) -> Flow<Submission> {
        loop {
            match self.shared.control.park(range) {
                Parked::Go => {
                    self.since_ns = now_ns();
                    return self.may_submit(range);
                }
                Parked::Stop => return Flow::Break(Fate::Abandoned),
                Parked::Sync(object) => self.sync_object(object, false),
            }
        }
    }

    /// Counts an operation of this class that went well, by when it was submitted and when it was seen to be done.
    #[inline]
    pub(super) fn count(&mut self, class: Class, submission: Submission, done_ns: u64, bytes: u64) {
        let Submission { at_ns, intended_ns } = submission;
        let is_paced = intended_ns > 0;
        if at_ns < self.shared.control.counts_from_ns() {
            self.cell.count_in_ramp(class, done_ns - at_ns, bytes);
        } else {
            self.cell.count(class, done_ns - at_ns, bytes);
            if is_paced {
                self.cell.count_response(class, done_ns - intended_ns);
            }
        }
        if is_paced {
            self.cell.late_ns.set(at_ns - intended_ns);
            self.cell.last_paced_ns.set(done_ns);
        }
        self.cell.note_done(done_ns);
    }

    /// Counts an operation that is done at this moment.
    #[inline]
    pub(super) fn count_now(&mut self, class: Class, submission: Submission, bytes: u64) {
        let now_ns = now_ns();
        self.count(class, submission, now_ns, bytes);
        self.since_ns = now_ns;
    }
}
