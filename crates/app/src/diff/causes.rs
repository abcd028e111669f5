//! Why an operator is wrong: a table of causes, each with its test, in the order in which they are tested. The first
//! one that applies is reported.

use super::weights::{Channel, Weights};
use crate::verify::{outside, range};
use autoneural_core::encoding::Encoding;

/// What is known about a wrong operator.
pub(crate) struct Evidence<'a> {
    /// The operator.
    pub op: &'a str,
    /// Whether it ran on the NPU.
    pub on_npu: bool,
    /// SQNR of the operator alone on the engine, in dB.
    pub alone_db: f64,
    /// The same in simulation.
    pub simulated_db: f64,
    /// How its integers are made, and how they are read.
    pub encodings: Option<(&'a Encoding, &'a Encoding)>,
    /// What it should have made.
    pub reference: &'a [f32],
    /// What it made.
    pub made: &'a [f32],
    /// SQNR of `reference` behind its encoding, in dB.
    pub encoding_db: f64,
    /// Its constants, and the places of those that the quantized node lacks.
    pub weights: &'a [Weights],
    /// Inputs that the quantized node lacks, while they are constants in float.
    pub missing: &'a [usize],
    /// Whether it is a part of a normalization that is spelled out.
    pub in_norm: bool,
    /// Whether it shares its encoding with what it is joined with, whose range is larger.
    pub shares_in_concat: bool,
    /// Number of its inputs that are computed and have 16 bits.
    pub wide_inputs: usize,
    /// Scale of its first input.
    pub input_scale: Option<f32>,
    /// The range that the NPU gives its output, whatever the encoding says.
    pub fixed_range: Option<[f32; 2]>,
}

/// The cause that was found.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Cause {
    /// Name of the cause; stable.
    pub cause: &'static str,
    /// What is wrong.
    pub what: String,
    /// What to change.
    pub change: &'static str,
}

/// A cause: its name, its test, which gives what is wrong in words, and what to change.
type Row = (&'static str, fn(&Evidence) -> Option<String>, &'static str);

/// All causes.
const CAUSES: [Row; 21] = [
    ("bias-dropped", bias_dropped, "keep the operator's bias when it is quantized, as int32 of scale input x weights"),
    (
        "channel-zeroed",
        channel_zeroed,
        "give every output channel of the weights a scale of its own, and round them anew",
    ),
    (
        "int4-without-zero-point",
        int4_without_zero_point,
        "give the DequantizeLinear of the weights an explicit zero point of zeros",
    ),
    (
        "blocks-off-grid",
        blocks_off_grid,
        "choose block scales that are 1 to 16 times one scale of their channel, as LPBQ has them",
    ),
    ("weights-zero-point", weights_zero_point, "give the weights a zero point of zero, and round them anew"),
    ("weights-scale", weights_scale, "quantize the weights anew: their scales do not belong to their integers"),
    ("one-scale-for-all-channels", one_scale, "quantize the weights per output channel"),
    ("weights-differ", weights_differ, "quantize the weights anew from the float model, or give them more bits"),
    (
        "bias-wrong",
        bias_wrong,
        "quantize the bias as int32, its scale being that of the input times that of the weights",
    ),
    (
        "conversions-disagree",
        conversions_disagree,
        "give QuantizeLinear and DequantizeLinear of a value the same scale and zero point",
    ),
    (
        "wrong-zero-point",
        wrong_zero_point,
        "calibrate the value anew: its range is as wide as it should be, but shifted",
    ),
    ("range-collapsed", range_collapsed, "calibrate with samples that reach these values, or with min-max"),
    (
        "shared-across-concat",
        shared_across_concat,
        "scale the inputs of the concatenation to a similar size, or give the value more bits",
    ),
    ("range-too-wide", range_too_wide, "calibrate anew without outliers, or give the value more bits"),
    ("underflow-in-norm", underflow_in_norm, WHOLE_NORM),
    (
        "fixed-output-range",
        fixed_output_range,
        "give the operator's output the encoding that the NPU has for it, whatever calibration saw",
    ),
    (
        "bias-off-scale",
        bias_off_scale,
        "quantize the bias as int32, its scale being that of the input times that of the weights",
    ),
    (
        "saturating-accumulator",
        saturating_accumulator,
        "use smaller weight or input scales, or split the operator: its sums leave what the NPU's accumulator holds",
    ),
    (
        "two-16-bit-inputs",
        two_wide_inputs,
        "give one of the two inputs 8 bits, or write the product as a sum of two such products",
    ),
    ("computed-in-fp16", in_fp16, "quantize the operator: without QuantizeLinear around it the NPU computes in fp16"),
    (
        "engine-differs",
        engine_differs,
        "extract the operator with --extract, and report it to the vendor or replace it by others",
    ),
];

