//! Two model files that are one network, and the sample that both get.

use std::collections::HashMap;
use std::path::Path;

use super::cut::Cuts;
use super::net::{Net, label};
use super::pair::Pairing;
use super::samples::{self, Sample};
use super::units::{Encodings, Unit, dequantizes, encode, units};
use autoneural_base::error::{Error, Result};
use autoneural_core::encoding::Encoding;
use autoneural_engines::back::qnn::Runtime;
use autoneural_engines::engine::Array;

/// Two models that are the same network, and the sample that both get.
pub struct Models {
    pub(super) float: Net,
    pub(super) quantized: Net,
    pub(super) units: Vec<Unit>,
    pub(super) pairing: Pairing,
    pub(super) encodings: Encodings,
    pub(super) cuts: Cuts,
    pub(super) sample: Sample,
    pub(super) input: String,
}

impl Models {
    /// Reads both, and a sample if one is given: a file of arrays, and its place where several are stacked there. Else
    /// one is made up.
    ///
    /// # Errors
    /// Files that are no models or not of the same network, a sample that does not fit.
    pub fn read(
        float: &Path,
        quantized: &Path,
        input: Option<(&Path, Option<usize>)>,
        runtime: &Runtime,
    ) -> Result<Self> {
        let (float, quantized) = (Net::read(float)?, Net::read(quantized)?);
        let units = units(&quantized);
        if !quantized.nodes.iter().any(dequantizes) {
            return Err(Error::input(quantized.path.display(), "has no DequantizeLinear: it is not quantized")
                .help("the float model comes first, then the quantized one with QuantizeLinear and DequantizeLinear"));
        }
        let pairing = Pairing::of(&float, &quantized, &units)?;
        let encodings = Encodings::read(&quantized, runtime)?;
        let cuts = Cuts::of(&quantized, &units, &encodings, runtime)?;
        let sample = Sample::new();
        let mut made = Models { float, quantized, units, pairing, encodings, cuts, sample, input: String::new() };
        match input {
            Some((path, row)) => {
                made.sample = samples::read(path, row, &made.float)?;
                let row = row.map_or(String::new(), |row| format!("[{row}]"));
                made.input = format!("{}{row}", path.display());
            }
            None => {
                made.sample = samples::made_up(&made.float, &made.input_encodings())?;
                made.input = "made up: even over the range of the inputs".into();
            }
        }
        Ok(made)
    }

    /// Takes a sample by name in place of the one that was made up.
    pub fn with_sample(mut self, sample: HashMap<String, Array>, what: String) -> Self {
        (self.sample, self.input) = (sample, what);
        self
    }

    /// The encodings of inputs, by their names in the float model.
    fn input_encodings(&self) -> HashMap<String, Encoding> {
        let of = |name: &String| {
            let readers = self.quantized.readers(name).iter();
            readers.filter_map(|&at| self.encodings.of(at)).next().cloned()
        };
        let inputs = self.quantized.inputs.iter().map(|info| &info.name);
        inputs.filter_map(|name| Some((self.pairing.get(name)?.to_string(), of(name)?))).collect()
    }

    /// What the quantized model gets: integers where it takes integers.
    pub(super) fn quantized_inputs(&self) -> Result<Sample> {
        let mut made = Sample::new();
        for info in &self.quantized.inputs {
            let name = &info.name;
            let given = self.pairing.get(name).and_then(|float| self.sample.get(float));
            let Some(given) = given else { return Err(Error::internal(name, "has no counterpart")) };
            let codes = self.quantized.readers(name).iter().find(|&&at| dequantizes(&self.quantized.nodes[at]));
            let array = match codes {
                None => given.clone(),
                Some(&at) => {
                    let encoding = self.encodings.of(at).ok_or_else(|| {
                        let place =
                            format!("{}: node `{}`", self.quantized.path.display(), label(&self.quantized.nodes[at]));
                        Error::input(place, "an input with several scales is not compared")
                    })?;
                    encode(&given.demand_reals(name)?, &given.shape, encoding)
                }
            };
            made.insert(name.clone(), array);
        }
        Ok(made)
    }

    /// The inputs that the quantized model takes as integers, as what makes values.
    pub(super) fn coded_inputs(&self) -> Vec<(String, (Encoding, Encoding))> {
        let readers = |name: &String| {
            let at = self.quantized.readers(name).iter().find(|&&at| dequantizes(&self.quantized.nodes[at]))?;
            self.encodings.of(*at).cloned()
        };
        let inputs = self.quantized.inputs.iter().map(|info| info.name.clone());
        inputs.filter_map(|name| readers(&name).map(|one| (name, (one.clone(), one)))).collect()
    }
}
