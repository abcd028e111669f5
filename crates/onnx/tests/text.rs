//! The text form: what is written comes back, what Python's `onnx` writes is read, what is wrong is named by line.

use std::path::Path;

use autoneural_onnx::attribute_proto::AttributeType;
use autoneural_onnx::tensor_shape_proto::{Dimension, dimension};
use autoneural_onnx::{
    AttributeProto, GraphProto, ModelProto, NodeProto, StringStringEntryProto, TensorProto, TensorShapeProto,
    TypeProto, ValueInfoProto, decode, encode_as, text, type_proto,
};
use proptest::prelude::*;
use prost::Message;

const PLACE: &str = "folder/model.textproto";

fn parse(text: &str) -> Result<ModelProto, String> {
    text::parse(Path::new(PLACE), text.as_bytes().to_vec()).map_err(|error| error.to_string())
}

fn refused(text: &str) -> String {
    parse(text).err().unwrap_or_else(|| panic!("{text} was taken"))
}

/// Any number of 32 bits. The text form has one not-a-number, of no sign.
fn float() -> impl Strategy<Value = f32> {
    any::<u32>().prop_map(|bits| if f32::from_bits(bits).is_nan() { f32::NAN } else { f32::from_bits(bits) })
}

fn double() -> impl Strategy<Value = f64> {
    any::<u64>().prop_map(|bits| if f64::from_bits(bits).is_nan() { f64::NAN } else { f64::from_bits(bits) })
}

fn string() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z/.]{0,9}", any::<String>(), Just("\0\u{7f}\u{85}\n\r\t\"'\\?é\u{1f600}".to_string())]
}

fn tensor() -> impl Strategy<Value = TensorProto> {
    let lists = (
        prop::collection::vec(float(), 0..4),
        prop::collection::vec(double(), 0..3),
        prop::collection::vec(any::<i32>(), 0..3),
        prop::collection::vec(any::<u64>(), 0..3),
        prop::collection::vec(any::<u8>(), 0..9),
    );
    (string(), any::<i32>(), prop::collection::vec(any::<i64>(), 0..3), lists, 0..2i32).prop_map(
        |(name, data_type, dims, (float_data, double_data, int32_data, uint64_data, raw_data), data_location)| {
            let string_data = vec![raw_data.clone(), vec![]];
            let external_data = vec![StringStringEntryProto { key: "location".into(), value: name.clone() }];
            TensorProto {
                name,
                data_type,
                dims,
                float_data,
                double_data,
                int32_data,
                uint64_data,
                raw_data,
                string_data,
                external_data,
                data_location,
                ..TensorProto::default()
            }
        },
    )
}

