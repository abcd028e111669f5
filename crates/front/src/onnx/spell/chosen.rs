//! Picking by indices that are computed, as products with rows of which one number is 1. An NPU picks with integers, and
//! computes with real numbers: where the place of the last token or a position follows from the data, it is one of these.

use super::spelled::Spelled;
use super::truths::number;
use crate::onnx::fold;
use crate::onnx::making::{Known, Making, Told};
use autoneural_core::ir::{Constant, ElementType, Shape, ValueId, ops};

/// Rows of truths, one for each index: 1 at its place of `count`, and 0 elsewhere. Indices are whole numbers, and may be
/// a quarter off, as integers of an NPU are.
pub fn rows(making: &mut Making, name: &str, indices: ValueId, count: usize) -> Result<ValueId, String> {
    let picks: usize = making.shape(indices).iter().product();
    fold::counted(&[picks, count])?;
    let column = making.step(format!("{name}.indices"), ops::Reshape { shape: vec![picks, 1] }, &[indices])?;
    let places = Constant::from_values((0..count).map(|place| place as f32).collect(), vec![1, count]);
    let places = making.computed(format!("{name}.places"), places)?;
    let away = making.step(format!("{name}.away"), ops::Sub, &[column, places])?;
    let away = making.step(format!("{name}.distance"), ops::Abs, &[away])?;
    let [slope, start] = [(-2.0, "slope"), (1.5, "start")].map(|(value, what)| (vec![value], format!("{name}.{what}")));
    let slope = making.numbers(slope.1, slope.0, vec![1])?;
    let start = making.numbers(start.1, start.0, vec![1])?;
    let near = making.step(format!("{name}.scaled"), ops::Mul, &[away, slope])?;
    let near = making.step(format!("{name}.near"), ops::Add, &[near, start])?;
    let made = making.step(format!("{name}.truths"), ops::Clip { min: Some(0.0), max: Some(1.0) }, &[near])?;
    making.mark_truth(made);
    Ok(made)
}

/// Whether the indices of a node, at an input, are numbers that are computed.
pub fn is_computed(told: &Told, at: usize) -> Result<bool, String> {
    Ok(told.constant(at).is_none() && told.onnx.input(at)?.element.is_real())
}

/// The indices at an input, which have no fractions.
pub fn indices<'m>(making: &mut Making<'m>, told: &Told<'m>, at: usize) -> Result<ValueId, String> {
    let id = making.input(told, at)?;
    match making.is_whole(id) {
        true => Ok(id),
        false => Err(format!("picks by `{}`, which is not known to be whole numbers", told.node.inputs[at])),
    }
}

/// A gather along an axis.
pub fn gathered<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    told.onnx.expect(&["axis"], 1)?;
    let axis = told.onnx.axis(Some(0))?;
    let (data, picks) = (told.shape(0)?.clone(), told.shape(1)?.clone());
    let name = told.name();
    let (x, indices) = (number(making, told, 0)?, indices(making, told, 1)?);
    let truths = rows(making, name, indices, data[axis])?;
    let others: Shape = [&data[..axis], &data[axis + 1..]].concat();
    let mut table = x;
    if axis != 0 {
        let perm = std::iter::once(axis).chain((0..data.len()).filter(|&other| other != axis)).collect();
        table = making.step(format!("{name}.front"), ops::Transpose { perm }, &[table])?;
    }
    if data.len() != 2 {
        let shape = vec![data[axis], others.iter().product()];
        table = making.step(format!("{name}.rows"), ops::Reshape { shape }, &[table])?;
    }
    let made = making.step(format!("{name}.product"), ops::MatMul, &[truths, table])?;
    let shape = [&picks[..], &others].concat();
    if axis == 0 {
        return Ok(Some(vec![Known::Value(making.reshaped(name, made, shape)?)]));
    }
    // The axes of indices stand in place of the axis.
    let made = making.step(format!("{name}.shaped"), ops::Reshape { shape }, &[made])?;
    let perm =
        (picks.len()..picks.len() + axis).chain(0..picks.len()).chain(picks.len() + axis..picks.len() + others.len());
    Ok(Some(vec![Known::Value(making.last(name, ops::Transpose { perm: perm.collect() }, &[made])?)]))
}

