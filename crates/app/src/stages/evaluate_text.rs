//! Evaluate a text: perplexity over its windows; the figures go into the report.

use std::path::Path;

use super::codes::codes;
use super::evaluate::{put, report_of};
use crate::drivers::of_bundle;
use crate::evaluate::{Answers, Reader, TextPlan, TextReport, reading};
use crate::loading::check;
use autoneural_base::error::{Error, IoContext, Result};
use autoneural_base::progress::Progress;
use autoneural_bundle::{Bundle, Held, RECIPE};
use autoneural_core::ir::Graph;
use autoneural_core::partition::Partition;
use autoneural_core::quantize::{Constants, Forms, Table};
use autoneural_core::recipe::Recipe;
use autoneural_core::segment::{Device, cut, segments};
use autoneural_core::target::Target;
use autoneural_engines::back::onnx::{DataWriter, emit_float, emit_qdq};
use autoneural_engines::back::qnn::{Compiler, Job, Runtime, Toolkit};
use autoneural_engines::engine::{Engine, EngineKind, Reference};
use autoneural_host::{Embeddings, Tokenizer};

/// Measures how likely a text is to the language model of a bundle, and adds what was found to its report. A run that
/// was stopped goes on where it was.
///
/// # Errors
/// A bundle without a report, without a language model, or on which another run works; an engine whose stage has not
/// run; a text or windows that do not fit.
pub fn evaluate_text(
    path: &Path,
    plan: &TextPlan,
    runtime: Option<&Runtime>,
    progress: &dyn Progress,
) -> Result<TextReport> {
    let held = (!plan.slices.is_slice()).then(|| Held::take(path)).transpose()?;
    let bundle = Bundle::look(path)?;
    of_bundle(&bundle)?.refuse_silent(&bundle)?;
    check(&bundle, path, &plan.kinds, progress)?;
    let mut report = report_of(&bundle, path)?;
    let made = measure_text(&bundle, Answers::WithBundle(&bundle), plan, runtime, progress)?;
    bundle.refuse_replaced()?;
    drop(bundle);
    let Some(held) = held else { return Ok(made) };
    report.texts.retain(|other| !other.reads_the_same(&made));
    report.texts.push(made.clone());
    put(held, &mut report, progress)?;
    Ok(made)
}

/// Measures how likely a text is to the language model of a bundle. What engines made of it is kept as
/// `answers` says.
///
/// # Errors
/// As for [`evaluate_text`].
pub(crate) fn measure_text(
    bundle: &Bundle,
    answers: Answers,
    plan: &TextPlan,
    runtime: Option<&Runtime>,
    progress: &dyn Progress,
) -> Result<TextReport> {
    let (definition, partitions) = (bundle.definition()?, bundle.partitions()?);
    let (at, partition) = reading(&partitions)?;
    let is_float = plan.kinds.iter().all(|kind| *kind == EngineKind::Float);
    let tables = if is_float { None } else { Some(bundle.tables(&partitions)?) };
    let host = bundle.host_folder()?;
    let (tokenizer, embeddings) =
        (Tokenizer::read(&host, &definition)?, Embeddings::read(&host.join(Embeddings::FILE), &definition.language)?);
    let table = tables.as_ref().map(|tables| &tables[at]);
    let reader = Reader { definition: &definition, tokenizer: &tokenizer, embeddings: &embeddings, partition, table };
    // Models that are made for this alone, and gone behind it; beside the answers, where there is room for them.
    let beside = match (answers, &plan.slices.own) {
        (Answers::In(folder), _) => folder.to_path_buf(),
        (Answers::WithBundle(bundle), None) => bundle.evaluation_folder()?.path().to_path_buf(),
        (Answers::WithBundle(_), Some((_, part))) => {
            part.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).into()
        }
    };
    std::fs::create_dir_all(&beside).at(&beside)?;
    let scratch = tempfile::tempdir_in(&beside).map_err(|error| Error::io(&beside, &error))?;
    let mut load = |kind: EngineKind, partition: &Partition| -> Result<Box<dyn Engine>> {
        let made = scratch.path().join(kind.name());
        std::fs::create_dir_all(&made).at(&made)?;
        let (EngineKind::Simulated | EngineKind::Npu, Some(tables)) = (kind, &tables) else {
            return float(partition, &made);
        };
        let whole = Whole { bundle, partitions: &partitions, tables, at };
        whole.load(kind, partition, runtime, &made)
    };
    crate::evaluate::evaluate_text(&reader, answers, plan, &mut load, progress)
}

