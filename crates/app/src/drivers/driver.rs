//! The interface of drivers: what every driver must provide to the stages, and what it may offer in addition.

use std::path::{Path, PathBuf};

use super::{GoldenExtent, PromptsReport, Takes};
use autoneural_base::error::{Error, Result};
use autoneural_base::progress::Progress;
use autoneural_base::warning::Warning;
use autoneural_bundle::{Bundle, InputRecord, Key, Making, PartitionRecord};
use autoneural_core::doubts::Look;
use autoneural_core::evidence::StatisticsTable;
use autoneural_core::partition::{Partition, Port};
use autoneural_core::program::{Group, Load, Step, Visit};
use autoneural_core::quantize::Table;
use autoneural_core::recipe::{Recipe, Sample};
use autoneural_core::sqnr::Sqnr;
use autoneural_engines::back::qnn::Runtime;
use autoneural_engines::engine::{Engine, OrtSession};
use autoneural_front::Checkpoint;
use autoneural_host::HostRecord;

/// A part of calibration, after which the statistics of some groups are complete.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// Its name, in units of work and files.
    pub name: &'static str,
    /// The groups that are observed in it.
    pub groups: Vec<Group>,
}

/// What a run of samples needs.
pub struct Run<'a> {
    /// The bundle.
    pub bundle: &'a Bundle,
    /// Its graphs.
    pub partitions: &'a [Partition],
    /// Where the samples are from.
    pub recipe: &'a Recipe,
    /// Where progress is reported.
    pub progress: &'a dyn Progress,
}

/// What phases of calibration keep for later ones: files whose names begin with a point.
pub struct Kept<'a> {
    /// Where this phase writes its own.
    pub folder: &'a Path,
    /// Reads one of an earlier phase, by its name.
    pub earlier: &'a dyn Fn(&str) -> Result<Vec<u8>>,
}

/// Any engine, loaded when it is first needed.
pub type LoadAny<'a> = Load<'a, Box<dyn Engine>>;

/// A graph's quantized engines; a missing one leaves its column empty.
#[derive(Default)]
pub struct Engines {
    /// The QDQ model on the CPU.
    pub simulated: Option<OrtSession>,
    /// The context binary.
    pub npu: Option<OrtSession>,
}

/// The figures of whole sequences on an engine's own state.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChainComparison {
    /// The main output of every step against float.
    pub logits: Sqnr,
    /// Steps.
    pub steps: u64,
    /// Steps whose largest element of the main output is that of float.
    pub agreed: u64,
}

/// Whole sequences on engines' own integer state, where errors add up from step to step as they do in use.
pub trait Chains {
    /// Follows one step of the float reference.
    ///
    /// # Errors
    /// An engine that fails.
    fn step(&mut self, partition: &Partition, engines: &mut Engines, step: &Step) -> Result<()>;

    /// The figures of the simulation and of the NPU, each if it ran.
    fn finish(self: Box<Self>) -> (Option<ChainComparison>, Option<ChainComparison>);
}

/// One output and how far it is from a recorded one.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Parity {
    /// Name of the recorded tensor.
    pub name: String,
    /// Signal to noise ratio in dB; the noise is the difference.
    pub sqnr_db: f64,
}

/// What a host does with a tensor that crosses a border, in words for a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// What it is called.
    pub name: &'static str,
    /// Lines of which as many are written as there is room for.
    pub lines: Vec<String>,
    /// Whether the tensor goes from one graph to the next as it is.
    pub is_handed: bool,
    /// Its place in the loop that makes the next step's input of a step's output.
    pub turn: Option<Turn>,
}

impl Work {
    /// A plain copy.
    pub fn copy() -> Self {
        Work { name: "hand-over", lines: vec!["a plain copy".into()], is_handed: true, turn: None }
    }
}

/// A place in the loop from step to step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Something is chosen from this output.
    Chooses,
    /// What was chosen goes into this input.
    Takes,
}

