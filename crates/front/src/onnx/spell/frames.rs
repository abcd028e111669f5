//! Convolutions over three axes, as over frames of a film, where one over two computes the same: a kernel that takes
//! frames in parts of its own (patch embeddings; one frame by one) has these frames as channels, and one that looks at
//! one place of each frame has an image of frames by places.

use super::spelled::Spelled;
use crate::onnx::making::{Known, Making, Told};
use autoneural_core::ir::ops::{Attribute, OnnxNode, OpKind};
use autoneural_core::ir::{Constant, Shape, ValueId, ops};

/// A convolution over two axes in place of one over three.
struct Flat {
    node: OnnxNode,
    weights: Constant,
    /// Frames that are channels of one image each, or none where frames are rows.
    part: Option<usize>,
}

/// The convolution over two axes that computes the same; none where there is none.
fn flat(told: &Told) -> Result<Option<Flat>, String> {
    let Some(weights) = told.constant(1).filter(|weights| weights.shape().len() == 5) else { return Ok(None) };
    let (shape, of) = (told.shape(0)?, weights.shape());
    let (&[n, c, d, h, w], &[m, each, depth, height, width]) = (&shape[..], &of[..]) else { return Ok(None) };
    let node = &told.onnx;
    let [ds, hs, ws] = node.sizes("strides", [1; 3])?;
    let [dd, hd, wd] = node.sizes("dilations", [1; 3])?;
    let [front, top, left, back, bottom, right] = node.sizes("pads", [0; 6])?;
    let is_stated = matches!(&*node.text("auto_pad", "NOTSET")?, "NOTSET" | "VALID");
    if !is_stated || node.sizes("kernel_shape", [depth, height, width])? != [depth, height, width] {
        return Ok(None);
    }
    let in_parts = ds == depth && (dd == 1 || depth == 1) && front + back == 0 && depth > 0 && d % depth == 0;
    let in_places = [height, width, hs, ws] == [1; 4] && top + left + bottom + right == 0;
    let (image, kernel, strides, dilations, pads, part) = match (in_parts, in_places) {
        (true, _) => {
            let image = vec![n * (d / depth), c * depth, h, w];
            let kernel = vec![m, each * depth, height, width];
            (image, kernel, [hs, ws], [hd, wd], [top, left, bottom, right], Some(depth))
        }
        (_, true) => (vec![n, c, d, h * w], vec![m, each, depth, 1], [ds, 1], [dd, 1], [front, 0, back, 0], None),
        _ => return Ok(None),
    };
    let mut node = node.clone();
    node.attributes.retain(|(name, _)| name == "group");
    let ints = |sizes: &[usize]| Attribute::Ints(sizes.iter().map(|&size| size as i64).collect());
    for (name, sizes) in [("strides", &strides[..]), ("dilations", &dilations), ("pads", &pads)] {
        node.attributes.push((name.into(), ints(sizes)));
    }
    let weights = weights.reshaped(kernel);
    for (input, shape) in node.inputs.iter_mut().flatten().zip([&image, weights.shape()]) {
        input.shape.clone_from(shape);
        input.constant = None;
    }
    Ok(Some(Flat { node, weights, part }))
}

/// `[a,b,c,d]` with the middle axes turned, in another shape.
fn turned(making: &mut Making, name: &str, x: ValueId, [from, to]: [Shape; 2]) -> Result<ValueId, String> {
    let x = making.step(format!("{name}.parts"), ops::Reshape { shape: from }, &[x])?;
    let x = making.step(format!("{name}.turned"), ops::Transpose { perm: vec![0, 2, 1, 3] }, &[x])?;
    making.step(format!("{name}.flat"), ops::Reshape { shape: to }, &[x])
}

/// A convolution over three axes as one over two; none where it is of another rank, or cannot be written so.
pub fn conv<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    if told.shape(0)?.len() != 5 {
        return Ok(None);
    }
    let Some(Flat { node, weights, part }) = flat(told)? else { return Ok(None) };
    let kind = OpKind::of_onnx("Conv").ok_or("is not supported")?;
    let imported = (kind.from_onnx)(&node)?;
    let (film, name) = (told.shape(0)?.clone(), told.name());
    let &[n, c, d, h, w] = &film[..] else { return Ok(None) };
    let image = node.input(0)?.shape.clone();
    let x = making.input(told, 0)?;
    let parts = part.map_or(1, |part| d / part);
    let x = match parts {
        1 => making.step(format!("{name}.in"), ops::Reshape { shape: image }, &[x])?,
        _ => turned(making, &format!("{name}.in"), x, [vec![n, c, parts, d / parts * h * w], image])?,
    };
    let mut inputs = vec![x, making.changed(&told.node.inputs[1], weights)?];
    for &at in &imported.inputs[2..] {
        inputs.push(making.input(told, at)?);
    }
    let made = making.step(format!("{name}.image"), imported.operator, &inputs)?;
    let &[_, m, rows, columns] = &making.shape(made)[..] else { return Ok(None) };
    let film = match part {
        Some(_) => vec![n, m, parts, rows, columns],
        None => vec![n, m, rows, h, w],
    };
    let made = match parts {
        1 => made,
        _ => turned(making, name, made, [vec![n, parts, m, rows * columns], vec![n, m, parts, rows * columns]])?,
    };
    Ok(Some(vec![Known::Value(making.reshaped(name, made, film)?)]))
}
