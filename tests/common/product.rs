//! A model that multiplies two inputs, with samples and a recipe.

use autoneural::back::onnx::{DataWriter, emit_float};
use autoneural::drivers::tensors::partition;
use autoneural::ir::{Builder, ElementType, ops};
use autoneural::passes::as_built;
use safetensors::tensor::{Dtype, TensorView, serialize};
use tempfile::TempDir;

use crate::common::numbers;

const ROWS: usize = 48;
const INNER: usize = 32;

/// A folder with a model that multiplies two inputs, samples and a recipe with these lines more.
pub fn model(more: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let shapes = [("a", vec![1, 4, ROWS, INNER]), ("b", vec![1, 4, INNER, ROWS])];
    let mut b = Builder::new("product");
    let [left, right] = shapes.clone().map(|(name, shape)| b.input(name, shape, ElementType::F32).unwrap());
    let y = b.node("y", ops::MatMul, &[left, right]).unwrap();
    let partition = partition("product", as_built(&b.finish(vec![y])).unwrap()).unwrap();
    let mut data = DataWriter::create(folder.path(), &partition.group).unwrap();
    emit_float(&partition, &folder.path().join("product.onnx"), &mut data).unwrap();
    data.finish().unwrap();
    let mut recipe = format!(
        "schema = 2\nname = \"product\"\n[recipe.product]\nweights = \"int8\"\nactivations = \"uint16\"\n\
         observer = \"min-max\"\n{more}"
    );
    for at in 0..4 {
        let bytes = [0, 1].map(|side| -> Vec<u8> {
            let numbers = numbers(4 * ROWS * INNER, 70 + 2 * at + side);
            numbers.iter().flat_map(|value| value.to_le_bytes()).collect()
        });
        let views = shapes.iter().zip(&bytes).map(|((name, shape), bytes)| {
            (name.to_string(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
        });
        let name = format!("{at}.safetensors");
        std::fs::write(folder.path().join(&name), serialize(views, None).unwrap()).unwrap();
        // The last is among the others, so that no range is left.
        let lists: &[&str] = if at < 3 { &["calibration"] } else { &["calibration", "verification"] };
        lists.iter().for_each(|list| recipe.push_str(&format!("[[{list}]]\ntensors = \"{name}\"\n")));
    }
    std::fs::write(folder.path().join("recipe.toml"), recipe).unwrap();
    folder
}
