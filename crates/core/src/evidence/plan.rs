//! Plans: which evidence is collected in which pass of the samples, so that memory stays bounded.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ask, Observer, Site, Want};
use autoneural_base::error::{Error, Result};

/// The requests for evidence, by the pass in which they are fulfilled.
///
/// The bound is on the memory of all observers of a pass, in addition to that of the model that runs. Ranges and
/// histograms take little; second moments of 8192 columns take 570 MB. Every request goes into the first pass that has
/// room for it, in the order of the requests. A request that alone is larger than the bound cannot be fulfilled. What
/// is collected does not depend on the plan.
///
/// ```
/// use autoneural_core::evidence::{Ask, Collection, Observer, Plan, Site, ValueClass, Want};
/// use autoneural_core::ir::ops::Rows;
/// use autoneural_core::program::Group;
///
/// # fn main() -> Result<(), autoneural_base::error::Error> {
/// let group = Group::new("encoder")?;
/// let site = Site { group: group.clone(), name: "x".into(), shape: vec![2, 2], class: ValueClass::Inputs, readers: vec![] };
/// let ask = |want| Ask::new(&group, "x", want, &Rows::LastAxis);
/// let plan = Plan::new([ask(Want::Range), ask(Want::Means)], &[site], 1 << 20)?;
/// assert_eq!(plan.passes.len(), 1); // both fit into 1 MiB
///
/// let collection = Collection::of_pass(&plan, 0);
/// let watcher = collection.watcher(&group, "encoder");
/// watcher.see("x", &[2, 2], &[1.0, -2.0, 3.0, 4.0]); // an engine does this for each run
/// let range = collection.ranges().statistics(&[]).get(&group, "x").expect("it was seen");
/// assert_eq!((range.min, range.max), (-2.0, 4.0));
/// let others = collection.take()?;
/// let Observer::Means(means) = &others[&ask(Want::Means)] else { unreachable!() };
/// assert_eq!((means.of(0, 0), means.of(0, 1)), (2.0, 1.0)); // of the two columns
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The passes, of which there is at least one.
    pub passes: Vec<Vec<Ask>>,
}

impl Plan {
    /// A plan in which the observers of no pass take more than `most` bytes.
    ///
    /// # Errors
    /// A request is about a value that is not among the sites, or alone takes more than `most` bytes.
    pub fn new(asks: impl IntoIterator<Item = Ask>, sites: &[Site], most: u64) -> Result<Self> {
        let shapes: BTreeMap<_, _> =
            sites.iter().map(|site| ((&site.group, site.name.as_str()), &site.shape)).collect();
        let mut passes: Vec<(u64, Vec<Ask>)> = vec![(0, vec![])];
        let mut asks: Vec<Ask> = asks.into_iter().collect();
        // Ranges, and the histograms that they are chosen by, are collected in the first pass, so they come first.
        asks.sort_by_key(|ask| match ask.want {
            Want::Range => 0,
            Want::Histogram => 1,
            _ => 2,
        });
        let mut known = BTreeSet::new();
        for ask in asks {
            if !known.insert(ask.clone()) {
                continue;
            }
            let place = || format!("{}: `{}`", ask.group.name(), ask.site);
            let Some(shape) = shapes.get(&(&ask.group, ask.site.as_str())) else {
                return Err(Error::internal(place(), "is no site, and evidence of it is wanted"));
            };
            let bytes = Observer::bytes(&ask, shape);
            if bytes > most {
                let (needed, most) = (bytes as f64 / 1e9, most as f64 / 1e9);
                let message =
                    format!("its {} take {needed:.1} GB, more than the {most:.1} GB that there are", ask.want);
                return Err(Error::input(place(), message)
                    .help("run it where there is more memory, or choose a method that does not want them"));
            }
            match passes.iter_mut().find(|(taken, _)| taken.saturating_add(bytes) <= most) {
                Some((taken, asks)) => {
                    *taken += bytes;
                    asks.push(ask);
                }
                None => passes.push((bytes, vec![ask])),
            }
        }
        Ok(Plan { passes: passes.into_iter().map(|(_, asks)| asks).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::ValueClass;
    use crate::ir::ops::Rows;
    use crate::program::Group;

    fn site(name: &str, width: usize) -> Site {
        let (group, shape) = (Group::fixed("some"), vec![1, 128, width]);
        Site { group, name: name.into(), shape, class: ValueClass::Others, readers: vec![] }
    }

    fn ask(name: &str, want: Want) -> Ask {
        Ask::new(&Group::fixed("some"), name, want, &Rows::LastAxis)
    }

    #[test]
    fn what_fits_is_one_pass_and_the_rest_are_more() {
        let sites = [site("small", 2048), site("large", 8192), site("other", 8192)];
        let asks = [
            ask("small", Want::Range),
            ask("large", Want::Range),
            ask("large", Want::SecondMoments),
            ask("other", Want::SecondMoments),
            ask("small", Want::SecondMoments),
            // The same request again, as from a second layer that reads the value.
            ask("large", Want::SecondMoments),
        ];
        let names = |plan: &Plan| -> Vec<Vec<String>> {
            let name = |ask: &Ask| format!("{} {}", ask.site, ask.want);
            plan.passes.iter().map(|pass| pass.iter().map(name).collect()).collect()
        };
        let whole = Plan::new(asks.clone(), &sites, 2 << 30).unwrap();
        assert_eq!(whole.passes.len(), 1);
        assert_eq!(whole.passes[0].len(), 5);
        let plan = Plan::new(asks.clone(), &sites, 620_000_000).unwrap();
        let first = ["small range", "large range", "large second moments", "small second moments"];
        assert_eq!(names(&plan), [&first[..], &["other second moments"]]);
        for pass in &plan.passes {
            let bytes: u64 = pass
                .iter()
                .map(|ask| Observer::bytes(ask, &[1, 128, if ask.site == "small" { 2048 } else { 8192 }]))
                .sum();
            assert!(bytes <= 620_000_000);
        }
        let said = Plan::new(asks, &sites, 200_000_000).unwrap_err().to_string();
        assert!(said.contains("some: `large`: its second moments take 0.6 GB, more than the 0.2 GB"), "{said}");
        assert_eq!(Plan::new([], &sites, 0).unwrap().passes, [vec![]]);
        assert!(Plan::new([ask("none", Want::Range)], &sites, 1 << 30).is_err());
    }
}
