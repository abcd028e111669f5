//! Checkpoints.

use autoneural::Result;
use std::ffi::OsString;
use std::path::Path;

use autoneural::front::{Checkpoint, Definition, Layout, WeightsPlace};

use super::Place;
use super::place::{look, project};

fn in_part(path: &Path) -> OsString {
    let mut argument = OsString::from("vision=");
    argument.push(path);
    argument
}

pub fn safetensors(place: &Place, bytes: &[u8]) -> Result<()> {
    let path = place.put("model.safetensors", bytes);
    let checkpoint = Checkpoint::open(&path)?;
    for (name, info) in checkpoint.tensors() {
        look(checkpoint.refuse_non_finite(name));
        if let Some(constant) = look(checkpoint.tensor(name, &info.shape)) {
            assert_eq!(constant.to_f32().len(), info.shape.iter().product::<usize>());
        }
    }
    let mut definition = Definition::read(&project("graphs/autoneural-tiny.toml"))?;
    definition.weights.ignore = vec!["*.bias".into()];
    look(checkpoint.refuse_extra(&["a.weight".into()], &definition.weights));
    // The same file for one part and for all.
    let twice = Checkpoint::open_all(&[WeightsPlace::parse(in_part(&path)), path.as_path().into()])?;
    let used = ["vision=a.weight".to_string(), "a.weight".to_string()];
    look(twice.refuse_extra(&used, &definition.weights));
    twice.set_aside(&used, &definition.weights);
    look(twice.beside(&definition));
    // Builds every known model to compare, which takes a hundred times as long as all the rest.
    if bytes.len().is_multiple_of(64) {
        Layout::recognize(&checkpoint)?;
    }
    Ok(())
}

pub fn index(place: &Place, bytes: &[u8]) -> Result<()> {
    let file = |tensors: &[&str]| {
        let entry = |(at, name): (usize, &&str)| {
            format!(r#""{name}":{{"dtype":"F32","shape":[1],"data_offsets":[{},{}]}}"#, 4 * at, 4 * at + 4)
        };
        let header = format!("{{{}}}", tensors.iter().enumerate().map(entry).collect::<Vec<_>>().join(","));
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; 4 * tensors.len()]].concat()
    };
    place.put("shards/a.safetensors", &file(&["a.weight", "b.weight"]));
    place.put("shards/b.safetensors", &file(&["c.weight"]));
    let path = place.put("shards/model.safetensors.index.json", bytes);
    Checkpoint::open(path.parent().expect("a folder")).map(drop)
}