/// Runs samples through a program.
pub trait Driver {
    /// The phases of calibration in order; each group is of one.
    fn phases(&self) -> Vec<Phase>;

    /// The kind of samples that it takes.
    fn takes(&self, _partitions: &[Partition]) -> Takes {
        Takes::Words
    }

    /// Refuses samples that it cannot run, as far as that can be told without running them.
    ///
    /// # Errors
    /// Names the sample.
    fn refuse_unfit(&self, recipe: &Recipe, partitions: &[Partition]) -> Result<()>;

    /// Refuses a program that this machine has no memory to calibrate.
    ///
    /// # Errors
    /// How much it would take, and how much there is.
    fn refuse_too_large(&self, _bundle: &Bundle) -> Result<()> {
        Ok(())
    }

    /// Adds to a key what a sample holds: its own words, and the contents of its files.
    ///
    /// # Errors
    /// A file that cannot be read.
    fn sample_key(&self, key: Key, bundle: &Making, recipe: &Recipe, sample: &Sample) -> Result<Key>;

    /// The files that samples name, each once.
    ///
    /// # Errors
    /// A file that cannot be read.
    fn inputs(&self, bundle: &Making, recipe: &Recipe, samples: &[Sample]) -> Result<Vec<InputRecord>>;

    /// How prompts were made; `None` if samples have no words.
    ///
    /// # Errors
    /// The bundle's copy of the calibration's recipe cannot be read.
    fn prompts(&self, _bundle: &Bundle, _recipe: &Recipe) -> Result<Option<PromptsReport>> {
        Ok(None)
    }

    /// Warnings about the samples of a list of the recipe.
    fn warnings(&self, _bundle: &Bundle, _recipe: &Recipe, _list: &str, _stage: &str) -> Vec<Warning> {
        vec![]
    }

    /// What each sample shows, in short.
    ///
    /// # Errors
    /// A file that cannot be read.
    fn looks(&self, bundle: &Bundle, recipe: &Recipe, samples: &[Sample]) -> Result<Vec<Look>>;

    /// The place among the verification samples of the one on which layers are measured.
    ///
    /// # Errors
    /// None of them will do.
    fn layer_sample(&self, recipe: &Recipe) -> Result<usize>;

    /// Adds to a key what a phase of calibration reads beside the float models of its groups and the statistics of the
    /// phase before it.
    ///
    /// # Errors
    /// A file that cannot be read.
    fn phase_key(&self, phase: usize, key: Key, bundle: &Making, recipe: &Recipe) -> Result<Key>;

