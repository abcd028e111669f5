//! `vlm`: the driver of vision-language models. Pictures go through the vision encoder and the projector, then prompts
//! through prefill in chunks and decode token by token, with the state of a sequence from step to step.

mod calibration;
mod chain;
mod export;
pub mod golden;
mod host_files;
mod parity;
pub mod runner;
mod samples;
mod source;
mod vectors;

pub use export::check_words;
pub use source::Checkpointed;

use std::path::{Path, PathBuf};

use super::{Chains, Driver, GoldenExtent, Kept, LoadAny, Parity, Phase, PromptsReport, Run, Turn, Work};
use autoneural_base::error::{Error, Result};
use autoneural_base::progress::Progress;
use autoneural_base::text::bytes;
use autoneural_base::warning::Warning;
use autoneural_bundle::{Bundle, InputRecord, Key, Making, PartitionRecord};
use autoneural_core::doubts::Look;
use autoneural_core::evidence::StatisticsTable;
use autoneural_core::partition::{Partition, Port};
use autoneural_core::program::{Group, Visit};
use autoneural_core::quantize::Table;
use autoneural_core::recipe::{Recipe, Sample};
use autoneural_engines::back::qnn::Runtime;
use autoneural_front::{Checkpoint, Component, Definition, Role};
use autoneural_host::{Embeddings, HostRecord, Walk};

/// Its name in a program.
pub const NAME: &str = autoneural_front::DRIVER;

/// The driver of a vision-language model.
pub struct Vlm {
    definition: Definition,
}

impl Vlm {
    /// That of a bundle.
    ///
    /// # Errors
    /// A definition that is damaged.
    pub fn of(bundle: &Bundle) -> Result<Self> {
        Ok(Vlm { definition: bundle.definition()? })
    }
}

impl Driver for Vlm {
    fn phases(&self) -> Vec<Phase> {
        calibration::phases(&self.definition)
    }

    fn refuse_unfit(&self, recipe: &Recipe, _partitions: &[Partition]) -> Result<()> {
        samples::refuse_unfit(&self.definition, recipe)
    }

    fn refuse_too_large(&self, bundle: &Bundle) -> Result<()> {
        source::refuse_too_large(&self.definition, &bundle.path("model/definition.toml"))
    }

    fn sample_key(&self, key: Key, bundle: &Making, recipe: &Recipe, sample: &Sample) -> Result<Key> {
        samples::and_images(samples::and_words(key, bundle, sample)?, bundle, recipe, sample)
    }

    fn inputs(&self, bundle: &Making, recipe: &Recipe, samples: &[Sample]) -> Result<Vec<InputRecord>> {
        samples::files(bundle, recipe, samples)
    }

    fn prompts(&self, bundle: &Bundle, recipe: &Recipe) -> Result<Option<PromptsReport>> {
        samples::prompts(bundle, recipe).map(Some)
    }

    fn warnings(&self, bundle: &Bundle, recipe: &Recipe, list: &str, stage: &str) -> Vec<Warning> {
        samples::warn_of_raw(bundle, recipe, list, stage)
    }

    fn looks(&self, _bundle: &Bundle, recipe: &Recipe, samples: &[Sample]) -> Result<Vec<Look>> {
        samples::looks(&self.definition, recipe, samples)
    }

    fn layer_sample(&self, recipe: &Recipe) -> Result<usize> {
        let takes_pictures = self.definition.sight.is_some();
        let found = recipe.verification.iter().position(|sample| !takes_pictures || !sample.images.is_empty());
        let place = || format!("recipe `{}`", recipe.name);
        found.ok_or_else(|| Error::input(place(), "has no verification sample with an image"))
    }

    fn phase_key(&self, phase: usize, key: Key, bundle: &Making, recipe: &Recipe) -> Result<Key> {
        calibration::phase_key(&self.definition, phase, key, bundle, recipe)
    }

