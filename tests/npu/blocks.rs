//! Weights of 4 bits in blocks: computed in integers, as exactly as with one scale per channel.

use std::path::Path;

use autoneural::back::onnx::{DataWriter, emit_float};
use autoneural::bundle::Bundle;
use autoneural::drivers::tensors::partition;
use autoneural::ir::{Builder, Constant, ElementType, ops};
use autoneural::passes::as_built;
use autoneural::quantize::{lost_to_steps, weight};
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{autoneural, json, numbers, stderr, succeed};

const INPUTS: usize = 256;
const OUTPUTS: usize = 32;

/// Weights that lie on a grid of blocks, output channels outermost: scales of channels, multiples of blocks, numbers.
fn on_grid(block: usize) -> (Vec<f32>, Vec<u32>, Vec<f32>) {
    let (count, chance) = (INPUTS / block, numbers(OUTPUTS * INPUTS * 2, 7));
    let scales: Vec<f32> = (0..OUTPUTS).map(|at| 0.002 + 0.001 * chance[at].abs()).collect();
    let multiple = |at: usize| if at.is_multiple_of(count) { 16 } else { 2 + (at * 7 % 13) as u32 };
    let multiples: Vec<u32> = (0..OUTPUTS * count).map(multiple).collect();
    let weight = |at: usize| {
        // The largest integer is in every block.
        let code = if at.is_multiple_of(block) { 7.0 } else { (chance[OUTPUTS + at] * 5.0).round().clamp(-7.0, 7.0) };
        code * multiples[at / block] as f32 * scales[at / INPUTS]
    };
    let weights = (0..OUTPUTS * INPUTS).map(weight).collect();
    (scales, multiples, weights)
}

/// A folder with a model of one operator, samples and a recipe with these bits of weights. The first sample, which only
/// calibrates, is `largest` times as large as the others.
fn model(is_conv: bool, weights: &[f32], bits: &str, largest: f32) -> TempDir {
    let folder = TempDir::new().unwrap();
    let shape = if is_conv { vec![1, INPUTS, 3, 4] } else { vec![1, 12, INPUTS] };
    let mut b = Builder::new("blocks");
    let x = b.input("x", shape.clone(), ElementType::F32).unwrap();
    let y = if is_conv {
        let constant = Constant::from_values(weights.to_vec(), vec![OUTPUTS, INPUTS, 1, 1]);
        let weight = b.constant("weight", constant).unwrap();
        let bias = b.constant("bias", Constant::from_values(numbers(OUTPUTS, 4), vec![OUTPUTS])).unwrap();
        let conv = ops::Conv { strides: [1, 1], pads: [0; 4], groups: 1, dilations: [1, 1] };
        b.node("y", conv, &[x, weight, bias]).unwrap()
    } else {
        let turned = (0..INPUTS * OUTPUTS).map(|at| weights[at % OUTPUTS * INPUTS + at / OUTPUTS]).collect();
        let weight = b.constant("weight", Constant::from_values(turned, vec![INPUTS, OUTPUTS])).unwrap();
        b.node("y", ops::MatMul, &[x, weight]).unwrap()
    };
    let partition = partition("blocks", as_built(&b.finish(vec![y])).unwrap()).unwrap();
    let mut data = DataWriter::create(folder.path(), &partition.group).unwrap();
    emit_float(&partition, &folder.path().join("blocks.onnx"), &mut data).unwrap();
    data.finish().unwrap();
    let mut recipe = format!(
        "schema = 2\nname = \"blocks\"\n[recipe.blocks]\nweights = \"{bits}\"\nactivations = \"uint16\"\n\
         observer = \"min-max\"\n"
    );
    for at in 0..8 {
        let factor = if at == 0 { largest } else { 1.0 };
        let numbers = numbers(INPUTS * 12, 50 + at);
        let bytes: Vec<u8> = numbers.iter().flat_map(|value| (value * factor).to_le_bytes()).collect();
        let view = TensorView::new(Dtype::F32, shape.clone(), &bytes).unwrap();
        let name = format!("{at}.safetensors");
        std::fs::write(folder.path().join(&name), serialize([("x", view)], None).unwrap()).unwrap();
        // The last two are among the others, so that no range is left.
        let lists: &[&str] = if at < 6 { &["calibration"] } else { &["calibration", "verification"] };
        lists.iter().for_each(|list| recipe.push_str(&format!("[[{list}]]\ntensors = \"{name}\"\n")));
    }
    std::fs::write(folder.path().join("recipe.toml"), recipe).unwrap();
    folder
}