    /// Runs the calibration samples through the graphs of a phase. Gives what is known of ranges beside what engines
    /// saw, whatever the samples are.
    ///
    /// # Errors
    /// A sample that cannot be run, an engine that fails.
    fn calibrate<'a>(
        &'a self,
        phase: usize,
        run: &Run<'a>,
        load: Box<LoadAny<'a>>,
        kept: &Kept,
    ) -> Result<StatisticsTable>;

    /// Joins what a phase kept of shards of the samples, which are in these folders in order, as if it had kept that of
    /// all samples.
    ///
    /// # Errors
    /// A file that is damaged, or cannot be written.
    fn join_kept(&self, _phase: usize, _shards: &[PathBuf], _folder: &Path) -> Result<()> {
        Ok(())
    }

    /// Runs the samples in `what` through the graphs of the groups in `what`, and through those before them. `title`
    /// names the work in progress reports.
    ///
    /// # Errors
    /// A sample that cannot be run, an engine that fails, the error of `visit`.
    fn walk<'a>(
        &'a self,
        title: &str,
        run: &Run<'a>,
        what: (&[Sample], &[Group]),
        load: Box<LoadAny<'a>>,
        visit: &mut Visit,
    ) -> Result<()>;

    /// Help for the case that no sample reaches a graph.
    fn how_to_reach(&self) -> &'static str;

    /// What a run of calibration is, in a sentence for a page.
    fn about_runs(&self) -> &'static str;

    /// Whether steps of a group depend on a file of `model/` beside the graphs.
    fn reads(&self, group: &Group, file: &str) -> bool;

    /// Chains through the graphs; `None` if the driver has no sequences.
    ///
    /// # Errors
    /// A graph is missing.
    fn chains<'a>(&'a self, _partitions: &[Partition], _tables: &'a [Table]) -> Result<Option<Box<dyn Chains + 'a>>> {
        Ok(None)
    }

    /// The groups that chains go through.
    fn chained(&self) -> Vec<Group> {
        vec![]
    }

    /// Compares the float models with outputs that another implementation computed.
    ///
    /// # Errors
    /// A file that records nothing that can be compared, tensors of other shapes.
    fn parity(&self, bundle: &Bundle, recorded: &Checkpoint, progress: &dyn Progress) -> Result<Vec<Parity>>;

    /// Whether a file of `model/` decides, beside graphs and target, what [`Driver::warn_of_encodings`] says of a
    /// group.
    fn decides(&self, _group: &Group, _file: &str) -> bool {
        false
    }

    /// Warnings about the encodings of a group, in addition to those that every program gets. `statistics` are those of
    /// all groups.
    ///
    /// # Errors
    /// A file of the bundle that is damaged.
    fn warn_of_encodings(
        &self,
        _bundle: &Bundle,
        _group: &Group,
        _tables: &[&Table],
        _statistics: &StatisticsTable,
    ) -> Result<Vec<Warning>> {
        Ok(vec![])
    }

    /// Fills in the part of the manifest that hosts read.
    ///
    /// # Errors
    /// Ports without the encodings that they have.
    fn describe(&self, _host: &mut HostRecord, _partitions: &[PartitionRecord]) -> Result<()> {
        Ok(())
    }

    /// Writes what a host needs of a group beside its quantized models.
    ///
    /// # Errors
    /// A file of the bundle that is damaged.
    fn emit_of_group(&self, _bundle: &Making, _group: &Group, _progress: &dyn Progress) -> Result<()> {
        Ok(())
    }

    /// Writes what a host needs beside all quantized models, by the encodings that the manifest has.
    ///
    /// # Errors
    /// Ports without the encodings that they have.
    fn emit(&self, _bundle: &Making, _progress: &dyn Progress) -> Result<()> {
        Ok(())
    }

    /// Makes golden vectors to the extent that is wanted, or else to that of the comparison. If it makes none, it
    /// removes earlier ones.
    ///
    /// # Errors
    /// A sample that cannot be run, an engine that fails.
    fn make_golden(
        &self,
        bundle: &mut Making,
        _recipe: &Recipe,
        _runtime: Option<&Runtime>,
        _extent: (Option<GoldenExtent>, GoldenExtent),
        _progress: &dyn Progress,
    ) -> Result<()> {
        bundle.manifest.golden = None;
        Ok(())
    }

    /// Refuses a bundle that cannot hold a conversation.
    ///
    /// # Errors
    /// It has no conversations.
    fn refuse_silent(&self, bundle: &Bundle) -> Result<()> {
        Err(Error::input(
            bundle.path("").display(),
            "is of a model that holds no conversation and answers no questions",
        ))
    }

    /// What a host does with a port; the tables that it holds have `table_bytes`.
    fn work(&self, _port: &Port, _table_bytes: u64) -> Work {
        Work::copy()
    }
}

/// Adds samples to a key.
///
/// # Errors
/// As for [`Driver::sample_key`].
pub fn and_samples(driver: &dyn Driver, key: Key, bundle: &Making, recipe: &Recipe, samples: &[Sample]) -> Result<Key> {
    samples.iter().try_fold(key, |key, sample| driver.sample_key(key, bundle, recipe, sample))
}
