//! One experiment: a sample in one combination of integers, on the CPU and on the NPU.

use std::path::Path;

use super::sample::Sample;
use crate::verify::Sqnr;
use autoneural_base::error::{Error, IoContext, Kind, Result};
use autoneural_core::encoding::{Encoding, IntegerType};
use autoneural_core::ir::ElementType;
use autoneural_core::ir::Op;
use autoneural_core::quantize::{Forms, RoundedNow, Table, fit, of_sums, settle_weights, with_channel_scales};
use autoneural_core::target::{Case, Target, Weights};
use autoneural_engines::back::onnx::{DataWriter, emit_float, emit_qdq};
use autoneural_engines::back::qnn::{Compiler, Job, Layout, Runtime};
use autoneural_engines::engine::{Engine, Reference, Tensor};

/// How the encodings of an experiment come about, beyond the types.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Choice {
    /// Range of the output; what float gives if there is none.
    pub output_range: Option<[f32; 2]>,
    /// What is done to the scales of weights.
    pub multiplier: Multiplier,
    /// Whether weights of 16 bits are written as two of 8 bits.
    pub pairs: bool,
}

/// What is done to the scales of weights, for the sake of the multiplier from sums to outputs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Multiplier {
    /// Nothing.
    #[default]
    AsItIs,
    /// It gets at most so many significant bits behind the leading one, as the pipeline does it.
    Settled(u32),
    /// It gets exactly so many.
    Exactly(u32),
}

/// What came of an experiment.
pub(crate) enum ExperimentResult {
    /// Both ran.
    Ran {
        /// NPU against CPU over all outputs, in dB.
        sqnr_db: f64,
        /// Smallest and largest output on the CPU.
        range: [f32; 2],
        /// How the provider laid it out.
        layout: Layout,
        /// All outputs of the CPU and of the NPU.
        outputs: [Vec<f32>; 2],
        /// The encodings.
        table: Table,
    },
    /// The NPU's compiler does not take it.
    Refused(String),
    /// The CPU does not run it, so there is nothing to compare with.
    NoReference(String),
}

/// Runs an experiment in a folder of its own, which is gone afterwards.
///
/// # Errors
/// The operating system refuses, or a promise inside the program is broken.
pub(crate) fn run(
    runtime: &Runtime,
    target: &Target,
    folder: &Path,
    sample: &Sample,
    case: &Case,
    choice: Choice,
) -> Result<ExperimentResult> {
    let folder = folder.join("experiment");
    for part in ["float", "qdq", "context"] {
        std::fs::create_dir_all(folder.join(part)).at(&folder)?;
    }
    let outcome = run_in(runtime, target, &folder, sample, case, choice);
    std::fs::remove_dir_all(&folder).at(&folder)?;
    outcome
}

fn run_in(
    runtime: &Runtime,
    target: &Target,
    folder: &Path,
    sample: &Sample,
    case: &Case,
    choice: Choice,
) -> Result<ExperimentResult> {
    let partition = &sample.partition;
    let float = in_float(sample, &folder.join("float"))?;
    let table = encodings(sample, case, choice, &float)?;
    let (quantized, context) = (folder.join("qdq"), folder.join("context/model.onnx"));
    let model = quantized.join("model.onnx");
    let mut data = DataWriter::create(&quantized, &partition.group)?;
    let operator = partition.graph.nodes()[0].op.name();
    let pairs = case.weights.filter(|_| choice.pairs).map(|weights| (operator.to_string(), weights));
    let forms = Forms { pairs: pairs.into_iter().collect(), ..Forms::default() };
    emit_qdq(&partition.graph, &table, &RoundedNow, &forms, &model, &mut data)?;
    data.finish()?;
    let inputs: Vec<Tensor> = (partition.inputs.iter().zip(&sample.inputs))
        .map(|(port, input)| input.encode(table.activations.get(&port.name)))
        .collect::<Result<_>>()?;
    // First on the CPU: a model that is no model would be refused by everybody, and that would prove nothing.
    let simulated = match runtime.simulate(partition, &model).and_then(|mut engine| engine.run(&inputs)) {
        Ok(simulated) => simulated,
        Err(error) => return Ok(ExperimentResult::NoReference(error.message)),
    };
    let data = quantized.join(DataWriter::name_of(&partition.group));
    let job = Job {
        name: &partition.name,
        model: &model,
        data: &data,
        target,
        target_file: Path::new(""),
        context: &context,
    };
    match runtime.compile(&job) {
        Err(error) if error.kind == Kind::Toolkit => return Ok(ExperimentResult::Refused(error.message)),
        other => other?,
    }
    let npu = match runtime.open_context(partition, &context, target).and_then(|mut engine| engine.run(&inputs)) {
        Ok(npu) => npu,
        // It was compiled and yet does not run.
        Err(error) => return Ok(ExperimentResult::Refused(error.message)),
    };
    let file = Layout::file(&context);
    let layout = Layout::parse(&file, &std::fs::read(&file).reading(&file)?)?;
    let real = |tensors: &[Tensor]| -> Result<Vec<f32>> {
        let mut all = Vec::new();
        for (port, tensor) in partition.outputs.iter().zip(tensors) {
            all.extend_from_slice(tensor.decode(table.activations.get(&port.name)).as_f32()?);
        }
        Ok(all)
    };
    let (simulated, npu) = (real(&simulated)?, real(&npu)?);
    let range = simulated.iter().fold([f32::INFINITY, f32::NEG_INFINITY], |[l, h], &v| [l.min(v), h.max(v)]);
    let sqnr_db = Sqnr::of(&simulated, &npu)?;
    Ok(ExperimentResult::Ran { sqnr_db, range, layout, outputs: [simulated, npu], table })
}