fn attribute(graph: Option<BoxedStrategy<GraphProto>>) -> BoxedStrategy<AttributeProto> {
    let of = |kind: AttributeType, made: AttributeProto| AttributeProto { r#type: kind.into(), ..made };
    let name = |name: String| AttributeProto { name, ..AttributeProto::default() };
    let plain = prop_oneof![
        (string(), float()).prop_map(move |(n, f)| of(AttributeType::Float, AttributeProto { f, ..name(n) })),
        (string(), any::<i64>()).prop_map(move |(n, i)| of(AttributeType::Int, AttributeProto { i, ..name(n) })),
        (string(), prop::collection::vec(any::<i64>(), 0..5))
            .prop_map(move |(n, ints)| of(AttributeType::Ints, AttributeProto { ints, ..name(n) })),
        (string(), prop::collection::vec(any::<u8>(), 0..5))
            .prop_map(move |(n, s)| of(AttributeType::String, AttributeProto { s, ..name(n) })),
        (string(), tensor())
            .prop_map(move |(n, t)| of(AttributeType::Tensor, AttributeProto { t: Some(t), ..name(n) })),
    ];
    match graph {
        None => plain.boxed(),
        Some(graph) => {
            let graph = (string(), graph)
                .prop_map(move |(n, g)| of(AttributeType::Graph, AttributeProto { g: Some(g), ..name(n) }));
            prop_oneof![4 => plain, 1 => graph].boxed()
        }
    }
}

fn info() -> impl Strategy<Value = ValueInfoProto> {
    let axis = prop_oneof![
        any::<i64>().prop_map(|size| Some(dimension::Value::DimValue(size))),
        string().prop_map(|name| Some(dimension::Value::DimParam(name))),
        Just(None)
    ];
    (string(), prop::collection::vec(axis, 0..4)).prop_map(|(name, axes)| {
        let dim = axes.into_iter().map(|value| Dimension { value, ..Dimension::default() }).collect();
        let tensor = type_proto::Tensor { elem_type: 1, shape: Some(TensorShapeProto { dim }) };
        let r#type = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() };
        ValueInfoProto { name, r#type: Some(r#type), ..ValueInfoProto::default() }
    })
}

fn graph(depth: u32) -> BoxedStrategy<GraphProto> {
    let inner = (depth > 0).then(|| graph(depth - 1));
    let names = || prop::collection::vec(string(), 0..3);
    let node = (names(), names(), string(), prop::collection::vec(attribute(inner), 0..3)).prop_map(
        |(input, output, op_type, attribute)| NodeProto { input, output, op_type, attribute, ..NodeProto::default() },
    );
    let lists =
        (prop::collection::vec(node, 0..3), prop::collection::vec(tensor(), 0..2), prop::collection::vec(info(), 0..2));
    (string(), lists)
        .prop_map(|(name, (node, initializer, input))| GraphProto {
            name,
            node,
            initializer,
            input,
            ..GraphProto::default()
        })
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]
    #[test]
    fn models_come_back_to_the_last_bit(graph in graph(2), ir_version in any::<i64>(), producer_name in string()) {
        let model = ModelProto { ir_version, producer_name, graph: Some(graph), ..ModelProto::default() };
        let text = encode_as(Path::new(PLACE), &model).unwrap();
        let back = decode(Path::new(PLACE), text.clone()).unwrap();
        prop_assert_eq!(back.encode_to_vec(), model.encode_to_vec(), "{}", String::from_utf8(text).unwrap());
    }

    #[test]
    fn no_text_makes_it_panic(text in "([a-z_]{1,9}|graph|node|input|float_data|[-{}<>:;,0-9.e\"'\\\\# \n]|\\[|\\]){0,40}") {
        let _ = parse(&text);
    }
}

/// All that the text form allows and `onnx` takes, though it does not write it.
#[test]
fn every_way_to_write_a_thing_is_read() {
    let model = parse(
        "# a comment\nir_version: 0xA; graph: {\n  name: 'a' \"b\\x41\\101\\u00e9\"\n  node < input: ['x', 'y'] output: [] >\n\
         node: [{op_type: 'Add'}, <op_type: 'Mul'>]\n\
         initializer { dims: [010, 2] data_type: 1 float_data: [nan, -inf, infinity, 1e40, 340000000000000000000000000000,\n\
         .5, 1., 2.5f, -0.1] data_location: 1 raw_data: '\\377\\0\\?' } }",
    )
    .unwrap();
    let graph = model.graph.unwrap();
    assert_eq!((model.ir_version, graph.name.as_str()), (10, "abAAé"));
    let ops: Vec<&str> = graph.node.iter().map(|node| node.op_type.as_str()).collect();
    assert_eq!((ops, &graph.node[0].input[..]), (vec!["", "Add", "Mul"], &["x".to_string(), "y".into()][..]));
    let tensor = &graph.initializer[0];
    assert_eq!((&tensor.dims[..], tensor.data_location), (&[8, 2][..], 1));
    assert_eq!(tensor.raw_data, [0xff, 0, b'?']);
    assert!(tensor.float_data[0].is_nan());
    let infinite = f32::INFINITY;
    assert_eq!(tensor.float_data[1..], [-infinite, infinite, infinite, 3.4e29, 0.5, 1.0, 2.5, -0.1]);
}

#[test]
fn faults_are_named_with_their_line() {
    for (text, line, word) in [
        ("ir_version: 8\ngraph {\n  nodes { }\n}", 3, "`nodes` is no field of GraphProto"),
        ("ir_version: 8\n\nir_version: 9", 3, "`ir_version` stands twice"),
        ("graph {\n node {\n", 3, "2 messages are not ended"),
        ("graph {\n >", 2, "`>` where a field or the end"),
        ("}", 1, "`}` where a field is wanted"),
        ("\nir_version 8", 2, "a colon is missing behind `ir_version`"),
        ("ir_version: 'x'", 1, "`ir_version` is no whole number"),
        ("ir_version: 08", 1, "is 08, which is no whole number"),
        ("ir_version: 9223372036854775808", 1, "takes -9223372036854775808 to"),
        ("producer_name: x", 1, "`producer_name` is a text, which stands in quotes"),
        ("producer_name: '\\xff'", 1, "is no UTF-8 text"),
        ("producer_name: 'x\n'", 1, "does not end on its line"),
        ("producer_name: '\\q'", 1, "`\\q` is no escape"),
        ("producer_name: '\\400'", 1, "escape \\400 is no byte"),
        ("graph { initializer {\n data_location: 7 } }", 2, "`data_location` has no value 7"),
        ("graph { initializer {\n data_location: AWAY } }", 2, "`data_location` has no value AWAY"),
        ("graph { initializer {\n float_data: [1 2] } }", 2, "a comma is missing"),
        ("graph { initializer {\n float_data: one } }", 2, "`float_data` is no number"),
        (
            "graph { input { type { tensor_type { shape { dim {\n dim_value: 1\n dim_param: 'n' } } } } } }",
            3,
            "excludes it",
        ),
        ("graph: 1", 1, "`graph` is a message, and { is missing"),
        ("\n[type.googleapis.com/onnx] { }", 2, "are not those of ONNX"),
        ("ir_version: 8 @", 1, "`@` means nothing here"),
    ] {
        let said = refused(text);
        let place = format!("{PLACE}:{line}: is no ONNX model in text form: ");
        assert!(said.starts_with(&place) && said.contains(word), "{text}: {said}");
    }
    assert!(decode(Path::new(PLACE), b"ir_version: 8".to_vec()).unwrap_err().to_string().contains("has no graph"));
}

/// What is small in a file and large in memory is refused before it is there.
#[test]
fn what_would_take_much_memory_or_stack_is_refused() {
    for (text, word) in [
        (format!("{}{}", "graph { node { attribute { g { ", "node { attribute { g {".repeat(100_000)), "in each other"),
        (format!("graph {{ {} }}", "node {}".repeat(200_000)), "131072 messages"),
        (format!("graph {{ initializer {{ dims: [{}] }} }}", "1,".repeat(5_000_000)), "4194304 values"),
        (format!("graph {{ name: '{}' }}", " ".repeat(65 << 20)), "more than 67.11 MB"),
    ] {
        let said = refused(&text);
        assert!(said.contains(word), "{said}");
    }
    let many = |graph: GraphProto| {
        let model = ModelProto { graph: Some(graph), ..ModelProto::default() };
        text::print(Path::new(PLACE), &model).unwrap_err().to_string()
    };
    let nodes = vec![NodeProto::default(); 200_000];
    assert!(many(GraphProto { node: nodes, ..GraphProto::default() }).contains("131072 messages"));
    let tensor = |raw_data, int32_data| TensorProto { raw_data, int32_data, ..TensorProto::default() };
    for tensor in [tensor(vec![0; 20 << 20], vec![]), tensor(vec![0; 65 << 20], vec![])] {
        assert!(many(GraphProto { initializer: vec![tensor], ..GraphProto::default() }).contains("67.11 MB"));
    }
    let list = tensor(vec![], vec![1; 5_000_000]);
    assert!(many(GraphProto { initializer: vec![list], ..GraphProto::default() }).contains("4194304 values"));
}

/// A value of an enumeration that has no name is printed as its number, as Python does.
#[test]
fn enumerations_without_a_name_are_numbers() {
    let attribute = AttributeProto { name: "a".into(), r#type: 99, ..AttributeProto::default() };
    let node = NodeProto { attribute: vec![attribute], ..NodeProto::default() };
    let graph = GraphProto { node: vec![node], ..GraphProto::default() };
    let text = text::print(Path::new(PLACE), &ModelProto { graph: Some(graph), ..ModelProto::default() }).unwrap();
    assert!(text.contains("      type: 99\n"), "{text}");
    assert!(refused(&text).contains("`type` has no value 99"));
}