/// A gather of elements, each by an index of its own: where all are the same, and along the only axis that is longer
/// than 1. So RoBERTa picks the type of each token, which is 0 throughout.
pub fn gathered_elements<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    told.onnx.expect(&["axis"], 11)?;
    let (data, picks) = (told.shape(0)?.clone(), told.shape(1)?.clone());
    let axis = told.onnx.axis(Some(0))?;
    if let Some(constant) = told.constant(0)
        && constant.element_type() != ElementType::Bool
    {
        let numbers = fold::cast(constant, ElementType::F32).to_f32();
        if numbers.iter().all(|number| *number == numbers[0]) {
            let shape: Vec<i64> = picks.iter().map(|&size| size as i64).collect();
            let first = constant.reshaped(vec![numbers.len()]).sliced(0, 0, 1);
            let made = fold::filled(&shape, &first)?;
            making.count(std::slice::from_ref(&made))?;
            return Ok(Some(vec![Known::Constant(made)]));
        }
    }
    if !is_computed(told, 1)? || data.iter().enumerate().any(|(at, &size)| at != axis && size != 1) {
        return Err("picks by indices that are computed; constants are supported".into());
    }
    let name = told.name();
    let (x, indices) = (number(making, told, 0)?, indices(making, told, 1)?);
    let truths = rows(making, name, indices, data[axis])?;
    let column = making.step(format!("{name}.column"), ops::Reshape { shape: vec![data[axis], 1] }, &[x])?;
    let made = making.step(format!("{name}.product"), ops::MatMul, &[truths, column])?;
    Ok(Some(vec![Known::Value(making.reshaped(name, made, picks)?)]))
}

/// A gather by the last axis of indices, which has a place along each of the first axes.
pub fn gathered_nd<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    told.onnx.expect(&["batch_dims"], 11)?;
    told.onnx.demand_int("batch_dims", 0)?;
    let (data, picks) = (told.shape(0)?.clone(), told.shape(1)?.clone());
    let Some((&count, outer)) = picks.split_last().filter(|(count, _)| (1..=data.len()).contains(*count)) else {
        return Err(format!("picks of {data:?} by indices of {picks:?}"));
    };
    let name = told.name();
    let (x, indices) = (number(making, told, 0)?, indices(making, told, 1)?);
    // The place among all rows; of an axis of size 1 there is one place only.
    let mut place: Option<ValueId> = None;
    for axis in (0..count).filter(|&axis| data[axis] > 1) {
        let op = ops::Slice { axis: outer.len(), start: axis, end: axis + 1 };
        let mut along = making.step(format!("{name}.axis{axis}"), op, &[indices])?;
        let stride: usize = data[axis + 1..count].iter().product();
        if stride > 1 {
            let stride = making.numbers(format!("{name}.stride{axis}"), vec![stride as f32], vec![1])?;
            along = making.step(format!("{name}.far{axis}"), ops::Mul, &[along, stride])?;
        }
        place = Some(match place {
            Some(before) => making.step(format!("{name}.place{axis}"), ops::Add, &[before, along])?,
            None => along,
        });
    }
    let shape = [outer, &data[count..]].concat();
    let Some(place) = place else { return Err("picks of axes of size 1 only".into()) };
    let (rest, places) = (data[count..].iter().product(), data[..count].iter().product());
    let table = making.step(format!("{name}.table"), ops::Reshape { shape: vec![places, rest] }, &[x])?;
    let truths = rows(making, name, place, places)?;
    let made = making.step(format!("{name}.product"), ops::MatMul, &[truths, table])?;
    Ok(Some(vec![Known::Value(making.reshaped(name, made, shape)?)]))
}

#[cfg(test)]
mod tests {
    use crate::onnx::tests::{int, longs, model, node, read, reals, run};

    #[test]
    fn computed_places_pick_rows_even_where_they_are_not_exact() {
        let nodes = vec![
            node("Floor x -> whole", vec![]),
            node("Gather table whole -> rows", vec![int("axis", 1)]),
            node("Reshape rows flat -> y", vec![]),
        ];
        let constants = vec![reals("table", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), longs("flat", &[-1])];
        let graph = read(&model(&[2], constants, nodes)).unwrap().graph;
        assert_eq!(run(&graph, &[2.5, 0.0]), [3.0, 1.0, 6.0, 4.0]);
        // An NPU's integers are near whole numbers: what is picked is the same a quarter off.
        let [slope, start] = ["rows.slope", "rows.start"]
            .map(|name| graph.value(graph.find(name).unwrap()).constant().unwrap().to_f32()[0]);
        let near = |distance: f32| (distance * slope + start).clamp(0.0, 1.0);
        assert_eq!([0.0, 0.25, 0.75, 1.0].map(near), [1.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn elements_of_one_axis_are_picked_and_those_that_are_all_the_same_are_known() {
        let graph = |table: &[f32]| {
            let nodes =
                vec![node("Floor x -> whole", vec![]), node("GatherElements table whole -> y", vec![int("axis", 1)])];
            read(&model(&[1, 2], vec![reals("table", &[1, 3], table)], nodes)).unwrap().graph
        };
        assert_eq!(run(&graph(&[1.0, 2.0, 3.0]), &[2.0, 0.5]), [3.0, 1.0]);
        let made = graph(&[7.0; 3]);
        assert_eq!(made.value(made.outputs()[0]).constant().unwrap().to_f32(), [7.0, 7.0]);
    }

    #[test]
    fn places_with_fractions_pick_nothing() {
        let nodes = vec![node("Gather table x -> y", vec![])];
        let error = read(&model(&[2], vec![reals("table", &[3], &[1.0, 2.0, 3.0])], nodes)).err().unwrap().to_string();
        assert!(error.contains("picks by `x`, which is not known to be whole numbers"), "{error}");
    }
}
