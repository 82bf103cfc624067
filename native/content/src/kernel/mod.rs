//! Kernels: ways to run ARS forward over many consecutive counters. All give the same bytes; a CPU runs the fastest that
//! it can, or the one that the environment names.

#[cfg(target_arch = "x86_64")]
mod aesni;
mod portable;

use crate::WORD_BYTES;
use crate::ars::Ars;
use crate::error::ParameterError;
use std::fmt;
use std::str::FromStr;

/// Environment variable that forces a kernel by its name.
pub const KERNEL_VARIABLE: &str = "SEEDSTORM_CPU";

/// A way to run the cipher. Wider vectors (VAES) would stand first here, each with a module of its own beside `aesni`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// AES instructions on 128-bit registers, eight words in flight (x86-64 with AES-NI).
    AesNi,
    /// The `aes` crate's rounds, on any CPU: constant-time software where it has no AES instructions, which is about two
    /// hundred times slower.
    Portable,
}

impl Kernel {
    /// Every kernel, the fastest first.
    pub const ALL: [Self; 2] = [Self::AesNi, Self::Portable];

    /// The kernel's name, as [`KERNEL_VARIABLE`] gives it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AesNi => "aesni",
            Self::Portable => "portable",
        }
    }

    /// The kernels that this CPU can run, the fastest first. Never empty.
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|kernel| kernel.runs_here()).collect()
    }

    /// The kernel that [`KERNEL_VARIABLE`] names, or else the fastest that this CPU can run.
    ///
    /// # Errors
    /// [`ParameterError::Kernel`] when the variable names no kernel, or one that this CPU cannot run.
    pub fn choose() -> Result<Self, ParameterError> {
        match std::env::var_os(KERNEL_VARIABLE) {
            Some(name) => Ok(name.to_string_lossy().parse::<Self>()?.proven()?.0),
            None => Ok(Self::available()[0]),
        }
    }

    /// Whether this CPU can run it.
    fn runs_here(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::AesNi => is_x86_feature_detected!("aes") && is_x86_feature_detected!("sse4.1"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::AesNi => false,
            Self::Portable => true,
        }
    }

    /// The same kernel, proven to run on this CPU.
    pub(crate) fn proven(self) -> Result<Proven, ParameterError> {
        if self.runs_here() { Ok(Proven(self)) } else { Err(unavailable(self.name())) }
    }
}

fn unavailable(given: &str) -> ParameterError {
    ParameterError::Kernel { given: given.to_owned(), available: Kernel::available() }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kernel {
    type Err = ParameterError;

    /// Reads a kernel's name; whether this CPU can run it is another question.
    ///
    /// # Errors
    /// [`ParameterError::Kernel`] when no kernel has this name.
    fn from_str(name: &str) -> Result<Self, ParameterError> {
        Self::ALL.into_iter().find(|kernel| kernel.name() == name).ok_or_else(|| unavailable(name))
    }
}

/// A kernel that this CPU can run: only [`Kernel::proven`] makes one, which is what makes running it safe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proven(Kernel);

impl Proven {
    /// Which kernel it is.
    pub(crate) fn kernel(self) -> Kernel {
        self.0
    }

    /// Writes the words of `counter`, `counter` + 2^64, `counter` + 2·2^64 and so on; `out` is a whole number of words.
    pub(crate) fn words<const R: usize>(self, ars: &Ars<R>, counter: u128, out: &mut [u8]) {
        debug_assert!(out.len().is_multiple_of(WORD_BYTES));
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a `Proven` AES-NI kernel exists only where AES and SSE4.1 were detected.
            Kernel::AesNi => unsafe { aesni::words(ars, counter, out) },
            #[cfg(not(target_arch = "x86_64"))]
            Kernel::AesNi => unreachable!("never proven on this architecture"),
            Kernel::Portable => portable::words(ars, counter, out),
        }
    }

    /// How many bytes at the start of `actual` are those that [`Self::words`] writes: all, or a number that is at most
    /// [`AGREEING_GRAIN`] below the first that differs. `actual` is a whole number of words.
    pub(crate) fn agreeing<const R: usize>(self, ars: &Ars<R>, counter: u128, actual: &[u8]) -> usize {
        debug_assert!(actual.len().is_multiple_of(WORD_BYTES));
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a `Proven` AES-NI kernel exists only where AES and SSE4.1 were detected.
            Kernel::AesNi => unsafe { aesni::agreeing(ars, counter, actual) },
            #[cfg(not(target_arch = "x86_64"))]
            Kernel::AesNi => unreachable!("never proven on this architecture"),
            Kernel::Portable => portable::agreeing(ars, counter, actual),
        }
    }

    /// The word of one counter.
    pub(crate) fn word<const R: usize>(self, ars: &Ars<R>, counter: u128) -> u128 {
        let mut word = [0; WORD_BYTES];
        self.words(ars, counter, &mut word);
        u128::from_le_bytes(word)
    }
}

/// Words that a kernel has in flight: enough to hide the latency of an AES round, few enough for 16 registers.
const IN_FLIGHT: usize = 8;

/// Bytes within which [`Proven::agreeing`] finds a difference.
pub(crate) const AGREEING_GRAIN: usize = IN_FLIGHT * WORD_BYTES;
