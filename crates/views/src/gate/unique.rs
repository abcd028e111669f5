//! Objects of JSON in which no name stands twice: a merge that kept both sides would otherwise be read as one of them.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

/// Reads an object, for `deserialize_with`.
///
/// # Errors
/// A name that stands twice; what serde finds wrong in an entry, with its name.
pub(crate) fn unique<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<BTreeMap<String, T>, D::Error> {
    struct Entries<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
        type Value = BTreeMap<String, T>;

        fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
            write!(out, "an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut made = BTreeMap::new();
            while let Some(name) = map.next_key::<String>()? {
                if made.contains_key(&name) {
                    return Err(Error::custom(format_args!("`{name}` stands twice")));
                }
                let value = map.next_value()?;
                made.insert(name, value);
            }
            Ok(made)
        }
    }
    from.deserialize_map(Entries(PhantomData))
}
