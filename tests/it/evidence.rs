//! Evidence beside ranges: collected in as few passes as memory allows, the same in any number of them, and of shards
//! of the samples.

use std::collections::BTreeMap;

use autoneural::back::evidence;
use autoneural::bundle::Bundle;
use autoneural::drivers::{Kept, Phase, Run, of_bundle};
use autoneural::evidence::{Ask, Collection, Observer, Plan, StatisticsTable, Want, sites};
use autoneural::ir::ops::Rows;
use autoneural::map::Map;
use autoneural::partition::Partition;
use autoneural::program::Group;
use autoneural::progress::Silent;
use autoneural::recipe::Recipe;

use crate::common::{RECIPE, demo_bundle, root};

/// The demo bundle with its partitions.
struct Desk {
    bundle: Bundle,
    partitions: Vec<Partition>,
    recipe: Recipe,
}

impl Desk {
    fn new() -> Self {
        let bundle = Bundle::look(demo_bundle()).unwrap();
        let (partitions, recipe) = (bundle.partitions().unwrap(), Recipe::read(&root(RECIPE)).unwrap());
        Desk { bundle, partitions, recipe }
    }

    /// The groups of the first phase: what pictures go through.
    fn groups(&self) -> Vec<Group> {
        let Phase { groups, .. } = of_bundle(&self.bundle).unwrap().phases().remove(0);
        assert_eq!(groups.len(), 2);
        groups
    }

    /// Everything that can be known of what pictures go through.
    fn asks(&self) -> Vec<Ask> {
        let mut made = Vec::new();
        for group in &self.groups() {
            for site in sites(&self.partitions, group) {
                made.extend(
                    [Want::Range, Want::Histogram].map(|want| Ask::new(group, &site.name, want, &Rows::LastAxis)),
                );
                for reader in &site.readers {
                    let wants = [Want::Means, Want::Peaks, Want::SecondMoments];
                    made.extend(wants.map(|want| Ask::new(group, &site.name, want, &reader.rows)));
                }
            }
        }
        made
    }

    fn plan(&self, most: u64) -> Plan {
        let all: Vec<_> = self.groups().iter().flat_map(|group| sites(&self.partitions, group)).collect();
        Plan::new(self.asks(), &all, most).unwrap()
    }

    fn run(&self, plan: &Plan, recipe: &Recipe) -> (StatisticsTable, BTreeMap<Ask, Observer>) {
        let (driver, folder) = (of_bundle(&self.bundle).unwrap(), tempfile::tempdir().unwrap());
        let run = Run { bundle: &self.bundle, partitions: &self.partitions, recipe, progress: &Silent };
        let models = |partition: &Partition| self.bundle.float_model(partition);
        let (mut table, mut found) = (StatisticsTable::default(), BTreeMap::new());
        for pass in 0..plan.passes.len() {
            let seen = Collection::of_pass(plan, pass);
            let kept = folder.path().join(pass.to_string());
            std::fs::create_dir(&kept).unwrap();
            let kept = Kept { folder: &kept, earlier: &|name| panic!("{name}: the first phase reads nothing") };
            let ranges = autoneural::calibrate::phase(&*driver, 0, &run, &models, &seen, &kept).unwrap();
            if pass == 0 {
                table = ranges.statistics(&self.partitions);
            }
            found.extend(seen.take().unwrap());
        }
        (table, found)
    }
}

#[test]
fn many_passes_and_shards_give_what_one_pass_gives() {
    let desk = Desk::new();
    let whole = desk.plan(u64::MAX);
    assert_eq!(whole.passes.len(), 1);
    let largest = whole.passes[0].iter().filter(|ask| ask.want == Want::SecondMoments).count();
    assert!(largest > 40, "{largest} layers");
    let (table, found) = desk.run(&whole, &desk.recipe);
    // The ranges are those of calibration, whatever else is collected beside them.
    let calibrated = desk.bundle.statistics().unwrap();
    for group in &desk.groups() {
        assert!(table.iter(group).eq(calibrated.iter(group)), "{}", group.name());
    }
    // As little as the largest request takes, or a third of all.
    let all: Vec<_> = desk.groups().iter().flat_map(|group| sites(&desk.partitions, group)).collect();
    let bytes = whole.passes[0].iter().map(|ask| {
        let site = all.iter().find(|site| site.group == ask.group && site.name == ask.site).unwrap();
        Observer::bytes(ask, &site.shape)
    });
    let bytes: Vec<u64> = bytes.collect();
    let several = desk.plan((bytes.iter().sum::<u64>() / 3).max(*bytes.iter().max().unwrap()));
    assert!(several.passes.len() > 1, "{bytes:?}");
    let (again, in_parts) = desk.run(&several, &desk.recipe);
    assert!(again == table && in_parts == found, "passes differ");

    // Each half of the samples by itself.
    let middle = desk.recipe.calibration.len() / 2;
    let (mut first, mut second) = (desk.recipe.clone(), desk.recipe.clone());
    second.calibration = first.calibration.split_off(middle);
    let ((_, mut left), (_, right)) = (desk.run(&whole, &first), desk.run(&whole, &second));
    for (ask, all) in &found {
        let sum = left.get_mut(ask).unwrap();
        assert!(sum.merge(&right[ask]));
        assert!(*sum == *all, "{} of {}", ask.want, ask.site);
    }

    // What is written is what is read.
    let folder = tempfile::tempdir().unwrap();
    for (ask, observer) in &found {
        let path = folder.path().join(evidence::file(ask));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        evidence::write(&path, ask, observer).unwrap();
        assert!(evidence::read(&Map::open(&path).unwrap(), &path, ask).unwrap() == *observer, "{}", path.display());
    }
}
