//! Mean over windows.

use serde::{Deserialize, Serialize};

use super::arithmetic::one;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, read};
use super::shapes::rank4;
use super::signature::{Input, Signature};
use super::windows::Pool;
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// Mean over windows of `[N,C,H,W]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AveragePool {
    /// Window height and width.
    pub kernel: [usize; 2],
    /// Step along height and width.
    pub strides: [usize; 2],
    /// Padding: top, left, bottom, right, each less than the window.
    #[serde(default, skip_serializing_if = "is_none")]
    pub pads: [usize; 4],
    /// Whether padding counts as zeros; it is left out of the mean otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub counts_pads: bool,
}

fn is_none(pads: &[usize; 4]) -> bool {
    *pads == [0; 4]
}

impl AveragePool {
    /// Without padding.
    pub fn unpadded(kernel: [usize; 2], strides: [usize; 2]) -> Self {
        AveragePool { kernel, strides, pads: [0; 4], counts_pads: false }
    }

    fn pool(&self) -> Pool {
        Pool { kernel: self.kernel, strides: self.strides, pads: self.pads }
    }
}

impl Operator for AveragePool {
    const SIGNATURE: Signature = Signature::new("AveragePool", &[Input::data("x")]).on_images();

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        Ok(vec![self.pool().shape(rank4(inputs[0])?)?])
    }

    fn work(&self) -> Work {
        Work::Computes
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        let whole = self.kernel[0] as f64 * self.kernel[1] as f64;
        let mean = |window: &[f32]| {
            let count = if self.counts_pads { whole } else { window.len() as f64 };
            (window.iter().copied().map(f64::from).sum::<f64>() / count) as f32
        };
        one(self.pool().each(&inputs[0], &shapes[0], mean), shapes)
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        let form = OnnxForm::new("AveragePool").ints("kernel_shape", &self.kernel).ints("strides", &self.strides);
        let form = if is_none(&self.pads) { form } else { form.ints("pads", &self.pads) };
        Some(if self.counts_pads { form.int("count_include_pad", 1) } else { form })
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        let known = ["kernel_shape", "strides", "pads", "auto_pad", "ceil_mode", "count_include_pad", "dilations"];
        node.expect(&known, 7)?;
        node.refuse_dilation()?;
        let (Pool { kernel, strides, pads }, hangs_over) = Pool::read(node)?;
        // Without padding there is nothing to count.
        let counts_pads = node.int("count_include_pad", 0)? != 0 && !is_none(&pads);
        if counts_pads && hangs_over {
            return Err("AveragePool that counts its padding (`count_include_pad`), but not what hangs over it \
                        (`ceil_mode`), is not supported"
                .into());
        }
        Ok(Imported::new(AveragePool { kernel, strides, pads, counts_pads }, 1))
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        let sample = |name, stride: usize, pad: usize, counts_pads| {
            let pool = AveragePool { kernel: [3; 2], strides: [stride; 2], pads: [pad; 4], counts_pads };
            Sample::new(name, pool, vec![read([1, 16, 12, 12])])
        };
        vec![sample("", 3, 0, false), sample("padding", 1, 1, false), sample("padding that counts", 1, 1, true)]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let (Pool { kernel, strides, pads }, image) = Pool::draw(chance);
        let counts_pads = chance.yes() && !is_none(&pads);
        Sample::new("", AveragePool { kernel, strides, pads, counts_pads }, vec![read(image)])
    }
}
