//! The kernel for any CPU: AES rounds of the `aes` crate, which are constant-time software where the CPU has no AES
//! instructions.

use super::{AGREEING_GRAIN, IN_FLIGHT};
use crate::WORD_BYTES;
use crate::ars::Ars;
use crate::word::NEXT_WORD;
use aes::hazmat::{Block, Block8, cipher_round_par, inv_mix_columns};

/// See `Proven::words`.
pub(super) fn words<const R: usize>(ars: &Ars<R>, mut counter: u128, out: &mut [u8]) {
    for out in out.chunks_mut(AGREEING_GRAIN) {
        let words = eight(ars, counter);
        out.copy_from_slice(&words.as_flattened()[..out.len()]);
        counter = counter.wrapping_add(NEXT_WORD * IN_FLIGHT as u128);
    }
}

/// See `Proven::agreeing`.
pub(super) fn agreeing<const R: usize>(ars: &Ars<R>, mut counter: u128, actual: &[u8]) -> usize {
    let mut agreeing = 0;
    for actual in actual.chunks(AGREEING_GRAIN) {
        let words = eight(ars, counter);
        if actual != &words.as_flattened()[..actual.len()] {
            break;
        }
        counter = counter.wrapping_add(NEXT_WORD * IN_FLIGHT as u128);
        agreeing += actual.len();
    }
    agreeing
}

/// The words of eight consecutive counters.
fn eight<const R: usize>(ars: &Ars<R>, counter: u128) -> [[u8; WORD_BYTES]; IN_FLIGHT] {
    let mut states: Block8 = std::array::from_fn(|nth| {
        let counter = counter.wrapping_add(NEXT_WORD * nth as u128);
        Block::from((counter ^ ars.whitening).to_le_bytes())
    })
    .into();
    let (last, inner) = ars.round_keys.split_last().expect("ARS has at least one round");
    for key in inner {
        let key = Block::from(key.to_le_bytes());
        cipher_round_par(&mut states, &[key; IN_FLIGHT].into());
    }
    // The last round has no MixColumns, but the crate has no such round: add no key, undo MixColumns, then add the key.
    cipher_round_par(&mut states, &Block8::default());
    std::array::from_fn(|nth| {
        let mut state = states[nth];
        inv_mix_columns(&mut state);
        (u128::from_le_bytes(state.into()) ^ last).to_le_bytes()
    })
}
