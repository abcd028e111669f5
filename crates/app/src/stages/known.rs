//! What an earlier verification found, and which of its figures still hold: those whose models, binaries, samples and
//! toolkit are the same. They take hours to measure, so they stay with the bundle until something that they were
//! measured on changes; then a warning says so.

use super::graph_files::of_graphs;
use crate::drivers::{Driver, and_samples};
use crate::report::{Basis, Columns, PartitionReport, Report};
use crate::verify::{Extent, On};
use autoneural_base::error::Result;
use autoneural_base::json::LARGEST_JSON;
use autoneural_base::warning::Warning;
use autoneural_bundle::{Key, Making, REPORT, Stage};
use autoneural_core::partition::Partition;
use autoneural_core::program::{Group, Program, groups};
use autoneural_core::recipe::Recipe;
use autoneural_engines::back::qnn::{Compiler, Runtime};

/// Why figures of a report are not taken over that came with the bundle from elsewhere.
pub(crate) const FROM_ELSEWHERE: &str = "the report was not written by this machine, which cannot vouch for it";

/// What is known of a bundle before it is verified.
pub(crate) struct Known {
    old: Option<Report>,
    /// Whether the report was written on this machine, by any build of the program.
    is_ours: bool,
    /// Whether this build of the program wrote it, and so would find the same.
    is_same_program: bool,
    /// What figures would be measured on now, by partition.
    bases: Vec<Basis>,
}

impl Known {
    /// Reads what is known from the bundle that is being replaced. An unreadable report counts as none.
    ///
    /// # Errors
    /// The keys of the models cannot be made, because files cannot be read.
    pub(crate) fn read(
        bundle: &Making,
        driver: &dyn Driver,
        recipe: &Recipe,
        runtime: Option<&Runtime>,
        partitions: &[Partition],
    ) -> Result<Self> {
        let made_here = bundle.made_here_before(REPORT, LARGEST_JSON);
        let is_ours = made_here.is_some();
        let text = made_here.or_else(|| bundle.before_text(REPORT, LARGEST_JSON));
        Ok(Known {
            old: text.and_then(|text| Report::parse(&text, &bundle.path(REPORT)).ok()),
            is_ours,
            is_same_program: bundle.has_units_before()?,
            bases: bases(bundle, driver, recipe, runtime, partitions)?,
        })
    }

    /// Whether this program measured all of an extent before, with these engines: simulation and NPU.
    pub(crate) fn covers(&self, extent: &Extent, partitions: &[Partition], engines: [bool; 2]) -> bool {
        let has =
            |columns: Columns| (columns.simulated.is_some() || !engines[0]) && (columns.npu.is_some() || !engines[1]);
        let is_known = |(at, partition): (usize, &Partition)| {
            let Some(old) = self.outputs_of(at, &partition.name) else { return !extent.includes(partition) };
            let is_whole = old.steps.compared == old.steps.taken;
            !extent.includes(partition) || (has(columns(old)) && (is_whole || extent.sampled))
        };
        let chain = self.old.as_ref().filter(|old| old.chain.steps > 0).map(|old| old.chain.logits_sqnr_db);
        self.is_same_program
            && engines != [false, false]
            && partitions.iter().enumerate().all(is_known)
            && (!extent.is_whole() || chain.is_some_and(has))
    }

    /// The same for layers.
    pub(crate) fn covers_layers(&self, extent: &Extent, partitions: &[Partition], engines: &[On]) -> bool {
        let is_known = |(at, partition): (usize, &Partition)| {
            let old = self.layers_of(at, &partition.name);
            let of_npu = |old: &&PartitionReport| old.layers.iter().any(|layer| layer.sqnr_db.npu.is_some());
            !extent.measures(partition) || old.filter(|old| !engines.contains(&On::Npu) || of_npu(old)).is_some()
        };
        self.is_same_program && partitions.iter().enumerate().all(is_known)
    }

