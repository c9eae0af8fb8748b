//! Closed sets of words, such as a task's states: enums whose variants have names.

/// Defines an enum with one word per variant, `ALL`, `WORDS`, `as_str`, `parse` and `Display`.
///
/// `parse` is exact and returns [`Violation::UnknownValue`] for an unknown word, which lists the known ones.
///
/// [`Violation::UnknownValue`]: crate::Violation::UnknownValue
#[macro_export]
macro_rules! word_enum {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $(#[$first_meta:meta])* $first:ident = $first_word:literal
            $(, $(#[$variant_meta:meta])* $variant:ident = $word:literal)* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(#[$first_meta])* $first,
            $($(#[$variant_meta])* $variant,)*
        }

        impl $name {
            /// Every value, in the order of definition.
            pub const ALL: &'static [Self] = &[Self::$first, $(Self::$variant),*];

            /// The word of every value, in the same order.
            pub const WORDS: &'static [&'static str] = &[$first_word, $($word),*];

            /// The word on the wire and in the database.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    Self::$first => $first_word,
                    $(Self::$variant => $word,)*
                }
            }

            /// Reads a word, exactly as it is written.
            ///
            /// # Errors
            /// `unknown_value`, naming the known words.
            pub fn parse(word: &str) -> Result<Self, $crate::Violation> {
                let known = Self::ALL.iter().copied().find(|known| known.as_str() == word);
                known.ok_or($crate::Violation::UnknownValue { expected: Self::WORDS })
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
