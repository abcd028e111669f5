//! Where encodings come from, as reports state it.

use std::collections::BTreeMap;

use super::given::Given;
use super::ranges::{self, Class, RangeSource};
use super::ties::Ties;
use crate::evidence::StatisticsTable;
use crate::partition::Partition;
use crate::program::Group;
use crate::recipe::Recipe;
use crate::target::Target;
use autoneural_base::error::Result;

/// Where the encodings of a model come from.
pub struct Sources<'a> {
    ties: Ties,
    by_class: BTreeMap<usize, RangeSource>,
    given: &'a Given,
}

impl<'a> Sources<'a> {
    /// Finds the sources in the same way as [`super::quantize`] does, without computing encodings.
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
        let source = |(number, class): (&usize, &Class)| (*number, class.source(classes.get(&class.number(*number))));
        let by_class = found.iter().map(source).collect();
        Ok(Sources { ties, by_class, given })
    }

    /// Where the range of a value comes from that is not constant; `None` if the value has no encoding.
    pub fn activation(&self, group: &Group, name: &str) -> Option<&RangeSource> {
        self.by_class.get(&self.ties.class(group, name)?)
    }

    /// Whether two values share their encoding.
    pub fn is_tied(&self, a: (&Group, &str), b: (&Group, &str)) -> bool {
        self.ties.class(a.0, a.1).is_some_and(|class| self.ties.class(b.0, b.1) == Some(class))
    }

    /// The file that gives the encoding of a constant; `None` if the encoding was computed.
    pub fn file_of_param(&self, name: &str) -> Option<&str> {
        self.given.file_of_param(name)
    }
}