fn arguments(folder: &Path, encodings: Option<&str>) -> Vec<String> {
    let path = |name: &str| folder.join(name).display().to_string();
    let mut made = ["compile", &path("blocks.onnx"), "--calibration", &path("recipe.toml"), "--target", "sa8295p"]
        .map(String::from)
        .to_vec();
    made.extend(["--out", &path("out"), "-q"].map(String::from));
    made.extend(encodings.into_iter().flat_map(|name| ["--encodings".into(), path(name)]));
    made
}

/// Compiles; gives the SQNR on the NPU, and asserts that it is of integers in blocks.
fn compile(folder: &Path, block: usize, encodings: Option<&str>) -> f64 {
    let arguments = arguments(folder, encodings);
    succeed(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let written = json(&folder.join("out/encodings/blocks.json"));
    let params = written["param_encodings"].as_array().unwrap();
    let weight = params.iter().find(|entry| entry["name"].as_str().unwrap().starts_with("weight")).unwrap();
    assert_eq!(
        (&weight["enc_type"], &weight["bw"], &weight["block_size"]),
        (&json!("PER_BLOCK"), &json!(4), &json!(block))
    );
    let report = json(&folder.join("out/report.json"));
    let partition = &report["partitions"][0];
    assert_eq!(partition["in_fp16"], json!([]), "{partition:?}");
    partition["outputs"][0]["sqnr_db"]["npu"].as_f64().unwrap()
}

#[test]
fn blocks_of_every_size_are_computed_in_integers() {
    for is_conv in [false, true] {
        for block in [16, 32, 64, 128] {
            let folder = model(is_conv, &on_grid(block).2, &format!("int4 in blocks of {block}"), 1.0);
            let found = compile(folder.path(), block, None);
            // The weights are on the grid, so what is lost is lost by activations and by the NPU.
            assert!(found > 55.0, "convolution: {is_conv}, blocks of {block}: {found}");
        }
    }
}

#[test]
fn scales_of_channels_lose_less_as_scales_of_blocks() {
    let scales: Vec<f32> = numbers(OUTPUTS, 3).iter().map(|number| 0.02 + 0.01 * number.abs()).collect();
    let codes: Vec<f32> = numbers(OUTPUTS * INPUTS, 9).iter().map(|n| (n * 5.0).round().clamp(-7.0, 7.0)).collect();
    let weights: Vec<f32> = codes.iter().enumerate().map(|(at, code)| code * scales[at / INPUTS]).collect();
    let given = json!({ "name": "weight", "enc_type": "PER_CHANNEL", "dtype": "INT", "bw": 4, "is_sym": true,
        "scale": scales, "offset": vec![-8; OUTPUTS] });
    let given = json!({ "version": "1.0.0", "activation_encodings": [], "param_encodings": [given] }).to_string();
    let [plain, blocks] = ["int4", "int4 in blocks of 128"].map(|bits| {
        // Values that are small in their range, as those of most tokens are beside a first one.
        let folder = model(false, &weights, bits, 100.0);
        std::fs::write(folder.path().join("given.json"), &given).unwrap();
        let arguments = arguments(folder.path(), Some("given.json"));
        succeed(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let report = json(&folder.path().join("out/report.json"));
        let found = &report["partitions"][0]["outputs"][0]["sqnr_db"];
        [&found["simulated"], &found["npu"]].map(|figure| figure.as_f64().unwrap())
    });
    // The weights are the same; what the NPU loses is not.
    assert!((plain[0] - blocks[0]).abs() < 3.0, "{plain:?}, {blocks:?}");
    assert!(blocks[1] > plain[1] + 6.0, "{plain:?}, {blocks:?}");
}

#[test]
fn blocks_that_share_the_scale_of_their_channel_hold_the_numbers_of_weights_without_blocks() {
    for is_conv in [false, true] {
        let weights: Vec<f32> = numbers(OUTPUTS * INPUTS, 9).iter().map(|number| number * 0.1).collect();
        let [plain, shared] = ["int4", "int4 in blocks of 128\"\nblock_scales = \"shared"].map(|bits| {
            // Values that are small in their range.
            let folder = model(is_conv, &weights, bits, 300.0);
            let arguments = arguments(folder.path(), None);
            succeed(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
            let partition = json(&folder.path().join("out/report.json"))["partitions"][0].clone();
            assert_eq!(partition["in_fp16"], json!([]));
            ["simulated", "npu"].map(|engine| partition["outputs"][0]["sqnr_db"][engine].as_f64().unwrap())
        });
        println!("{plain:?} {shared:?}");
        // Biases of convolutions are in multiples of the same parts of scales, so they are finer, too.
        let (finer, gained) = if is_conv { (3.0, 2.0) } else { (0.1, 3.0) };
        assert!((-0.1..finer).contains(&(shared[0] - plain[0])), "{plain:?} {shared:?}");
        assert!(shared[1] > plain[1] + gained && shared[1] > shared[0] - 0.5, "{plain:?} {shared:?}");
    }
}

#[test]
fn steps_of_sums_take_what_is_counted() {
    for is_conv in [false, true] {
        let weights: Vec<f32> = numbers(OUTPUTS * INPUTS, 9).iter().map(|number| number * 0.1).collect();
        let folder = model(is_conv, &weights, "int4", 1000.0);
        // Far from the simulation, which is what is measured here.
        let mut arguments = arguments(folder.path(), None);
        arguments.extend(["--max-difference", "100"].map(String::from));
        succeed(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let bundle = Bundle::look(&folder.path().join("out")).unwrap();
        let partitions = bundle.partitions().unwrap();
        let table = bundle.tables(&partitions).unwrap().remove(0);
        let (graph, target) = (&partitions[0].graph, bundle.target().unwrap());
        let layer = graph.nodes().iter().find(|node| weight(graph, node).is_some()).unwrap();
        let counted = lost_to_steps(&target, graph, layer, &table);

        let biases = if is_conv { numbers(OUTPUTS, 4) } else { vec![0.0; OUTPUTS] };
        let (mut power, mut count) = (0.0, 0.0);
        for sample in [6, 7] {
            let data = numbers(INPUTS * 12, 50 + sample);
            for (row, channel) in (0..12).flat_map(|row| (0..OUTPUTS).map(move |channel| (row, channel))) {
                let at = |input: usize| if is_conv { data[input * 12 + row] } else { data[row * INPUTS + input] };
                let products = (0..INPUTS).map(|input| at(input) * weights[channel * INPUTS + input]);
                power += f64::from(products.sum::<f32>() + biases[channel]).powi(2);
                count += 1.0;
            }
        }
        let report = json(&folder.path().join("out/report.json"));
        let noise = |engine: &str| {
            let found = report["partitions"][0]["outputs"][0]["sqnr_db"][engine].as_f64().unwrap();
            power / count * 10f64.powf(-found / 10.0)
        };
        let share = (noise("npu") - noise("simulated")) / counted;
        assert!((0.5..2.0).contains(&share), "convolution: {is_conv}: {share}");
    }
}

/// An entry of a file in AIMET's format 1.0.0 or 2.0.0, for weights with output channels outermost or innermost.
fn entry(is_new: bool, is_conv: bool, block: usize, name: &str) -> Value {
    let (scales, multiples, _) = on_grid(block);
    if !is_new {
        let entry = json!({ "name": name, "enc_type": "LPBQ", "dtype": "INT", "bw": 8, "compressed_bw": 4,
            "block_size": block, "is_sym": true, "scale": scales, "offset": vec![-128; OUTPUTS],
            "per_block_int_scale": multiples });
        return json!({ "version": "1.0.0", "activation_encodings": [], "param_encodings": [entry] });
    }
    let count = INPUTS / block;
    let [of_scales, of_multiples]: [Value; 2] = if is_conv {
        let scales: Vec<_> = scales.iter().map(|scale| json!([[[scale]]])).collect();
        let row = |row: &[u32]| row.iter().map(|multiple| json!([[multiple]])).collect::<Vec<_>>();
        [json!(scales), json!(multiples.chunks(count).map(row).collect::<Vec<_>>())]
    } else {
        let row = |at: usize| (0..OUTPUTS).map(|channel| multiples[channel * count + at]).collect::<Vec<_>>();
        [json!([scales]), json!((0..count).map(row).collect::<Vec<_>>())]
    };
    let entry = json!({ "name": name, "output_dtype": "int4", "axis": i32::from(is_conv), "block_size": block,
        "per_channel_float_scale": of_scales, "per_block_int_scale": of_multiples });
    json!({ "version": "2.0.0", "encodings": [entry] })
}

#[test]
fn multiples_of_scales_are_read_from_files() {
    for (is_new, is_conv) in [(false, false), (false, true), (true, false), (true, true)] {
        let folder = model(is_conv, &on_grid(32).2, "int4 in blocks of 32", 1.0);
        let text = entry(is_new, is_conv, 32, "weight").to_string();
        std::fs::write(folder.path().join("given.json"), &text).unwrap();
        let found = compile(folder.path(), 32, Some("given.json"));
        assert!(found > 55.0, "new: {is_new}, convolution: {is_conv}: {found}");
        let written = json(&folder.path().join("out/report.json"));
        assert_eq!(written["partitions"][0]["encodings"]["given"], 1, "{}", written["partitions"][0]["encodings"]);
    }
}

#[test]
fn what_is_on_no_grid_or_cannot_be_cut_is_refused() {
    let folder = model(false, &on_grid(32).2, "int4 in blocks of 32", 1.0);
    let said = |text: String| {
        std::fs::write(folder.path().join("given.json"), text).unwrap();
        let made =
            autoneural(&arguments(folder.path(), Some("given.json")).iter().map(String::as_str).collect::<Vec<_>>());
        assert!(!made.status.success());
        stderr(&made)
    };
    let whole = entry(false, false, 32, "weight").to_string();
    // 12 is the largest multiple: the NPU would take another scale for the channel.
    let text = said(whole.replace("16,", "12,"));
    assert!(text.contains("`weight`: has blocks with the scales") && text.contains("whole sixteenths"), "{text}");
    let text = said(whole.replace("\"block_size\":32", "\"block_size\":64"));
    assert!(text.contains("has 256 scales, its blocks are [32, 4]"), "{text}");
    let text = said(whole.replace("\"compressed_bw\":4,", ""));
    assert!(text.contains("has no compressed_bw"), "{text}");
    for (bits, words) in [
        ("int4 in blocks of 24", "gets blocks of 24"),
        ("int4 in blocks of 8", "takes int8 per channel"),
        ("int4 in blocks", "does not say how far a scale reaches"),
    ] {
        let folder = model(false, &on_grid(32).2, bits, 1.0);
        let made = autoneural(&arguments(folder.path(), None).iter().map(String::as_str).collect::<Vec<_>>());
        assert!(!made.status.success(), "{bits}");
        assert!(stderr(&made).contains(words), "{bits}: {}", stderr(&made));
    }
}
