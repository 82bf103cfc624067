//! Which generation each cell of a shard holds, after operations that are replayed or done. Must never do I/O.
//!
//! A cell is as long as the shortest block that anybody overwrites. Where operations may or may not have been done, a cell is
//! in doubt: it may hold what it had before them, or what any of them wrote, until it is written again.

use std::collections::HashMap;
use std::ops::Range;

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
    /// Cells that may hold something else than their generation says.
    doubts: HashMap<u64, Doubt>,
}

/// What else a cell may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    /// What it held when all was known of it.
    before: u16,
    /// Overwrites of it before those in doubt, in rounds of [`OVERWRITES`].
    from: u16,
    /// Overwrites in doubt.
    count: u64,
    /// Of these, those that whoever goes on with the stage does again.
    open: u64,
}

impl Doubt {
    /// Whether the cell may hold this generation.
    pub(super) fn allows(&self, generation: u16) -> bool {
        let round = u32::from(OVERWRITES);
        let nth = generation.checked_sub(FIRST_OVERWRITE).filter(|nth| *nth < OVERWRITES);
        let behind = nth.map(|nth| (u32::from(nth) + round - u32::from(self.from)) % round);
        generation == self.before || behind.is_some_and(|behind| u64::from(behind) < self.count)
    }
}

/// The generation of the nth overwrite of a cell, counted from 1 in rounds of [`OVERWRITES`].
fn generation_of(overwrites: u16) -> u16 {
    // None, after a whole round, is the last.
    FIRST_OVERWRITE + overwrites.checked_sub(1).unwrap_or(OVERWRITES - 1)
}

impl Cells {
    /// So many cells that nothing has overwritten.
    pub(super) fn new(base: u16, cells: u64) -> Self {
        let fresh = vec![0; cells.div_ceil(64) as usize].into_boxed_slice();
        Self { base, overwrites: vec![0; cells as usize].into_boxed_slice(), fresh, doubts: HashMap::new() }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.overwrites.len() as u64
    }

    /// The generation that a cell holds, or that it should, where it is in doubt.
    #[inline]
    pub(super) fn generation(&self, cell: u64) -> u16 {
        if self.fresh[(cell / 64) as usize] >> (cell % 64) & 1 == 0 {
            return self.base;
        }
        generation_of(self.overwrites[cell as usize])
    }

    /// What else a cell may hold.
    #[inline]
    pub(super) fn doubt(&self, cell: u64) -> Option<&Doubt> {
        if self.doubts.is_empty() { None } else { self.doubts.get(&cell) }
    }

    /// Overwrites a cell, and says with which generation: all is known of it again.
    #[inline]
    pub(super) fn overwrite(&mut self, cell: u64) -> u16 {
        let overwrites = &mut self.overwrites[cell as usize];
        *overwrites = (*overwrites + 1) % OVERWRITES;
        self.fresh[(cell / 64) as usize] |= 1 << (cell % 64);
        if !self.doubts.is_empty() {
            self.doubts.remove(&cell);
        }
        self.generation(cell)
    }

    /// Nobody knows whether a further overwrite of a cell was done.
    pub(super) fn put_in_doubt(&mut self, cell: u64) {
        let (before, from) = (self.generation(cell), self.overwrites[cell as usize]);
        let doubt = self.doubts.entry(cell).or_insert(Doubt { before, from, count: 0, open: 0 });
        doubt.count += 1;
        doubt.open += 1;
    }

    /// Nobody goes on with the stage that the doubts are about: what may have been written counts as written, so that no
    /// later overwrite has its generation.
    pub(super) fn end_stage(&mut self) {
        for (cell, doubt) in &mut self.doubts {
            if doubt.open > 0 {
                let overwrites = &mut self.overwrites[*cell as usize];
                *overwrites = ((u64::from(*overwrites) + doubt.open) % u64::from(OVERWRITES)) as u16;
                self.fresh[(cell / 64) as usize] |= 1 << (cell % 64);
                doubt.open = 0;
            }
        }
    }

    /// A stage wrote every unit: what was overwritten before is gone, but its generations are not used again.
    pub(super) fn rewritten(&mut self) {
        self.fresh.fill(0);
        self.doubts.clear();
    }

    /// Cuts a range of cells where the generation changes, and around each cell in doubt.
    pub(super) fn alike(&self, cells: Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let mut start = cells.start;
        std::iter::from_fn(move || {
            if start >= cells.end {
                return None;
            }
            let first = start;
            start += 1;
            if self.doubt(first).is_none() {
                let generation = self.generation(first);
                while start < cells.end && self.generation(start) == generation && self.doubt(start).is_none() {
                    start += 1;
                }
            }
            Some(first..start)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
        cells.put_in_doubt(0);
        cells.end_stage();
        cells.rewritten();
        assert_eq!((cells.generation(0), cells.doubt(0)), (3, None));
        let after = cells.overwrite(0);
        assert!(after != first && after == FIRST_OVERWRITE + 2, "that in doubt is not used again either");
    }

    #[test]
    fn whoever_goes_on_uses_the_generations_in_doubt_again_and_whoever_comes_later_does_not() {
        let mut cells = Cells::new(0, 1);
        cells.overwrite(0);
        cells.put_in_doubt(0);
        cells.put_in_doubt(0);
        let doubt = *cells.doubt(0).unwrap();
        let allowed = (0..1010).filter(|generation| doubt.allows(*generation)).collect::<Vec<_>>();
        assert_eq!(allowed, [1000, 1001, 1002]);
        assert_eq!(cells.generation(0), 1000);
        cells.end_stage();
        assert_eq!(cells.generation(0), 1002);
        cells.put_in_doubt(0);
        assert!(cells.doubt(0).unwrap().allows(1000) && cells.doubt(0).unwrap().allows(1003));
        assert_eq!((cells.overwrite(0), cells.doubt(0)), (1003, None));
    }

    proptest! {
        #[test]
        fn a_cell_in_doubt_may_hold_what_it_held_or_any_of_the_doubtful_and_nothing_else(
            before in 0u64..130_000, doubtful in 1u64..200, generation: u16,
        ) {
            let mut cells = Cells::new(2, 1);
            (0..before).for_each(|_| {
                let _ = cells.overwrite(0);
            });
            let held = cells.generation(0);
            (0..doubtful).for_each(|_| cells.put_in_doubt(0));
            let doubt = *cells.doubt(0).unwrap();
            let mut allowed = vec![held];
            allowed.extend((0..doubtful).map(|_| cells.overwrite(0)));
            prop_assert_eq!(doubt.allows(generation), allowed.contains(&generation));
            for generation in allowed {
                prop_assert!(doubt.allows(generation));
            }
        }

        #[test]
        fn cells_that_are_alike_are_compared_together_and_none_is_left_out(written in proptest::collection::vec(0u64..3, 1..80)) {
            let mut cells = Cells::new(0, written.len() as u64);
            for (cell, times) in written.iter().enumerate() {
                match times {
                    2 => cells.put_in_doubt(cell as u64),
                    times => (0..*times).for_each(|_| {
                        let _ = cells.overwrite(cell as u64);
                    }),
                }
            }
            let mut next = 0;
            for run in cells.alike(0..written.len() as u64) {
                prop_assert_eq!(run.start, next);
                next = run.end;
                let same = |cell| cells.generation(cell) == cells.generation(run.start);
                prop_assert!(run.clone().all(same));
                prop_assert!(cells.doubt(run.start).is_none() || run.end == run.start + 1);
            }
            prop_assert_eq!(next, written.len() as u64);
        }
    }
}
