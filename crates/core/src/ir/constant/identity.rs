//! Which constants are the same without a look at their numbers.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::{Constant, Source, Transform};

/// What a constant is made of: the place of its stored elements, and the steps from there. Constants of one identity have
/// the same numbers; those of two may have, too. It keeps the constant, so that nothing else takes that place in memory.
#[derive(Clone)]
pub struct Identity(Constant);

impl Identity {
    /// That of a constant.
    pub fn of(constant: &Constant) -> Self {
        Identity(constant.clone())
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (&self.0, &other.0);
        is_same_source(&a.source, &b.source)
            && a.shapes == b.shapes
            && a.transforms.len() == b.transforms.len()
            && a.transforms.iter().zip(&b.transforms).all(|(a, b)| is_same_step(a, b))
    }
}

impl Eq for Identity {}

impl Hash for Identity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0.source {
            Source::View(view) => (Arc::as_ptr(&view.map).addr(), view.start).hash(state),
            Source::Values(values) => Arc::as_ptr(values).addr().hash(state),
            Source::Integers(_, values) => Arc::as_ptr(values).addr().hash(state),
        }
        self.0.shapes.hash(state);
    }
}

fn is_same_source(a: &Source, b: &Source) -> bool {
    match (a, b) {
        (Source::View(a), Source::View(b)) => {
            Arc::ptr_eq(&a.map, &b.map) && (a.start, a.elements, a.stored) == (b.start, b.elements, b.stored)
        }
        (Source::Values(a), Source::Values(b)) => Arc::ptr_eq(a, b),
        (Source::Integers(of_a, a), Source::Integers(of_b, b)) => of_a == of_b && Arc::ptr_eq(a, b),
        _ => false,
    }
}

fn is_same_step(a: &Transform, b: &Transform) -> bool {
    match (a, b) {
        (Transform::Permute(a), Transform::Permute(b)) => a == b,
        (Transform::Slice { axis, start, end }, Transform::Slice { axis: axis_b, start: start_b, end: end_b }) => {
            (axis, start, end) == (axis_b, start_b, end_b)
        }
        (Transform::ScaleAxis { axis, factors }, Transform::ScaleAxis { axis: axis_b, factors: factors_b }) => {
            axis == axis_b && Arc::ptr_eq(factors, factors_b)
        }
        (Transform::ScaleBlocks { block, factors }, Transform::ScaleBlocks { block: block_b, factors: factors_b }) => {
            block == block_b && Arc::ptr_eq(factors, factors_b)
        }
        _ => false,
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
