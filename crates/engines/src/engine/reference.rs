//! The float reference: the emitted float model in tract. It can watch every value while it runs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{
    EvalContext, EvalOp, Op, StaticName, TypedModelPatch, TypedOp, as_op, op_as_typed_op, op_out_of_plan,
};

use super::threads::use_all_cores;
use super::weights;
use super::{Data, Engine, Tensor};
use crate::back::onnx::{check_float, float_bytes};
use autoneural_base::contain::contain;
use autoneural_base::error::{Error, Result};
use autoneural_base::limits;
use autoneural_core::evidence::Watcher;
use autoneural_core::ir::{ElementType, ops};
use autoneural_core::partition::Partition;

/// Help for a model that passed the check and does not run nevertheless.
const DAMAGED: &str = "the bundle is damaged, or this is a defect of autoneural: `autoneural export` makes it anew";

/// Bytes of float32 from which on the weights of a watched model are not kept in memory. A language model of a billion
/// parameters has 4.7 GB, an encoder of pictures of 300 million parameters 1.1 GB.
const MANY_WEIGHTS: usize = 1 << 28;

type Runnable = Arc<TypedRunnableModel>;

/// An identity operator that shows the value to a watcher. The optimizer cannot remove it, so the value is computed.
#[derive(Clone)]
struct Watch {
    name: String,
    watcher: Arc<dyn Watcher>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Watch({})", self.name)
    }
}

impl PartialEq for Watch {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Watch {}

impl Op for Watch {
    fn name(&self) -> StaticName {
        "Watch".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Watch {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let plain = inputs[0].to_plain_array_view::<f32>()?;
        match plain.as_slice() {
            Some(values) => self.watcher.see(&self.name, plain.shape(), values),
            None => self.watcher.see(&self.name, plain.shape(), &plain.iter().copied().collect::<Vec<_>>()),
        }
        Ok(inputs)
    }
}

impl TypedOp for Watch {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(inputs[0].without_value()))
    }

    as_op!();
}

/// Ends a branch in a scalar output. It keeps a value alive that the optimizer would remove, without holding its
/// memory.
#[derive(Debug, Clone, PartialEq, Eq)]
struct End;

impl Op for End {
    fn name(&self) -> StaticName {
        "End".into()
    }

    op_as_typed_op!();
}

impl EvalOp for End {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, _: TVec<TValue>) -> TractResult<TVec<TValue>> {
        Ok(tvec!(tensor0(0f32).into_tvalue()))
    }
}

impl TypedOp for End {
    fn output_facts(&self, _: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(f32::scalar_fact()))
    }

    as_op!();
}

/// A partition's float model, loaded into tract.
pub struct Reference {
    name: String,
    path: PathBuf,
    model: Runnable,
    /// Outputs before those of the partition, which only keep values alive.
    ends: usize,
}

impl Reference {
    /// Loads the float model of a partition from its file.
    ///
    /// # Errors
    /// The file is missing or unreadable, is not the float model of the partition, or tract refuses it.
    pub fn load(partition: &Partition, path: &Path) -> Result<Self> {
        Self::build(partition, path, None)
    }

    /// Loads the float model with a watcher. It is shown every value that it looks at, except for constants and
    /// indices.
    ///
    /// # Errors
    /// As for [`Reference::load`].
    pub fn load_watched(partition: &Partition, path: &Path, watcher: Arc<dyn Watcher>) -> Result<Self> {
        Self::build(partition, path, Some(watcher))
    }

    /// Loads the model of the partition's graph as it was built. The partition, whose frozen graph is another one,
    /// tells only the inputs and outputs, so the file is not checked against it: the caller must know that this program
    /// wrote it.
    ///
    /// # Errors
    /// The file is missing or unreadable, or tract refuses it.
    pub fn load_as_built(partition: &Partition, path: &Path) -> Result<Self> {
        Self::made(partition, path, None)
    }

    /// Loads the float model of a partition from its graph, without a file: for graphs of few nodes.
    ///
    /// # Errors
    /// tract refuses it.
    pub fn of_graph(partition: &Partition) -> Result<Self> {
        let bytes = float_bytes(&partition.graph)?;
        let refused = |said: String| {
            limits::explained(Error::internal(&partition.name, format!("tract does not load it: {said}")))
        };
        let load = || tract_onnx::onnx().model_for_read(&mut bytes.as_slice())?.into_optimized()?.into_runnable();
        let model = contain(load).map_err(refused)?.map_err(|error| refused(format!("{error:#}")))?;
        Ok(Reference { name: partition.name.clone(), path: PathBuf::from(&partition.name), model, ends: 0 })
    }

    fn build(partition: &Partition, path: &Path, watcher: Option<Arc<dyn Watcher>>) -> Result<Self> {
        check_float(partition, path).map_err(|error| error.within(&partition.name))?;
        Self::made(partition, path, watcher)
    }

    fn made(partition: &Partition, path: &Path, watcher: Option<Arc<dyn Watcher>>) -> Result<Self> {
        // Errors after the check come from numbers and sizes in the file, so they are wrong input.
        let refused = |said: String| {
            limits::explained(Error::input(path.display(), format!("tract does not load it: {said}")).help(DAMAGED))
                .within(&partition.name)
        };
        let made = contain(|| Self::runnable(partition, path, watcher.as_ref())).map_err(refused)?;
        let (model, ends) = made.map_err(|error| refused(format!("{error:#}")))?;
        Ok(Reference { name: partition.name.clone(), path: path.to_path_buf(), model, ends })
    }

