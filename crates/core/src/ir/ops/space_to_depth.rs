//! From places to channels.

use serde::{Deserialize, Serialize};

use super::arithmetic::picked;
use super::depth_to_space::places;
use super::onnx::{Imported, OnnxForm, OnnxNode};
use super::operator::{Operator, Work};
use super::sample::{Chance, Constants, Sample, read};
use super::shapes::rank4;
use super::signature::{Input, Signature};
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// Channels made of blocks of places: `[N,C,H,W]` becomes `[N,b²*C,H/b,W/b]`; the channels of one place of a block lie
/// side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpaceToDepth {
    /// Height and width of a block, `b`.
    pub block: usize,
}

impl Operator for SpaceToDepth {
    const SIGNATURE: Signature = Signature::new("SpaceToDepth", &[Input::data("x")]).on_images();

    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>, String> {
        let ([n, c, height, width], places) = (rank4(inputs[0])?, places(self.block)?);
        if height % self.block != 0 || width % self.block != 0 {
            return Err(format!("{height} x {width} is not made of blocks of {} x {}", self.block, self.block));
        }
        Ok(vec![vec![n, c.saturating_mul(places), height / self.block, width / self.block]])
    }

    fn work(&self) -> Work {
        Work::Moves
    }

    fn evaluate(&self, inputs: &[Constant], shapes: Vec<Shape>) -> Vec<Constant> {
        let (block, channels) = (self.block, inputs[0].shape()[1]);
        let from = |index: Vec<usize>| {
            let (place, channel) = (index[1] / channels, index[1] % channels);
            vec![index[0], channel, index[2] * block + place / block, index[3] * block + place % block]
        };
        vec![picked(&inputs[0], &shapes[0], from)]
    }

    fn to_onnx(&self, _: &[&Shape]) -> Option<OnnxForm> {
        Some(OnnxForm::new("SpaceToDepth").int("blocksize", self.block))
    }

    fn from_onnx(node: &OnnxNode) -> Result<Imported<Self>, String> {
        node.expect(&["blocksize"], 1)?;
        let block = usize::try_from(node.int("blocksize", 0)?).map_err(|_| "SpaceToDepth has a negative block")?;
        Ok(Imported::new(SpaceToDepth { block }, 1))
    }

    fn samples(_: Constants) -> Vec<Sample<Self>> {
        vec![Sample::new("", SpaceToDepth { block: 2 }, vec![read([1, 16, 8, 8])])]
    }

    fn draw(chance: &mut Chance) -> Sample<Self> {
        let block = chance.of(1..=3);
        let image = [chance.of(1..=2), chance.of(1..=3), chance.of(1..=3) * block, chance.of(1..=3) * block];
        Sample::new("", SpaceToDepth { block }, vec![read(image)])
    }
}
