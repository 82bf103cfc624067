//! What a mixed task does to a shard: operation n of a shard is a pure function of the stream's key, the pattern and n.
//! So generations are replayed and never stored. Must never know which operations were done.
//!
//! A shard is a part of one object, cut into cells of one block. Everything here is integer arithmetic, or floating point
//! of a library that gives the same bits on every machine: a shard may be replayed elsewhere.

use std::sync::Arc;

use crate::error::{Code, Error, Result};

/// Bits of a Zipf table's steps.
const STEP_BITS: u32 = 53;

/// The most cells of a shard whose Zipf table is made.
pub const MAX_CELLS: u64 = 1 << 22;

/// Which cells operations go to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    /// One after the other, and again from the beginning.
    Sequential,
    /// Each with the same probability, at each operation anew.
    Uniform,
    /// Every `cells`th, then those behind them: all of the shard before any again.
    Strided {
        /// Cells from one operation to the next, at least 1.
        cells: u64,
    },
    /// The k-th most frequent cell with a probability as 1/k^theta; which cells are frequent differs from shard to shard.
    Zipfian {
        /// Above 0, at most 4; 0.99 is YCSB's.
        theta: f64,
    },
}

/// What a mixed task does.
#[derive(Clone, Debug, PartialEq)]
pub struct PatternSpec {
    /// Tells stages of one run apart.
    pub stage: u32,
    /// Of 2^16 operations, so many are writes; the others are reads.
    pub writes_of_65536: u32,
    /// Which cells they go to.
    pub order: Order,
    /// Bytes of a cell, and of each operation.
    pub block_bytes: u64,
}

/// One operation of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operation {
    pub(super) writes: bool,
    pub(super) cell: u64,
}

/// A pattern with the key of its stream.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    spec: PatternSpec,
    key: u64,
    /// Of shards with as many cells as this has steps: the chance of each rank, added up, times 2^53.
    zipf: Arc<[u64]>,
}

/// The operations of one shard.
#[derive(Clone, Copy, Debug)]
pub(super) struct ShardPattern<'a> {
    pattern: &'a Pattern,
    key: u64,
    cells: u64,
}

impl Pattern {
    /// The pattern for shards of at most `cells` cells of a stream.
    pub(super) fn new(spec: PatternSpec, stream: [u8; 16], cells: u64) -> Result<Self> {
        let refuse = |what: String, mend: &str| Err(Error::new(Code::InvalidArgument, what, mend));
        if spec.writes_of_65536 > 65_536 {
            return refuse(
                format!("{} of 65536 operations cannot be writes", spec.writes_of_65536),
                "give at most all",
            );
        }
        let mut zipf = Vec::new();
        match spec.order {
            Order::Strided { cells: 0 } => return refuse("a stride of 0 cells stands still".into(), "give at least 1"),
            Order::Zipfian { theta } if !(theta > 0.0 && theta <= 4.0) => {
                return refuse(format!("a theta of {theta} is none"), "give one above 0 and up to 4");
            }
            Order::Zipfian { .. } if cells > MAX_CELLS => {
                return refuse(format!("a shard of {cells} blocks has too many"), "choose larger blocks");
            }
            Order::Zipfian { theta } => zipf = steps(cells, theta),
            _ => {}
        }
        let (low, high) = stream.split_at(8);
        let half = |half: &[u8]| u64::from_le_bytes(half.try_into().expect("half of sixteen bytes are eight"));
        let key = mix(half(low) ^ mix(half(high) ^ mix(u64::from(spec.stage))));
        Ok(Self { spec, key, zipf: zipf.into() })
    }

    /// Bytes of a cell.
    pub(super) fn block_bytes(&self) -> u64 {
        self.spec.block_bytes
    }

    /// The operations of the shard that begins with unit `first`, and has so many cells.
    pub(super) fn shard(&self, first: u64, cells: u64) -> ShardPattern<'_> {
        ShardPattern { pattern: self, key: mix(self.key ^ mix(first)), cells }
    }
}

