//! The tensors of one component of a checkpoint, under the prefix that this checkpoint uses.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::Checkpoint;
use crate::error::{Error, Result};
use crate::ir::Constant;

/// Gives a builder its tensors and remembers which were asked for.
pub struct Weights<'a> {
    checkpoint: &'a Checkpoint,
    prefix: String,
    layout: usize,
    used: RefCell<BTreeSet<String>>,
}

impl<'a> Weights<'a> {
    /// Finds the first prefix under which one of the tensors `firsts` stands. Which of them says how the component's
    /// tensors are named.
    pub fn new(checkpoint: &'a Checkpoint, component: &str, prefixes: &[String], firsts: &[&str]) -> Result<Self> {
        let stands = |prefix: &String, first: &&str| checkpoint.tensors().contains_key(&format!("{prefix}{first}"));
        let found = prefixes.iter().find_map(|prefix| {
            let layout = firsts.iter().position(|first| stands(prefix, first))?;
            Some((prefix, layout))
        });
        let Some((prefix, layout)) = found else {
            let names = |prefix| firsts.iter().map(move |first| format!("`{prefix}{first}`"));
            let tried: Vec<String> = prefixes.iter().flat_map(names).collect();
            let place = checkpoint.path().display();
            let message = format!("the {component} weights are missing: there is no tensor {}", tried.join(" or "));
            return Err(Error::input(place, message).help(format!(
                "`autoneural inspect` lists the tensors; other prefixes go to `{component}` under [weights] in the model definition"
            )));
        };
        Ok(Weights { checkpoint, prefix: prefix.clone(), layout, used: RefCell::default() })
    }

    /// Position of the tensor that was found among those that were looked for.
    pub fn layout(&self) -> usize {
        self.layout
    }

    /// The tensor `name` of this component, of exactly this shape.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Constant> {
        let full = format!("{}{name}", self.prefix);
        let constant = self.checkpoint.tensor(&full, shape)?;
        self.used.borrow_mut().insert(full);
        Ok(constant)
    }

    /// The weights of a linear layer, stored `[out, in]`, as the `[in, out]` that a matrix product takes.
    pub fn linear(&self, name: &str, input: usize, output: usize) -> Result<Constant> {
        Ok(self.get(name, &[output, input])?.permuted(&[1, 0]))
    }

    /// The first of these tensors, by full name, that the checkpoint holds.
    pub fn get_first<'n>(&self, names: &'n [String], shape: &[usize]) -> Result<Option<(&'n str, Constant)>> {
        let Some(name) = names.iter().find(|name| self.checkpoint.tensors().contains_key(*name)) else {
            return Ok(None);
        };
        let constant = self.checkpoint.tensor(name, shape)?;
        self.used.borrow_mut().insert(name.clone());
        Ok(Some((name, constant)))
    }

    /// The error that none of these tensors, by full name, is there.
    pub fn missing(&self, names: &[String]) -> Error {
        let message = format!("there is no tensor `{}`", names.join("` or `"));
        Error::input(self.checkpoint.path().display(), message).help("`autoneural inspect` lists the tensors")
    }

    /// Full names of the tensors asked for so far.
    pub fn used(&self) -> Vec<String> {
        self.used.borrow().iter().cloned().collect()
    }
}
