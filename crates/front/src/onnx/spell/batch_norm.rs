//! Batch normalization when a model is not trained: one factor and one summand for each channel, which go into the
//! convolution before it if nobody else reads that.

use std::sync::Arc;

use super::spelled::Spelled;
use crate::onnx::making::{Known, Making, Told};
use crate::onnx::unsupported::TRAINS;
use autoneural_core::ir::ops::OpKind;
use autoneural_core::ir::{Constant, Op, ops};

/// Factors and summands of channels.
struct Channels {
    factors: Vec<f64>,
    summands: Vec<f64>,
}

impl Channels {
    /// Of a normalization of so many channels: `(x - mean) / sqrt(variance + epsilon) * scale + bias` (Ioffe and
    /// Szegedy, arXiv 1502.03167).
    ///
    /// # Errors
    /// Parameters that are not constant, training mode, other numbers than one for each channel.
    fn of(told: &Told, channels: usize) -> Result<Self, String> {
        told.onnx.expect(&["epsilon", "momentum", "spatial", "training_mode"], 7)?;
        if told.onnx.int("training_mode", 0)? != 0 || told.onnx.outputs > 1 {
            return Err(TRAINS.into());
        }
        told.onnx.demand_int("spatial", 1)?;
        let (mean, variance) = (numbers(told, 3, "mean", channels)?, numbers(told, 4, "variance", channels)?);
        Self::with(told, [&mean, &variance])
    }

    /// With these means and variances.
    fn with(told: &Told, [mean, variance]: [&[f64]; 2]) -> Result<Self, String> {
        let channels = mean.len();
        let epsilon = f64::from(told.onnx.float("epsilon", 1e-5)?);
        let (scale, bias) = (numbers(told, 1, "scale", channels)?, numbers(told, 2, "bias", channels)?);
        let factor = |(scale, variance): (&f64, &f64)| scale / (variance + epsilon).sqrt();
        let factors: Vec<f64> = scale.iter().zip(variance).map(factor).collect();
        let summands = bias.iter().zip(mean).zip(&factors).map(|((bias, mean), factor)| bias - mean * factor).collect();
        Ok(Channels { factors, summands })
    }
}

/// One number for each channel at an input.
fn numbers(told: &Told, at: usize, what: &str, channels: usize) -> Result<Vec<f64>, String> {
    let computed = || format!("has a {what} that is computed; a constant is wanted");
    let constant = told.constant(at).ok_or_else(computed)?;
    match constant.shape()[..] == [channels] && constant.element_type().is_real() {
        true => Ok(constant.to_f32().into_iter().map(f64::from).collect()),
        false => Err(format!("has a {what} of {:?} for {channels} channels", constant.shape())),
    }
}

