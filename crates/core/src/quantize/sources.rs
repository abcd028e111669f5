//! Where encodings are from: what a report says of the method by which a layer got its numbers.

use std::collections::BTreeMap;

use super::given::Given;
use super::ranges::{self, RangeSource};
use super::ties::Ties;
use crate::evidence::StatisticsTable;
use crate::partition::Partition;
use crate::program::Group;
use crate::recipe::Recipe;
use crate::target::Target;
use autoneural_base::error::Result;

/// Where the encodings of a model are from.
pub struct Sources<'a> {
    ties: Ties,
    by_class: BTreeMap<usize, RangeSource>,
    given: &'a Given,
}

impl<'a> Sources<'a> {
    /// Goes the way of [`super::quantize`] without the numbers.
    ///
    /// # Errors
    /// As for [`super::quantize`].
    pub fn new(
        partitions: &[Partition],
        statistics: &StatisticsTable,
        recipe: &Recipe,
        target: &Target,
        given: &'a Given,
    ) -> Result<Self> {
        let ties = Ties::new(partitions);
        let (classes, _) = given.by_class(partitions, &ties)?;
        let found = ranges::classes(partitions, &ties, statistics, recipe, target, &classes)?;
        let by_class = found.iter().map(|(number, class)| (*number, class.source(classes.get(number)))).collect();
        Ok(Sources { ties, by_class, given })
    }

    /// Where the range of a value is from that is not constant.
    pub fn activation(&self, group: &Group, name: &str) -> Option<&RangeSource> {
        self.by_class.get(&self.ties.class(group, name)?)
    }

    /// Whether two values share their encoding.
    pub fn is_tied(&self, a: (&Group, &str), b: (&Group, &str)) -> bool {
        self.ties.class(a.0, a.1).is_some_and(|class| self.ties.class(b.0, b.1) == Some(class))
    }

    /// The file that a constant's encoding was learned in, if it was.
    pub fn file_of_param(&self, name: &str) -> Option<&str> {
        self.given.file_of_param(name)
    }
}
