//! GELU as what it is made of.
//!
//! A chip's own GELU may be a coarse table: that of the SA8295P is off by 0.0006 (root mean square) where it reads -6 to 6,
//! and by more where it reads a wider range, whatever the scales are; its Sigmoid is off by 0.000015. So GELU is written as
//! `x sigmoid(x (a + b x^2 + c x^4))`. With the formula of `tanh` this is exact, and `c` is zero
//! (<https://arxiv.org/abs/1606.08415>, section 2). For the error function the three numbers are the least squares between
//! -6 and 6: 0.000014 off (root mean square), 0.00003 at most.
//!
//! Where `x` is beyond 6 the square is cut to 36: the sigmoid has reached its end there.

use autoneural_onnx::{NodeProto, TensorProto};

use super::names::{float_name, read_name};
use super::proto::{DataType, node, small_tensor};
use autoneural_core::encoding::{Encoding, IntegerType};
use autoneural_core::ir::ops::GeluKind;
use autoneural_core::ir::{Graph, Node, Op};

/// Largest square that is told apart.
const SQUARE: f64 = 36.0;
/// Where the sigmoid has reached its end: it is 6e-6 from it.
const END: f64 = 12.0;
/// Integers of 16 bits above zero.
const LEVELS: f64 = 65_535.0;

/// `a`, `b` and `c` of the formula of a node.
fn numbers(ir: &Node) -> Option<[f64; 3]> {
    let Op::Gelu(gelu) = &ir.op else { return None };
    Some(match gelu.kind {
        GeluKind::Erf => [1.594_916_98, 0.074_100_653_3, -0.000_717_458_63],
        GeluKind::Tanh => [1.595_769_121_6, 0.071_354_816_3, 0.0],
    })
}

/// A value between, or one of the three numbers: what is behind the name of the GELU, and its range.
type Part = (&'static str, f64, f64);

/// The values that stand between.
fn between([a, b, c]: [f64; 3]) -> Vec<Part> {
    let slope = [("quadratic", c * SQUARE, 0.0), ("slope", 0.0, b)];
    let slope = slope.into_iter().filter(|_| c != 0.0);
    let most = a + b * SQUARE;
    let rest = [("square", 0.0, SQUARE), ("cubic", 0.0, b * SQUARE), ("factor", 0.0, most), ("inner", -END, END)];
    slope.chain(rest).chain([("sigmoid", 0.0, 1.0)]).collect()
}

/// The numbers as constants, each of which is the end of its range.
fn constants([a, b, c]: [f64; 3]) -> Vec<(Part, f64)> {
    let made = [(("a", 0.0, a), a), (("b", 0.0, b), b), (("c", c, 0.0), c)];
    made.into_iter().filter(|(_, number)| *number != 0.0).collect()
}

fn encoding((_, low, high): Part) -> Encoding {
    let scale = (high - low) / LEVELS;
    Encoding {
        integer: IntegerType::Uint16,
        scale: vec![scale as f32],
        zero_point: vec![(-low / scale).round() as i64],
        axis: None,
        block: None,
    }
}

/// The encodings of all that stands between, by name.
pub(crate) fn encodings(graph: &Graph, ir: &Node) -> Vec<(String, Encoding)> {
    let name = &graph.value(ir.outputs[0]).name;
    let Some(numbers) = numbers(ir) else { return vec![] };
    let parts = between(numbers).into_iter().chain(constants(numbers).into_iter().map(|(part, _)| part));
    parts.map(|part| (format!("{name}/{}", part.0), encoding(part))).collect()
}

/// The integers of the numbers.
pub(crate) fn tensors(graph: &Graph, ir: &Node) -> Vec<TensorProto> {
    let name = &graph.value(ir.outputs[0]).name;
    let Some(numbers) = numbers(ir) else { return vec![] };
    let made = constants(numbers).into_iter().map(|(part, number)| {
        let code = encoding(part).quantize(&[number as f32], &[])[0] as u16;
        let kind = DataType::of(IntegerType::Uint16);
        small_tensor(&format!("{name}/{}/q", part.0), kind, &[], code.to_le_bytes().to_vec())
    });
    made.collect()
}

/// The nodes that a GELU becomes; the last makes the float of what it makes.
pub(crate) fn nodes(graph: &Graph, ir: &Node) -> Vec<NodeProto> {
    let Some(numbers) = numbers(ir) else { return vec![] };
    let (name, x) = (&graph.value(ir.outputs[0]).name, read_name(graph, ir.inputs[0]));
    let read = |of: &str| format!("{name}/{of}/dq");
    let mut made = Vec::new();
    let convert = |made: &mut Vec<NodeProto>, op: &str, of: &str, from: String, to: String| {
        let inputs = vec![from, format!("{name}/{of}/scale"), format!("{name}/{of}/zero_point")];
        made.push(node(op, &format!("{to}/node"), inputs, vec![to], vec![]));
    };
    for ((of, ..), _) in constants(numbers) {
        convert(&mut made, "DequantizeLinear", of, format!("{name}/{of}/q"), read(of));
    }
    let has_slope = numbers[2] != 0.0;
    let slope = [("Mul", read("square"), read("c"), "quadratic"), ("Add", read("quadratic"), read("b"), "slope")];
    let steps = [("Mul", x.clone(), x.clone(), "square")].into_iter().chain(slope.into_iter().filter(|_| has_slope));
    let steps = steps.chain([
        ("Mul", read("square"), read(if has_slope { "slope" } else { "b" }), "cubic"),
        ("Add", read("cubic"), read("a"), "factor"),
        ("Mul", x.clone(), read("factor"), "inner"),
        ("Sigmoid", read("inner"), String::new(), "sigmoid"),
    ]);
    for (op, first, second, of) in steps {
        let to = format!("{name}/{of}");
        let inputs = [first, second].into_iter().filter(|input| !input.is_empty()).collect();
        made.push(node(op, &format!("{to}/node"), inputs, vec![to.clone()], vec![]));
        convert(&mut made, "QuantizeLinear", of, to.clone(), format!("{to}/q"));
        convert(&mut made, "DequantizeLinear", of, format!("{to}/q"), read(of));
    }
    made.push(node("Mul", &ir.name, vec![x, read("sigmoid")], vec![float_name(graph, ir.outputs[0])], vec![]));
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use autoneural_core::ir::Constant;
    use autoneural_core::ir::ops::Gelu;

    /// The formula for real numbers.
    fn spelled(x: f64, [a, b, c]: [f64; 3]) -> f64 {
        let square = (x * x).min(SQUARE);
        let inner = x * (a + square * (b + c * square));
        x / (1.0 + (-inner.clamp(-END, END)).exp())
    }

    #[test]
    fn the_formula_is_near_to_that_of_the_operator() {
        for kind in [GeluKind::Erf, GeluKind::Tanh] {
            let op = Op::Gelu(Gelu { kind });
            let points: Vec<f32> = (-1200..=1200).map(|step| step as f32 / 100.0).collect();
            let all = Constant::from_values(points.clone(), vec![points.len()]);
            let wanted = op.evaluate(&[all]).unwrap()[0].to_f32();
            let numbers = numbers(&Node { name: "y".into(), op, inputs: vec![], outputs: vec![] }).unwrap();
            for (x, wanted) in points.iter().zip(wanted.iter()) {
                let off = spelled(f64::from(*x), numbers) - f64::from(*wanted);
                assert!(off.abs() < 8e-5, "{kind:?} {x}: {off}");
            }
        }
    }
}
