//! Which generation each cell of a shard holds, after operations that are replayed or done. Must never do I/O.

use super::pattern::ShardPattern;

/// Generations below this belong to stages that write every unit once: more than a plan can have.
pub const FIRST_OVERWRITE: u16 = 1000;

/// Overwrites of one cell that have generations of their own; then they begin again.
pub const OVERWRITES: u16 = 64_000;

/// The generations of one shard's cells.
#[derive(Debug)]
pub(super) struct Cells {
    /// What all cells were written with by the last stage that wrote every unit.
    base: u16,
    /// Overwrites of each cell since the data was made, in rounds of [`OVERWRITES`].
    overwrites: Box<[u16]>,
    /// Cells that were overwritten since that stage, a bit each.
    fresh: Box<[u64]>,
}

impl Cells {
    /// So many cells that nothing has overwritten.
    pub(super) fn new(base: u16, cells: u64) -> Self {
        let fresh = vec![0; cells.div_ceil(64) as usize].into_boxed_slice();
        Self { base, overwrites: vec![0; cells as usize].into_boxed_slice(), fresh }
    }

    /// The generation that a cell holds.
    #[inline]
    pub(super) fn generation(&self, cell: u64) -> u16 {
        if self.fresh[(cell / 64) as usize] >> (cell % 64) & 1 == 0 {
            return self.base;
        }
        // One overwrite is the first generation; none, after a whole round, is the last.
        FIRST_OVERWRITE + (self.overwrites[cell as usize] + OVERWRITES - 1) % OVERWRITES
    }

    /// Overwrites a cell, and says with which generation.
    #[inline]
    pub(super) fn overwrite(&mut self, cell: u64) -> u16 {
        let overwrites = &mut self.overwrites[cell as usize];
        *overwrites = (*overwrites + 1) % OVERWRITES;
        self.fresh[(cell / 64) as usize] |= 1 << (cell % 64);
        self.generation(cell)
    }

    /// Does the writes among the first `operations` operations.
    pub(super) fn replay(&mut self, pattern: &ShardPattern, operations: u64) {
        for n in 0..operations {
            let operation = pattern.operation(n);
            if operation.writes {
                self.overwrite(operation.cell);
            }
        }
    }

    /// A stage wrote every unit with generation `base`: what was overwritten before is gone, but its generations are not
    /// used again.
    pub(super) fn rewritten(&mut self) {
        self.fresh.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::task::pattern::{Order, Pattern, PatternSpec};

    proptest! {
        #[test]
        fn replaying_gives_what_was_written(operations in 0u64..3000, writes_of_65536 in 0u32..=65_536, cells in 1u64..200) {
            let spec = PatternSpec { stage: 1, writes_of_65536, order: Order::Uniform, block_bytes: 4096 };
            let pattern = Pattern::new(spec, [9; 16], cells).unwrap();
            let shard = pattern.shard(0, cells);
            let mut done = Cells::new(2, cells);
            let mut last: Vec<u16> = vec![2; cells as usize];
            for n in 0..operations {
                let operation = shard.operation(n);
                if operation.writes {
                    last[operation.cell as usize] = done.overwrite(operation.cell);
                }
            }
            let mut replayed = Cells::new(2, cells);
            replayed.replay(&shard, operations);
            for cell in 0..cells {
                prop_assert_eq!(replayed.generation(cell), last[cell as usize]);
            }
        }
    }

    #[test]
    fn each_overwrite_of_a_cell_has_a_generation_that_no_other_has_for_long() {
        let mut cells = Cells::new(7, 2);
        assert_eq!(cells.generation(1), 7);
        let mut seen = std::collections::HashSet::new();
        for _ in 0..OVERWRITES {
            let generation = cells.overwrite(1);
            assert!(generation >= FIRST_OVERWRITE && seen.insert(generation));
            assert_eq!(cells.generation(1), generation);
        }
        assert_eq!(cells.overwrite(1), FIRST_OVERWRITE);
        assert_eq!(cells.generation(0), 7, "its neighbour is what it was");
    }

    #[test]
    fn what_was_overwritten_before_a_whole_rewrite_has_generations_that_come_not_again() {
        let mut cells = Cells::new(3, 1);
        let first = cells.overwrite(0);
        cells.rewritten();
        assert_eq!(cells.generation(0), 3);
        assert_ne!(cells.overwrite(0), first);
    }
}
