//! All stages, with as much at the same time as depends on nothing else and fits into memory: the vendor's compiler
//! works on one thread, so context binaries are built on a second one while the rest goes on, and by both at the end.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};

use super::calibrate::{From, calibrate_phase, keep_samples, note_samples, statistics_of};
use super::memory::{fits_beside_calibration, fits_twice};
use super::{Comparing, Quantized, keep_given, quantize_group, verify, warn_of_given};
use super::{build_partition, check_encodings, emit_group};
use crate::drivers::{Driver, Source, of_bundle};
use crate::report::Report;
use autoneural_base::error::{Error, Result};
use autoneural_base::progress::Progress;
use autoneural_base::warning::Warning;
use autoneural_bundle::{GivenFiles, Making, Stage};
use autoneural_core::evidence::StatisticsTable;
use autoneural_core::partition::Partition;
use autoneural_core::program::{Group, groups};
use autoneural_core::quantize::decisive;
use autoneural_core::recipe::Recipe;
use autoneural_core::target::Target;
use autoneural_engines::back::qnn::{Compiler, Runtime};

/// What is compiled.
pub struct Plan<'a> {
    /// What it is made of.
    pub source: &'a dyn Source,
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

/// Runs all stages on a new bundle. Verification uses the engines that the runtime has.
///
/// # Errors
/// A stage fails, or the recipe, its goals or the given encodings do not fit the program.
pub fn compile(bundle: &mut Making, plan: &Plan, runtime: Option<&Runtime>, progress: &dyn Progress) -> Result<Report> {
    plan.recipe.refuse_other_groups(&plan.source.program()?.groups())?;
    plan.source.check(bundle, plan.recipe)?;
    plan.source.export(bundle, plan.target, progress)?;
    // Tuning has rewritten graphs in this bundle before; those of export are what is rewritten.
    bundle.drop_equalized();
    let driver = of_bundle(bundle)?;
    let partitions = bundle.partitions()?;
    check_encodings(bundle, &partitions, plan.recipe, plan.given)?;
    plan.recipe.refuse_idle_goals(&partitions)?;
    driver.refuse_unfit(plan.recipe, &partitions)?;
    let Finished(made, warnings) = quantize_and_build(bundle, (&*driver, &partitions), plan, progress)?;
    made.note(bundle, &*driver)?;
    bundle.manifest.set_warnings(Stage::Emit.name(), warnings);
    driver.emit(bundle, progress)?;
    note_samples(bundle, &*driver, plan.recipe)?;
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

/// What the manifest says of partitions whose quantized models are there, and warnings about their codes.
#[derive(Default)]
struct Finished(Quantized, Vec<Warning>);

/// From samples to context binaries.
fn quantize_and_build(
    bundle: &Making,
    (driver, partitions): (&dyn Driver, &[Partition]),
    plan: &Plan,
    progress: &dyn Progress,
) -> Result<Finished> {
    let compiler = plan.compiler;
    let (sender, receiver) = channel();
    let builder = Builder {
        bundle,
        compiler,
        progress,
        queue: Mutex::new(receiver),
        alone: Mutex::new(()),
        stopped: AtomicBool::new(false),
    };
    std::thread::scope(|scope| {
        let second = scope.spawn(|| builder.work());
        let made = quantize_all(bundle, (driver, partitions), plan, sender, progress);
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
fn quantize_all(
    bundle: &Making,
    (driver, partitions): (&dyn Driver, &[Partition]),
    plan: &Plan,
    queue: Sender<Partition>,
    progress: &dyn Progress,
) -> Result<Finished> {
    let finish = |partitions: &[Partition], group: &Group, statistics: &StatisticsTable| -> Result<Finished> {
        let (recipe, given) = (plan.recipe, plan.given);
        let made = quantize_group(bundle, (driver, partitions), group, statistics, recipe, given, progress)?;
        let warnings = emit_group(bundle, driver, (group, None), recipe, progress)?;
        for partition in partitions.iter().filter(|partition| partition.group == *group) {
            // Nobody receives any more where a build failed; that error is told at the end.
            let _ = queue.send(partition.clone());
        }
        Ok(Finished(made, warnings))
    };
    let (phases, all) = (driver.phases(), groups(partitions));
    let mut finished: BTreeMap<Group, Finished> = BTreeMap::new();
    let mut partitions = Cow::Borrowed(partitions);
    for number in 0..phases.len() {
        let from = if plan.given.is_empty() { From::Samples } else { From::AnySamples };
        if calibrate_phase(bundle, driver, number, plan.recipe, from, progress)? {
            partitions = Cow::Owned(bundle.partitions()?);
        }
        let statistics = bundle.json(&statistics_of(&phases, number))?;
        let later: Vec<Group> = phases[number + 1..].iter().flat_map(|phase| phase.groups.clone()).collect();
        if later.is_empty() {
            keep_samples(bundle, driver, plan.recipe)?;
        }
        for group in all.iter().filter(|group| !later.contains(group)) {
            // Nothing that comes later decides about encodings of a group, unless a value is handed on as it is.
            let is_settled = decisive(&partitions, group).iter().all(|other| !later.contains(other));
            let is_time = later.is_empty() || is_settled && fits_beside_calibration(bundle, &later)?;
            if is_time && !finished.contains_key(group) {
                finished.insert(group.clone(), finish(&partitions, group, &statistics)?);
            }
        }
    }
    let mut made = Finished::default();
    for Finished(quantized, warnings) in all.iter().filter_map(|group| finished.remove(group)) {
        made.0.extend(quantized);
        made.1.extend(warnings);
    }
    Ok(made)
}

/// Builds context binaries of partitions in the order in which they come.
struct Builder<'a> {
    bundle: &'a Making,
    compiler: Option<&'a dyn Compiler>,
    progress: &'a dyn Progress,
    queue: Mutex<Receiver<Partition>>,
    /// Held by who builds what there is no memory for twice.
    alone: Mutex<()>,
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
            let is_scant = self.compiler.is_some() && !fits_twice(self.bundle, &partition);
            let _alone = is_scant.then(|| self.alone.lock().unwrap_or_else(PoisonError::into_inner));
            if self.stopped.load(Ordering::Relaxed) {
                return Ok(());
            }
            if let Some(compiler) = self.compiler {
                build_partition(self.bundle, &partition, compiler, self.progress)
                    .inspect_err(|_: &Error| self.stop())?;
            }
        }
    }
}
