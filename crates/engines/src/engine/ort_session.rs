//! Loaded ONNX Runtime sessions: the quantized model on the CPU, a context binary on the NPU, or the segments of a
//! partition on both, one after the other.

use std::borrow::Cow;
use std::collections::HashMap;

use ort::session::{Session, SessionInputValue};
use ort::value::TensorElementType;

use super::{Data, Engine, Tensor};
use autoneural_base::error::{Error, Result};
use autoneural_base::limits;
use autoneural_core::partition::{Partition, Port};

/// The sessions that carry out a partition, in order, with the names of its inputs and outputs.
pub struct OrtSession {
    place: String,
    inputs: Vec<String>,
    outputs: Vec<String>,
    parts: Vec<SegmentSession>,
}

/// One session with the names of what it reads and makes.
pub struct SegmentSession {
    /// Names of its inputs.
    pub inputs: Vec<String>,
    /// Names of its outputs.
    pub outputs: Vec<String>,
    /// The session.
    pub session: Session,
}

impl OrtSession {
    /// Wraps sessions that were made from a partition's emitted models; `engine` names them in messages.
    pub fn new(partition: &Partition, engine: &str, parts: Vec<SegmentSession>) -> Self {
        let place = format!("{} ({engine})", partition.name);
        OrtSession { place, inputs: names(&partition.inputs), outputs: names(&partition.outputs), parts }
    }

    /// Runs the parts; each finds its inputs by name among those of the partition and what the parts before it made.
    fn run_parts(&mut self, inputs: &[Tensor]) -> ort::Result<Vec<Tensor>> {
        let mut known: HashMap<&str, Cow<Tensor>> = HashMap::new();
        known.extend(self.inputs.iter().map(String::as_str).zip(inputs.iter().map(Cow::Borrowed)));
        let mut left = self.parts.as_mut_slice();
        while let Some((part, later)) = left.split_first_mut() {
            let made = part.run(&known)?;
            known.extend(part.outputs.iter().map(String::as_str).zip(made.into_iter().map(Cow::Owned)));
            known.retain(|name, _| {
                self.outputs.iter().any(|output| output == name)
                    || later.iter().any(|part| part.inputs.iter().any(|input| input == name))
            });
            left = later;
        }
        let take = |name: &String| known.remove(name.as_str()).map(Cow::into_owned).ok_or_else(|| missing(name));
        self.outputs.iter().map(take).collect()
    }
}

impl SegmentSession {
    /// The one part of a whole partition.
    pub fn whole(partition: &Partition, session: Session) -> Self {
        SegmentSession { inputs: names(&partition.inputs), outputs: names(&partition.outputs), session }
    }

    fn run(&mut self, known: &HashMap<&str, Cow<Tensor>>) -> ort::Result<Vec<Tensor>> {
        let mut feeds: Vec<(String, SessionInputValue)> = Vec::with_capacity(self.inputs.len());
        for name in &self.inputs {
            let input = known.get(name.as_str()).ok_or_else(|| missing(name))?;
            let shape = input.shape.clone();
            let value: SessionInputValue = match &input.data {
                Data::F32(values) => ort::value::Tensor::from_array((shape, values.clone()))?.into(),
                Data::U8(values) => ort::value::Tensor::from_array((shape, values.clone()))?.into(),
                Data::U16(values) => ort::value::Tensor::from_array((shape, values.clone()))?.into(),
                Data::I32(values) => ort::value::Tensor::from_array((shape, values.clone()))?.into(),
            };
            feeds.push((name.clone(), value));
        }
        let made = self.session.run(feeds)?;
        self.outputs
            .iter()
            .map(|name| {
                let value = made.get(name).ok_or_else(|| missing(name))?;
                let sizes = |shape: &ort::value::Shape| shape.iter().map(|&size| size as usize).collect();
                Ok(match value.dtype().tensor_type() {
                    Some(TensorElementType::Uint8) => {
                        let (shape, values) = value.try_extract_tensor::<u8>()?;
                        Tensor { shape: sizes(shape), data: Data::U8(values.to_vec()) }
                    }
                    Some(TensorElementType::Uint16) => {
                        let (shape, values) = value.try_extract_tensor::<u16>()?;
                        Tensor { shape: sizes(shape), data: Data::U16(values.to_vec()) }
                    }
                    _ => {
                        let (shape, values) = value.try_extract_tensor::<f32>()?;
                        Tensor { shape: sizes(shape), data: Data::F32(values.to_vec()) }
                    }
                })
            })
            .collect()
    }
}

fn names(ports: &[Port]) -> Vec<String> {
    ports.iter().map(|port| port.name.clone()).collect()
}

fn missing(name: &str) -> ort::Error {
    ort::Error::new(format!("there is no `{name}`"))
}

impl Engine for OrtSession {
    fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let place = self.place.clone();
        self.run_parts(inputs)
            .map_err(|error| limits::explained(Error::toolkit(place, format!("the run failed: {error}"))))
    }
}
