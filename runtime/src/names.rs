//! Names of an enum's values, the same at the command line, in messages and in results.

/// Gives an enum its names: `Display`, and `FromStr` in any case with a line that lists them.
#[macro_export]
macro_rules! named {
    ($type:ident, $what:literal, [$($variant:ident = $name:literal),+]) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str(match self { $(Self::$variant => $name),+ })
            }
        }

        impl std::str::FromStr for $type {
            type Err = String;

            fn from_str(name: &str) -> Result<Self, String> {
                match name.to_ascii_lowercase().as_str() {
                    $($name => Ok(Self::$variant),)+
                    _ => Err(format!(
                        concat!($what, " {:?} is unknown; choose one of {}"),
                        name,
                        [$($name),+].join(", ")
                    )),
                }
            }
        }
    };
}

pub use crate::named;
