//! `autoneural compile`: all stages.

use autoneural::back::qnn::{Compiler, Runtime};
use autoneural::bundle::{Begin, Making, Stage};
use autoneural::shown::in_line;
use autoneural::stages::{self, Plan};
use autoneural::target::Target;
use autoneural::{Error, Result};
use clap::Args;

use super::build_one::ChildCompiler;
use super::demands::DemandArgs;
use super::samples::SampleArgs;
use super::session::Session;
use super::source::SourceArgs;
use super::stage::{Encodings, command_line, finish_verification, record_toolkit};

const AFTER_HELP: &str = "\
With the same --out again unchanged stages are reused, and a run that was interrupted goes on where it was. Exit status 6: the \
bundle is complete, and its figures are not good enough; after any other failure there is no new bundle. `autoneural calibrate \
--help` says what --calibration takes.

Examples:
  autoneural compile graphs/autoneural-tiny.toml --weights models/autoneural-tiny \\
      --calibration calibration/demo.toml --target sa8295p --out out/demo
  autoneural compile graphs/autoneural-tiny.toml --weights models/autoneural-tiny \\
      --encodings models/autoneural-tiny/encodings.json --calibration calibration/demo.toml \\
      --target sa8295p --out out/demo --layers npu --require-npu
  autoneural compile detector.onnx recognizer.onnx --shape image=1,3,640,640 \\
      --calibration ocr.toml --target sa8295p --out out/ocr";

/// Arguments of `compile`.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub struct Compile {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    samples: SampleArgs,
    #[command(flatten)]
    encodings: Encodings,
    #[command(flatten)]
    demands: DemandArgs,
}

impl Compile {
    /// Runs the command.
    pub fn run(&self, session: &Session) -> Result<()> {
        let SourceArgs { target, out, force, check_contents, .. } = &self.source;
        let (target, target_text) = Target::find(target)?;
        let read = self.source.read(&target, session)?;
        let source = read.source();
        self.demands.refuse_unknown(&source.program()?, session);
        // What would stop the run late is looked at first.
        let runtime = session.runtime(self.demands.require_npu)?;
        let recipe = self.samples.recipe(|| source.takes())?;
        let given = self.encodings.read()?;
        let begin = if *force { Begin::Replace } else { Begin::Update };
        let mut bundle = Making::begin(out, begin, *check_contents)?;
        bundle.set_command(command_line());
        refuse_loss(&bundle, runtime.as_ref())?;
        record_toolkit(&mut bundle, session, runtime.as_ref());
        let compiler = ChildCompiler::new(session, runtime.as_ref())?;
        let plan = Plan {
            source: &*source,
            target: (&target, &target_text),
            recipe: &recipe,
            given: &given,
            compiler: compiler.as_ref().map(|compiler| compiler as &dyn Compiler),
            comparing: self.demands.comparing(),
        };
        let report = stages::compile(&mut bundle, &plan, runtime.as_ref(), session.progress());
        if report.is_err() {
            drop(bundle);
            if let Some(kept) = Making::kept(out) {
                let place = kept.display().to_string();
                let place = in_line(&place);
                session.note(&format!(
                    "what is finished is kept in {place}: the next run with this --out goes on from there"
                ));
            }
            return report.map(drop);
        }
        finish_verification(session, bundle, &report?, self.demands.require_npu)
    }
}

/// Refuses to replace a bundle with context binaries by one without, for want of the toolkit.
fn refuse_loss(bundle: &Making, runtime: Option<&Runtime>) -> Result<()> {
    match bundle.before() {
        Some((place, before)) if before.has(Stage::Build.name()) && !runtime.is_some_and(Runtime::has_npu) => {
            let message = "has context binaries, which cannot be made without the vendor toolkit";
            Err(Error::toolkit(place.display(), message)
                .help("`autoneural doctor` says what is missing; --force replaces the bundle by one without them"))
        }
        _ => Ok(()),
    }
}
