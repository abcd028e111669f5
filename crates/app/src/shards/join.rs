//! Parts of all shares of the samples, joined: what a calibration with all samples at once would have found.

use std::path::{Path, PathBuf};

use super::part::{KNOWN, Origin, Part, RANGES, contents};
use super::share::refuse_gaps;
use crate::as_built::join_first;
use crate::calibrate::Found;
use crate::drivers::{Driver, Phase};
use crate::runs;
use autoneural_base::error::{Error, IoContext, Result};
use autoneural_base::files::Folder;
use autoneural_base::json::LARGEST_JSON;
use autoneural_base::map::Map;
use autoneural_base::text;
use autoneural_bundle::Bundle;
use autoneural_core::evidence::{Ask, Observer, Ranges, Site, StatisticsTable, Want};
use autoneural_core::partition::Partition;
use autoneural_core::recipe::Recipe;
use autoneural_engines::back::evidence;

/// The parts of all shares, in order.
pub struct Parts(Vec<Part>);

impl Parts {
    /// Reads parts, whose order does not matter. Together they must be those of all shares of the recipe's samples, of
    /// this bundle, and made by this program.
    ///
    /// # Errors
    /// A part that is damaged, stands twice, or is of something else; shares that are missing.
    pub fn read(paths: &[PathBuf], bundle: &Bundle, recipe: &Recipe) -> Result<Self> {
        let mut parts = paths.iter().map(|path| Part::read(path)).collect::<Result<Vec<_>>>()?;
        parts.sort_by_key(|part| part.shard.number());
        let shares: Vec<_> = parts.iter().map(|part| (part.shard, part.folder.clone())).collect();
        refuse_gaps(&shares, "shard", "merge", "`autoneural calibrate --shard` makes the part of a shard")?;
        let own = Origin::of(bundle, recipe)?;
        for part in &parts {
            let place = part.folder.display();
            if let Some(difference) = own.difference(&part.origin) {
                let message = format!("is a part of a calibration of or by {difference}");
                return Err(Error::input(place, message).help("make all parts with this bundle, recipe and program"));
            }
            let range = part.shard.range(recipe.calibration.len(), "calibration samples")?;
            let now = contents(recipe, &recipe.calibration[range])?;
            if let Some(differs) = now.iter().find(|record| !part.samples.contains(record)) {
                let message = format!("was made of other samples: `{}` differs", differs.path);
                return Err(Error::input(place, message).help("make the part again"));
            }
            if now.len() != part.samples.len() {
                return Err(Error::input(place, "was made of other samples").help("make the part again"));
            }
        }
        Ok(Parts(parts))
    }

    /// Joins what the parts have of a phase: everything that is asked for goes to `folder`, and in the first pass
    /// (`is_first`) what is kept for later. Gives the ranges.
    ///
    /// # Errors
    /// A part that lacks something, or parts that do not fit each other.
    pub(crate) fn join(
        &self,
        driver: &dyn Driver,
        (number, phase): (usize, &Phase),
        (asks, sites): (&[Ask], &[Site]),
        partitions: &[Partition],
        (folder, is_first): (&Path, bool),
    ) -> Result<Found> {
        for ask in asks.iter().filter(|ask| ask.want != Want::Range) {
            let made = self.joined(phase, ask, sites)?;
            let path = folder.join(evidence::file(ask));
            let parent = path.parent().unwrap_or(folder);
            std::fs::create_dir_all(parent).at(parent)?;
            evidence::write(&path, ask, &made)?;
        }
        let mut found = Found { ranges: Ranges::default(), known: StatisticsTable::default() };
        for part in &self.0 {
            found.ranges.merge(&json(part, phase, RANGES)?);
            // The same in all of them: it does not depend on samples.
            found.known = json(part, phase, KNOWN)?;
        }
        if is_first {
            let shards: Vec<PathBuf> = self.0.iter().map(|part| part.phase(phase.name)).collect();
            for partition in partitions.iter().filter(|partition| phase.groups.contains(&partition.group)) {
                join_first(&partition.name, &shards, folder)?;
                runs::join(&partition.name, &shards, folder)?;
            }
            driver.join_kept(number, &shards, folder)?;
        }
        Ok(found)
    }

    /// What all parts together saw for a request. At most two of them are in memory.
    fn joined(&self, phase: &Phase, ask: &Ask, sites: &[Site]) -> Result<Observer> {
        let site = sites.iter().find(|site| site.group == ask.group && site.name == ask.site);
        let empty = site.and_then(|site| Observer::new(ask, &site.shape));
        let mut made = empty.ok_or_else(|| Error::internal(&ask.site, "cannot be cut into the requested rows"))?;
        let name = format!("{}/{}", phase.name, evidence::file(ask));
        let mut is_seen = false;
        for part in &self.0 {
            // No sample of the share may have reached it.
            if !part.has(&name) {
                continue;
            }
            is_seen = true;
            let path = part.folder.join(&name);
            let map = Map::of(Folder::open(&part.folder)?.file(&name)?, &path)?;
            if !made.merge(&evidence::read(&map, &path, ask)?) {
                let message = "does not fit the value that it is evidence of";
                return Err(Error::input(path.display(), message).help("make the part again"));
            }
        }
        match is_seen {
            true => Ok(made),
            false => Err(Error::internal(&ask.site, format!("was not seen, and its {} are wanted", ask.want))),
        }
    }
}

fn json<T: serde::de::DeserializeOwned>(part: &Part, phase: &Phase, name: &str) -> Result<T> {
    let name = format!("{}/{name}", phase.name);
    text::json(&part.folder.join(&name), &Folder::open(&part.folder)?.read(&name, LARGEST_JSON)?)
}