/// The likely cause.
pub(crate) fn find(evidence: &Evidence) -> Cause {
    let found = CAUSES.iter().find_map(|(cause, test, change)| Some(Cause { cause, what: test(evidence)?, change }));
    found.unwrap_or_else(|| Cause {
        cause: "unexplained",
        what: format!("{} loses more than its encodings explain", evidence.op),
        change: "extract the operator with --extract, and look at its constants and attributes",
    })
}

/// What to do about a normalization that is spelled out.
const WHOLE_NORM: &str =
    "write the normalization as one operator (RMSNormalization, LayerNormalization), which the NPU computes well";

/// The cause of what goes wrong only where operators are compiled together; `in_norm` says that they are steps of a
/// normalization that is spelled out.
pub(crate) fn of_fusion(what: String, in_norm: bool) -> Cause {
    let change = match in_norm {
        true => WHOLE_NORM,
        false => {
            "keep the compiler from joining the two, say by a Reshape between them and one back behind, and report it \
             to the vendor"
        }
    };
    Cause { cause: "fused-wrongly", what, change }
}

/// Whether constants alone say that an operator is wrong, whatever the figures of this sample are.
pub(crate) fn is_certain(weights: &[Weights], missing: &[usize]) -> bool {
    let zeroed = |one: &Weights| !one.is_per_tensor && one.channels.iter().any(|channel| channel.is_zero);
    // How much a bias matters only figures tell.
    let of_weights = weights.iter().filter(|one| one.input != 2);
    !missing.is_empty() || weights.iter().any(zeroed) || of_weights.clone().any(|one| one.broken().next().is_some())
}

fn listed(channels: &[usize]) -> String {
    let shown: Vec<String> = channels.iter().take(4).map(ToString::to_string).collect();
    let more = if channels.len() > shown.len() { ", …" } else { "" };
    let word = if channels.len() == 1 { "channel" } else { "channels" };
    format!("{word} {}{more}", shown.join(", "))
}

fn bias_dropped(e: &Evidence) -> Option<String> {
    let dead = e.weights.iter().find(|one| one.input == 2 && one.rms > 0.0 && one.channels.iter().all(|c| c.is_zero));
    match (e.missing.contains(&2), dead) {
        (true, _) => Some(format!("the bias of the float {} is missing", e.op)),
        (_, Some(one)) => Some(format!("the bias `{}` is all zeros", one.name)),
        _ => None,
    }
}

fn channel_zeroed(e: &Evidence) -> Option<String> {
    e.weights.iter().filter(|one| !one.is_per_tensor).find_map(|one| {
        let dead: Vec<usize> = one.channels.iter().filter(|c| c.is_zero).map(|c| c.at).collect();
        let all = dead.len() == one.channels.len();
        match (dead.is_empty(), all) {
            (true, _) => None,
            (_, true) => Some(format!("the weights `{}` are all zeros", one.name)),
            _ => Some(format!("{} of the weights `{}`: all codes stand for zero", listed(&dead), one.name)),
        }
    })
}

fn int4_without_zero_point(e: &Evidence) -> Option<String> {
    let one = e.weights.iter().find(|one| one.lacks_zero_point)?;
    let is_engine = e.on_npu && e.simulated_db > e.alone_db + 6.0;
    is_engine
        .then(|| format!("the int4 weights `{}` have no zero point, and the NPU then computes them wrongly", one.name))
}

fn blocks_off_grid(e: &Evidence) -> Option<String> {
    let one = e.weights.iter().find(|one| one.is_off_grid)?;
    let is_engine = e.on_npu && e.simulated_db > e.alone_db + 6.0;
    is_engine.then(|| {
        format!(
            "scales of blocks of `{}` are no whole multiples of one scale per channel; the NPU rounds them",
            one.name
        )
    })
}

/// Broken channels of constants of which this is true: in words, and the first of them.
fn broken<'a>(e: &'a Evidence, is_meant: impl Fn(&Channel) -> bool) -> Option<(String, &'a Channel)> {
    e.weights.iter().find_map(|one| {
        let off: Vec<&Channel> = one.broken().filter(|channel| is_meant(channel)).collect();
        let at: Vec<usize> = off.iter().map(|channel| channel.at).collect();
        let place = if at.len() == one.channels.len() { "all channels".into() } else { listed(&at) };
        Some((format!("{place} of `{}`", one.name), *off.first()?))
    })
}

