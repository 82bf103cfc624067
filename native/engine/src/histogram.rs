//! Latency histograms in one fixed bucket layout, the same here, on the wire and in TypeScript: that of HdrHistogram
//! (Tene, hdrhistogram.org) for values from 1 ns to 2^42 - 1 ns (73 minutes) at two significant digits. Must never
//! know what was timed.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Values below this have a bucket each: the smallest power of two that keeps two significant digits (2 · 10^2) apart.
const SUB_BUCKETS: u64 = 256;
const HALF: u64 = SUB_BUCKETS / 2;
const HALF_BITS: u32 = HALF.trailing_zeros();

/// The highest value that has a bucket of its own, in ns. Higher ones count in the last bucket.
pub const HIGHEST_NS: u64 = (1 << 42) - 1;

/// Number of buckets.
pub const BUCKETS: usize = bucket_of(HIGHEST_NS) + 1;

/// The bucket that counts a value of `ns` nanoseconds.
#[inline]
pub const fn bucket_of(ns: u64) -> usize {
    let ns = if ns > HIGHEST_NS { HIGHEST_NS } else { ns };
    let shift = u64::BITS - (ns | (SUB_BUCKETS - 1)).leading_zeros() - SUB_BUCKETS.trailing_zeros();
    (((shift as u64) << HALF_BITS) + (ns >> shift)) as usize
}

/// The lowest value that a bucket counts, in ns.
pub const fn lowest_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < SUB_BUCKETS { bucket } else { ((bucket & (HALF - 1)) + HALF) << shift_of(bucket) }
}

/// The highest value that a bucket counts, in ns; the last one also counts everything above [`HIGHEST_NS`].
pub const fn highest_of(bucket: usize) -> u64 {
    lowest_of(bucket) + (1 << shift_of(bucket as u64)) - 1
}

/// How many low bits the values of a bucket may differ in.
const fn shift_of(bucket: u64) -> u64 {
    if bucket < SUB_BUCKETS { 0 } else { (bucket >> HALF_BITS) - 1 }
}

/// One lane's histogram: written by that lane only, read by anyone at any time. Since there is one writer, a count is
/// a plain load and store; a locked add would cost more than the rest of the recording.
pub struct LaneHistogram {
    counts: Box<[AtomicU64]>,
    min_ns: AtomicU64,
    max_ns: AtomicU64,
}

impl Default for LaneHistogram {
    fn default() -> Self {
        Self {
            counts: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            min_ns: AtomicU64::new(u64::MAX),
            max_ns: AtomicU64::new(0),
        }
    }
}

impl LaneHistogram {
    /// Counts one value. Only ever called by the histogram's own lane.
    #[inline]
    pub fn record(&self, ns: u64) {
        let count = &self.counts[bucket_of(ns)];
        count.store(count.load(Relaxed) + 1, Relaxed);
        if ns > self.max_ns.load(Relaxed) {
            self.max_ns.store(ns, Relaxed);
        }
        if ns < self.min_ns.load(Relaxed) {
            self.min_ns.store(ns, Relaxed);
        }
    }
}

/// The buckets that have counts, in rising order; what crosses to Node and the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SparseHistogram {
    /// Numbers of the buckets, rising.
    pub buckets: Vec<u32>,
    /// The count of each of those buckets, none of them 0.
    pub counts: Vec<u64>,
    /// The lowest value since the beginning, exact, in ns; 0 when there was none.
    pub min_ns: u64,
    /// The highest value since the beginning, exact, also when it is above [`HIGHEST_NS`], in ns; 0 when there was none.
    pub max_ns: u64,
}

impl SparseHistogram {
    /// How many values it counts.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// Merges the histograms of a pool's lanes and remembers what it gave out before, so that each call gives only what
/// is new. Adding up everything it ever gave is the whole histogram.
pub struct Differences {
    given: Box<[u64]>,
    /// Where a call adds up.
    totals: Box<[u64]>,
}

impl Default for Differences {
    fn default() -> Self {
        Self { given: vec![0; BUCKETS].into_boxed_slice(), totals: vec![0; BUCKETS].into_boxed_slice() }
    }
}

impl Differences {
    /// What these lanes recorded since the call before. The lanes must be the same, or more, at each call. Of hundreds of
    /// lanes this reads some MB: it is nothing for a thread that must not wait.
    pub fn next<'a>(&mut self, lanes: impl Iterator<Item = &'a LaneHistogram>) -> SparseHistogram {
        self.totals.fill(0);
        let (mut min_ns, mut max_ns) = (u64::MAX, 0);
        for lane in lanes {
            let (lowest_ns, highest_ns) = (lane.min_ns.load(Relaxed), lane.max_ns.load(Relaxed));
            if lowest_ns > highest_ns {
                // Nothing yet, or a first value half told; the next call has it.
                continue;
            }
            // Lane by lane, in the order of memory, and only where it has counts: most latencies of a lane are alike.
            let span = bucket_of(lowest_ns)..=bucket_of(highest_ns);
            for (total, count) in std::iter::zip(&mut self.totals[span.clone()], &lane.counts[span]) {
                *total += count.load(Relaxed);
            }
            min_ns = min_ns.min(lowest_ns);
            max_ns = max_ns.max(highest_ns);
        }
        let mut difference =
            SparseHistogram { min_ns: if max_ns < min_ns { 0 } else { min_ns }, max_ns, ..SparseHistogram::default() };
        for (bucket, (total, given)) in std::iter::zip(&self.totals, &mut self.given).enumerate() {
            if total > given {
                difference.buckets.push(bucket as u32);
                difference.counts.push(total - *given);
                *given = *total;
            }
        }
        difference
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;
    use proptest::prelude::*;

    use super::*;

    /// Latencies spread over all magnitudes, not crowded at the top as uniform ones would be.
    fn latencies() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec((0u32..43, any::<u64>()).prop_map(|(bits, x)| x & ((1 << bits) - 1)), 1..300)
    }

