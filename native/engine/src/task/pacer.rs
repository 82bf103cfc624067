//! When a lane's operations are to begin, so that all lanes together keep a rate: an open loop, whose instants go on
//! whether or not the storage keeps up. Pure: it has no clock and waits for nothing, and knows nothing of what is done at
//! its instants.
//!
//! Arrivals are those of a process of rate 1 whose time runs as fast as the lane's share of the rate says (time rescaling:
//! Çınlar, Introduction to Stochastic Processes, 4.7). A share that changes in the midst of an interval so shortens or
//! lengthens what is left of it, and the number of arrivals up to any instant is what the shares up to it add up to.

use std::collections::VecDeque;

use crate::named::named;

named! {
    /// How the instants lie.
    Arrivals {
        /// Evenly.
        #[default]
        Constant => "constant",
        /// At random, each independent of the others (a Poisson process): as many clients that know nothing of each other.
        Poisson => "poisson",
    }
}

named! {
    /// What a rate counts.
    RateOf {
        /// Operations.
        #[default]
        Operations => "operations",
        /// Bytes: a large operation takes the place of several small ones.
        Bytes => "bytes",
    }
}

/// A rate that the lanes of a task are to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// What it counts.
    pub of: RateOf,
    /// How the instants lie.
    pub arrivals: Arrivals,
    /// Of random arrivals: who gives the same again gets the same again.
    pub seed: u64,
}

/// A task's share of the rate of all tasks that keep it together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Operations or bytes a second of each of the task's lanes.
    pub per_lane: f64,
    /// The number of the task's first lane among the lanes of all tasks.
    pub first_lane: u64,
    /// How many lanes all tasks have.
    pub lanes: u64,
}

/// Changes of a lane's share that can be ahead of it; more can be only of a lane that is far behind, and of these the last
/// one counts.
const MAX_CHANGES: usize = 8;

/// No instant: the lane has no share.
pub(super) const NEVER: u64 = u64::MAX;

/// One lane's instants.
#[derive(Debug)]
pub(super) struct Pacer {
    rate: Rate,
    random: u64,
    /// How far the process has come: whole ns, and what is left of one.
    at_ns: u64,
    rest_ns: f64,
    /// Operations or bytes a ns, from here on.
    per_ns: f64,
    /// Shares of later: from when, and how much a ns.
    changes: VecDeque<(u64, f64)>,
    /// The next instant.
    next_ns: u64,
    /// What of the process lies before the next instant and after `at_ns`: it moves when a share changes meanwhile.
    need: f64,
}

impl Pacer {
    /// The instants of lane `lane` of the task from `start_ns` on, whose operations have mostly `usual_bytes`.
    pub(super) fn new(rate: Rate, share: Share, lane: u64, usual_bytes: usize, start_ns: u64) -> Self {
        let number = share.first_lane + lane;
        let mut pacer = Self {
            rate,
            // Lanes of one run differ; mixed, since seeds that follow one another give streams that do (Steele et al. 2014).
            random: mixed(rate.seed ^ mixed(number)),
            at_ns: start_ns,
            rest_ns: 0.0,
            per_ns: share.per_lane / 1e9,
            changes: VecDeque::with_capacity(MAX_CHANGES),
            next_ns: NEVER,
            need: 0.0,
        };
        let first = match rate.arrivals {
            // One lane after the other, so that the arrivals of all lanes lie evenly too.
            Arrivals::Constant => number as f64 / share.lanes.max(1) as f64,
            Arrivals::Poisson => pacer.exponential(),
        };
        pacer.need = first * pacer.size(usual_bytes);
        pacer.find_next();
        pacer
    }

    /// When the next operation is to begin; [`NEVER`] as long as the lane has no share.
    #[inline]
    pub(super) fn next_ns(&self) -> u64 {
        self.next_ns
    }

    /// The operation of the next instant, of so many bytes, was submitted: on to the one after it.
    pub(super) fn passed(&mut self, bytes: usize) {
        self.advance();
        let interval = match self.rate.arrivals {
            Arrivals::Constant => 1.0,
            Arrivals::Poisson => self.exponential(),
        };
        self.need = interval * self.size(bytes);
        self.find_next();
    }

