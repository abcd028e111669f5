//! Small quantized models as text.

use std::path::Path;

use crate::onnx::import::{Imported, import_model};
use autoneural_base::error::Result;
use autoneural_core::encoding::{Encoding, IntegerType};
use autoneural_onnx::{DataFiles, text};

/// The input `x` [1, 2] of a type and the output `y`, of an operator set with all integers.
fn read(input: i32, graph: &str) -> Result<Imported> {
    let model = format!(
        "ir_version: 10 opset_import {{ version: 21 }} opset_import {{ domain: 'com.microsoft' version: 1 }} graph {{
           name: 'g' output {{ name: 'y' }}
           input {{ name: 'x' type {{ tensor_type {{
             elem_type: {input} shape {{ dim: [{{ dim_value: 1 }}, {{ dim_value: 2 }}] }} }} }} }}
           initializer {{ name: 's' data_type: 1 float_data: 0.5 }}
           initializer {{ name: 'z' data_type: 2 int32_data: 3 }}
           {graph} }}"
    );
    let model = text::parse(Path::new("model.textproto"), model.into_bytes())?;
    import_model(&model, &mut DataFiles::beside(Path::new("/nowhere")), &[])
}

fn operators(made: &Imported) -> Vec<&'static str> {
    made.graph.nodes().iter().map(|node| node.op.name()).collect()
}

fn refused(input: i32, graph: &str, words: &str) {
    let error = read(input, graph).err().unwrap_or_else(|| panic!("{graph} was taken"));
    let said = format!("{error} {}", error.help.clone().unwrap_or_default());
    assert!(said.contains(words), "{words}: {said}");
}

const PAIR: &str = "node { name: 'q' op_type: 'QuantizeLinear' input: ['x', 's', 'z'] output: 'xq' }
    node { name: 'd' op_type: 'DequantizeLinear' input: ['xq', 's', 'z'] output: 'xd' }";

fn pair_of(integer: IntegerType, zero_point: i64) -> Encoding {
    Encoding { integer, scale: vec![0.5], zero_point: vec![zero_point], axis: None, block: None }
}

#[test]
fn a_pair_comes_off_and_what_it_says_stays() {
    let made = read(1, &format!("{PAIR} node {{ op_type: 'Sigmoid' input: 'xd' output: 'y' }}")).unwrap();
    assert_eq!(operators(&made), ["Sigmoid"]);
    assert_eq!(made.stated.activations["x"], pair_of(IntegerType::Uint8, 3));
    // In the domain that ONNX Runtime has for integers that the standard lacked.
    let own = PAIR.replace("output:", "domain: 'com.microsoft' output:");
    let made = read(1, &format!("{own} node {{ op_type: 'Sigmoid' input: 'xd' output: 'y' }}")).unwrap();
    assert_eq!(made.stated.activations["x"], pair_of(IntegerType::Uint8, 3));
}

#[test]
fn integers_at_the_border_are_real_numbers_then() {
    let graph = "node { op_type: 'DequantizeLinear' input: ['x', 's', 'z'] output: 'xd' }
        node { op_type: 'Sigmoid' input: 'xd' output: 'sum' }
        node { op_type: 'QuantizeLinear' input: ['sum', 's', 'z'] output: 'y' }";
    let made = read(2, graph).unwrap();
    assert_eq!(operators(&made), ["Sigmoid"]);
    assert_eq!(made.graph.value(made.graph.outputs()[0]).name, "y");
    for name in ["x", "y"] {
        assert_eq!(made.stated.activations[name], pair_of(IntegerType::Uint8, 3), "{name}");
    }
    assert!(made.notes.iter().any(|note| note.ends_with("are taken as float32: `x`")), "{:?}", made.notes);
    // What nothing computed is an output of its own.
    let made = read(1, &PAIR.replace("'xd'", "'y'")).unwrap();
    assert_eq!((operators(&made), made.stated.activations.len()), (vec!["Reshape"], 1));
}

/// Weights in integers of four bits with a scale for each block, and the integers that they come back as.
#[test]
fn weights_in_blocks_of_four_bits_are_their_numbers() {
    for (kind, zero, bytes) in [(22, "0", "\\x21\\xf3"), (21, "136", "\\xa9\\x7b")] {
        let graph = format!(
            "initializer {{ name: 'w_quantized' dims: [2, 2] data_type: {kind} raw_data: '{bytes}' }}
             initializer {{ name: 'ws' dims: [1, 2] data_type: 1 float_data: [2, 0.25] }}
             initializer {{ name: 'wz' dims: [1, 2] data_type: {kind} int32_data: {zero} }}
             node {{ op_type: 'DequantizeLinear' input: ['w_quantized', 'ws', 'wz'] output: 'wd'
               attribute: [{{ name: 'axis' type: INT i: 0 }}, {{ name: 'block_size' type: INT i: 2 }}] }}
             node {{ op_type: 'MatMul' input: ['x', 'wd'] output: 'y' }}"
        );
        let made = read(1, &graph).unwrap();
        // Called as before it was quantized.
        let value = made.graph.value(made.graph.find("w").unwrap());
        let numbers = value.constant().unwrap().to_f32();
        assert_eq!(numbers, [2.0, 0.5, 6.0, -0.25], "{kind}");
        let stated = &made.stated.params["w"];
        assert_eq!((stated.integer, stated.axis, stated.block), (IntegerType::Int4, Some(0), Some(2)));
        assert_eq!(stated.quantize(&numbers, &value.shape), [1, 2, 3, -1]);
    }
}

