//! Checkpoints.

use autoneural::Result;
use autoneural::front::{Checkpoint, Layout};

use super::Place;
use super::place::look;

pub fn safetensors(place: &Place, bytes: &[u8]) -> Result<()> {
    let path = place.put("model.safetensors", bytes);
    let checkpoint = Checkpoint::open(&path)?;
    for (name, info) in checkpoint.tensors() {
        look(checkpoint.refuse_non_finite(name));
        if let Some(constant) = look(checkpoint.tensor(name, &info.shape)) {
            assert_eq!(constant.to_f32().len(), info.shape.iter().product::<usize>());
        }
    }
    look(checkpoint.refuse_extra(&["a.weight".into()], &["*.bias".into()]));
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