fn weights_scale(e: &Evidence) -> Option<String> {
    let (place, first) = broken(e, |one| !one.is_zero && (one.gain - 1.0).abs() > 0.2 && one.scaled_db > 12.0)?;
    Some(format!("{place}: {:.2} times what they are in float", first.gain))
}

fn weights_zero_point(e: &Evidence) -> Option<String> {
    let (place, _) = broken(e, |one| !one.is_zero && one.constant_share > 0.7)?;
    Some(format!("{place}: shifted by the same number against float"))
}

fn one_scale(e: &Evidence) -> Option<String> {
    let lost = |one: &&Weights| one.is_per_tensor && one.channels.iter().any(|c| c.db < c.expected_db - 10.0);
    let one = e.weights.iter().find(lost)?;
    let off: Vec<usize> = one.channels.iter().filter(|c| c.db < c.expected_db - 10.0).map(|c| c.at).collect();
    Some(format!("one scale stands for all channels of `{}`, which is too coarse for {}", one.name, listed(&off)))
}

fn weights_differ(e: &Evidence) -> Option<String> {
    let one = e.weights.iter().find(|one| one.input != 2 && one.db < (one.expected_db - 6.0).min(30.0))?;
    let (db, expected) = (one.db, one.expected_db);
    Some(format!("`{}` reaches {db:.1} dB against float, where {expected:.1} dB are to be expected", one.name))
}

fn bias_wrong(e: &Evidence) -> Option<String> {
    let rms = root_mean_square(e.reference);
    let wrong = |one: &&Weights| one.input == 2 && one.rms * 10f64.powf(-one.db / 20.0) > 0.02 * rms;
    let one = e.weights.iter().find(wrong)?;
    Some(format!("the bias `{}` reaches only {:.1} dB against float", one.name, one.db))
}

/// Whether the encoding of the output explains what is lost.
fn is_of_encoding(e: &Evidence) -> bool {
    e.encoding_db < e.alone_db + 6.0 || e.encoding_db < 15.0
}

fn conversions_disagree(e: &Evidence) -> Option<String> {
    let (written, read) = e.encodings.filter(|(written, read)| written != read)?;
    let words = |one: &Encoding| format!("scale {:.4e} and zero point {}", one.scale[0], one.zero_point[0]);
    is_of_encoding(e).then(|| format!("its integers are made with {}, and read with {}", words(written), words(read)))
}

/// The range of an encoding, and that of the values.
fn ranges(e: &Evidence) -> Option<([f32; 2], [f32; 2])> {
    let (written, _) = e.encodings.filter(|_| is_of_encoding(e))?;
    Some((written.range(), range(e.reference)))
}

fn wrong_zero_point(e: &Evidence) -> Option<String> {
    let ([low, high], [least, most]) = ranges(e)?;
    let (width, wanted) = (high - low, most - least);
    let (below, above) = ((low - least) / wanted, (most - high) / wanted);
    let is_shifted = below.max(above) > 0.05 && below.min(above) < -0.02 && width > 0.8 * wanted;
    is_shifted.then(|| {
        format!(
            "the encoding covers {low:.4} to {high:.4}, the values reach from {least:.4} to {most:.4}: the zero \
                 point is wrong"
        )
    })
}

fn range_collapsed(e: &Evidence) -> Option<String> {
    let ([low, high], [least, most]) = ranges(e)?;
    let (written, _) = e.encodings?;
    let share = 100.0 * outside(e.reference, written) as f64 / e.reference.len().max(1) as f64;
    let collapsed = share > 0.0 && ((high - low) < 0.8 * (most - least) || share > 1.0);
    collapsed.then(|| {
        format!(
            "the encoding covers {low:.4} to {high:.4}, the values reach from {least:.4} to {most:.4}: {share:.1} \
                 % saturate"
        )
    })
}

fn shared_across_concat(e: &Evidence) -> Option<String> {
    let ([low, high], [least, most]) = ranges(e)?;
    e.shares_in_concat.then(|| {
        format!(
            "it shares an encoding of {low:.4} to {high:.4} with what it is joined with, and reaches {least:.4} to \
                 {most:.4}"
        )
    })
}