    /// From this instant on the lane has another share. Changes come in the order of their instants.
    pub(super) fn change(&mut self, from_ns: u64, per_lane: f64) {
        if self.changes.len() == MAX_CHANGES {
            self.changes.pop_back();
        }
        self.changes.push_back((from_ns, per_lane / 1e9));
        self.find_next();
    }

    /// Finds the next instant, as far as the shares are known.
    fn find_next(&mut self) {
        let (mut at_ns, mut rest_ns, mut per_ns, mut need) = (self.at_ns, self.rest_ns, self.per_ns, self.need);
        for (from_ns, next_per_ns) in &self.changes {
            let until = from_ns.saturating_sub(at_ns) as f64 - rest_ns;
            if until > 0.0 {
                if per_ns > 0.0 && need <= until * per_ns {
                    break;
                }
                need -= until * per_ns;
                (at_ns, rest_ns) = (*from_ns, 0.0);
            }
            per_ns = *next_per_ns;
        }
        let ns = rest_ns + need / per_ns;
        // Of no share, and of one so small that it comes to the same.
        self.next_ns = if ns.is_finite() && ns < 9e18 { at_ns.saturating_add(ns as u64) } else { NEVER };
    }

    /// Moves to the next instant, and leaves behind the changes that lie before it.
    fn advance(&mut self) {
        while let Some((from_ns, per_ns)) = self.changes.front().copied() {
            let until = from_ns.saturating_sub(self.at_ns) as f64 - self.rest_ns;
            if until > 0.0 {
                if self.per_ns > 0.0 && self.need <= until * self.per_ns {
                    break;
                }
                self.need -= until * self.per_ns;
                (self.at_ns, self.rest_ns) = (from_ns, 0.0);
            }
            self.per_ns = per_ns;
            self.changes.pop_front();
        }
        let ns = self.rest_ns + self.need / self.per_ns;
        if ns.is_finite() {
            self.at_ns = self.at_ns.saturating_add(ns as u64);
            self.rest_ns = ns.fract();
        }
        self.need = 0.0;
    }

    fn size(&self, bytes: usize) -> f64 {
        match self.rate.of {
            RateOf::Operations => 1.0,
            RateOf::Bytes => bytes as f64,
        }
    }

