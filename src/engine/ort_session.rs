//! A loaded ONNX Runtime session: the quantized model on the CPU, or a context binary on the NPU.

use ort::session::{Session, SessionInputValue};
use ort::value::TensorElementType;

use super::{Data, Engine, Tensor};
use crate::error::{Error, Result};
use crate::partition::Partition;

/// A session with the names of its partition's inputs and outputs.
pub struct OrtSession {
    place: String,
    inputs: Vec<String>,
    outputs: Vec<String>,
    session: Session,
}

impl OrtSession {
    /// Wraps a session that was made from a partition's emitted model; `engine` names it in messages.
    pub fn new(partition: &Partition, engine: &str, session: Session) -> Self {
        let names = |ports: &[crate::partition::Port]| ports.iter().map(|port| port.name.clone()).collect();
        let place = format!("{} ({engine})", partition.name);
        OrtSession { place, inputs: names(&partition.inputs), outputs: names(&partition.outputs), session }
    }

    fn run_ort(&mut self, inputs: &[Tensor]) -> ort::Result<Vec<Tensor>> {
        let mut feeds: Vec<(String, SessionInputValue)> = Vec::with_capacity(inputs.len());
        for (name, input) in self.inputs.iter().zip(inputs) {
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
                let value = made.get(name).ok_or_else(|| ort::Error::new(format!("there is no output `{name}`")))?;
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

impl Engine for OrtSession {
    fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let place = self.place.clone();
        self.run_ort(inputs).map_err(|error| Error::toolkit(place, format!("the run failed: {error}")))
    }
}
