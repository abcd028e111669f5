//! What a driver is: what stages ask it for, and what it may offer beside.

use std::path::Path;

use super::{GoldenExtent, PromptsReport, Takes};
use autoneural_base::error::{Error, Result};
use autoneural_base::progress::Progress;
use autoneural_base::warning::Warning;
use autoneural_bundle::{Bundle, InputRecord, Key, Making, PartitionRecord};
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

/// A part of calibration, after which the statistics of some groups are whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// Its name, in units of work and files.
    pub name: &'static str,
    /// The groups that are observed in it.
    pub groups: Vec<Group>,
}

/// What samples run through.
pub struct Run<'a> {
    /// The bundle.
    pub bundle: &'a Bundle,
    /// Its graphs.
    pub partitions: &'a [Partition],
    /// Where the samples are from.
    pub recipe: &'a Recipe,
    /// Where it is told how far it is.
    pub progress: &'a dyn Progress,
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

/// What whole sequences on an engine's own state came to.
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

    /// What was found: simulation and NPU, each if it ran.
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
    /// Something is chosen by what comes out.
    Chooses,
    /// What was chosen goes in.
    Takes,
}

/// Runs samples through a program.
pub trait Driver {
    /// The phases of calibration in order; each group is of one.
    fn phases(&self) -> Vec<Phase>;

    /// What samples hold.
    fn takes(&self, _partitions: &[Partition]) -> Takes {
        Takes::Words
    }

    /// Refuses samples that it cannot run, as far as that is told without running them.
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

    /// How prompts were made; none where samples have no words.
    ///
    /// # Errors
    /// The bundle's copy of the calibration's recipe cannot be read.
    fn prompts(&self, _bundle: &Bundle, _recipe: &Recipe) -> Result<Option<PromptsReport>> {
        Ok(None)
    }

    /// What a person should know of the samples of a list of the recipe.
    fn warnings(&self, _bundle: &Bundle, _recipe: &Recipe, _list: &str, _stage: &str) -> Vec<Warning> {
        vec![]
    }

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
    /// saw; what later phases need of it goes to files in `folder`, whose names begin with a point.
    ///
    /// # Errors
    /// A sample that cannot be run, an engine that fails.
    fn calibrate<'a>(
        &'a self,
        phase: usize,
        run: &Run<'a>,
        load: Box<LoadAny<'a>>,
        folder: &Path,
    ) -> Result<StatisticsTable>;

    /// `what`: runs these samples through the graphs of these groups, and through those before them. `title` is what
    /// that is called in progress.
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

    /// What to do where no sample reaches a graph.
    fn how_to_reach(&self) -> &'static str;

    /// What a run of calibration is, in a sentence for a page.
    fn about_runs(&self) -> &'static str;

    /// Whether steps of a group depend on a file of `model/` beside the graphs.
    fn reads(&self, group: &Group, file: &str) -> bool;

    /// Chains through the graphs, if it has sequences.
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

    /// What is odd about encodings of a group, beside what every program is looked at for. `statistics` are all that
    /// are there.
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

    /// Tells whoever writes a host what follows from the ports.
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

    /// Makes golden vectors, as many as are wanted, or else as are compared; takes out those that are there, if
    /// it makes none.
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

    /// Refuses a bundle that cannot be talked to.
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