fn range_too_wide(e: &Evidence) -> Option<String> {
    let ([low, high], [least, most]) = ranges(e)?;
    let used = 100.0 * f64::from(most - least) / f64::from(high - low);
    (used < 50.0).then(|| {
        format!(
            "the encoding covers {low:.4} to {high:.4}, of which the values use {used:.2} %: {least:.4} to {most:.4}"
        )
    })
}

/// Whether only the NPU goes wrong.
fn is_of_npu(e: &Evidence) -> bool {
    e.on_npu && e.simulated_db > e.alone_db + 6.0
}

fn underflow_in_norm(e: &Evidence) -> Option<String> {
    let [least, most] = range(e.reference);
    let size = most.max(-least);
    (is_of_npu(e) && e.in_norm).then(|| {
        format!(
            "a step of a normalization that is spelled out: numbers up to {size:.2e} underflow in the NPU's arithmetic"
        )
    })
}

fn fixed_output_range(e: &Evidence) -> Option<String> {
    let ([low, high], (written, _)) = (e.fixed_range?, e.encodings?);
    let [least, most] = written.range();
    let differs = (least - low).abs().max((most - high).abs()) > 1e-3 * (high - low);
    (is_of_npu(e) && differs).then(|| {
        format!(
            "the encoding covers {least:.4} to {most:.4}; the NPU's integers of {} always stand for {low} to {high}",
            e.op
        )
    })
}

/// How far the scale of a bias may be from that of the input times that of the weights.
const BIAS_SCALE: f32 = 0.02;

fn bias_off_scale(e: &Evidence) -> Option<String> {
    let of = |input: usize| e.weights.iter().find(|one| one.input == input && !one.scales.is_empty());
    let (weights, bias, input) = (of(1)?, of(2)?, e.input_scale?);
    let each = |all: &[f32], at: usize| all.get(at).or(all.first()).copied().unwrap_or(1.0);
    let count = weights.scales.len().max(bias.scales.len());
    let ratio = |at: usize| each(&bias.scales, at) / (input * each(&weights.scales, at));
    let worst = (0..count).map(ratio).max_by(|a, b| (a - 1.0).abs().total_cmp(&(b - 1.0).abs()))?;
    (is_of_npu(e) && (worst - 1.0).abs() > BIAS_SCALE).then(|| {
        format!(
            "the scale of the bias `{}` is {worst:.3} times that of the input and the weights, which the NPU takes it \
             to have",
            bias.name
        )
    })
}

fn saturating_accumulator(e: &Evidence) -> Option<String> {
    if !is_of_npu(e) || !["Conv", "ConvTranspose", "MatMul", "Gemm"].contains(&e.op) {
        return None;
    }
    // What saturates is too small where the values are large, and right elsewhere.
    let largest = e.reference.iter().fold(0f32, |most, value| most.max(value.abs()));
    let (mut large, mut small) = ((0.0, 0.0), (0.0, 0.0));
    for (&wanted, &made) in e.reference.iter().zip(e.made) {
        let sums = if wanted.abs() > 0.5 * largest { &mut large } else { &mut small };
        let (wanted, made) = (f64::from(wanted), f64::from(made));
        sums.0 += wanted * made;
        sums.1 += wanted * wanted;
    }
    let gain = |(product, power): (f64, f64)| if power > 0.0 { product / power } else { 1.0 };
    (gain(large) < 0.9 * gain(small)).then(|| {
        format!(
            "large sums come out {:.2} times as large as they are, small ones {:.2} times",
            gain(large),
            gain(small)
        )
    })
}

fn two_wide_inputs(e: &Evidence) -> Option<String> {
    let applies = is_of_npu(e) && e.wide_inputs > 1 && ["MatMul", "Mul"].contains(&e.op);
    applies.then(|| "both inputs have 16 bits, of which the NPU takes less in a product".into())
}

fn in_fp16(e: &Evidence) -> Option<String> {
    (is_of_npu(e) && e.encodings.is_none()).then(|| "it has no integers, so the NPU computes it in fp16".into())
}

fn engine_differs(e: &Evidence) -> Option<String> {
    let (npu, simulated) = (e.alone_db, e.simulated_db);
    is_of_npu(e).then(|| format!("on the same integers the NPU reaches {npu:.1} dB, the simulation {simulated:.1} dB"))
}

fn root_mean_square(values: &[f32]) -> f64 {
    let sum: f64 = values.iter().map(|&value| f64::from(value).powi(2)).sum();
    (sum / values.len().max(1) as f64).sqrt()
}
