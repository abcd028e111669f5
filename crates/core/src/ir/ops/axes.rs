//! Operators on other axes.

use super::{
    ArgMax, ArgMin, Concat, Op, ReduceL2, ReduceMax, ReduceMean, ReduceMin, ReduceSum, RmsNorm, Slice, Softmax, Split,
};

impl Op {
    /// The axes over which a reduction goes; `None` for what is none.
    pub fn reduced_axes(&self) -> Option<&[usize]> {
        match self {
            Op::ReduceL2(ReduceL2 { axes, .. })
            | Op::ReduceMax(ReduceMax { axes, .. })
            | Op::ReduceMean(ReduceMean { axes, .. })
            | Op::ReduceMin(ReduceMin { axes, .. })
            | Op::ReduceSum(ReduceSum { axes, .. }) => Some(axes),
            _ => None,
        }
    }

    /// The axis by whose number an operator says along what it works, one that works along a single one.
    pub fn numbered_axis(&self) -> Option<usize> {
        match self {
            Op::ArgMax(ArgMax { axis, .. })
            | Op::ArgMin(ArgMin { axis, .. })
            | Op::Concat(Concat { axis })
            | Op::RmsNorm(RmsNorm { axis, .. })
            | Op::Slice(Slice { axis, .. })
            | Op::Softmax(Softmax { axis })
            | Op::Split(Split { axis, .. }) => Some(*axis),
            _ => None,
        }
    }

    /// The operator along other axes: `place` gives the new number of each, in the same order. Several that become one are
    /// one.
    pub fn renumbered(&self, place: impl Fn(usize) -> usize) -> Op {
        let mut made = self.clone();
        match &mut made {
            Op::ArgMax(ArgMax { axis, .. })
            | Op::ArgMin(ArgMin { axis, .. })
            | Op::Concat(Concat { axis })
            | Op::RmsNorm(RmsNorm { axis, .. })
            | Op::Slice(Slice { axis, .. })
            | Op::Softmax(Softmax { axis })
            | Op::Split(Split { axis, .. }) => *axis = place(*axis),
            Op::ReduceL2(ReduceL2 { axes, .. })
            | Op::ReduceMax(ReduceMax { axes, .. })
            | Op::ReduceMean(ReduceMean { axes, .. })
            | Op::ReduceMin(ReduceMin { axes, .. })
            | Op::ReduceSum(ReduceSum { axes, .. }) => {
                axes.iter_mut().for_each(|axis| *axis = place(*axis));
                axes.dedup();
            }
            _ => {}
        }
        made
    }
}