    /// The model, and how many outputs it has before those of the partition.
    fn runnable(
        partition: &Partition,
        path: &Path,
        watcher: Option<&Arc<dyn Watcher>>,
    ) -> TractResult<(Runnable, usize)> {
        let mut model = Self::tract_model(partition, path, watcher, &[])?;
        // The optimizer removes values that are multiplied only with zeros, as by a LayerScale of zeros. The NPU
        // computes them nevertheless, so they are watched.
        let gone = watcher.map_or(vec![], |watcher| Self::gone(partition, watcher, &model));
        if !gone.is_empty() {
            model = Self::tract_model(partition, path, watcher, &gone)?;
        }
        Ok((model.into_runnable()?, gone.len()))
    }

    /// Names of the watched values that an optimized model does not compute.
    fn gone<'a>(partition: &'a Partition, watcher: &Arc<dyn Watcher>, model: &TypedModel) -> Vec<&'a str> {
        let left = model.nodes().iter().filter_map(|node| node.op_as::<Watch>().map(|watch| watch.name.as_str()));
        let left: BTreeSet<&str> = left.collect();
        watched(partition, watcher).filter(|name| !left.contains(name)).collect()
    }

    fn tract_model(
        partition: &Partition,
        path: &Path,
        watcher: Option<&Arc<dyn Watcher>>,
        keep: &[&str],
    ) -> TractResult<TypedModel> {
        // A model that is watched runs a few times for each sample; others also run for every token that is generated,
        // when a copy of the weights in memory pays.
        let mut model = weights::load(path, watcher.map(|_| MANY_WEIGHTS))?;
        if let Some(watcher) = watcher {
            let inputs = model.input_outlets()?.to_vec();
            for name in watched(partition, watcher) {
                let input = inputs.iter().copied().find(|outlet| model.node(outlet.node).name == name);
                let outlet =
                    input.or_else(|| model.find_outlet_label(name)).or_else(|| renamed(partition, &model, name));
                let outlet = outlet.ok_or_else(|| TractError::msg(format!("value `{name}` is not in the model")))?;
                let fact = model.outlet_fact(outlet)?.without_value();
                let watch = Watch { name: name.to_string(), watcher: Arc::clone(watcher) };
                TypedModelPatch::intercept(&model, outlet, format!("{name}.watch"), watch, fact)?.apply(&mut model)?;
            }
        }
        // Outputs are computed in their order: each of these ends right behind its value, which is then let go.
        let mut outputs = vec![];
        for name in keep {
            let watch = model.node_id_by_name(&format!("{name}.watch"))?;
            outputs.extend(model.wire_node(format!("{name}.end"), End, &[watch.into()])?);
        }
        outputs.extend(model.output_outlets()?.to_vec());
        model.select_output_outlets(&outputs)?;
        model.into_optimized()
    }

    fn run_tract(&self, inputs: &[Tensor]) -> TractResult<Vec<Tensor>> {
        use_all_cores();
        let values = inputs
            .iter()
            .map(|input| {
                let tensor = match &input.data {
                    Data::F32(values) => tract_onnx::prelude::Tensor::from_shape(&input.shape, values)?,
                    Data::U8(values) => tract_onnx::prelude::Tensor::from_shape(&input.shape, values)?,
                    Data::U16(values) => tract_onnx::prelude::Tensor::from_shape(&input.shape, values)?,
                    Data::I32(values) => tract_onnx::prelude::Tensor::from_shape(&input.shape, values)?,
                };
                Ok(tensor.into_tvalue())
            })
            .collect::<TractResult<TVec<_>>>()?;
        self.model
            .run(values)?
            .iter()
            .skip(self.ends)
            .map(|output| {
                let view = output.to_plain_array_view::<f32>()?;
                Ok(Tensor::f32(output.shape().to_vec(), view.iter().copied().collect()))
            })
            .collect()
    }
}

/// Where a value is that is an output once more in a reshape that does nothing, after which tract calls it.
fn renamed(partition: &Partition, model: &TypedModel, name: &str) -> Option<OutletId> {
    let graph = &partition.graph;
    let id = graph.find(name)?;
    let same = ops::Op::from(ops::Reshape { shape: graph.value(id).shape.clone() });
    let mut copies = graph.nodes().iter().filter(|node| node.inputs == [id] && node.op == same);
    copies.find_map(|node| model.find_outlet_label(&graph.value(node.outputs[0]).name))
}

/// Names of the values that a watcher wants and that are neither constant nor positions.
fn watched<'a>(partition: &'a Partition, watcher: &Arc<dyn Watcher>) -> impl Iterator<Item = &'a str> {
    let values = partition.graph.values().map(|(_, value)| value);
    values
        .filter(|value| value.constant().is_none() && value.element == ElementType::F32)
        .map(|value| value.name.as_str())
        .filter(|name| watcher.wants(name))
}

impl Engine for Reference {
    fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let failed = |said: String| {
            limits::explained(Error::input(self.path.display(), format!("tract does not run it: {said}")).help(DAMAGED))
                .within(&self.name)
        };
        contain(|| self.run_tract(inputs)).map_err(failed)?.map_err(|error| failed(format!("{error:#}")))
    }
}
