//! The tensors of one component of a checkpoint, under the prefix that this checkpoint uses.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::checkpoint::unmarked;
use autoneural_base::error::{Error, Result};
use autoneural_core::ir::Constant;

/// Where builders take tensors from, by full name.
pub trait Tensors {
    /// What the tensors belong to, for messages.
    fn path(&self) -> &Path;
    /// Whether there is a tensor of this name.
    fn contains(&self, name: &str) -> bool;
    /// The tensor of this name and of exactly this shape.
    ///
    /// # Errors
    /// There is no such tensor, or it cannot be used.
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Constant>;
}

/// Gives a builder its tensors and remembers which were asked for.
pub struct Weights<'a> {
    tensors: &'a dyn Tensors,
    prefix: String,
    first: &'static str,
    used: RefCell<BTreeSet<String>>,
    /// Biases that were asked for, and whether they are there.
    biases: RefCell<BTreeMap<String, bool>>,
}

impl<'a> Weights<'a> {
    /// Finds the first prefix under which the checkpoint has one of the tensors `firsts`. Which of these it is tells
    /// how the component's tensors are named ([`Weights::first`]).
    ///
    /// # Errors
    /// The checkpoint has none of these tensors under any prefix.
    pub fn new(
        tensors: &'a dyn Tensors,
        component: &str,
        prefixes: &[String],
        firsts: &[&'static str],
    ) -> Result<Self> {
        let found = prefixes.iter().find_map(|prefix| {
            let first = firsts.iter().find(|first| tensors.contains(&format!("{prefix}{first}")))?;
            Some((prefix, *first))
        });
        let Some((prefix, first)) = found else {
            let prefixes = prefixes.iter().map(|prefix| unmarked(prefix));
            let names = |prefix| firsts.iter().map(move |first| format!("`{prefix}{first}`"));
            let tried: Vec<String> = prefixes.flat_map(names).collect();
            let place = tensors.path().display();
            let message = format!("the {component} weights are missing: there is no tensor {}", tried.join(" or "));
            return Err(Error::input(place, message).help(format!(
                "`autoneural inspect` lists the tensors; other prefixes go to `{component}` under [weights] in the \
                 model definition"
            )));
        };
        Ok(Weights { tensors, prefix: prefix.clone(), first, used: RefCell::default(), biases: RefCell::default() })
    }

    /// The tensor that was found among those that were looked for.
    pub fn first(&self) -> &'static str {
        self.first
    }

    /// The tensor `name` of this component, which must have this shape.
    ///
    /// # Errors
    /// There is no such tensor, it has another shape, or its type is not read.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Constant> {
        let full = format!("{}{name}", self.prefix);
        let constant = self.tensors.tensor(&full, shape)?;
        self.used.borrow_mut().insert(full);
        Ok(constant)
    }

    /// The bias of a convolution or a linear layer. It is zero if the layer was built without a bias. [`absent_biases`]
    /// tells whether the checkpoint may lack it.
    ///
    /// # Errors
    /// As for [`Weights::get`], if the tensor is there.
    pub fn bias(&self, name: &str, size: usize) -> Result<Constant> {
        let full = format!("{}{name}", self.prefix);
        let is_there = self.tensors.contains(&full);
        self.biases.borrow_mut().insert(full, is_there);
        if is_there { self.get(name, &[size]) } else { Ok(Constant::from_values(vec![0.0; size], vec![size])) }
    }

    /// Full names of the biases asked for so far, and whether they are there.
    pub fn biases(&self) -> BTreeMap<String, bool> {
        self.biases.borrow().clone()
    }

    /// The weights of a linear layer as `[in, out]`, which a matrix product takes; they are stored as `[out, in]`.
    ///
    /// # Errors
    /// As for [`Weights::get`].
    pub fn linear(&self, name: &str, input: usize, output: usize) -> Result<Constant> {
        Ok(self.get(name, &[output, input])?.permuted(&[1, 0]))
    }

    /// The first of these tensors, by full name, that the checkpoint has; `None` if it has none of them.
    ///
    /// # Errors
    /// The tensor has another shape, or its type is not read.
    pub fn get_first<'n>(&self, names: &'n [String], shape: &[usize]) -> Result<Option<(&'n str, Constant)>> {
        let Some(name) = names.iter().find(|name| self.tensors.contains(name)) else {
            return Ok(None);
        };
        let constant = self.tensors.tensor(name, shape)?;
        self.used.borrow_mut().insert(name.clone());
        Ok(Some((name, constant)))
    }

    /// The error that none of these tensors, by full name, is there.
    pub fn missing(&self, names: &[String]) -> Error {
        let names: Vec<&str> = names.iter().map(|name| unmarked(name)).collect();
        let message = format!("there is no tensor `{}`", names.join("` or `"));
        Error::input(self.tensors.path().display(), message).help("`autoneural inspect` lists the tensors")
    }

    /// Full names of the tensors asked for so far.
    pub fn used(&self) -> Vec<String> {
        self.used.borrow().iter().cloned().collect()
    }
}

/// Biases that a checkpoint does not hold.
#[derive(Debug, Default, PartialEq)]
pub struct AbsentBiases {
    /// Those of layers that were built without: no layer of the kind has one.
    pub zero: Vec<String>,
    /// Those that other layers of the kind have.
    pub missing: Vec<String>,
}

/// Which of the biases that are not there are zero, and which are missing. Layers are of one kind whose names differ in
/// numbers.
pub fn absent_biases(biases: &BTreeMap<String, bool>) -> AbsentBiases {
    let kind = |name: &str| {
        let mut made = String::with_capacity(name.len());
        for character in name.chars() {
            match character.is_ascii_digit() {
                true if made.ends_with('0') => {}
                true => made.push('0'),
                false => made.push(character),
            }
        }
        made
    };
    let there: BTreeSet<String> = biases.iter().filter(|(_, there)| **there).map(|(name, _)| kind(name)).collect();
    let absent = biases.iter().filter(|(_, there)| !**there).map(|(name, _)| name.clone());
    let (missing, zero) = absent.partition(|name| there.contains(&kind(name)));
    AbsentBiases { zero, missing }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bias_is_zero_only_where_no_layer_of_its_kind_has_one() {
        let biases = [
            ("layers.0.qkv.bias", false),
            ("layers.11.qkv.bias", false),
            ("layers.0.fc1.bias", true),
            ("layers.11.fc1.bias", false),
            ("stem.bias", false),
        ];
        let made = absent_biases(&biases.map(|(name, there)| (name.to_string(), there)).into());
        assert_eq!(made.zero, ["layers.0.qkv.bias", "layers.11.qkv.bias", "stem.bias"]);
        assert_eq!(made.missing, ["layers.11.fc1.bias"]);
    }
}