/// The sample's outputs in float.
fn in_float(sample: &Sample, folder: &Path) -> Result<Vec<Tensor>> {
    let partition = &sample.partition;
    let path = folder.join("model.onnx");
    let mut data = DataWriter::create(folder, &partition.group)?;
    emit_float(partition, &path, &mut data)?;
    data.finish()?;
    Reference::load(partition, &path)?.run(&sample.inputs)
}

fn range<'a>(tensors: impl Iterator<Item = &'a Tensor>) -> Result<[f32; 2]> {
    let mut found = [0f32, 0f32];
    for tensor in tensors {
        for &value in tensor.as_f32()? {
            found = [found[0].min(value), found[1].max(value)];
        }
    }
    Ok(found)
}

/// The table of encodings of a sample.
fn encodings(sample: &Sample, case: &Case, choice: Choice, float: &[Tensor]) -> Result<Table> {
    let graph = &sample.partition.graph;
    let node = &graph.nodes()[0];
    let mut table = Table::default();
    let read = graph.inputs().iter().zip(&sample.inputs);
    let read: Vec<_> = read.filter(|(id, _)| graph.value(**id).element == ElementType::F32).collect();
    let Some(types) = case.activations.inputs(read.len()).or(case.activations.inputs(1)) else {
        return Err(Error::internal(&node.name, format!("has {} inputs, not those of `{case}`", read.len())));
    };
    // What only moves data has one encoding for all that it reads and makes.
    let shared = range(read.iter().map(|(_, tensor)| *tensor))?;
    for ((id, tensor), integer) in read.iter().zip(types.iter().cycle()) {
        let [low, high] = if node.op.moves_data_only() { shared } else { range(std::iter::once(*tensor))? };
        table.activations.insert(graph.value(**id).name.clone(), Encoding::of_range(*integer, low, high));
    }
    let [low, high] = match (node.op.moves_data_only(), choice.output_range) {
        (true, _) => shared,
        (false, Some(range)) => range,
        (false, None) => range(float.iter())?,
    };
    let mut made = Encoding::of_range(case.activations.output(), low, high);
    if node.op.requantizes() {
        // A change of encoding that changes nothing would be no test.
        made = Encoding::of_range(case.activations.output(), 1.5 * low, 1.25 * high);
    }
    for &id in graph.outputs() {
        table.activations.insert(graph.value(id).name.clone(), made.clone());
    }
    // The one constant that is no bias may stand first, as in `1 - x`.
    let [data, weights] = match node.inputs[..] {
        [first, second, ..] if graph.value(first).constant().is_some() => [second, first].map(Some),
        [first, ref rest @ ..] => [Some(first), rest.first().copied()],
        [] => [None; 2],
    };
    let data = data.map(|id| table.activation(&graph.value(id).name).cloned()).transpose()?;
    if let (Some(stated), Some(data), Some(id)) = (case.weights, data, weights) {
        let value = graph.value(id);
        if let Some(constant) = value.constant() {
            let mut encoding = fit(&node.op, stated, &constant.to_f32(), &value.shape);
            match choice.multiplier {
                Multiplier::AsItIs => {}
                Multiplier::Settled(bits) => {
                    settle_weights(&node.op, (&mut encoding, &value.shape), (&data, &made), bits, None);
                }
                Multiplier::Exactly(bits) => {
                    settle_exactly(&node.op, (&mut encoding, &value.shape), (&data, &made), bits);
                }
            }
            if let (Some(integer), Some(&id)) = (case.bias, node.inputs.get(2)) {
                let bias = graph.value(id);
                let values = bias.constant().map(|constant| constant.to_f32()).unwrap_or_default();
                let encoding = match integer {
                    IntegerType::Int32 => of_sums(&node.op, integer, &data, (&encoding, &value.shape)),
                    _ => fit(&node.op, Weights::per_tensor(integer), &values, &bias.shape),
                };
                table.params.insert(bias.name.clone(), encoding);
            }
            table.params.insert(value.name.clone(), encoding);
        }
    }
    Ok(table)
}

/// As [`settle_weights`], but the last of the bits is one, so that fewer do not hold the multiplier.
fn settle_exactly(
    op: &Op,
    (weights, shape): (&mut Encoding, &[usize]),
    (input, output): (&Encoding, &Encoding),
    bits: u32,
) {
    settle_weights(op, (weights, shape), (input, output), bits - 1, None);
    let ratio = f64::from(input.scale[0]) / f64::from(output.scale[0]);
    let change = |weights: &mut Encoding| {
        for scale in &mut weights.scale {
            let multiplier = f64::from(*scale) * ratio;
            let unit = (multiplier.log2().floor() - f64::from(bits)).exp2();
            *scale = (((multiplier / unit).round() + 1.0) * unit / ratio) as f32;
        }
    };
    match op.weight_axes(shape.len()) {
        Some(axes) => with_channel_scales(weights, shape, axes, change),
        None => change(weights),
    }
}
