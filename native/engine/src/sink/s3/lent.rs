//! A lane's memory, lent to the socket as the body of a request, without a copy.

use std::sync::Arc;

use bytes::Bytes;

/// Keeps the account of one loan.
pub(super) struct Loan(Arc<()>);

impl Loan {
    pub(super) fn new() -> Self {
        Self(Arc::new(()))
    }

    /// Lends memory.
    ///
    /// # Safety
    /// The memory must stay valid, and must not be written to, until [`Loan::is_back`].
    pub(super) unsafe fn lend(&self, memory: *const u8, bytes: usize) -> Bytes {
        Bytes::from_owner(Lent { memory, bytes, _on: Arc::clone(&self.0) })
    }

    /// Whether nobody has the memory any more.
    pub(super) fn is_back(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

struct Lent {
    memory: *const u8,
    bytes: usize,
    _on: Arc<()>,
}

// SAFETY: it gives out nothing but shared slices of memory that, by the contract of `Loan::lend`, nobody writes to as
// long as it lives; that is as good on one thread as on another.
unsafe impl Send for Lent {}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: whoever made the loan keeps the memory valid and unchanged until this value, and with it its hold
        // on the account, is dropped.
        unsafe { std::slice::from_raw_parts(self.memory, self.bytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_back_only_when_the_last_who_had_it_let_go() {
        let memory = [7u8; 100];
        let loan = Loan::new();
        assert!(loan.is_back());
        // SAFETY: `memory` outlives the test's use of it and is not written to.
        let lent = unsafe { loan.lend(memory.as_ptr(), memory.len()) };
        assert_eq!(lent.as_ptr(), memory.as_ptr(), "no copy was made");
        let part = lent.slice(10..20);
        drop(lent);
        assert!(!loan.is_back());
        assert_eq!(part, &memory[10..20]);
        drop(part);
        assert!(loan.is_back());
    }
}
