//! Models of a bundle in float, step by step, held against figures of others.

use std::path::Path;

use autoneural::bundle::Bundle;
use autoneural::engine::{Engine, Reference, Tensor};
use autoneural::front::Definition;
use autoneural::host::Sequence;
use autoneural::partition::Partition;
use autoneural::verify::Sqnr;

/// Parity with the golden outputs that the project promises.
pub const PARITY_DB: f64 = 100.0;

/// Parity of a chain of steps with all tokens at once.
pub const CHAIN_DB: f64 = 90.0;

pub struct Model {
    pub definition: Definition,
    pub partitions: Vec<Partition>,
    pub engines: Vec<Reference>,
}

impl Model {
    pub fn open(folder: &Path) -> Self {
        let bundle = Bundle::look(folder).unwrap();
        let partitions = bundle.partitions().unwrap();
        let engines = partitions.iter().map(|p| Reference::load(p, &bundle.float_model(p)).unwrap()).collect();
        Model { definition: bundle.definition().unwrap(), partitions, engines }
    }

    pub fn run(&mut self, partition: usize, inputs: &[Tensor]) -> Vec<Tensor> {
        self.engines[partition].run(inputs).unwrap()
    }

    /// Takes in tokens by prefill (or decode, one by one); gives the logits of the last.
    pub fn advance(&mut self, sequence: &mut Sequence, partition: usize, embeds: &[f32]) -> Vec<f32> {
        let hidden = self.definition.language.hidden;
        let chunk = if partition == PREFILL { self.definition.language.prefill } else { 1 };
        let mut logits = Vec::new();
        for embeds in embeds.chunks(chunk * hidden) {
            let inputs = sequence.inputs(&self.partitions[partition], embeds).unwrap();
            let outputs = self.run(partition, &inputs);
            sequence.absorb(&self.partitions[partition], &outputs, embeds.len() / hidden).unwrap();
            logits = outputs[0].as_f32().unwrap().to_vec();
        }
        logits
    }
}

pub const VISION: usize = 0;
pub const PROJECTOR: usize = 1;
pub const PREFILL: usize = 2;
pub const DECODE: usize = 3;

pub fn assert_parity(what: &str, golden: &[f32], made: &[f32], least_db: f64) {
    assert_eq!(golden.len(), made.len(), "{what}");
    let db = Sqnr::of(golden, made).unwrap();
    println!("float parity {what}: {db:.1} dB");
    assert!(db >= least_db, "{what}: {db:.1} dB, {least_db} dB are promised");
}
