//! How many samples an array holds.

/// How an array holds what an input takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// It is one sample.
    One,
    /// Its first axis has so many samples.
    Stacked(usize),
}

impl Rows {
    /// How an array of a shape holds an input of another: as it is, stacked on a new first axis, or stacked on the
    /// first axis of an input that has a batch of 1. `None` if it does not hold it.
    pub fn of(shape: &[usize], input: &[usize]) -> Option<Self> {
        let (first, rest) = match shape.split_first() {
            _ if shape == input => return Some(Rows::One),
            Some(split) => split,
            None => return None,
        };
        let is_batch = input.first() == Some(&1) && rest == &input[1..];
        (rest == input || is_batch).then_some(Rows::Stacked(*first))
    }

    /// How many they are.
    pub fn count(self) -> usize {
        match self {
            Rows::One => 1,
            Rows::Stacked(count) => count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_stacked_on_a_new_axis_or_on_that_of_the_batch() {
        assert_eq!(Rows::of(&[1, 3, 8], &[1, 3, 8]), Some(Rows::One));
        assert_eq!(Rows::of(&[5, 1, 3, 8], &[1, 3, 8]), Some(Rows::Stacked(5)));
        assert_eq!(Rows::of(&[5, 3, 8], &[1, 3, 8]), Some(Rows::Stacked(5)));
        assert_eq!(Rows::of(&[5, 2, 8], &[2, 8]), Some(Rows::Stacked(5)));
        assert_eq!(Rows::of(&[5], &[]), Some(Rows::Stacked(5)));
        for shape in [vec![4, 8], vec![], vec![8], vec![5, 5, 2, 8]] {
            assert_eq!(Rows::of(&shape, &[2, 8]), None, "{shape:?}");
        }
    }
}
