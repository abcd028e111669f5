//! Which observer makes the range of which value: one for all of a group, or one for each class of values.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::evidence::{ObserverKind, ValueClass};

/// The key of the observer of all classes that are not named.
const DEFAULT: &str = "default";

/// Observers by class of values. A recipe writes `observer = "min-max"`, or `observer = { default = "min-max", softmax =
/// "percentile" }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observers {
    default: ObserverKind,
    by_class: BTreeMap<ValueClass, ObserverKind>,
}

impl Observers {
    /// The observer of values of a class.
    pub fn of(&self, class: ValueClass) -> ObserverKind {
        self.by_class.get(&class).copied().unwrap_or(self.default)
    }

    /// All observers, each with the key that names it.
    pub fn all(&self) -> impl Iterator<Item = (String, ObserverKind)> {
        let by_class = self.by_class.iter().map(|(class, kind)| (class.to_string(), *kind));
        std::iter::once((DEFAULT.to_string(), self.default)).chain(by_class)
    }
}

impl fmt::Display for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.default)?;
        self.by_class.iter().try_for_each(|(class, kind)| write!(f, ", {class} {kind}"))
    }
}

impl Serialize for Observers {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.by_class.is_empty() {
            return self.default.serialize(to);
        }
        to.collect_map(self.all())
    }
}

impl<'de> Deserialize<'de> for Observers {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Observers;

            fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
                write!(out, "the name of an observer, or a table with `{DEFAULT}` and classes of values")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Observers, E> {
                let default = ObserverKind::deserialize(StrDeserializer::new(name))?;
                Ok(Observers { default, by_class: BTreeMap::new() })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Observers, A::Error> {
                let (mut default, mut by_class) = (None, BTreeMap::new());
                while let Some(key) = map.next_key::<String>()? {
                    let kind: ObserverKind = map.next_value()?;
                    if key == DEFAULT {
                        default = Some(kind);
                    } else {
                        by_class.insert(ValueClass::deserialize(StrDeserializer::<A::Error>::new(&key))?, kind);
                    }
                }
                let default = default.ok_or_else(|| A::Error::missing_field(DEFAULT))?;
                Ok(Observers { default, by_class })
            }
        }
        from.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, Serialize, PartialEq)]
    struct Part {
        observer: Observers,
    }

    fn read(text: &str) -> Result<Part, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn one_observer_or_one_for_each_class() {
        let one = read("observer = \"mse\"").unwrap().observer;
        assert_eq!((one.of(ValueClass::Softmax), one.to_string().as_str()), (ObserverKind::Mse, "mse"));
        let text =
            "observer = { default = \"min-max\", softmax = \"percentile\", keys-and-values = \"moving-average\" }";
        let made = read(text).unwrap();
        let of = |class| made.observer.of(class);
        assert_eq!(of(ValueClass::Softmax), ObserverKind::Percentile);
        assert_eq!(of(ValueClass::KeysAndValues), ObserverKind::MovingAverage);
        assert_eq!(of(ValueClass::Layers), ObserverKind::MinMax);
        assert_eq!(made.observer.to_string(), "min-max, keys-and-values moving-average, softmax percentile");
        let json = serde_json::to_string(&made).unwrap();
        assert_eq!(serde_json::from_str::<Part>(&json).unwrap(), made);
        assert_eq!(serde_json::to_string(&one).unwrap(), "\"mse\"");
    }

    #[test]
    fn what_is_no_observer_and_no_class_is_named() {
        assert!(read("observer = { softmax = \"mse\" }").unwrap_err().contains("missing field `default`"));
        let said = read("observer = { default = \"mse\", softmacks = \"mse\" }").unwrap_err();
        assert!(said.contains("`softmacks`") && said.contains("`softmax`"), "{said}");
        let said = read("observer = \"maximum\"").unwrap_err();
        assert!(said.contains("`maximum`") && said.contains("`moving-average`"), "{said}");
        assert!(read("observer = 3").unwrap_err().contains("the name of an observer"), "3");
    }
}