/// The float model of a partition, written into a folder and loaded.
fn float(partition: &Partition, folder: &Path) -> Result<Box<dyn Engine>> {
    let model = folder.join(format!("{}.onnx", partition.name));
    let mut data = DataWriter::create(folder, &partition.group)?;
    emit_float(partition, &model, &mut data)?;
    data.finish()?;
    Ok(Box::new(Reference::load(partition, &model)?))
}

/// A bundle with its encodings, and the place of the partition that another is made of.
struct Whole<'a> {
    bundle: &'a Bundle,
    partitions: &'a [Partition],
    tables: &'a [Table],
    at: usize,
}

impl Whole<'_> {
    /// The quantized model of a partition with the bundle's own codes, written into a folder and loaded; for the NPU
    /// compiled as the bundle's binaries are.
    fn load(
        &self,
        kind: EngineKind,
        partition: &Partition,
        runtime: Option<&Runtime>,
        folder: &Path,
    ) -> Result<Box<dyn Engine>> {
        let (bundle, table, group) = (self.bundle, &self.tables[self.at], &partition.group);
        let runtime = runtime.filter(|runtime| kind != EngineKind::Npu || runtime.has_npu());
        let runtime = runtime.ok_or_else(|| {
            Error::toolkit("toolkit", format!("is missing, which `{}` needs", kind.name())).help(Toolkit::how_to_get())
        })?;
        let of_group = self.partitions.iter().zip(self.tables).filter(|(other, _)| other.group == *group);
        let codes = codes(bundle, group, &Constants::of(of_group)?)?;
        let (target, recipe): (Target, _) =
            (bundle.target()?, Recipe::parse(bundle.text(RECIPE)?, &bundle.path(RECIPE))?);
        let forms = Forms::of(&target, &recipe, group)?;
        let quantized = folder.join("qdq");
        std::fs::create_dir_all(&quantized).at(&quantized)?;
        let mut data = DataWriter::create(&quantized, group)?;
        let mut emit = |graph: &Graph, name: &str| {
            emit_qdq(graph, table, &*codes, &forms, &quantized.join(format!("{name}.onnx")), &mut data)
        };
        if kind == EngineKind::Simulated {
            emit(&partition.graph, &partition.name)?;
            data.finish()?;
            let model = quantized.join(format!("{}.onnx", partition.name));
            return Ok(Box::new(runtime.simulate(partition, &model)?));
        }
        let segments = segments(partition, table, &target)?;
        for segment in &segments {
            match segments.len() {
                1 => emit(&partition.graph, &segment.name)?,
                _ => emit(&cut(&partition.graph, segment)?, &segment.name)?,
            }
        }
        data.finish()?;
        let (data, target_file) = (quantized.join(DataWriter::name_of(group)), bundle.path("model/target.toml"));
        let contexts = folder.join("context");
        std::fs::create_dir_all(&contexts).at(&contexts)?;
        for segment in segments.iter().filter(|segment| segment.device == Device::Npu) {
            let (model, context) = (folder.join(segment.quantized_file()), folder.join(segment.file()));
            runtime.compile(&Job {
                name: &segment.name,
                model: &model,
                data: &data,
                target: &target,
                target_file: &target_file,
                context: &context,
            })?;
        }
        Ok(Box::new(runtime.open_segments(partition, &segments, folder, &target)?))
    }
}
