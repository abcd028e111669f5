//! Operators on other axes.

use super::{
    ArgMax, ArgMin, Concat, Op, ReduceL2, ReduceMax, ReduceMean, ReduceMin, ReduceSum, RmsNorm, Slice, Softmax, Split,
};

/// The axes that an operator says by their numbers.
enum Numbered<'a> {
    /// It works along one.
    One(&'a mut usize),
    /// It reduces several.
    Reduced(&'a mut Vec<usize>),
    /// It says none.
    None,
}

impl Op {
    fn numbered(&mut self) -> Numbered<'_> {
        match self {
            Op::ArgMax(ArgMax { axis, .. })
            | Op::ArgMin(ArgMin { axis, .. })
            | Op::Concat(Concat { axis })
            | Op::RmsNorm(RmsNorm { axis, .. })
            | Op::Slice(Slice { axis, .. })
            | Op::Softmax(Softmax { axis })
            | Op::Split(Split { axis, .. }) => Numbered::One(axis),
            Op::ReduceL2(ReduceL2 { axes, .. })
            | Op::ReduceMax(ReduceMax { axes, .. })
            | Op::ReduceMean(ReduceMean { axes, .. })
            | Op::ReduceMin(ReduceMin { axes, .. })
            | Op::ReduceSum(ReduceSum { axes, .. }) => Numbered::Reduced(axes),
            _ => Numbered::None,
        }
    }

    /// The axes over which a reduction goes; `None` for what is none.
    pub fn reduced_axes(&self) -> Option<Vec<usize>> {
        match self.clone().numbered() {
            Numbered::Reduced(axes) => Some(std::mem::take(axes)),
            Numbered::One(_) | Numbered::None => None,
        }
    }

    /// The axis by whose number an operator says along what it works, one that works along a single one.
    pub fn numbered_axis(&self) -> Option<usize> {
        match self.clone().numbered() {
            Numbered::One(axis) => Some(*axis),
            Numbered::Reduced(_) | Numbered::None => None,
        }
    }

    /// The operator along other axes: `place` gives the new number of each, in the same order. Several that become one are
    /// one.
    pub fn renumbered(&self, place: impl Fn(usize) -> usize) -> Op {
        let mut made = self.clone();
        match made.numbered() {
            Numbered::One(axis) => *axis = place(*axis),
            Numbered::Reduced(axes) => {
                axes.iter_mut().for_each(|axis| *axis = place(*axis));
                axes.dedup();
            }
            Numbered::None => {}
        }
        made
    }
}
