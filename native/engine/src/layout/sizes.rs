//! Objects of unequal size: a pure function from a unit to its object, and back, that stores nothing for each object.
//! Must never know of distributions: the plan's resolver turns one into a table of sizes.
//!
//! Objects come in groups. Every group has the same sizes, those of the table, in an order of its own, which the seed
//! and the group's number decide. So all groups hold the same number of units, a unit's group is found by a division,
//! and its object by adding up the sizes of at most one group; leases that end on a group's border end on an object's.

use std::ops::Range;

use crate::error::{Code, Error, Result};

/// The most sizes in a table.
pub const MAX_SIZES: usize = 256;

/// Rounds of the permutation: from four on, a Feistel network with random functions passes for a random order.
const ROUNDS: usize = 4;

/// The sizes of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    seed: u64,
    /// Units of the objects of a group, smallest first; behind `count` there is nothing.
    table: [u32; MAX_SIZES],
    count: usize,
    group_units: u64,
}

impl Sizes {
    /// Sizes in units: 4, 16, 64 or 256 of them, each at least 1.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] for any other table.
    pub fn new(sizes: &[u32], seed: u64) -> Result<Self> {
        if !matches!(sizes.len(), 4 | 16 | 64 | 256) || sizes.contains(&0) {
            return Err(Error::new(
                Code::InvalidArgument,
                format!("a table of {} sizes of objects, one of which may be 0, cannot be used", sizes.len()),
                "give 4, 16, 64 or 256 sizes, each at least one unit",
            ));
        }
        let mut table = [0; MAX_SIZES];
        table[..sizes.len()].copy_from_slice(sizes);
        table[..sizes.len()].sort_unstable();
        let group_units = sizes.iter().map(|size| u64::from(*size)).sum();
        Ok(Self { seed, table, count: sizes.len(), group_units })
    }

    /// Objects in a group.
    pub fn group_objects(&self) -> u64 {
        self.count as u64
    }

    /// Units in a group.
    pub fn group_units(&self) -> u64 {
        self.group_units
    }

    /// Units of the largest object.
    pub fn largest(&self) -> u64 {
        u64::from(self.table[self.count - 1])
    }

    /// The object that a unit is in, and the first of that object's units.
    pub(super) fn object_at(&self, unit: u64) -> (u64, u64) {
        let group = unit / self.group_units;
        let mut first = group * self.group_units;
        let order = Order::of(self.seed, group, self.count);
        for nth in 0..self.count {
            let units = u64::from(self.table[order.rank(nth)]);
            if unit < first + units {
                return (group * self.count as u64 + nth as u64, first);
            }
            first += units;
        }
        unreachable!("the sizes of a group add up to its units")
    }

    /// The units of an object.
    pub(super) fn units_of(&self, object: u64) -> Range<u64> {
        let (group, wanted) = (object / self.count as u64, (object % self.count as u64) as usize);
        let order = Order::of(self.seed, group, self.count);
        let before: u64 = (0..wanted).map(|nth| u64::from(self.table[order.rank(nth)])).sum();
        let first = group * self.group_units + before;
        first..first + u64::from(self.table[order.rank(wanted)])
    }

    /// Where objects, at least one, begin and end, in units: each border between two of them once.
    pub(super) fn borders_of(&self, objects: Range<u64>) -> Vec<u64> {
        let count = self.count as u64;
        let mut order = Order::of(self.seed, objects.start / count, self.count);
        let mut border = self.units_of(objects.start).start;
        let mut borders = vec![border];
        for object in objects {
            if object.is_multiple_of(count) {
                order = Order::of(self.seed, object / count, self.count);
            }
            border += u64::from(self.table[order.rank((object % count) as usize)]);
            borders.push(border);
        }
        borders
    }
}

/// The order of sizes in one group: a Feistel network on the two halves of a position's bits.
struct Order {
    /// For each round a function from half a position to half a position, four bits to a value.
    rounds: [u64; ROUNDS],
    half_bits: u32,
}

