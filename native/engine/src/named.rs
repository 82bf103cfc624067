//! Options whose values users know by names. Must never know what they are for.

/// Declares an option's values once, with the names that users give.
macro_rules! named {
    ($(#[doc = $doc:literal])+ $type:ident { $($(#[$attribute:meta])+ $variant:ident => $name:literal,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum $type { $($(#[$attribute])+ $variant,)+ }

        impl $type {
            /// Every value's name.
            pub const NAMES: &'static [&'static str] = &[$($name,)+];
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(Self::$variant => $name,)+ })
            }
        }

        impl std::str::FromStr for $type {
            type Err = ();

            /// Reads a name.
            fn from_str(name: &str) -> std::result::Result<Self, ()> {
                match name { $($name => Ok(Self::$variant),)+ _ => Err(()) }
            }
        }
    };
}

pub(crate) use named;
