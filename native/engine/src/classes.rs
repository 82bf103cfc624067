//! Classes of operations: what was done, and with how many bytes. A small fixed set, so that each lane can have a place for
//! every one of them, and fill only those that it needs. Must never know what is counted by class.

use std::sync::OnceLock;

/// Declares the kinds of operations once: their order, their names, and which are no operations of their own.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident => $name:literal,)+) => {
        /// What an operation did.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum OperationKind { $($(#[doc = $doc])+ $variant,)+ }

        impl OperationKind {
            /// All kinds, in the order in which classes are told.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// What reports call it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

kinds! {
    /// Bytes were made and dropped.
    Generate => "generate",
    /// Bytes went to the sink; to an object store an object or a part of one.
    Write => "write",
    /// Bytes came from the sink.
    Read => "read",
    /// The attributes of an object were asked for.
    Stat => "stat",
    /// Names in a folder or below a key were listed.
    List => "list",
    /// An empty object was made, or one to be sent in parts was begun.
    Create => "create",
    /// An object that was sent in parts was put together.
    Complete => "complete",
    /// A folder was made.
    Mkdir => "mkdir",
    /// An object got another name.
    Rename => "rename",
    /// An object was removed.
    Delete => "delete",
    /// Bytes were sent to a peer.
    Send => "send",
    /// From the submission of a read to the first byte of its answer. A part of that read and no operation of its own.
    FirstByte => "first-byte",
}

impl OperationKind {
    /// Whether it is a part of another operation: it is told, and never added to what was done.
    pub const fn is_part(self) -> bool {
        matches!(self, Self::FirstByte)
    }
}

/// How many bytes an operation was of, in powers of sixteen: each is as wide as the sizes that people choose between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeClass {
    /// It had none: metadata.
    Nothing,
    /// 1 to 4,096.
    To4KiB,
    /// To 65,536.
    To64KiB,
    /// To 1,048,576.
    To1MiB,
    /// To 16,777,216.
    To16MiB,
    /// More.
    Larger,
}

impl SizeClass {
    /// All size classes, the smallest first.
    pub const ALL: [Self; 6] = [Self::Nothing, Self::To4KiB, Self::To64KiB, Self::To1MiB, Self::To16MiB, Self::Larger];

    /// That of so many bytes.
    #[inline]
    pub const fn of(bytes: u64) -> Self {
        if bytes == 0 {
            return Self::Nothing;
        }
        // The least power of two that holds them, in fours of bits from 2^12 on.
        let bits = u64::BITS - (bytes - 1).leading_zeros();
        let fours = if bits <= 12 { 0 } else { (bits - 12).div_ceil(4) };
        match fours {
            0 => Self::To4KiB,
            1 => Self::To64KiB,
            2 => Self::To1MiB,
            3 => Self::To16MiB,
            _ => Self::Larger,
        }
    }

    /// What reports call it; empty for none.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::To4KiB => "4KiB",
            Self::To64KiB => "64KiB",
            Self::To1MiB => "1MiB",
            Self::To16MiB => "16MiB",
            Self::Larger => "larger",
        }
    }
}

/// One class of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    /// What was done.
    pub operation: OperationKind,
    /// With how many bytes.
    pub size: SizeClass,
}

impl Class {
    /// How many classes there are.
    pub(crate) const COUNT: usize = OperationKind::ALL.len() * SizeClass::ALL.len();

    /// Operations of this kind with so many bytes.
    #[inline]
    pub const fn of(operation: OperationKind, bytes: u64) -> Self {
        Self { operation, size: SizeClass::of(bytes) }
    }

    const fn index(self) -> usize {
        self.operation as usize * SizeClass::ALL.len() + self.size as usize
    }

    /// The class of an index.
    pub(crate) const fn at(index: usize) -> Self {
        let sizes = SizeClass::ALL.len();
        Self { operation: OperationKind::ALL[index / sizes], size: SizeClass::ALL[index % sizes] }
    }
}

/// A place for something of each class, filled on first use.
pub(crate) struct ByClass<T>([OnceLock<Box<T>>; Class::COUNT]);

impl<T> Default for ByClass<T> {
    fn default() -> Self {
        Self([const { OnceLock::new() }; Class::COUNT])
    }
}

impl<T: Default> ByClass<T> {
    /// That of a class, made now if nobody asked for it before.
    #[inline]
    pub(crate) fn of(&self, class: Class) -> &T {
        self.0[class.index()].get_or_init(Box::default)
    }

    /// That of the class with this index, where somebody asked for it.
    pub(crate) fn at(&self, index: usize) -> Option<&T> {
        self.0[index].get().map(|of| &**of)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_class_has_a_place_of_its_own() {
        for index in 0..Class::COUNT {
            assert_eq!(Class::at(index).index(), index);
        }
        for (at, kind) in OperationKind::ALL.iter().enumerate() {
            assert_eq!(*kind as usize, at);
        }
    }

    #[test]
    fn sizes_that_people_choose_are_the_largest_of_their_class() {
        let borders = [(0, ""), (1, "4KiB"), (4096, "4KiB"), (65_536, "64KiB"), (1 << 20, "1MiB"), (16 << 20, "16MiB")];
        for (bytes, name) in borders {
            assert_eq!(SizeClass::of(bytes).name(), name);
        }
        for bytes in [(16 << 20) + 1, u64::MAX] {
            assert_eq!(SizeClass::of(bytes), SizeClass::Larger);
        }
    }

    proptest! {
        #[test]
        fn more_bytes_are_never_of_a_smaller_class(a in any::<u64>(), shift in 0u32..64, more in any::<u64>()) {
            let bytes = a >> shift;
            prop_assert!(SizeClass::of(bytes) as usize <= SizeClass::of(bytes.saturating_add(more)) as usize);
        }
    }
}