impl Order {
    fn of(seed: u64, group: u64, count: usize) -> Self {
        // Seeds and group numbers that differ in little must not lead to orders that do.
        let mut state = mix(seed ^ mix(group));
        let rounds = std::array::from_fn(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            mix(state)
        });
        Self { rounds, half_bits: count.trailing_zeros() / 2 }
    }

    /// Which size, by rank, the object at this position of the group has.
    fn rank(&self, nth: usize) -> usize {
        let mask = (1 << self.half_bits) - 1;
        let (mut high, mut low) = (nth >> self.half_bits, nth & mask);
        for round in self.rounds {
            (high, low) = (low, high ^ ((round >> (4 * low)) as usize & mask));
        }
        high << self.half_bits | low
    }
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    pub(in crate::layout) fn sizes() -> impl Strategy<Value = Sizes> {
        let table = prop_oneof![Just(4), Just(16), Just(64), Just(256)]
            .prop_flat_map(|count: usize| proptest::collection::vec(1u32..200, count));
        (table, any::<u64>()).prop_map(|(table, seed)| Sizes::new(&table, seed).unwrap())
    }

    proptest! {
        #[test]
        fn objects_follow_one_another_without_a_hole_and_each_unit_finds_its_own(sizes in sizes(), group in 0u64..1 << 40) {
            let first = group * sizes.group_objects();
            let mut next = group * sizes.group_units();
            for object in first..first + sizes.group_objects() {
                let units = sizes.units_of(object);
                prop_assert_eq!(units.start, next);
                next = units.end;
                for unit in [units.start, (units.start + units.end) / 2, units.end - 1] {
                    prop_assert_eq!(sizes.object_at(unit), (object, units.start));
                }
            }
            prop_assert_eq!(next, (group + 1) * sizes.group_units());
            let some = first + 3..first + sizes.group_objects() + 2;
            let mut borders: Vec<u64> = some.clone().map(|object| sizes.units_of(object).start).collect();
            borders.push(sizes.units_of(some.end - 1).end);
            prop_assert_eq!(sizes.borders_of(some), borders);
        }

        #[test]
        fn every_group_has_just_the_sizes_of_the_table(sizes in sizes(), group in 0u64..1 << 40) {
            let first = group * sizes.group_objects();
            let mut found: Vec<u32> = (first..first + sizes.group_objects())
                .map(|object| sizes.units_of(object))
                .map(|units| (units.end - units.start) as u32)
                .collect();
            found.sort_unstable();
            prop_assert_eq!(&found[..], &sizes.table[..sizes.count]);
        }
    }

    #[test]
    fn groups_and_seeds_have_orders_of_their_own() {
        let table: Vec<u32> = (1..=16).collect();
        let mut orders = HashSet::new();
        for seed in 0..32 {
            let sizes = Sizes::new(&table, seed).unwrap();
            for group in 0..32 {
                orders.insert((0..16).map(|nth| sizes.units_of(group * 16 + nth).count()).collect::<Vec<_>>());
            }
        }
        assert_eq!(orders.len(), 32 * 32);
    }

    #[test]
    fn every_size_is_about_as_often_at_every_place_of_a_group() {
        let table: Vec<u32> = (0..64).map(|rank| rank + 1).collect();
        let sizes = Sizes::new(&table, 7).unwrap();
        let mut times = [[0u32; 64]; 64];
        for group in 0..64 * 100 {
            let order = Order::of(sizes.seed, group, 64);
            (0..64).for_each(|nth| times[nth][order.rank(nth)] += 1);
        }
        // 100 times each on average; six standard deviations to either side.
        assert!(times.iter().flatten().all(|times| (40..160).contains(times)));
    }

    #[test]
    fn the_order_is_the_same_on_every_machine_and_in_every_version() {
        let table: Vec<u32> = (1..=16).collect();
        let sizes = Sizes::new(&table, 42).unwrap();
        let order: Vec<usize> = (16..32).map(|object| sizes.units_of(object).count()).collect();
        assert_eq!(order, KNOWN);
    }

    /// Of the second group, seed 42; as a second implementation, in Python, makes it too.
    const KNOWN: [usize; 16] = [15, 12, 13, 4, 2, 7, 14, 1, 8, 3, 6, 9, 5, 16, 11, 10];

    #[test]
    fn a_table_that_cannot_be_cut_into_groups_is_refused() {
        for table in [vec![], vec![1; 5], vec![1; 32], vec![1; 1024], vec![1, 2, 0, 4]] {
            assert_eq!(Sizes::new(&table, 0).unwrap_err().code, Code::InvalidArgument);
        }
    }
}
