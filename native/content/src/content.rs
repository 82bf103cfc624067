//! `Content`: one stream's content function, ready to make, check and name bytes.

use crate::CELL_BYTES;
use crate::ars::Ars;
use crate::cell::Cell;
use crate::dedup::{Dedup, Units, Window};
use crate::error::ParameterError;
use crate::kernel::{Kernel, Proven, Store};
use crate::key;
use crate::parameters::Parameters;
use crate::word::{self, WordName};

/// BLAKE3's context string for the key.
const CONTEXT: &str = "seedstorm content v1";

/// Rounds of ARS. Five pass BigCrush by its authors' report, and more would only cost.
const ROUNDS: usize = 5;

/// The content function of one stream: byte `p` is byte `p mod unit` of unit `p / unit`, for `p` below 2^63.
///
/// It is plain data that lanes share; every method takes `&self`.
#[derive(Clone, Debug)]
pub struct Content {
    parameters: Parameters,
    key: [u8; 16],
    ars: Ars<ROUNDS>,
    kernel: Proven,
    pub(crate) dedup: Dedup,
    pub(crate) cell: Cell,
}

impl Content {
    /// The content for these parameters, on the kernel of [`Kernel::choose`].
    ///
    /// # Errors
    /// The first parameter that is out of its bounds, or a kernel forced by the environment that this CPU lacks.
    pub fn new(parameters: &Parameters) -> Result<Self, ParameterError> {
        Self::with_key(key::derive(CONTEXT, parameters.seed, &parameters.namespace), parameters)
    }

    /// The content under a key that is given instead of derived: `seed` and `namespace` of the parameters then have no
    /// part in it. For known answers.
    ///
    /// # Errors
    /// As [`Content::new`].
    pub fn with_key(key: [u8; 16], parameters: &Parameters) -> Result<Self, ParameterError> {
        parameters.validate()?;
        Ok(Self {
            key,
            ars: Ars::new(key),
            kernel: Kernel::choose()?.proven()?,
            dedup: Dedup::new(parameters),
            cell: Cell::new(parameters),
            parameters: parameters.clone(),
        })
    }

    /// The same content, made by another kernel.
    ///
    /// # Errors
    /// [`ParameterError::Kernel`] when this CPU cannot run it.
    pub fn on_kernel(self, kernel: Kernel) -> Result<Self, ParameterError> {
        Ok(Self { kernel: kernel.proven()?, ..self })
    }

    /// The parameters that this content was made for.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The key `K` of the stream.
    pub fn key(&self) -> [u8; 16] {
        self.key
    }

    /// The kernel that makes the bytes.
    pub fn kernel(&self) -> Kernel {
        self.kernel.kernel()
    }

    /// The unique unit whose content unit `unit` holds; `unit` itself where there is no dedup.
    pub fn unique_unit(&self, unit: u64) -> u64 {
        if self.dedup.is_none() { unit } else { self.window_of(unit).uid(unit) }
    }

    /// The units below 2^63 that hold a unique unit: about as many as the dedup ratio, in no particular order.
    ///
    /// The run may have fewer units; those beyond its end are for the caller to leave out.
    pub fn units_of(&self, uid: u64) -> Units {
        if self.dedup.is_none() {
            return Units::single(uid);
        }
        match self.dedup.window_holding(uid) {
            Some(number) => self.window(number).units_of(uid),
            None => Units::none(),
        }
    }

    /// What 16 bytes say that they are, or `None` where no counter of a content word makes them under this key.
    pub fn name_word(&self, word: &[u8; 16]) -> Option<WordName> {
        word::name(self.ars.invert(u128::from_le_bytes(*word)))
    }

    /// The dedup window that a unit is in.
    pub(crate) fn window_of(&self, unit: u64) -> Window {
        self.window(self.dedup.window_of(unit))
    }

    fn window(&self, number: u64) -> Window {
        self.dedup.window(number, |counter| self.kernel.word(&self.ars, counter))
    }

    /// Writes whole words of a unique unit, from word `index` on.
    pub(crate) fn words(&self, uid: u64, generation: u16, index: u32, store: Store, out: &mut [u8]) {
        self.kernel.words(&self.ars, word::counter(uid, generation, index), store, out);
    }

    /// Writes whole cells of a unique unit, from word `index` on.
    pub(crate) fn cells(&self, uid: u64, generation: u16, index: u32, store: Store, out: &mut [[u8; CELL_BYTES]]) {
        self.kernel.cells(&self.ars, word::counter(uid, generation, index), self.cell, store, out);
    }

    /// Makes what was streamed visible to other threads.
    pub(crate) fn fence(&self) {
        self.kernel.fence();
    }

    /// How many bytes at the start of `actual` certainly are those that [`Self::words`] writes; see `Proven::agreeing`.
    pub(crate) fn agreeing(&self, uid: u64, generation: u16, index: u32, actual: &[u8]) -> usize {
        self.kernel.agreeing(&self.ars, word::counter(uid, generation, index), actual)
    }

    /// Bytes in a unit.
    pub(crate) fn unit_bytes(&self) -> u64 {
        self.parameters.unit_bytes
    }
}
