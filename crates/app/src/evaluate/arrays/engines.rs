//! Engines that take and give real numbers, and stay loaded from sample to sample.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::record::numbers;
use super::target::Output;
use crate::drivers::{Driver, Run};
use crate::loading::{Loader, loader};
use autoneural_base::error::Result;
use autoneural_bundle::Bundle;
use autoneural_core::encoding::Encoding;
use autoneural_core::partition::{Partition, Port};
use autoneural_core::program::Group;
use autoneural_core::quantize::Table;
use autoneural_core::recipe::Sample;
use autoneural_core::target::Target;
use autoneural_engines::back::qnn::Runtime;
use autoneural_engines::engine::{Engine, EngineKind, Tensor};

/// The engines of a bundle, each loaded when it is first needed.
pub(crate) struct Loaded<'a> {
    bundle: (&'a Bundle, &'a Target),
    graphs: (&'a [Partition], Option<&'a [Table]>),
    runtime: Option<&'a Runtime>,
    kinds: Vec<(EngineKind, Rc<RefCell<Kind<'a>>>)>,
}

/// The engines of one kind.
struct Kind<'a> {
    load: Loader<'a>,
    tables: Option<&'a [Table]>,
    loaded: BTreeMap<String, Shared>,
}

/// An engine between the encodings of its graph's ports.
#[derive(Clone)]
struct Shared {
    engine: Rc<RefCell<Box<dyn Engine>>>,
    inputs: Vec<Option<Encoding>>,
    outputs: Vec<Option<Encoding>>,
}

impl Engine for Shared {
    fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let pairs = inputs.iter().zip(&self.inputs);
        let coded: Vec<Tensor> = pairs.map(|(one, of)| one.encode(of.as_ref())).collect::<Result<_>>()?;
        let made = self.engine.borrow_mut().run(&coded)?;
        Ok(made.iter().zip(&self.outputs).map(|(one, of)| one.decode(of.as_ref())).collect())
    }
}

impl Kind<'_> {
    fn of(&mut self, partition: &Partition, at: Option<usize>) -> Result<Box<dyn Engine>> {
        if let Some(known) = self.loaded.get(&partition.name) {
            return Ok(Box::new(known.clone()));
        }
        let table = at.zip(self.tables).and_then(|(at, tables)| tables.get(at));
        let encodings = |ports: &[Port]| -> Vec<Option<Encoding>> {
            let of = |port: &Port| table.and_then(|table| table.activations.get(&port.name)).cloned();
            ports.iter().map(of).collect()
        };
        let (inputs, outputs) = (encodings(&partition.inputs), encodings(&partition.outputs));
        let engine = Rc::new(RefCell::new((self.load)(partition)?));
        let made = Shared { engine, inputs, outputs };
        self.loaded.insert(partition.name.clone(), made.clone());
        Ok(Box::new(made))
    }
}

impl<'a> Loaded<'a> {
    /// None is loaded yet.
    pub(crate) fn new(
        bundle: (&'a Bundle, &'a Target),
        graphs: (&'a [Partition], Option<&'a [Table]>),
        runtime: Option<&'a Runtime>,
    ) -> Self {
        Loaded { bundle, graphs, runtime, kinds: vec![] }
    }

    /// Runs a sample through all graphs on one engine. Gives every output that it reaches, in real numbers; what one
    /// graph hands to the next is this engine's own.
    ///
    /// # Errors
    /// The engine is missing or fails.
    pub(crate) fn run<'r>(
        &mut self,
        kind: EngineKind,
        driver: &'r dyn Driver,
        run: &Run<'r>,
        what: (&[Sample], &[Group]),
        outputs: &[Output],
    ) -> Result<Vec<Option<Vec<f32>>>>
    where
        'a: 'r,
    {
        let known = self.kinds.iter().find(|(of, _)| *of == kind).map(|(_, engines)| engines.clone());
        let engines = match known {
            Some(engines) => engines,
            None => {
                let tables = self.graphs.1.filter(|_| kind != EngineKind::Float);
                let load = loader(kind, self.bundle, (self.graphs.0, tables), self.runtime)?;
                let made = Rc::new(RefCell::new(Kind { load, tables, loaded: BTreeMap::new() }));
                self.kinds.push((kind, made.clone()));
                made
            }
        };
        let partitions = self.graphs.0;
        let load = move |partition: &Partition| {
            let at = partitions.iter().position(|other| other.name == partition.name);
            engines.borrow_mut().of(partition, at)
        };
        let mut made: Vec<Option<Vec<f32>>> = vec![None; outputs.len()];
        driver.walk("evaluate", run, what, Box::new(load), &mut |step| {
            for (output, made) in outputs.iter().zip(&mut made).filter(|(one, _)| one.partition == step.partition) {
                *made = Some(numbers(step.outputs[output.port].clone())?);
            }
            Ok(())
        })?;
        Ok(made)
    }
}
