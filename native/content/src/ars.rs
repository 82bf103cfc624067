//! ARS-R, the counter-based generator of Salmon, Moraes, Dror and Shaw ("Parallel Random Numbers: As Easy as 1, 2, 3",
//! SC'11): R rounds of AES under round keys made by addition. Here are its keys and its inverse; running it forward is
//! the kernels' work.

use aes::hazmat::{Block, equiv_inv_cipher_round, inv_mix_columns, mix_columns};

/// What is added from one round's key to the next's, for the low and the high 64 bits: the golden ratio and √3 − 1, as
/// in Random123.
const KEY_STEP: [u64; 2] = [0x9E37_79B9_7F4A_7C15, 0xBB67_AE85_84CA_A73B];

/// ARS with `R` rounds under one key. Counters and words are 128-bit numbers of 16 little-endian bytes.
#[derive(Clone, Debug)]
pub(crate) struct Ars<const R: usize> {
    /// What the counter is combined with before the first round: the key itself.
    pub(crate) whitening: u128,
    /// The key of each round.
    pub(crate) round_keys: [u128; R],
}

impl<const R: usize> Ars<R> {
    /// ARS-`R` under this key.
    pub(crate) fn new(key: [u8; 16]) -> Self {
        let whitening = u128::from_le_bytes(key);
        let [mut low, mut high] = [whitening as u64, (whitening >> 64) as u64];
        let round_keys = std::array::from_fn(|_| {
            low = low.wrapping_add(KEY_STEP[0]);
            high = high.wrapping_add(KEY_STEP[1]);
            u128::from(high) << 64 | u128::from(low)
        });
        Self { whitening, round_keys }
    }

    /// The counter that this word was made from: ARS is a permutation.
    ///
    /// Only the slow path that names corrupt bytes needs it, so it takes one word at a time through the `aes` crate.
    pub(crate) fn invert(&self, word: u128) -> u128 {
        let (last, inner) = self.round_keys.split_last().expect("ARS has at least one round");
        let mut state = Block::from((word ^ last).to_le_bytes());
        // `equiv_inv_cipher_round` ends with InvMixColumns and then adds a key, where undoing a round adds the key
        // before InvMixColumns. InvMixColumns is linear, so the same key after its own InvMixColumns does it.
        for key in inner.iter().rev() {
            let mut key = Block::from(key.to_le_bytes());
            inv_mix_columns(&mut key);
            equiv_inv_cipher_round(&mut state, &key);
        }
        // Before the first round there was only the whitening, and no InvMixColumns to undo.
        equiv_inv_cipher_round(&mut state, &Block::default());
        mix_columns(&mut state);
        u128::from_le_bytes(state.into()) ^ self.whitening
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Kernel;
    use proptest::prelude::*;

    /// A number from four 32-bit words, the least significant first, as Random123 prints them.
    fn number(words: [u32; 4]) -> u128 {
        words.iter().rev().fold(0, |number, word| number << 32 | u128::from(*word))
    }

    /// Random123's published answers for `ars4x32_R` with ten rounds: counter, key, word.
    fn published() -> [[u128; 3]; 3] {
        [
            [[0; 4], [0; 4], [0x8d73ee19, 0x506401ef, 0x13c2dbe4, 0x0cbe9c0d]],
            [
                [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
                [0xa4093822, 0x299f31d0, 0x082efa98, 0xec4e6c89],
                [0xa516e7d6, 0x8357ad74, 0x5b59b3ec, 0x8763fff3],
            ],
            [[u32::MAX; 4], [u32::MAX, u32::MAX, 0, 0], [0xbb3743b1, 0x9f635551, 0xecbc87fc, 0xa19478a9]],
        ]
        .map(|answer| answer.map(number))
    }

    #[test]
    fn words_are_those_of_the_published_generator_on_every_kernel() {
        for [counter, key, word] in published() {
            let ars = Ars::<10>::new(key.to_le_bytes());
            for kernel in Kernel::available() {
                assert_eq!(kernel.proven().unwrap().word(&ars, counter), word, "{kernel}");
            }
        }
    }

    #[test]
    fn a_published_word_names_its_counter() {
        for [counter, key, word] in published() {
            assert_eq!(Ars::<10>::new(key.to_le_bytes()).invert(word), counter);
        }
    }

    proptest! {
        #[test]
        fn every_word_names_its_counter(key: [u8; 16], counter: u128) {
            let ars = Ars::<5>::new(key);
            for kernel in Kernel::available() {
                prop_assert_eq!(ars.invert(kernel.proven().unwrap().word(&ars, counter)), counter);
            }
        }
    }
}