    fn calibrate<'a>(
        &'a self,
        phase: usize,
        run: &Run<'a>,
        load: Box<LoadAny<'a>>,
        kept: &Kept,
    ) -> Result<StatisticsTable> {
        match calibration::is_of_images(&self.definition, phase) {
            true => calibration::images(&self.definition, run, load, kept.folder),
            false => calibration::text(&self.definition, run, load, kept.earlier),
        }
    }

    fn join_kept(&self, phase: usize, shards: &[PathBuf], folder: &Path) -> Result<()> {
        match calibration::is_of_images(&self.definition, phase) {
            true => calibration::join_images(shards, folder),
            false => Ok(()),
        }
    }

    fn walk<'a>(
        &'a self,
        title: &str,
        run: &Run<'a>,
        (samples, groups): (&[Sample], &[Group]),
        load: Box<LoadAny<'a>>,
        visit: &mut Visit,
    ) -> Result<()> {
        let mut walk = Walk::new(&self.definition, run.partitions, &run.bundle.host_folder()?, load)?;
        let with_text = groups.contains(&Component::Language.group());
        walk.samples(title, run.recipe, samples, with_text, run.progress, visit)
    }

    fn how_to_reach(&self) -> &'static str {
        "give the recipe samples that reach it: images, prompts of more than one token, decode steps"
    }

    fn about_runs(&self) -> &'static str {
        "A run is a picture for vision and projector, a chunk of a prompt or a token for the language model; all \
         chunks of all samples come first."
    }

    fn reads(&self, group: &Group, file: &str) -> bool {
        *group == Component::Language.group() || file.ends_with(".toml")
    }

    fn chains<'a>(&'a self, partitions: &[Partition], tables: &'a [Table]) -> Result<Option<Box<dyn Chains + 'a>>> {
        let language = Component::Language.group();
        let at = partitions.iter().position(|partition| partition.group == language);
        let at = at.ok_or_else(|| Error::input("language", "this partition is missing"))?;
        Ok(Some(Box::new(chain::OfLanguage::new(&self.definition.language, &tables[at]))))
    }

    fn chained(&self) -> Vec<Group> {
        vec![Component::Language.group()]
    }

    fn parity(&self, bundle: &Bundle, recorded: &Checkpoint, progress: &dyn Progress) -> Result<Vec<Parity>> {
        parity::parity(&self.definition, bundle, recorded, progress)
    }

    fn decides(&self, group: &Group, file: &str) -> bool {
        *group == Component::Language.group() && file == Embeddings::FILE
    }

    fn warn_of_encodings(
        &self,
        bundle: &Bundle,
        group: &Group,
        tables: &[&Table],
        statistics: &StatisticsTable,
    ) -> Result<Vec<Warning>> {
        host_files::warn_of_embeddings(&self.definition, bundle, group, tables, statistics)
    }

    fn describe(&self, host: &mut HostRecord, partitions: &[PartitionRecord]) -> Result<()> {
        host_files::describe(&self.definition, host, partitions)
    }

    fn emit_of_group(&self, bundle: &Making, group: &Group, progress: &dyn Progress) -> Result<()> {
        host_files::emit_embeddings(&self.definition, bundle, group, progress)
    }

    fn emit(&self, bundle: &Making, progress: &dyn Progress) -> Result<()> {
        host_files::emit_tables(&self.definition, bundle, progress)
    }

    fn make_golden(
        &self,
        bundle: &mut Making,
        recipe: &Recipe,
        runtime: Option<&Runtime>,
        extent: (Option<GoldenExtent>, GoldenExtent),
        progress: &dyn Progress,
    ) -> Result<()> {
        vectors::make_golden(bundle, recipe, runtime, extent, progress)
    }

    fn refuse_silent(&self, _bundle: &Bundle) -> Result<()> {
        Ok(())
    }

    fn work(&self, port: &Port, table_bytes: u64) -> Work {
        let table = format!("of a table of {}", bytes(table_bytes));
        let (name, lines, turn): (_, &[&str], _) = match Role::of(&port.role) {
            Some(Role::Image) => ("picture", &["resized, as codes"], None),
            Some(Role::Embeddings) => {
                let lines = &["a row for each token", &table, "rows of the picture", "in their places"];
                return Work {
                    name: "embeddings",
                    lines: lines.map(String::from).to_vec(),
                    // Rows are put in order by the host.
                    is_handed: false,
                    turn: Some(Turn::Takes),
                };
            }
            Some(Role::Rotary) => ("rotary table", &["of the positions"], None),
            Some(Role::Mask) => ("mask", &["of visible tokens"], None),
            Some(Role::Index) => ("positions", &["last that counts"], None),
            Some(Role::Logits) => ("next token", &["likeliest or drawn"], Some(Turn::Chooses)),
            _ => return Work::copy(),
        };
        Work { name, lines: lines.iter().map(ToString::to_string).collect(), is_handed: true, turn }
    }
}