/// A constant that is normalized in training mode, by its own means and variances: so exporters write weights that are
/// standardized. They are the same in every run, so the result is a constant. None where the mode is another.
fn standardized(making: &mut Making, told: &Told) -> Result<Option<Vec<Known>>, String> {
    let Some(x) = told.constant(0).filter(|x| x.element_type().is_real()) else { return Ok(None) };
    if told.onnx.int("training_mode", 0)? == 0 {
        return Ok(None);
    }
    told.onnx.expect(&["epsilon", "momentum", "training_mode"], 14)?;
    let (&[rows, channels, ..], values) = (&x.shape()[..], x.to_f32()) else { return Ok(None) };
    let each = values.len() / (rows * channels).max(1);
    if values.is_empty() {
        return Err("has an input without elements".into());
    }
    let of = |channel: usize| {
        let place = move |row: usize| (row * channels + channel) * each;
        (0..rows).flat_map(move |row| place(row)..place(row) + each)
    };
    let mean_of = |get: &dyn Fn(usize) -> f64, channel: usize| of(channel).map(get).sum::<f64>() / (rows * each) as f64;
    let mean: Vec<f64> = (0..channels).map(|channel| mean_of(&|at| f64::from(values[at]), channel)).collect();
    let square = |channel: usize| mean_of(&|at| (f64::from(values[at]) - mean[channel]).powi(2), channel);
    let variance: Vec<f64> = (0..channels).map(square).collect();
    let Channels { factors, summands } = Channels::with(told, [&mean, &variance])?;
    let mut made = values.clone();
    for channel in 0..channels {
        for at in of(channel) {
            made[at] = (f64::from(values[at]) * factors[channel] + summands[channel]) as f32;
        }
    }
    let mut made = vec![Constant::from_values(made, x.shape().clone())];
    let momentum = f64::from(told.onnx.float("momentum", 0.9)?);
    for (at, what, found) in
        [(3, "mean", &mean), (4, "variance", &variance)].into_iter().take(told.onnx.outputs.saturating_sub(1))
    {
        let before = numbers(told, at, what, channels)?;
        let running = before.iter().zip(found).map(|(before, found)| before * momentum + found * (1.0 - momentum));
        made.push(Constant::from_values(narrow(&running.collect::<Vec<f64>>()), vec![channels]));
    }
    making.count(&made)?;
    Ok(Some(made.into_iter().map(Known::Constant).collect()))
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

/// As a product and a sum.
pub fn batch_norm<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    if let Some(made) = standardized(making, told)? {
        return Ok(Some(made));
    }
    let channels = *told.shape(0)?.get(1).ok_or("has an input without channels")?;
    let Channels { factors, summands } = Channels::of(told, channels)?;
    let mut shape = vec![1; told.shape(0)?.len() - 1];
    shape[0] = channels;
    let x = making.input(told, 0)?;
    let factors = making.numbers(format!("{}.factors", told.name()), narrow(&factors), shape.clone())?;
    let summands = making.numbers(format!("{}.summands", told.name()), narrow(&summands), shape)?;
    let scaled = making.step(format!("{}.scaled", told.name()), ops::Mul, &[x, factors])?;
    Ok(Some(vec![Known::Value(making.last(told.name(), ops::Add, &[scaled, summands])?)]))
}

/// A convolution and the normalization behind it as one convolution under the name of the latter; none where they do
/// not go together, which is then told of each by itself.
///
/// # Errors
/// A graph that does not take what comes out.
pub fn fuse<'m>(making: &mut Making<'m>, conv: &Told<'m>, norm: &Told<'m>) -> Result<Option<Known>, String> {
    let Some(weights) = conv.constant(1).filter(|weights| weights.shape().len() == 4) else { return Ok(None) };
    let Some(Ok(read)) = OpKind::of_onnx(&conv.onnx.op_type).map(|kind| (kind.from_onnx)(&conv.onnx)) else {
        return Ok(None);
    };
    let axis = match &read.operator {
        Op::Conv(_) => 0,
        // Its weights have input channels first, and those of its groups one behind the other.
        Op::ConvTranspose(ops::ConvTranspose { groups: 1, .. }) => 1,
        _ => return Ok(None),
    };
    let channels = weights.shape()[axis];
    let Ok(Channels { factors, summands }) = Channels::of(norm, channels) else { return Ok(None) };
    let before = match (conv.onnx.has(2), conv.constant(2)) {
        (false, _) => vec![0.0; channels],
        (true, Some(bias)) if bias.shape()[..] == [channels] => bias.to_f32(),
        (true, _) => return Ok(None),
    };
    let scaled = weights.scaled(axis, Arc::from(narrow(&factors)));
    let each = before.iter().zip(&factors).zip(&summands);
    let bias = each.map(|((bias, factor), summand)| (f64::from(*bias) * factor + summand) as f32).collect();
    let bias = Constant::from_values(bias, vec![channels]);
    let x = making.input(conv, 0)?;
    let weights = making.changed(&conv.node.inputs[1], scaled)?;
    let bias = match conv.node.inputs.get(2).filter(|name| !name.is_empty()) {
        Some(name) => making.changed(name, bias)?,
        None => making.constant(format!("{}.bias", norm.name()), bias)?,
    };
    Ok(Some(Known::Value(making.last(norm.name(), read.operator, &[x, weights, bias])?)))
}