    /// Adds to a new report what is known and still holds, and says what does not.
    pub(crate) fn merge_into(self, report: &mut Report, driver: &dyn Driver, partitions: &[Partition]) -> Vec<Warning> {
        let mut dropped = Vec::new();
        let mut drop = |place: &str, what: &str, why: &str| {
            let warning = Warning::new(Stage::Verify.name(), place, format!("{what} were dropped: {why}"));
            let help = "run `autoneural verify`, with --layers for those of layers, to measure them again";
            dropped.push(warning.help(help));
        };
        let mut is_merged = false;
        for (at, new) in report.partitions.iter_mut().enumerate() {
            let mut basis = self.bases[at].clone();
            if let Some(old) = self.old_of(&new.name) {
                let is_same_graph = |old: &Basis, new: &Basis| (old.float != new.float).then_some("the graph changed");
                if new.frozen.is_none() && self.holding(at, &new.name, is_same_graph).is_some() {
                    new.frozen.clone_from(&old.frozen);
                }
                match self.outputs_of(at, &new.name) {
                    Some(_) if is_more(old, new) => {
                        (new.outputs, new.steps) = (old.outputs.clone(), old.steps.clone());
                        is_merged = true;
                    }
                    Some(_) if columns(old).npu.is_some() && columns(new).npu.is_none() => {
                        drop(&new.name, "figures of outputs on the NPU", "more was compared now, without the NPU");
                    }
                    None if has_figures(old) && !has_figures(new) => {
                        drop(&new.name, "figures of outputs", self.why(old, Basis::outputs_changed, &basis));
                    }
                    _ => {}
                }
                match self.layers_of(at, &new.name) {
                    Some(_) if new.layers.is_empty() || (layers_on_npu(old) && !layers_on_npu(new)) => {
                        (new.layers, new.layer_step) = (old.layers.clone(), old.layer_step);
                    }
                    None if !old.layers.is_empty() && new.layers.is_empty() => {
                        drop(&new.name, "figures of layers", self.why(old, Basis::layers_changed, &basis));
                    }
                    _ => {}
                }
                if let (true, Some(before)) = (basis.toolkit.is_empty(), &old.basis) {
                    basis.toolkit.clone_from(&before.toolkit);
                }
            }
            new.basis = Some(basis);
        }
        if let Some(old) = self.old.as_ref().filter(|old| old.chain.steps > 0) {
            let chained = driver.chained();
            let holds = |(at, partition): (usize, &Partition)| {
                !chained.contains(&partition.group)
                    || self.holding(at, &partition.name, Basis::outputs_changed).is_some()
            };
            let is_more = |old: Columns, new: Columns| {
                (old.npu.is_some() && new.npu.is_none()) || (new.npu.is_none() && new.simulated.is_none())
            };
            match partitions.iter().enumerate().all(holds) {
                true if is_more(old.chain.logits_sqnr_db, report.chain.logits_sqnr_db) => report.chain = old.chain,
                false if report.chain.steps == 0 => {
                    drop(
                        "sequences",
                        "figures of whole sequences",
                        "what the figures of their graphs were measured on changed",
                    );
                }
                _ => {}
            }
        }
        if is_merged {
            report.samples.extent = extent_of(report);
            let all = |has: fn(Columns) -> bool| report.partitions.iter().all(|partition| has(columns(partition)));
            let (simulated, npu) = (all(|columns| columns.simulated.is_some()), all(|columns| columns.npu.is_some()));
            report.left_out.retain(|what| !(simulated && what == SIMULATION || npu && what == NPU));
        }
        dropped
    }

    /// The old report, if it has evaluations of any kind, wherever it was written.
    pub(crate) fn evaluations(&self) -> Option<&Report> {
        let has_any =
            |old: &&Report| !(old.evaluations.is_empty() && old.array_evaluations.is_empty() && old.texts.is_empty());
        self.old.as_ref().filter(has_any)
    }

    /// Whether the report was written here.
    pub(crate) fn is_ours(&self) -> bool {
        self.is_ours
    }

    fn old_of(&self, name: &str) -> Option<&PartitionReport> {
        self.old.as_ref()?.partitions.iter().find(|partition| partition.name == name)
    }

    fn holding(&self, at: usize, name: &str, changed: Changed) -> Option<&PartitionReport> {
        let old = self.old_of(name).filter(|_| self.is_ours)?;
        old.basis.as_ref().is_some_and(|basis| changed(basis, &self.bases[at]).is_none()).then_some(old)
    }

    /// What is known of a partition's outputs and still holds.
    fn outputs_of(&self, at: usize, name: &str) -> Option<&PartitionReport> {
        self.holding(at, name, Basis::outputs_changed).filter(|old| has_figures(old))
    }

    /// What is known of its layers and still holds.
    fn layers_of(&self, at: usize, name: &str) -> Option<&PartitionReport> {
        self.holding(at, name, Basis::layers_changed).filter(|old| !old.layers.is_empty())
    }

    fn why(&self, old: &PartitionReport, changed: Changed, now: &Basis) -> &'static str {
        match (&old.basis, self.is_ours) {
            (_, false) => FROM_ELSEWHERE,
            (None, _) => "the report does not say what they were measured on",
            (Some(basis), _) => changed(basis, now).unwrap_or("they do not hold any more"),
        }
    }
}

