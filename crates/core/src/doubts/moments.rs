//! Moments that say too little: of fewer rows than there are columns, or with columns that were always zero. Methods
//! that solve equations with them damp them, and then go by the damping where the samples say nothing.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::evidence::{Ask, EvidenceSource, Means, Observer, PairedMoments};
use crate::ir::ops::Rows;
use crate::program::Group;
use autoneural_base::error::Result;
use autoneural_base::text::listed;
use autoneural_base::warning::Warning;

/// Least share of columns of which it is told that they were zero. A few channels of a trained network never fire.
const MANY: f64 = 0.25;

/// What is known of moments by which weights are chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moments {
    /// The value whose rows they are of.
    pub site: String,
    /// Rows that were seen: of the channel group that saw fewest.
    pub rows: u64,
    /// Columns of a row.
    pub columns: u64,
    /// Columns that were zero in all rows, of the channel group with most.
    pub zero: u64,
}

impl Moments {
    fn is_of_few_rows(&self) -> bool {
        self.rows < self.columns
    }

    fn is_mostly_zero(&self) -> bool {
        self.zero as f64 >= MANY * self.columns as f64
    }
}

/// A source of evidence that remembers which moments it gave.
pub struct Noting<'a> {
    source: &'a dyn EvidenceSource,
    /// By value and columns: layers may cut a value into rows of different sizes.
    given: RefCell<BTreeMap<(String, usize), Moments>>,
}

impl<'a> Noting<'a> {
    /// Of another source.
    pub fn new(source: &'a dyn EvidenceSource) -> Self {
        Noting { source, given: RefCell::default() }
    }

    /// The moments that were asked for and say too little.
    pub fn doubtful(self) -> Vec<Moments> {
        let all = self.given.into_inner().into_values();
        all.filter(|moments| moments.is_of_few_rows() || moments.is_mostly_zero()).collect()
    }

    fn note(&self, site: &str, columns: usize, groups: impl Iterator<Item = (u64, usize)>) {
        let (rows, zero) = groups.fold((u64::MAX, 0), |(rows, zero), (r, z)| (rows.min(r), zero.max(z as u64)));
        let noted = Moments { site: site.to_string(), rows, columns: columns as u64, zero };
        self.given.borrow_mut().insert((site.to_string(), columns), noted);
    }
}

impl EvidenceSource for Noting<'_> {
    fn get(&self, ask: &Ask) -> Result<Observer> {
        let found = self.source.get(ask)?;
        if let Observer::SecondMoments(moments) = &found {
            let zero = |group: usize| (0..moments.width()).filter(|at| moments.of(group, *at, *at) == 0.0).count();
            let groups = moments.rows().iter().enumerate().map(|(group, rows)| (*rows, zero(group)));
            self.note(&ask.site, moments.width(), groups);
        }
        Ok(found)
    }

    fn paired(&self, site: &str, rows: &Rows) -> Result<Option<PairedMoments>> {
        let found = self.source.paired(site, rows)?;
        if let Some(moments) = &found {
            let zero = |own: &ndarray::Array2<f64>| own.diag().iter().filter(|number| **number == 0.0).count();
            self.note(site, moments.width(), moments.groups.iter().map(|group| (group.rows, zero(&group.own))));
        }
        Ok(found)
    }

    fn paired_means(&self, site: &str, rows: &Rows) -> Result<Option<[Means; 2]>> {
        self.source.paired_means(site, rows)
    }
}

/// Warnings of a stage about moments by which a method chose the weights of a group.
pub fn of_moments(all: &[Moments], method: &str, group: &Group, stage: &str) -> Vec<Warning> {
    let names = |is_meant: &dyn Fn(&&Moments) -> bool, words: &dyn Fn(&Moments) -> String| {
        // Several layers may read the same rows.
        let mut told = BTreeSet::new();
        let meant = all.iter().filter(is_meant).filter(|one| told.insert((one.site.as_str(), one.columns)));
        meant.map(|one| format!("`{}` {}", one.site, words(one))).collect::<Vec<_>>()
    };
    let few = names(&|one| one.is_of_few_rows(), &|one| format!("{} rows of {} numbers", one.rows, one.columns));
    let zero = names(&|one| one.is_mostly_zero(), &|one| format!("{} of {}", one.zero, one.columns));
    let mut made = Vec::new();
    if !few.is_empty() {
        let message = format!(
            "{method} went by few rows: layers that read these saw fewer than a row has numbers, so the samples do not \
             determine their weights: {}",
            listed(&few)
        );
        made.push(
            Warning::new(stage, group.name(), message).help("give more samples, or round these layers to nearest"),
        );
    }
    if !zero.is_empty() {
        let message = format!(
            "{method} knows nothing of weights that only met zeros; inputs of layers that were zero in all samples: {}",
            listed(&zero)
        );
        made.push(Warning::new(stage, group.name(), message).help("give samples that reach them"));
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{SecondMoments, Want};

    #[test]
    fn moments_of_few_rows_and_of_zeros_are_told() {
        let group = Group::fixed("some");
        let ask = |site: &str| Ask::new(&group, site, Want::SecondMoments, &Rows::LastAxis);
        let of = |rows: &[[f32; 2]]| {
            let mut made = SecondMoments::new(2, 1);
            rows.iter().for_each(|row| made.observe(&Rows::LastAxis, &[1, 2], row));
            Observer::SecondMoments(made)
        };
        let source = BTreeMap::from([
            (ask("sound"), of(&[[1.0, 2.0], [2.0, 1.0]])),
            (ask("few"), of(&[[1.0, 2.0]])),
            (ask("zero"), of(&[[1.0, 0.0], [2.0, 0.0]])),
            (ask("unread"), of(&[[1.0, 2.0]])),
        ]);
        let noting = Noting::new(&source);
        for site in ["sound", "few", "zero"] {
            noting.get(&ask(site)).unwrap();
        }
        let made = noting.doubtful();
        assert_eq!(made.iter().map(|one| one.site.as_str()).collect::<Vec<_>>(), ["few", "zero"]);
        let said = of_moments(&made, "gptq", &group, "emit");
        assert!(said[0].message.ends_with("determine their weights: `few` 1 rows of 2 numbers"), "{}", said[0]);
        assert!(said[1].message.ends_with("zero in all samples: `zero` 1 of 2"), "{}", said[1]);
    }
}
