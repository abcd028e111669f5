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
    /// The class whose encoding a class has, which is mostly its own, and where the range comes from.
    by_class: BTreeMap<usize, (usize, RangeSource)>,
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
        let source = |(own, class): (&usize, &Class)| {
            let number = class.number(*own);
            (*own, (number, class.source(classes.get(&number))))
        };
        let by_class = found.iter().map(source).collect();
        Ok(Sources { ties, by_class, given })
    }

    /// Where the range of a value comes from that is not constant; `None` if the value has no encoding.
    pub fn activation(&self, group: &Group, name: &str) -> Option<&RangeSource> {
        Some(&self.by_class.get(&self.ties.class(group, name)?)?.1)
    }

    /// Whether two values share their encoding.
    pub fn is_tied(&self, a: (&Group, &str), b: (&Group, &str)) -> bool {
        let number = |of: (&Group, &str)| Some(self.by_class.get(&self.ties.class(of.0, of.1)?)?.0);
        number(a).is_some_and(|class| number(b) == Some(class))
    }

    /// The file that gives the encoding of a constant; `None` if the encoding was computed.
    pub fn file_of_param(&self, name: &str) -> Option<&str> {
        self.given.file_of_param(name)
    }
}