/// What is another now, in words.
type Changed = fn(&Basis, &Basis) -> Option<&'static str>;

/// What a report calls the simulation where it was left out.
pub(crate) const SIMULATION: &str = "simulation";
/// What it calls the NPU.
pub(crate) const NPU: &str = "NPU";

/// What figures of partitions are measured on.
fn bases(
    bundle: &Making,
    driver: &dyn Driver,
    recipe: &Recipe,
    runtime: Option<&Runtime>,
    partitions: &[Partition],
) -> Result<Vec<Basis>> {
    let digest = |key: Key, samples| {
        Ok::<_, autoneural_base::error::Error>(and_samples(driver, key, bundle, recipe, samples)?.digest())
    };
    let all = digest(Key::new().setting("steps", &recipe.steps()), &recipe.verification)?;
    let first = driver.layer_sample(recipe).ok();
    let of_layers = first.map_or(&[][..], |at| std::slice::from_ref(&recipe.verification[at]));
    let first = digest(Key::new().setting("at", &first), of_layers)?;
    let toolkit = runtime.map_or("", Compiler::identity);
    let all_groups = groups(partitions);
    let basis = |partition: &Partition| -> Result<Basis> {
        let digest = |is_read: &dyn Fn(&str) -> bool| {
            Ok::<_, autoneural_base::error::Error>(bundle.key(Key::new(), is_read)?.digest())
        };
        let of_partition = |folder: &'static str| {
            move |path: &str| path.strip_prefix(folder).is_some_and(|file| is_of(partition, partitions, file))
        };
        // What comes after a partition has no part in its figures.
        let later: Vec<&Group> = all_groups.iter().skip_while(|group| **group != partition.group).skip(1).collect();
        let float = |path: &str| {
            let Some(file) = of_graphs(path) else { return false };
            let of_graphs = all_groups.iter().any(|group| group.owns(file));
            // It is in the graphs.
            let is_program = path == Program::FILE;
            !is_program
                && (of_graphs || driver.reads(&partition.group, file))
                && !later.iter().any(|group| group.owns(file))
        };
        let binary = of_partition("context/");
        let has_binary = bundle.has_files(binary);
        Ok(Basis {
            float: digest(&float)?,
            encodings: digest(&of_partition("encodings/"))?,
            quantized: digest(&of_partition("qdq/"))?,
            binary: if has_binary { digest(&binary)? } else { String::new() },
            toolkit: toolkit.to_string(),
            samples: all.clone(),
            layer_sample: first.clone(),
        })
    };
    partitions.iter().map(basis).collect()
}

/// Whether a file, by its name in a folder of the bundle, is a partition's own or of all partitions of its group.
fn is_of(partition: &Partition, partitions: &[Partition], file: &str) -> bool {
    let own = |name: &str| file.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', '_']));
    let others = partitions.iter().any(|other| other.name != partition.name && own(&other.name));
    own(&partition.name) || (partition.group.owns(file) && !others)
}

/// Figures of any output, by engine.
fn columns(partition: &PartitionReport) -> Columns {
    partition.outputs.iter().map(|output| output.sqnr_db).fold(Columns::default(), |all, one| Columns {
        simulated: all.simulated.or(one.simulated),
        npu: all.npu.or(one.npu),
    })
}

fn has_figures(partition: &PartitionReport) -> bool {
    columns(partition).best().is_some()
}

fn layers_on_npu(partition: &PartitionReport) -> bool {
    partition.layers.iter().any(|layer| layer.sqnr_db.npu.is_some())
}

/// Whether old figures of a partition are of at least as many steps and engines as new ones, and of more in one of
/// them.
fn is_more(old: &PartitionReport, new: &PartitionReport) -> bool {
    let count = |partition: &PartitionReport| {
        let columns = columns(partition);
        (partition.steps.compared, usize::from(columns.simulated.is_some()), usize::from(columns.npu.is_some()))
    };
    let (old, new) = (count(old), count(new));
    old != new && old.0 >= new.0 && old.1 >= new.1 && old.2 >= new.2
}

/// How much the figures of a report are of that come from several runs.
fn extent_of(report: &Report) -> Extent {
    let measured: Vec<&PartitionReport> = report.partitions.iter().filter(|partition| has_figures(partition)).collect();
    let names = (measured.len() < report.partitions.len())
        .then(|| measured.iter().map(|partition| partition.name.clone()).collect());
    let is_partial = |partition: &&PartitionReport| partition.steps.compared < partition.steps.taken;
    Extent { partitions: names, sampled: measured.iter().any(is_partial) }
}
