//! Kernels: ways to run ARS forward over many consecutive counters. All give the same bytes; a CPU runs the fastest that
//! it can, or the one that the environment names.

#[cfg(target_arch = "x86_64")]
mod aesni;
mod portable;
#[cfg(target_arch = "x86_64")]
mod vaes256;
#[cfg(target_arch = "x86_64")]
mod vaes512;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::ars::Ars;
use crate::cell::Cell;
use crate::error::ParameterError;
use crate::{CELL_BYTES, WORD_BYTES};
use std::fmt;
use std::str::FromStr;

/// Environment variable that forces a kernel by its name.
pub const KERNEL_VARIABLE: &str = "SEEDSTORM_CPU";

/// A way to run the cipher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// AES instructions on 512-bit registers, 32 words in flight (x86-64 with VAES and AVX-512).
    Vaes512,
    /// AES instructions on 256-bit registers, 16 words in flight (x86-64 with VAES and AVX2).
    Vaes256,
    /// AES instructions on 128-bit registers, eight words in flight (x86-64 with AES-NI).
    AesNi,
    /// The `aes` crate's rounds, on any CPU: the AES instructions of 64-bit Arm, and constant-time software where there
    /// are none, which is hundreds of times slower.
    Portable,
}

impl Kernel {
    /// Every kernel, the fastest first.
    pub const ALL: [Self; 4] = [Self::Vaes512, Self::Vaes256, Self::AesNi, Self::Portable];

    /// The kernel's name, as [`KERNEL_VARIABLE`] gives it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vaes512 => "vaes512",
            Self::Vaes256 => "vaes256",
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
            Self::Vaes512 => is_x86_feature_detected!("vaes") && is_x86_feature_detected!("avx512f"),
            #[cfg(target_arch = "x86_64")]
            Self::Vaes256 => is_x86_feature_detected!("vaes") && is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::AesNi => is_x86_feature_detected!("aes") && is_x86_feature_detected!("sse4.1"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Vaes512 | Self::Vaes256 | Self::AesNi => false,
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

/// Where a kernel's stores go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    /// Into the caches, as any store.
    Cached,
    /// Past the caches, straight to memory: whole lines, where words lie at multiples of 16, as in any allocated memory;
    /// elsewhere as [`Store::Cached`]. [`Proven::fence`] has to follow before another thread may read what was stored.
    Streaming,
}

impl Store {
    fn streams_to(self, out: *const u8) -> bool {
        self == Self::Streaming && out.addr().is_multiple_of(WORD_BYTES)
    }
}

/// A line of the caches, which is also the widest vector.
const LINE_BYTES: usize = 64;

/// Calls a function of the kernel's module; one that stores is compiled once for streaming and once for the caches.
macro_rules! dispatch {
    ($kernel:expr, $($call:tt)+) => {
        match $kernel {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a `Proven` kernel exists only where its CPU features were detected.
            Kernel::Vaes512 => unsafe { dispatch!(@x86 vaes512 $($call)+) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Kernel::Vaes256 => unsafe { dispatch!(@x86 vaes256 $($call)+) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Kernel::AesNi => unsafe { dispatch!(@x86 aesni $($call)+) },
            #[cfg(not(target_arch = "x86_64"))]
            Kernel::Vaes512 | Kernel::Vaes256 | Kernel::AesNi => unreachable!("never proven on this architecture"),
            Kernel::Portable => dispatch!(@portable $($call)+),
        }
    };
    (@x86 $module:ident storing($stream:ident) $function:ident($($argument:expr),+)) => {
        if $stream {
            $module::$function::<R, true>($($argument),+)
        } else {
            $module::$function::<R, false>($($argument),+)
        }
    };
    (@x86 $module:ident $function:ident($($argument:expr),+)) => { $module::$function($($argument),+) };
    (@portable storing($stream:ident) $($call:tt)+) => { dispatch!(@portable $($call)+) };
    (@portable $function:ident($($argument:expr),+)) => { portable::$function($($argument),+) };
}

impl Proven {
    /// Which kernel it is.
    pub(crate) fn kernel(self) -> Kernel {
        self.0
    }

    /// Writes the words of `counter`, `counter` + 2^64, `counter` + 2·2^64 and so on; `out` is a whole number of words.
    pub(crate) fn words<const R: usize>(self, ars: &Ars<R>, counter: u128, store: Store, out: &mut [u8]) {
        debug_assert!(out.len().is_multiple_of(WORD_BYTES));
        let stream = store.streams_to(out.as_ptr());
        dispatch!(self.0, storing(stream) words(ars, counter, out));
    }

    /// Writes whole cells of this shape, the first of which begins with the word of `counter`.
    pub(crate) fn cells<const R: usize>(
        self,
        ars: &Ars<R>,
        counter: u128,
        shape: Cell,
        store: Store,
        out: &mut [[u8; CELL_BYTES]],
    ) {
        let stream = store.streams_to(out.as_ptr().cast());
        dispatch!(self.0, storing(stream) cells(ars, counter, shape, out));
    }

    /// How many bytes at the start of `actual` are those that [`Self::words`] writes: all, or a number that is at most
    /// [`AGREEING_GRAIN`] below the first that differs. `actual` is a whole number of words.
    pub(crate) fn agreeing<const R: usize>(self, ars: &Ars<R>, counter: u128, actual: &[u8]) -> usize {
        debug_assert!(actual.len().is_multiple_of(WORD_BYTES));
        dispatch!(self.0, agreeing(ars, counter, actual))
    }

    /// Makes what was stored so far, streamed or not, visible to other threads before anything that is stored later.
    pub(crate) fn fence(self) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: every x86-64 CPU has SSE, which the fence is part of.
        unsafe {
            core::arch::x86_64::_mm_sfence();
        }
    }

    /// The word of one counter.
    pub(crate) fn word<const R: usize>(self, ars: &Ars<R>, counter: u128) -> u128 {
        let mut word = [0; WORD_BYTES];
        self.words(ars, counter, Store::Cached, &mut word);
        u128::from_le_bytes(word)
    }
}

/// Bytes within which [`Proven::agreeing`] finds a difference: those that the widest kernel has in flight.
pub(crate) const AGREEING_GRAIN: usize = 512;
