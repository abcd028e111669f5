//! Recognizes constants that are the same without reading their numbers.

use std::sync::Arc;

use super::tensor::{Constant, Storage, Transform};
use super::view::StoredType;
use crate::ir::types::{ElementType, Shape};

/// What a constant is made of: the address of its stored elements in memory, and the transforms that are applied to
/// them. Constants with equal identities have the same numbers; constants with different identities may still have the
/// same numbers. An identity holds only as long as its constant exists: after that, another constant may be stored at
/// the same address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    place: Place,
    shapes: Vec<Shape>,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Place {
    View { map: usize, start: usize, stored: StoredType },
    Values(usize),
    Integers(ElementType, usize),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Step {
    Permute(Vec<usize>),
    Slice { axis: usize, start: usize, end: usize },
    ScaleAxis { axis: usize, factors: usize },
    ScaleBlocks { block: Shape, factors: usize },
    Hadamard { axis: usize, block: usize },
}

fn address<T: ?Sized>(of: &Arc<T>) -> usize {
    Arc::as_ptr(of).addr()
}

impl Identity {
    /// The identity of a constant.
    pub fn of(constant: &Constant) -> Self {
        let place = match &constant.storage {
            Storage::View(view) => Place::View { map: address(&view.map), start: view.start, stored: view.stored },
            Storage::Values(values) => Place::Values(address(values)),
            Storage::Integers(element, values) => Place::Integers(*element, address(values)),
        };
        let step = |transform: &Transform| match transform {
            Transform::Permute(perm) => Step::Permute(perm.clone()),
            Transform::Slice { axis, start, end } => Step::Slice { axis: *axis, start: *start, end: *end },
            Transform::ScaleAxis { axis, factors } => Step::ScaleAxis { axis: *axis, factors: address(factors) },
            Transform::ScaleBlocks { block, factors } => {
                Step::ScaleBlocks { block: block.clone(), factors: address(factors) }
            }
            Transform::Hadamard { axis, block } => Step::Hadamard { axis: *axis, block: *block },
        };
        Identity { place, shapes: constant.shapes.clone(), steps: constant.transforms.iter().map(step).collect() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn constants_of_one_identity_are_made_of_the_same_by_the_same_steps() {
        let stored = Constant::from_values(vec![1., 2., 3., 4.], vec![2, 2]);
        let factors: Arc<[f32]> = vec![2., 3.].into();
        let others = [
            stored.clone(),
            stored.permuted(&[1, 0]),
            stored.reshaped(vec![4]),
            stored.sliced(0, 0, 1),
            stored.sliced(1, 0, 1),
            stored.scaled(0, Arc::clone(&factors)),
            stored.scaled(1, Arc::clone(&factors)),
            stored.scaled(0, vec![2., 3.].into()),
            stored.scaled_in_blocks(vec![1, 2], factors),
            stored.hadamard(0, 2),
            stored.hadamard(1, 2),
            // The same numbers, in another place.
            Constant::from_values(vec![1., 2., 3., 4.], vec![2, 2]),
        ];
        let known: HashSet<Identity> = others.iter().map(Identity::of).collect();
        assert_eq!(known.len(), others.len());
        assert!(others.iter().all(|constant| known.contains(&Identity::of(&constant.clone()))));
        assert!(known.contains(&Identity::of(&stored.permuted(&[1, 0]))));
        assert!(!known.contains(&Identity::of(&stored.permuted(&[1, 0]).permuted(&[1, 0]))));
    }
}
