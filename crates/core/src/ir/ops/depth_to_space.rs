//! From channels to places.

use serde::{Deserialize, Serialize};

use super::arithmetic::picked;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, read};
use super::shapes::rank4;
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// Blocks of places made of channels: `[N,C,H,W]` becomes `[N,C/b²,H*b,W*b]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DepthToSpace {
    /// Height and width of a block, `b`.
    pub block: usize,
    /// Whether channels of one result lie side by side (`CRD`, PyTorch's `pixel_shuffle`), and not those of one place
    /// of a block (`DCR`).
    pub by_result: bool,
}

/// Number of places of a block, if such blocks are possible at all.
pub fn places(block: usize) -> Result<usize, String> {
    block.checked_mul(block).filter(|&places| places > 0).ok_or_else(|| format!("blocks of {block} are not possible"))
}

impl Operator for DepthToSpace {
    const SIGNATURE: Signature = Signature::new("DepthToSpace", &[Input::data("x")]).on_images();

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        let ([n, c, height, width], places) = (rank4(inputs[0])?, places(self.block)?);
        if c % places != 0 {
            return Err(format!("{c} channels do not fill blocks of {} x {}", self.block, self.block));
        }
        Ok(vec![vec![n, c / places, height.saturating_mul(self.block), width.saturating_mul(self.block)]])
    }

    fn work(&self) -> Work {
        Work::Moves
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        let (block, channels) = (self.block, shapes[0][1]);
        let from = |index: Vec<usize>| {
            let place = index[2] % block * block + index[3] % block;
            let channel = match self.by_result {
                true => index[1] * block * block + place,
                false => place * channels + index[1],
            };
            vec![index[0], channel, index[2] / block, index[3] / block]
        };
        vec![picked(&inputs[0], &shapes[0], from)]
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        let form = OnnxForm::new("DepthToSpace").int("blocksize", self.block);
        Some(form.text("mode", if self.by_result { "CRD" } else { "DCR" }))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.expect(&["blocksize", "mode"], 1)?;
        let block = usize::try_from(node.int("blocksize", 0)?).map_err(|_| "DepthToSpace has a negative block")?;
        let by_result = match node.text("mode", "DCR")?.as_str() {
            "DCR" => false,
            "CRD" => true,
            other => return Err(format!("DepthToSpace with mode {other} is not known")),
        };
        Ok(Imported::new(DepthToSpace { block, by_result }, 1))
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        let sample =
            |name, by_result| Sample::new(name, DepthToSpace { block: 2, by_result }, vec![read([1, 16, 8, 8])]);
        vec![sample("by place", false), sample("by result", true)]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let block = chance.of(1..=3);
        let image = [chance.of(1..=2), chance.of(1..=3) * block * block, chance.of(1..=3), chance.of(1..=3)];
        Sample::new("", DepthToSpace { block, by_result: chance.yes() }, vec![read(image)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_of_one_place_or_of_one_result_lie_side_by_side() {
        let x = Constant::from_values((0..8).map(|at| at as f32).collect(), vec![1, 8, 1, 1]);
        let of = |by_result| {
            let op = DepthToSpace { block: 2, by_result };
            let shapes = op.shapes(&[x.shape()]).unwrap();
            op.evaluate(std::slice::from_ref(&x), shapes)[0].to_f32()
        };
        assert_eq!(of(false), [0.0, 2.0, 4.0, 6.0, 1.0, 3.0, 5.0, 7.0]);
        assert_eq!(of(true), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
        let op = DepthToSpace { block: 3, by_result: true };
        assert!(op.shapes(&[x.shape()]).unwrap_err().contains("8 channels do not fill blocks"));
    }
}