    fn whole(lanes: &[LaneHistogram]) -> SparseHistogram {
        Differences::default().next(lanes.iter())
    }

    proptest! {
        #[test]
        fn percentiles_agree_with_hdrhistogram_bucket_by_bucket(values in latencies()) {
            let ours = LaneHistogram::default();
            let mut theirs = Histogram::<u64>::new_with_bounds(1, HIGHEST_NS, 2).unwrap();
            for &value in &values {
                ours.record(value);
                theirs.record(value).unwrap();
            }
            let ours = whole(&[ours]);
            let ours: Vec<_> = ours.buckets.iter().map(|&b| highest_of(b as usize)).zip(ours.counts).collect();
            let theirs: Vec<_> =
                theirs.iter_recorded().map(|step| (step.value_iterated_to(), step.count_since_last_iteration())).collect();
            prop_assert_eq!(ours, theirs);
        }

        #[test]
        fn a_bucket_holds_exactly_the_values_between_its_bounds(ns in 0..=HIGHEST_NS) {
            let bucket = bucket_of(ns);
            prop_assert!((lowest_of(bucket)..=highest_of(bucket)).contains(&ns));
            prop_assert_eq!(bucket_of(lowest_of(bucket)), bucket);
            prop_assert_eq!(bucket_of(highest_of(bucket)), bucket);
            // Two significant digits: a bucket is never wider than a hundredth of its values.
            prop_assert!((highest_of(bucket) - lowest_of(bucket)) * 100 <= ns.max(1));
        }

        #[test]
        fn differences_add_up_to_the_whole_whenever_they_are_taken(
            values in latencies(), lanes in 1usize..5, every in 1usize..50,
        ) {
            let cells: Vec<LaneHistogram> = (0..lanes).map(|_| LaneHistogram::default()).collect();
            let mut differences = Differences::default();
            let mut sum = vec![0u64; BUCKETS];
            let mut add = |part: SparseHistogram| {
                for (bucket, count) in part.buckets.iter().zip(part.counts) {
                    sum[*bucket as usize] += count;
                }
            };
            for (index, &value) in values.iter().enumerate() {
                cells[index % lanes].record(value);
                if index % every == 0 {
                    add(differences.next(cells.iter()));
                }
            }
            add(differences.next(cells.iter()));
            let all = whole(&cells);
            prop_assert_eq!(all.count(), values.len() as u64);
            prop_assert_eq!(all.max_ns, *values.iter().max().unwrap());
            prop_assert_eq!(all.min_ns, *values.iter().min().unwrap());
            for (bucket, count) in all.buckets.iter().zip(all.counts) {
                prop_assert_eq!(sum[*bucket as usize], count);
            }
        }
    }

    #[test]
    fn buckets_lie_side_by_side_without_a_hole() {
        assert_eq!(BUCKETS, 4608);
        assert_eq!(lowest_of(0), 0);
        for bucket in 1..BUCKETS {
            assert_eq!(lowest_of(bucket), highest_of(bucket - 1) + 1);
        }
        assert_eq!(highest_of(BUCKETS - 1), HIGHEST_NS);
    }

    #[test]
    fn an_io_that_hung_for_hours_still_counts_and_shows_its_true_maximum() {
        let lane = LaneHistogram::default();
        lane.record(u64::MAX);
        let all = whole(&[lane]);
        assert_eq!((all.buckets, all.counts, all.max_ns), (vec![BUCKETS as u32 - 1], vec![1], u64::MAX));
    }

    #[test]
    fn nothing_recorded_is_nothing_given() {
        assert_eq!(whole(&[LaneHistogram::default()]), SparseHistogram::default());
    }
}