impl ShardPattern<'_> {
    /// Operation `n`.
    #[inline]
    pub(super) fn operation(&self, n: u64) -> Operation {
        let drawn = mix(self.key.wrapping_add(n.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        let writes = drawn as u32 & 0xFFFF;
        let cell = match self.pattern.spec.order {
            Order::Sequential => n % self.cells,
            Order::Uniform => scale(mix(drawn), self.cells),
            Order::Strided { cells } => strided(n % self.cells, cells.min(self.cells), self.cells),
            Order::Zipfian { .. } => self.ranked(mix(drawn)),
        };
        Operation { writes: writes < self.pattern.spec.writes_of_65536, cell }
    }

    fn ranked(&self, drawn: u64) -> u64 {
        let steps = &self.pattern.zipf;
        // A shorter shard, at the end of an object, draws among the ranks that it has.
        let last = steps[self.cells as usize - 1];
        let point = scale(drawn, last.max(1));
        let rank = steps[..self.cells as usize].partition_point(|step| *step <= point) as u64;
        // Ranks are scattered over the shard, or all that is hot would be its beginning.
        scatter(self.key, rank.min(self.cells - 1), self.cells)
    }
}

/// The chances of ranks 1 to `cells`, added up, times 2^53.
fn steps(cells: u64, theta: f64) -> Vec<u64> {
    let mut sum = 0.0;
    let sums: Vec<f64> = (1..=cells)
        .map(|rank| {
            sum += libm::pow(rank as f64, -theta);
            sum
        })
        .collect();
    sums.iter().map(|step| (step / sum * (1u64 << STEP_BITS) as f64) as u64).collect()
}

/// A number below `bound`, from 64 random bits.
#[inline]
fn scale(drawn: u64, bound: u64) -> u64 {
    ((u128::from(drawn) * u128::from(bound)) >> 64) as u64
}

/// The nth of `cells` cells in rounds of every `stride`th.
fn strided(nth: u64, stride: u64, cells: u64) -> u64 {
    // Rounds that begin below `longer` have one cell more than the others.
    let (each, longer) = (cells / stride, cells % stride);
    let in_longer = longer * (each + 1);
    if nth < in_longer {
        return nth / (each + 1) + nth % (each + 1) * stride;
    }
    let nth = nth - in_longer;
    longer + nth / each + nth % each * stride
}

/// A bijection of 0 … `cells` − 1 onto itself: a few rounds of multiply and xor on as many bits as are needed, walked until
/// it is back in range (Black and Rogaway, Ciphers with Arbitrary Finite Domains, 2002).
fn scatter(key: u64, number: u64, cells: u64) -> u64 {
    let bits = (64 - (cells - 1).leading_zeros()).max(2);
    let mask = (1u64 << bits) - 1;
    let mut at = number;
    loop {
        for round in 0..3 {
            at = at.wrapping_mul(mix(key ^ round) | 1).wrapping_add(round) & mask;
            at ^= at >> (bits / 2);
        }
        if at < cells {
            return at;
        }
    }
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood, 2014): every bit of the answer hangs on every bit of `number`.
#[inline]
fn mix(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(order: Order, writes_of_65536: u32, cells: u64) -> Pattern {
        let spec = PatternSpec { stage: 3, writes_of_65536, order, block_bytes: 4096 };
        Pattern::new(spec, [7; 16], cells).unwrap()
    }

    fn counts(order: Order, cells: u64, operations: u64) -> Vec<u64> {
        let pattern = pattern(order, 0, cells);
        let shard = pattern.shard(1000, cells);
        let mut counts = vec![0; cells as usize];
        (0..operations).for_each(|n| counts[shard.operation(n).cell as usize] += 1);
        counts
    }

    proptest! {
        #[test]
        fn sequential_and_strided_rounds_visit_each_cell_once(cells in 1u64..2000, stride in 1u64..300) {
            for order in [Order::Sequential, Order::Strided { cells: stride }] {
                prop_assert_eq!(counts(order, cells, cells), vec![1; cells as usize]);
            }
        }

        #[test]
        fn ranks_are_scattered_one_to_one(key: u64, cells in 1u64..3000) {
            let mut seen = vec![false; cells as usize];
            (0..cells).for_each(|rank| seen[scatter(key, rank, cells) as usize] = true);
            prop_assert!(seen.into_iter().all(|seen| seen));
        }

        #[test]
        fn operations_of_any_order_stay_in_their_shard(cells in 1u64..500, n: u64, first: u64) {
            for order in [Order::Sequential, Order::Uniform, Order::Strided { cells: 7 }, Order::Zipfian { theta: 0.99 }] {
                let pattern = pattern(order, 30_000, 500);
                prop_assert!(pattern.shard(first, cells).operation(n).cell < cells);
            }
        }
    }

    #[test]
    fn uniform_operations_go_everywhere_about_as_often() {
        // 100 a cell: five standard deviations are 50.
        assert!(counts(Order::Uniform, 1000, 100_000).into_iter().all(|count| (50..150).contains(&count)));
    }

    #[test]
    fn the_most_frequent_cells_of_a_zipfian_order_are_as_frequent_as_zipf_says() {
        let mut counts = counts(Order::Zipfian { theta: 1.0 }, 1000, 1_000_000);
        counts.sort_unstable_by(|a, b| b.cmp(a));
        // The sum of 1/k for k up to 1000 is 7.4855.
        for rank in [1usize, 2, 3, 10] {
            let expected = 1e6 / 7.4855 / rank as f64;
            assert!((counts[rank - 1] as f64 / expected - 1.0).abs() < 0.05, "rank {rank}: {}", counts[rank - 1]);
        }
    }

    #[test]
    fn of_the_operations_as_many_are_writes_as_were_asked() {
        let writes = |of_65536| {
            let pattern = pattern(Order::Uniform, of_65536, 1000);
            (0..100_000).filter(|n| pattern.shard(0, 1000).operation(*n).writes).count()
        };
        assert_eq!((writes(0), writes(65_536)), (0, 100_000));
        assert!((29_000..31_000).contains(&writes(65_536 * 3 / 10)));
    }

    #[test]
    fn a_pattern_is_the_same_on_every_machine_and_for_ever() {
        let pattern = pattern(Order::Zipfian { theta: 0.99 }, 32_768, 16_384);
        let shard = pattern.shard(64, 16_384);
        let first: Vec<_> = (0..6).map(|n| shard.operation(n)).map(|op| (op.writes, op.cell)).collect();
        // From a second implementation, in Python.
        let expected = [(true, 754), (false, 8184), (false, 13015), (true, 14028), (false, 6751), (true, 6423)];
        assert_eq!(first, expected);
    }

    #[test]
    fn shards_and_stages_differ() {
        let pattern = pattern(Order::Uniform, 0, 1 << 20);
        let cells = |first| (0..20).map(|n| pattern.shard(first, 1 << 20).operation(n).cell).collect::<Vec<_>>();
        assert_ne!(cells(0), cells(64));
        let spec = PatternSpec { stage: 4, ..pattern.spec.clone() };
        let other = Pattern::new(spec, [7; 16], 1 << 20).unwrap();
        assert_ne!(cells(0), (0..20).map(|n| other.shard(0, 1 << 20).operation(n).cell).collect::<Vec<_>>());
    }

    #[test]
    fn orders_that_cannot_be_are_refused() {
        for order in [Order::Strided { cells: 0 }, Order::Zipfian { theta: 0.0 }, Order::Zipfian { theta: f64::NAN }] {
            let spec = PatternSpec { stage: 0, writes_of_65536: 0, order, block_bytes: 4096 };
            assert_eq!(Pattern::new(spec, [0; 16], 10).unwrap_err().code, Code::InvalidArgument);
        }
    }
}