/// As AIMET exports them: numbers in float before both halves of a pair.
#[test]
fn weights_may_stand_in_float_before_a_pair() {
    let graph = "initializer { name: 'w' dims: [2, 2] data_type: 1 float_data: [1, 2, 3, 4] }
        initializer { name: 'ws' dims: 2 data_type: 1 float_data: [0.5, 0.25] }
        initializer { name: 'wz' dims: 2 data_type: 3 int32_data: [0, 0] }
        node { op_type: 'QuantizeLinear' input: ['w', 'ws', 'wz'] output: 'wq' attribute { name: 'axis' type: INT i: -1 } }
        node { op_type: 'DequantizeLinear' input: ['wq', 'ws', 'wz'] output: 'wd'
          attribute { name: 'axis' type: INT i: 1 } }
        node { op_type: 'MatMul' input: ['x', 'wd'] output: 'y' }";
    let made = read(1, graph).unwrap();
    assert_eq!(operators(&made), ["MatMul"]);
    let stated = &made.stated.params["w"];
    assert_eq!((stated.integer, stated.axis, &stated.scale[..]), (IntegerType::Int8, Some(1), &[0.5, 0.25][..]));
}

#[test]
fn a_value_that_is_quantized_twice_has_what_came_first() {
    let graph = format!(
        "{PAIR} initializer {{ name: 's2' data_type: 1 float_data: 0.25 }}
         node {{ op_type: 'QuantizeLinear' input: ['xd', 's2', 'z'] output: 'xq2' }}
         node {{ op_type: 'DequantizeLinear' input: ['xq2', 's2', 'z'] output: 'xd2' }}
         node {{ op_type: 'Sigmoid' input: 'xd2' output: 'y' }}"
    );
    let made = read(1, &graph).unwrap();
    assert_eq!(made.stated.activations["x"], pair_of(IntegerType::Uint8, 3));
    assert!(made.notes.iter().any(|note| note.contains("`x` is quantized twice")), "{:?}", made.notes);
}

#[test]
fn what_is_no_pair_is_named() {
    let end = "node { op_type: 'Sigmoid' input: 'xd' output: 'y' }";
    let pair = format!("{PAIR} {end}");
    let with = |constant: &str| format!("initializer {{ name: 't' data_type: 1 {constant} }} {end}");
    let other = |constant: &str| format!("{} {}", PAIR.replace("['xq', 's'", "['xq', 't'"), with(constant));
    refused(1, &other("float_data: 0.25"), "node `d`: has other scales or zero points");
    refused(1, &other("float_data: 0"), "has the scale 0, which is impossible");
    refused(1, &other("float_data: nan"), "has the scale NaN");
    refused(1, &other("dims: 2 float_data: [1, 2]"), "2 scales and 1 zero points");
    refused(1, &pair.replace("input: ['x', 's', 'z']", "input: ['x', 'x', 'z']"), "`x` is not constant");
    refused(1, &pair.replace("input: ['x', 's', 'z']", "input: 'x'"), "has no scale");
    let several = pair.replace("'s'", "'t'").replace("'z'", "''");
    refused(
        1,
        &format!("initializer {{ name: 't' dims: 2 data_type: 1 float_data: [1, 2] }} {several}"),
        "no constant",
    );
    // Integers that something else computes with.
    let cast = "node { op_type: 'Cast' input: 'xq' output: 'y' attribute { name: 'to' type: INT i: 1 } }";
    refused(1, &format!("{PAIR} {cast}"), "integers that something computes with");
    let weight = "initializer { name: 'w' dims: [2, 2] data_type: 3 raw_data: 'abcd' }
        initializer { name: 'ws' dims: 3 data_type: 1 float_data: [1, 1, 1] }
        node { name: 'd' op_type: 'DequantizeLinear' input: ['w', 'ws'] output: 'wd' attribute { name: 'axis' type: INT i: 0 } }
        node { op_type: 'MatMul' input: ['x', 'wd'] output: 'y' }";
    refused(1, weight, "node `d`: has scales of the shape [3], which do not fit [2, 2]");
    refused(1, &weight.replace("i: 0", "i: 7"), "along an axis that [2, 2] has not");
    let block = weight.replace("type: INT i: 0 }", "type: INT i: 0 } attribute { name: 'block_size' type: INT i: 3 }");
    refused(1, &block, "do not fit [2, 2]");
}

/// AIMET leaves activations where they are, though integers that begin at 0 stand before them.
#[test]
fn an_activation_that_is_there_is_not_put_back() {
    let sum = |behind: &str| {
        format!(
            "initializer {{ name: 'zero' data_type: 2 int32_data: 0 }}
             initializer {{ name: 'least' data_type: 1 float_data: -1 }}
             node {{ op_type: 'Add' input: ['x', 'x'] output: 'a' }}
             node {{ op_type: 'QuantizeLinear' input: ['a', 's', 'zero'] output: 'aq' }}
             node {{ op_type: 'DequantizeLinear' input: ['aq', 's', 'zero'] output: 'ad' }} {behind}"
        )
    };
    let relu = "node { op_type: 'Relu' input: 'ad' output: 'y' }";
    let made = read(1, &sum(relu)).unwrap();
    assert_eq!(operators(&made), ["Add", "Relu"], "{:?}", made.notes);
    // One that lets numbers below 0 pass, and something else that reads the sum, need it.
    let clip = "node { op_type: 'Clip' input: ['ad', 'least'] output: 'y' }";
    assert_eq!(operators(&read(1, &sum(clip)).unwrap()), ["Add", "Relu", "Clip"]);
    let both =
        "node { op_type: 'Relu' input: 'ad' output: 'r' } node { op_type: 'Mul' input: ['r', 'ad'] output: 'y' }";
    assert_eq!(operators(&read(1, &sum(both)).unwrap()), ["Add", "Relu", "Relu", "Mul"]);
}
