//! The bijection that scatters a dedup window's duplicates over the window, and its inverse.

/// A bijection on [0, 2^bits), made of odd multiplications, additions and shifts; all of its steps can be undone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Permutation {
    bits: u32,
    steps: [Step; 3],
}

/// One step: x → x · `factor` + `addend`, then x → x xor (x >> shift).
#[derive(Clone, Copy, Debug)]
struct Step {
    factor: u32,
    addend: u32,
}

impl Permutation {
    /// The bijection on [0, 2^bits), bits ≤ 32, that these 128 random bits choose.
    pub(crate) fn new(bits: u32, random: u128) -> Self {
        let [r0, r1, r2, r3] = [0, 32, 64, 96].map(|shift| (random >> shift) as u32);
        let steps = [(r0, r1), (r2, r3), (r1, r2)].map(|(a, addend)| Step { factor: a | 1, addend });
        Self { bits, steps }
    }

    /// Where x goes; x is below 2^bits.
    pub(crate) fn apply(&self, x: u32) -> u32 {
        if self.bits == 0 {
            return 0;
        }
        // Reducing to 32 bits first, as u32 does by itself, changes nothing modulo a smaller power of two.
        self.steps.iter().fold(x, |x, step| self.fold(x.wrapping_mul(step.factor).wrapping_add(step.addend)))
    }

    /// What goes to x: the inverse of [`Self::apply`].
    pub(crate) fn undo(&self, x: u32) -> u32 {
        if self.bits == 0 {
            return 0;
        }
        self.steps.iter().rev().fold(x, |x, step| {
            self.reduce(self.fold(x).wrapping_sub(step.addend).wrapping_mul(odd_inverse(step.factor)))
        })
    }

    /// x modulo 2^bits, then xor with itself shifted by half the bits, rounded up. Its own inverse, since twice the
    /// shift leaves nothing.
    fn fold(&self, x: u32) -> u32 {
        let x = self.reduce(x);
        x ^ (x >> self.bits.div_ceil(2))
    }

    /// x modulo 2^bits.
    fn reduce(&self, x: u32) -> u32 {
        x & (u32::MAX >> (32 - self.bits))
    }
}

/// The inverse of an odd number modulo 2^32, by Newton's iteration: an odd number is its own inverse in the lowest
/// three bits, and each turn doubles the bits that are right.
fn odd_inverse(odd: u32) -> u32 {
    (0..4).fold(odd, |inverse, _| inverse.wrapping_mul(2u32.wrapping_sub(odd.wrapping_mul(inverse))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_unit_of_a_window_is_held_twice_and_none_is_missing(bits in 0..=12u32, random: u128) {
            let permutation = Permutation::new(bits, random);
            let mut images: Vec<_> = (0..1 << bits).map(|x| permutation.apply(x)).collect();
            images.sort_unstable();
            prop_assert!(images.into_iter().eq(0..1 << bits));
        }

        #[test]
        fn a_place_leads_back_to_its_unit_in_windows_of_any_size(bits in 0..=32u32, random: u128, x: u32) {
            let permutation = Permutation::new(bits, random);
            let x = u64::from(x) % (1 << bits);
            prop_assert_eq!(u64::from(permutation.undo(permutation.apply(x as u32))), x);
            prop_assert_eq!(u64::from(permutation.apply(permutation.undo(x as u32))), x);
        }
    }
}
