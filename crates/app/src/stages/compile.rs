//! All stages, with as much at the same time as depends on nothing else and fits into memory: the vendor's compiler works on
//! one thread, so context binaries are built on a second one while the rest goes on, and by both at the end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};

use super::memory::{fits_beside_calibration, refuse_too_large};
use super::{Comparing, Quantized, export, keep_given, quantize_group, verify, warn_of_given};
use super::{
    build_partition, calibrate_images, calibrate_text, check_encodings, check_samples, emit_group, emit_tables,
    note_samples,
};
use crate::back::qnn::{Compiler, Runtime};
use crate::bundle::GivenFiles;
use crate::bundle::{Making, Stage};
use crate::error::{Error, Result};
use crate::front::{Component, DefinitionFile, WeightsPlace};
use crate::observe::StatisticsTable;
use crate::partition::Partition;
use crate::program::Group;
use crate::progress::Progress;
use crate::quantize::decisive;
use crate::recipe::Recipe;
use crate::report::Report;
use crate::target::Target;

/// What is compiled.
pub struct Plan<'a> {
    /// Model definition.
    pub definition: &'a DefinitionFile,
    /// Where the weights are.
    pub weights: &'a [WeightsPlace],
    /// The target and the text that states it.
    pub target: (&'a Target, &'a str),
    /// Recipe with samples.
    pub recipe: &'a Recipe,
    /// Encodings that were learned elsewhere.
    pub given: &'a GivenFiles,
    /// What makes context binaries; without it there are none.
    pub compiler: Option<&'a dyn Compiler>,
    /// What is compared, and what is demanded of it.
    pub comparing: Comparing<'a>,
}

/// Runs all stages on a bundle that has begun; verification with the engines that the runtime has.
pub fn compile(bundle: &mut Making, plan: &Plan, runtime: Option<&Runtime>, progress: &dyn Progress) -> Result<Report> {
    plan.recipe.refuse_other_groups(&Component::ALL.map(Component::group))?;
    refuse_too_large(&plan.definition.definition, &plan.definition.path)?;
    check_samples(bundle, plan.definition, plan.weights, plan.recipe)?;
    let (target, target_text) = plan.target;
    export(bundle, plan.definition, plan.weights, target, target_text, progress)?;
    let partitions = bundle.partitions()?;
    check_encodings(bundle, &partitions, plan.recipe, plan.given)?;
    plan.recipe.refuse_idle_goals(&partitions)?;
    quantize_and_build(bundle, &partitions, plan, progress)?.note(bundle)?;
    emit_tables(bundle, progress)?;
    note_samples(bundle, plan.recipe);
    bundle.manifest.given_encodings = keep_given(bundle, plan.given)?;
    let warnings = warn_of_given(bundle, &partitions, plan.given)?;
    bundle.manifest.warnings.extend(warnings);
    for stage in [Stage::Export, Stage::Calibrate, Stage::Quantize, Stage::Emit] {
        bundle.finish_stage(stage)?;
    }
    if plan.compiler.is_some() {
        bundle.finish_stage(Stage::Build)?;
    }
    verify(bundle, plan.recipe, runtime, &plan.comparing, progress)
}

/// From samples to context binaries; gives what the manifest says of the partitions in order.
fn quantize_and_build(
    bundle: &Making,
    partitions: &[Partition],
    plan: &Plan,
    progress: &dyn Progress,
) -> Result<Quantized> {
    let compiler = plan.compiler;
    let (sender, receiver) = channel();
    let builder = Builder { bundle, compiler, progress, queue: Mutex::new(receiver), stopped: AtomicBool::new(false) };
    std::thread::scope(|scope| {
        let second = scope.spawn(|| builder.work());
        let made = quantize_all(bundle, partitions, plan, sender, progress);
        if made.is_err() {
            builder.stop();
        }
        // Nothing comes into the queue any more; what is left in it is work for two.
        let own = builder.work();
        let other = second.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let made = made?;
        own.and(other).map(|()| made)
    })
}

/// Calibrates, quantizes and emits; every partition whose quantized model is there goes into the queue.
fn quantize_all<'a>(
    bundle: &Making,
    partitions: &'a [Partition],
    plan: &Plan,
    queue: Sender<&'a Partition>,
    progress: &dyn Progress,
) -> Result<Quantized> {
    let finish = |group: &Group, statistics: &StatisticsTable| -> Result<Quantized> {
        let (recipe, given) = (plan.recipe, plan.given);
        let made = quantize_group(bundle, partitions, group, statistics, recipe, given, progress)?;
        emit_group(bundle, group, progress)?;
        for partition in partitions.iter().filter(|partition| partition.group == *group) {
            // Nobody receives any more where a build failed; that error is told at the end.
            let _ = queue.send(partition);
        }
        Ok(made)
    };
    calibrate_images(bundle, plan.recipe, progress)?;
    let [vision, projector, language] = Component::ALL.map(Component::group);
    // Nothing that prompts tell decides about encodings of vision, unless a value is handed on as it is.
    let early = !decisive(partitions, &vision).contains(&language) && fits_beside_calibration(bundle)?;
    let mut all = Quantized::default();
    if early {
        all = finish(&vision, &bundle.image_statistics()?)?;
    }
    calibrate_text(bundle, plan.recipe, progress)?;
    let statistics = bundle.statistics()?;
    if !early {
        all = finish(&vision, &statistics)?;
    }
    all.extend(finish(&projector, &statistics)?);
    all.extend(finish(&language, &statistics)?);
    Ok(all)
}

/// Builds context binaries of partitions in the order in which they come.
struct Builder<'a> {
    bundle: &'a Making,
    compiler: Option<&'a dyn Compiler>,
    progress: &'a dyn Progress,
    queue: Mutex<Receiver<&'a Partition>>,
    stopped: AtomicBool,
}

impl Builder<'_> {
    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Works until the queue is closed and empty, or something failed anywhere.
    fn work(&self) -> Result<()> {
        loop {
            let next = self.queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(partition) = next else { return Ok(()) };
            if self.stopped.load(Ordering::Relaxed) {
                return Ok(());
            }
            if let Some(compiler) = self.compiler {
                build_partition(self.bundle, partition, compiler, self.progress)
                    .inspect_err(|_: &Error| self.stop())?;
            }
        }
    }
}
