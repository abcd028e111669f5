//! The figures of a layer, and whether it is wrong.

use super::causes::{Evidence, find, is_certain, of_fusion};
use super::layer::{Figures, Layer};
use super::units::decode;
use super::weights::Weights;
use crate::verify::{Sqnr, outside, range};
use autoneural_core::encoding::Encoding;
use autoneural_engines::engine::Array;

/// An operator may lose this many dB more than its integers explain.
pub(crate) const MARGIN_DB: f64 = 10.0;
/// What any operator reaches on the NPU, in dB: a product of two 16-bit values is the worst that is no fault.
const NPU_DB: f64 = 40.0;

/// What is known of a layer.
pub(crate) struct Known<'a> {
    /// How its integers are made, and how they are read.
    pub encodings: Option<&'a (Encoding, Encoding)>,
    /// The float model's value.
    pub float: &'a Array,
    /// What the operator alone makes in float.
    pub reference: Option<&'a Array>,
    /// What the engines made, after all before: simulation, NPU.
    pub so_far: [Option<&'a Array>; 2],
    /// What they made of the operator alone.
    pub alone: [Option<&'a Array>; 2],
    /// Its constants, and the places of those that the quantized node lacks.
    pub weights: &'a [Weights],
    /// Constants of the float node that it lacks.
    pub missing: &'a [usize],
    /// Whether numbers below the encoding are hidden by a mask.
    pub is_masked: bool,
    /// Whether it is a part of a normalization that is spelled out.
    pub in_norm: bool,
    /// Whether it shares its encoding with what it is joined with.
    pub shares_in_concat: bool,
    /// Number of computed inputs of 16 bits.
    pub wide_inputs: usize,
    /// The worst SQNR of what it reads.
    pub input_db: Figures,
    /// Scale of its first input.
    pub input_scale: Option<f32>,
    /// The range that the NPU gives its output, whatever the encoding says.
    pub fixed_range: Option<[f32; 2]>,
}

/// Fills in the figures of a layer. `npu` says that the NPU is the chosen engine.
pub(crate) fn judge(layer: &mut Layer, known: &Known, npu: bool, floor_db: f64) {
    let Some(float) = known.float.reals() else { return };
    let (written, read) = known.encodings.map(|(a, b)| (Some(a), Some(b))).unwrap_or_default();
    let low = written.filter(|_| known.is_masked).map(|encoding| encoding.range()[0]);
    let real = |array: &Array| read.and_then(|read| decode(array, read)).or_else(|| array.reals());
    let seen = |values: Vec<f32>, by: &[f32]| -> Vec<f32> {
        let shown = values.into_iter().zip(by).filter(|(_, by)| low.is_none_or(|low| **by >= low));
        shown.map(|(value, _)| value).collect()
    };
    let shown_float = seen(float.clone(), &float);
    let db = |array: Option<&Array>| {
        let values = seen(real(array?)?, &float);
        Sqnr::of(&shown_float, &values).ok()
    };
    (layer.so_far_db.simulated, layer.so_far_db.npu) = (db(known.so_far[0]), db(known.so_far[1]));
    layer.integer = written.map(|encoding| encoding.integer.name());
    if let Some(written) = written {
        layer.saturation_percent =
            Some(100.0 * outside(&shown_float, written) as f64 / shown_float.len().max(1) as f64);
        layer.range_use_percent = Some(written.range_use_percent(range(&shown_float)));
    }
    let whole = known.reference.and_then(Array::reals);
    let reference = whole.as_ref().map(|values| seen(values.clone(), values));
    let made = |array: Option<&Array>| Some(seen(real(array?)?, whole.as_ref()?));
    let alone = known.alone.map(made);
    let against = |made: &Option<Vec<f32>>| Sqnr::of(reference.as_ref()?, made.as_ref()?).ok();
    (layer.alone_db.simulated, layer.alone_db.npu) = (against(&alone[0]), against(&alone[1]));
    let basis = reference.as_ref().unwrap_or(&shown_float);
    let expected = expected_db(basis, written, known.weights, npu);
    layer.expected_db = Some(expected);
    let on_engine = |figures: Figures| if npu { figures.npu } else { figures.simulated };
    let (alone_db, so_far_db) = (on_engine(layer.alone_db), on_engine(layer.so_far_db));
    layer.added_percent = alone_db.map(|db| 100.0 * 10f64.powf(-db / 20.0));
    let is_low = |db: f64| db < floor_db && db < expected - MARGIN_DB;
    let breaks = match (alone_db, so_far_db) {
        (Some(db), _) => is_low(db),
        // What came in with noise is not this operator's fault.
        (None, Some(db)) => is_low(db) && on_engine(known.input_db).is_none_or(|input| db < input - MARGIN_DB),
        (None, None) => false,
    };
    if let (false, true, Some(alone)) = (breaks, npu && so_far_db.is_some_and(is_low), alone_db) {
        layer.fault = lost_among_others(layer.so_far_db, known.input_db)
            .map(|words| of_fusion(format!("alone the NPU computes it with {alone:.1} dB; {words}"), known.in_norm));
        if layer.fault.is_some() {
            return;
        }
    }
    if !breaks && !is_certain(known.weights, known.missing) {
        return;
    }
    let engine = usize::from(npu);
    let coded = |written: &Encoding, read: &Encoding| {
        let codes = written.quantize(basis, &[basis.len()]);
        Sqnr::of(basis, &read.dequantize(&codes, &[basis.len()])).unwrap_or_default()
    };
    let own = alone_db.or(so_far_db).unwrap_or_default();
    let evidence = Evidence {
        op: &layer.op,
        on_npu: npu,
        alone_db: own,
        simulated_db: layer.alone_db.simulated.or(layer.so_far_db.simulated).unwrap_or(own),
        encodings: written.zip(read),
        reference: basis,
        made: alone[engine].as_deref().unwrap_or_default(),
        encoding_db: written.zip(read).map_or(200.0, |(written, read)| coded(written, read)),
        weights: known.weights,
        missing: known.missing,
        in_norm: known.in_norm,
        shares_in_concat: known.shares_in_concat,
        wide_inputs: known.wide_inputs,
        input_scale: known.input_scale,
        fixed_range: known.fixed_range,
    };
    layer.fault = Some(find(&evidence));
}

/// What tells that the NPU loses much more of what an operator reads than the simulation does. `None` where it does not, or
/// where what it reads is lost already.
fn lost_among_others(made: Figures, read: Figures) -> Option<String> {
    let ([npu, of_npu], [simulated, of_simulation]) = ([read.npu?, made.npu?], [read.simulated?, made.simulated?]);
    let is_lost = npu > MARGIN_DB && npu - of_npu > (simulated - of_simulation).max(0.0) + MARGIN_DB;
    is_lost.then(|| {
        format!(
            "behind the operators before it, where it reads {npu:.1} dB, it makes {of_npu:.1} dB of them, and the \
             simulation {of_simulation:.1} dB of {simulated:.1} dB"
        )
    })
}

/// What integers of these bits reach on these values, with ranges that fit and weights rounded to nearest.
fn expected_db(values: &[f32], encoding: Option<&Encoding>, weights: &[Weights], npu: bool) -> f64 {
    let power: f64 = values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>() / values.len().max(1) as f64;
    let [low, high] = range(values);
    let step = |encoding: &Encoding| f64::from(high - low) / (2f64.powi(encoding.integer.bits() as i32) - 1.0);
    let of_output = encoding.map_or(0.0, |encoding| step(encoding).powi(2) / 12.0 / power.max(f64::MIN_POSITIVE));
    let rounded = weights.iter().filter(|one| one.input != 2 && one.bits.is_some());
    let of_weights: f64 = rounded.map(|one| 10f64.powf(-one.expected_db / 10.0)).sum();
    let of_engine = if npu { 10f64.powf(-NPU_DB / 10.0) } else { 1e-10 };
    -10.0 * (of_output + of_weights + of_engine).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_only_among_others_is_told() {
        let of = |npu, simulated| Figures { npu: Some(npu), simulated: Some(simulated) };
        let words = lost_among_others(of(5.1, 34.0), of(34.2, 34.3)).unwrap();
        assert!(words.contains("reads 34.2 dB") && words.contains("34.0 dB of 34.3 dB"), "{words}");
        // Both lose it, as where two numbers that are nearly the same are subtracted.
        assert_eq!(lost_among_others(of(4.0, 25.0), of(34.0, 60.0)), None);
        // What is lost already tells nothing.
        assert_eq!(lost_among_others(of(-15.0, 30.0), of(2.0, 30.0)), None);
        // The simulation was not asked.
        assert_eq!(lost_among_others(Figures { npu: Some(5.1), simulated: None }, of(34.2, 34.3)), None);
    }
}
