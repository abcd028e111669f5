//! Lists of methods that recipes choose by name: each method is one file and one line in its list.

/// Declares the files of all methods of a kind, lists them as `METHODS`, and makes the type of one that a recipe chose.
/// The kind is a trait with `name`; the text says, behind a name that nothing has, what it is not.
macro_rules! registry {
    (
        $(#[$docs:meta])* $chosen:ident of dyn $kind:ident, $not:literal:
        $($file:ident :: $method:ident),* $(,)?
    ) => {
        $(mod $file;)*

        /// Every method that recipes may name.
        pub static METHODS: &[&dyn $kind] = &[$(&$file::$method),*];

        $(#[$docs])*
        #[derive(Clone, Copy)]
        pub struct $chosen(&'static dyn $kind);

        impl $chosen {
            /// The method of this name.
            ///
            /// # Errors
            /// No method has this name; the error lists the names that exist.
            pub fn of_name(name: &str) -> std::result::Result<Self, String> {
                let found = METHODS.iter().find(|method| method.name() == name);
                let names = || METHODS.iter().map(|method| method.name()).collect::<Vec<_>>().join(", ");
                found.map(|method| $chosen(*method)).ok_or_else(|| format!("`{name}` {}; there are {}", $not, names()))
            }
        }

        impl std::fmt::Debug for $chosen {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.0.name())
            }
        }

        impl PartialEq for $chosen {
            fn eq(&self, other: &Self) -> bool {
                self.0.name() == other.0.name()
            }
        }

        impl std::ops::Deref for $chosen {
            type Target = dyn $kind;

            fn deref(&self) -> &Self::Target {
                self.0
            }
        }

        impl serde::Serialize for $chosen {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.0.name())
            }
        }

        impl<'de> serde::Deserialize<'de> for $chosen {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                let name = String::deserialize(deserializer)?;
                $chosen::of_name(&name).map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use registry;
