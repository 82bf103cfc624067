//! A lane that keeps a rate: it waits for the instant of its next operation, and submits none before. What it is told of
//! its share, it is told between two operations. Must never know what the operations do.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::in_flight::Submission;
use super::lanes::{Flow, LaneRun};
use super::pacer::{Pacer, Rate, Share};
use super::queue::Fate;
use super::range::SeedRange;
use super::shared::Shared;
use crate::bell::{Bell, EVERYBODY};
use crate::clock::now_ns;
use crate::counters::LaneCell;
use crate::io::FOR_EVER;

/// How often a lane that waits for its turn looks whether it is still wanted.
const DOZE_NS: u64 = 50_000_000;

/// What a task's lanes are told of their share of a rate.
pub(super) struct Pacing {
    rate: Rate,
    /// How many shares were told: lanes look at this, and take the lock only when there are more.
    told: AtomicUsize,
    /// From when each holds, by CLOCK_MONOTONIC in ns; one for each change of the agents that take part.
    shares: Mutex<Vec<(u64, Share)>>,
    bell: Bell,
}

impl Pacing {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, told: AtomicUsize::new(0), shares: Mutex::default(), bell: Bell::default() }
    }

    /// A share that holds from this instant on.
    pub(super) fn tell(&self, share: Share, from_ns: u64) {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if shares.last().is_some_and(|(_, last)| *last == share) {
            return;
        }
        shares.push((from_ns, share));
        self.told.store(shares.len(), Ordering::Release);
        drop(shares);
        self.bell.ring(EVERYBODY);
    }

    /// The shares behind the first `seen`.
    fn since(&self, seen: usize) -> Vec<(u64, Share)> {
        let shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        shares.get(seen..).unwrap_or_default().to_vec()
    }
}

/// One lane's instants, and the shares that it knows of.
pub(super) struct LanePacer<'a> {
    pacing: &'a Pacing,
    pacer: Pacer,
    seen: usize,
}

impl<'a> LanePacer<'a> {
    fn new(pacing: &'a Pacing, lane: u64, usual_bytes: usize, start_ns: u64) -> Self {
        let told = pacing.since(0);
        let share = told.first().map_or(Share { per_lane: 0.0, first_lane: 0, lanes: 1 }, |(_, share)| *share);
        let pacer = Pacer::new(pacing.rate, share, lane, usual_bytes, start_ns);
        Self { pacing, pacer, seen: told.len().min(1) }
    }

    /// The instant of the next operation.
    #[inline]
    fn next_ns(&mut self) -> u64 {
        if self.pacing.told.load(Ordering::Acquire) > self.seen {
            self.take_shares();
        }
        self.pacer.next_ns()
    }

    #[cold]
    fn take_shares(&mut self) {
        for (from_ns, share) in self.pacing.since(self.seen) {
            self.pacer.change(from_ns, share.per_lane);
            self.seen += 1;
        }
    }
}

/// The submission, at this moment, of an operation of so many bytes. `None`: its instant has not come.
#[inline]
pub(super) fn submission_at(pacer: &mut Option<LanePacer>, at_ns: u64, bytes: usize) -> Option<Submission> {
    let Some(own) = pacer else { return Some(Submission::at(at_ns)) };
    let intended_ns = own.next_ns();
    if at_ns < intended_ns {
        return None;
    }
    own.pacer.passed(bytes);
    Some(Submission { at_ns, intended_ns })
}

impl Shared {
    /// What paces a lane, under a rate. The start must have come.
    pub(super) fn pacer_of(&self, lane: usize, cell: &LaneCell) -> Option<LanePacer<'_>> {
        let pacing = self.pacing.as_ref()?;
        // Timers of a thread may be 50 µs late by default, which would be half the interval of 10,000 operations a second.
        // Where the system refuses, operations begin that much later, and the response times show it.
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
        // Of the common start, where one was set: lanes pass it some microseconds later, each at another moment.
        let start_ns = match self.control.start.begin_ns() {
            0 => cell.begun_ns.get(),
            begin_ns => begin_ns.min(cell.begun_ns.get()),
        };
        let position = self.position_of(lane).unwrap_or(0) as u64;
        Some(LanePacer::new(pacing, position, self.spec.block_bytes, start_ns))
    }
}

impl LaneRun<'_> {
    /// Waits until the next operation, of so many bytes, may be submitted and its instant has come. Nothing may be in
    /// flight.
    #[inline]
    pub(super) fn turn(&mut self, range: &SeedRange, bytes: usize) -> Flow<Submission> {
        if self.pacer.is_none() { self.may_submit(range) } else { self.paced_turn(range, bytes) }
    }

    #[inline(never)]
    fn paced_turn(&mut self, range: &SeedRange, bytes: usize) -> Flow<Submission> {
        loop {
            let Submission { at_ns, .. } = self.may_submit(range)?;
            if let Some(submission) = submission_at(&mut self.pacer, at_ns, bytes) {
                return Flow::Continue(submission);
            }
            self.doze();
            if range.is_stopped() || self.shared.control.is_cancelled() {
                return Flow::Break(Fate::Abandoned);
            }
        }
    }

    /// Sleeps until the next operation's instant, or for a while. Nothing may be in flight.
    #[cold]
    pub(super) fn doze(&mut self) {
        let Some(own) = &mut self.pacer else { return };
        // Before the look at the shares, or one that is told meanwhile would be slept through.
        let heard = own.pacing.bell.heard();
        let until_ns = own.next_ns().min(now_ns() + DOZE_NS).min(self.shared.control.halt_ns());
        own.pacing.bell.wait(heard, EVERYBODY, Some(until_ns));
        self.since_ns = now_ns();
    }

    /// Until when to wait for what is in flight: past the instant of what is ready, that has its turn.
    pub(super) fn next_turn_ns(&mut self) -> u64 {
        match &mut self.pacer {
            Some(own) if !self.queue.ready.is_empty() => {
                let now_ns = now_ns();
                // Past the deadline, or when the time is over, nothing has a turn.
                if now_ns >= self.shared.control.halt_ns() {
                    return FOR_EVER;
                }
                own.next_ns().min(now_ns + DOZE_NS)
            }
            _ => FOR_EVER,
        }
    }
}
