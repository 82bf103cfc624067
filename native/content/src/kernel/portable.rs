//! The kernel for any CPU: AES rounds of the `aes` crate, which are constant-time software where the CPU has no AES
//! instructions.

use crate::ars::Ars;
use crate::cell::Cell;
use crate::word::NEXT_WORD;
use crate::{CELL_BYTES, WORD_BYTES};
use aes::hazmat::{Block, Block8, cipher_round_par, inv_mix_columns};

/// Words that the crate has in flight.
const IN_FLIGHT: usize = 8;
const GROUP_BYTES: usize = IN_FLIGHT * WORD_BYTES;

/// See `Proven::words`.
pub(super) fn words<const R: usize>(ars: &Ars<R>, mut counter: u128, out: &mut [u8]) {
    for out in out.chunks_mut(GROUP_BYTES) {
        let words = eight(ars, counter);
        out.copy_from_slice(&words.as_flattened()[..out.len()]);
        counter = counter.wrapping_add(NEXT_WORD * IN_FLIGHT as u128);
    }
}

/// See `Proven::cells`.
pub(super) fn cells<const R: usize>(ars: &Ars<R>, mut counter: u128, shape: Cell, out: &mut [[u8; CELL_BYTES]]) {
    // The last word is cut short by the literal's end; its other bytes are written again by the repetition.
    let literal = shape.literal.next_multiple_of(WORD_BYTES);
    for cell in out {
        words(ars, counter, &mut cell[..literal]);
        shape.repeat(cell);
        counter = counter.wrapping_add(NEXT_WORD * (CELL_BYTES / WORD_BYTES) as u128);
    }
}

/// See `Proven::agreeing`.
pub(super) fn agreeing<const R: usize>(ars: &Ars<R>, mut counter: u128, actual: &[u8]) -> usize {
    let mut agreeing = 0;
    for actual in actual.chunks(GROUP_BYTES) {
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
