//! What stands around an operator: norms that are spelled out, concatenations, masks.

use std::collections::{HashMap, HashSet};

use super::net::Net;
use super::units::{Encodings, Unit};

/// Operators that a spelled-out normalization is made of.
const OF_NORM: [&str; 9] = ["Pow", "Mul", "ReduceMean", "ReduceSum", "Add", "Sqrt", "Reciprocal", "Div", "Sub"];
/// Operators between the mean of squares and the product with what came in.
const MOST_STEPS: usize = 5;

/// The units of a model by what they read and make.
pub(crate) struct Around<'a> {
    units: &'a [Unit],
    makers: HashMap<&'a str, usize>,
    readers: HashMap<&'a str, Vec<usize>>,
    of_norms: HashSet<usize>,
}

impl<'a> Around<'a> {
    /// Looks around in a model.
    pub(crate) fn new(units: &'a [Unit]) -> Self {
        let mut made = Around { units, makers: HashMap::new(), readers: HashMap::new(), of_norms: HashSet::new() };
        for (at, unit) in units.iter().enumerate() {
            for one in &unit.makes {
                made.makers.extend(one.names.iter().map(|name| (name.as_str(), at)));
            }
            for read in &unit.reads {
                made.readers.entry(&read.border).or_default().push(at);
            }
        }
        made.find_norms();
        made
    }

    fn readers_of(&self, at: usize) -> impl Iterator<Item = usize> {
        let made = self.units[at].makes.iter().flat_map(|made| &made.names);
        made.filter_map(|name| self.readers.get(name.as_str())).flatten().copied()
    }

    /// A mean of squares of which a root is taken, and what is made of it.
    fn find_norms(&mut self) {
        for (at, unit) in self.units.iter().enumerate() {
            if !unit.op.starts_with("Reduce") {
                continue;
            }
            let Some(square) = unit.reads.first().and_then(|read| self.makers.get(read.border.as_str())) else {
                continue;
            };
            let is_square = match self.units[*square].op.as_str() {
                "Pow" => true,
                "Mul" => self.units[*square].reads.len() == 1,
                _ => false,
            };
            if !is_square {
                continue;
            }
            let (mut steps, mut last) = (vec![*square, at], vec![at]);
            for _ in 0..MOST_STEPS {
                let next = last.iter().flat_map(|&one| self.readers_of(one));
                last = next.filter(|&one| OF_NORM.contains(&self.units[one].op.as_str())).collect();
                steps.extend(&last);
            }
            if steps.iter().any(|&one| ["Sqrt", "Pow"].contains(&self.units[one].op.as_str()) && one != *square) {
                // The last product belongs to it; what reads that does not.
                let end =
                    steps.iter().position(|&one| one > at && ["Mul", "Div"].contains(&self.units[one].op.as_str()));
                steps.truncate(end.map_or(steps.len(), |end| end + 1));
                self.of_norms.extend(steps);
            }
        }
    }

    /// Whether a unit is a step of a normalization that is spelled out.
    pub(crate) fn in_norm(&self, at: usize) -> bool {
        self.of_norms.contains(&at)
    }

    /// Whether what a change of encoding loses is computed beside it, as where a product is written with the high and the
    /// low bits of an operand: the difference of what it reads and what it makes.
    pub(crate) fn is_made_up_for(&self, at: usize) -> bool {
        let Some(source) = self.units[at].reads.first() else { return false };
        let mut changed = vec![at];
        changed.extend(self.readers_of(at).filter(|&reader| self.units[reader].is_conversion));
        let differences =
            changed.iter().flat_map(|&one| self.readers_of(one)).filter(|&one| self.units[one].op == "Sub");
        let reads = |one: usize| self.units[one].reads.iter().any(|read| read.border == source.border);
        self.units[at].is_conversion && differences.into_iter().any(reads)
    }

    /// Whether what a unit makes goes into a softmax.
    pub(crate) fn is_masked(&self, at: usize) -> bool {
        self.units[at].op == "Add" && self.readers_of(at).any(|reader| self.units[reader].op == "Softmax")
    }

    /// Whether what a unit makes has the encoding of a concatenation that reads it.
    pub(crate) fn shares_in_concat(&self, net: &Net, at: usize, encodings: &Encodings) -> bool {
        let own = self.units[at].makes.first().and_then(|made| encodings.of_made(net, made));
        self.readers_of(at).filter(|&reader| self.units[reader].op == "Concat").any(|reader| {
            let other = self.units[reader].makes.first().and_then(|made| encodings.of_made(net, made));
            own.is_some() && own.as_ref().map(|own| &own.0) == other.as_ref().map(|other| &other.0)
        })
    }
}