    /// A time between two random arrivals of rate 1.
    fn exponential(&mut self) -> f64 {
        self.random = self.random.wrapping_add(GOLDEN);
        // 53 bits, and never 0: the logarithm is finite.
        let uniform = ((mixed(self.random) >> 11) + 1) as f64 / (1u64 << 53) as f64;
        -uniform.ln()
    }
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64's mixing (Steele, Lea, Flood, OOPSLA 2014).
const fn mixed(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: u64 = 1 << 40;

    fn rate(of: RateOf, arrivals: Arrivals) -> Rate {
        Rate { of, arrivals, seed: 7 }
    }

    fn share(per_lane: f64) -> Share {
        Share { per_lane, first_lane: 0, lanes: 1 }
    }

    fn instants(pacer: &mut Pacer, count: usize, bytes: usize) -> Vec<u64> {
        (0..count)
            .map(|_| {
                let at = pacer.next_ns();
                pacer.passed(bytes);
                at
            })
            .collect()
    }

    proptest! {
        #[test]
        fn constant_arrivals_keep_the_rate_to_the_nanosecond_however_long(per_second in 1u32..2_000_000, count in 1usize..5000) {
            let mut pacer = Pacer::new(rate(RateOf::Operations, Arrivals::Constant), share(per_second.into()), 0, 1, START);
            let last = *instants(&mut pacer, count + 1, 1).last().unwrap();
            let wanted = START + (count as f64 * 1e9 / f64::from(per_second)) as u64;
            prop_assert!(last.abs_diff(wanted) <= 1, "{last} {wanted}");
        }

        #[test]
        fn bytes_keep_their_rate_whatever_the_sizes(sizes in prop::collection::vec(1usize..2_000_000, 1..200), mib in 1u32..10_000) {
            let per_second = f64::from(mib) * 1048576.0;
            let mut pacer = Pacer::new(rate(RateOf::Bytes, Arrivals::Constant), share(per_second), 0, 4096, START);
            sizes.iter().for_each(|bytes| pacer.passed(*bytes));
            let wanted = START + (sizes.iter().sum::<usize>() as f64 * 1e9 / per_second) as u64;
            prop_assert!(pacer.next_ns().abs_diff(wanted) <= 1);
        }

        #[test]
        fn the_lanes_of_all_tasks_take_turns(lanes in 1u64..50, first in 0u64..50) {
            let share = Share { per_lane: 1000.0, first_lane: first, lanes: lanes + first };
            let firsts: Vec<u64> = (0..lanes)
                .map(|lane| Pacer::new(rate(RateOf::Operations, Arrivals::Constant), share, lane, 1, START).next_ns())
                .collect();
            let step = 1e6 / (lanes + first) as f64;
            for pair in firsts.windows(2) {
                prop_assert!(((pair[1] - pair[0]) as f64 - step).abs() < 2.0);
            }
            prop_assert!(firsts.iter().all(|at| (START..START + 1_000_000).contains(at)));
        }

        #[test]
        fn after_any_changes_as_many_arrive_as_the_shares_add_up_to(
            changes in prop::collection::vec((1u64..200_000_000, 0u32..100_000), 0..MAX_CHANGES), arrivals in 0..2u8,
        ) {
            let arrivals = if arrivals == 0 { Arrivals::Constant } else { Arrivals::Poisson };
            let mut pacer = Pacer::new(rate(RateOf::Operations, arrivals), share(20_000.0), 0, 1, START);
            let (mut from, mut per_second, mut wanted) = (START, 20_000.0, 0.0);
            for (after, next) in &changes {
                wanted += *after as f64 * per_second / 1e9;
                from += after;
                per_second = f64::from(*next);
                pacer.change(from, per_second);
            }
            let end = from + 100_000_000;
            wanted += 0.1 * per_second;
            let (mut count, mut before) = (0u32, 0);
            while pacer.next_ns() < end {
                prop_assert!(pacer.next_ns() >= before, "instants rise");
                before = pacer.next_ns();
                pacer.passed(1);
                count += 1;
            }
            // Six standard deviations of a Poisson count; evenly, no more than the two ends.
            let off = match arrivals { Arrivals::Constant => 2.0, Arrivals::Poisson => 6.0 * wanted.sqrt() + 2.0 };
            prop_assert!((f64::from(count) - wanted).abs() <= off, "{count} of {wanted}");
        }
    }

    #[test]
    fn random_arrivals_are_those_of_a_poisson_process_and_the_same_each_time() {
        let pacer = |lane| Pacer::new(rate(RateOf::Operations, Arrivals::Poisson), share(1e6), lane, 1, START);
        let all = instants(&mut pacer(0), 100_000, 1);
        assert_eq!(all, instants(&mut pacer(0), 100_000, 1));
        assert_ne!(all, instants(&mut pacer(1), 100_000, 1));
        let gaps: Vec<f64> = all.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean - 1000.0).abs() < 15.0, "{mean}");
        assert!((variance.sqrt() - mean).abs() < 25.0, "exponential: as wide as long, {variance}");
        let longer = gaps.iter().filter(|gap| **gap > 2.0 * mean).count() as f64 / gaps.len() as f64;
        assert!((longer - (-2f64).exp()).abs() < 0.01, "{longer}");
    }

    #[test]
    fn a_lane_without_a_share_waits_until_it_gets_one() {
        let mut pacer = Pacer::new(rate(RateOf::Operations, Arrivals::Constant), share(0.0), 0, 1, START);
        pacer.passed(1);
        assert_eq!(pacer.next_ns(), NEVER);
        pacer.change(START + 500, 1e6);
        assert_eq!(pacer.next_ns(), START + 1500);
    }

    #[test]
    fn a_share_that_rises_cuts_a_long_wait_short() {
        let mut pacer = Pacer::new(rate(RateOf::Operations, Arrivals::Constant), share(1.0), 0, 1, START);
        pacer.passed(1);
        // Instants are rounded to whole ns.
        assert!(pacer.next_ns().abs_diff(START + 1_000_000_000) <= 1);
        pacer.change(START + 500_000_000, 10.0);
        assert!(pacer.next_ns().abs_diff(START + 550_000_000) <= 1);
    }
}
