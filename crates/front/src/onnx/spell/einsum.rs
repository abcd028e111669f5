//! Sums of products by letters of axes, as transposes, reshapes and one matrix product.

use super::spelled::Spelled;
use crate::onnx::making::{Known, Making, Told};
use autoneural_core::ir::{Shape, ValueId, ops};

/// Letters of the operands, and of the result.
struct Equation {
    operands: Vec<Vec<char>>,
    result: Vec<char>,
}

impl Equation {
    fn parse(text: &str, ranks: &[usize]) -> Result<Self, String> {
        let refused = |what: &str| format!("with the equation `{text}` is not supported: {what}");
        let plain: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
        let plain = spelled_out(&plain, ranks).ok_or_else(|| refused("its letters are not the axes of the inputs"))?;
        let (left, right) = match plain.split_once("->") {
            Some((left, right)) => (left, Some(right)),
            None => (plain.as_str(), None),
        };
        let operands: Vec<Vec<char>> = left.split(',').map(|letters| letters.chars().collect()).collect();
        let is_letter = |letter: &char| letter.is_ascii_alphabetic() || is_open(*letter);
        let fits = operands.len() == ranks.len() && operands.iter().zip(ranks).all(|(one, &rank)| one.len() == rank);
        if !fits || !operands.iter().flatten().all(is_letter) {
            return Err(refused("its letters are not the axes of the inputs"));
        }
        let count = |letter: char| operands.iter().flatten().filter(|&&other| other == letter).count();
        let result: Vec<char> = match right {
            Some(letters) => letters.chars().collect(),
            // Without a result those that stand once, in the order of the alphabet.
            None => {
                let all = || operands.iter().flatten().copied();
                let mut once: Vec<char> = all().filter(|&one| count(one) == 1 || is_open(one)).collect();
                once.sort_unstable();
                once.dedup();
                once
            }
        };
        let twice = |letters: &[char]| (1..letters.len()).any(|at| letters[..at].contains(&letters[at]));
        if twice(&result) || operands.iter().any(|letters| twice(letters)) {
            return Err(refused("a letter stands twice in one of its parts"));
        }
        if result.iter().any(|&letter| count(letter) == 0) {
            return Err(refused("its result has a letter that no input has"));
        }
        Ok(Equation { operands, result })
    }
}

/// The letters that stand for axes an equation leaves open. They come before all others in the order of the alphabet.
const OPEN: &str = "0123456789";

fn is_open(letter: char) -> bool {
    OPEN.contains(letter)
}

/// An equation with letters of their own in place of `...`, which are the same where they stand for as many axes counted
/// from behind. None where an operand has fewer axes than letters, or there are more than letters for them.
fn spelled_out(equation: &str, ranks: &[usize]) -> Option<String> {
    const DOTS: &str = "...";
    if !equation.contains(DOTS) {
        return Some(equation.to_string());
    }
    let (left, right) = equation.split_once("->").map_or((equation, None), |(left, right)| (left, Some(right)));
    let mut most = 0;
    let mut operands = vec![];
    for (operand, &rank) in left.split(',').zip(ranks) {
        let mut letters = operand.to_string();
        if let Some(before) = operand.find(DOTS) {
            let count = rank.checked_sub(operand.len() - DOTS.len()).filter(|&count| count <= OPEN.len())?;
            letters.replace_range(before..before + DOTS.len(), &OPEN[OPEN.len() - count..]);
            most = most.max(count);
        }
        operands.push(letters);
    }
    if operands.len() != ranks.len() {
        return None;
    }
    let all = &OPEN[OPEN.len() - most..];
    let result = right.map_or(String::new(), |right| format!("->{}", right.replacen(DOTS, all, 1)));
    Some(operands.join(",") + &result)
}

/// A value whose axes have letters.
struct Lettered {
    id: ValueId,
    letters: Vec<char>,
}

impl Lettered {
    fn size(&self, making: &Making, letter: char) -> Option<usize> {
        self.letters.iter().position(|&one| one == letter).map(|at| making.shape(self.id)[at])
    }

    /// With its axes in this order, which are all that it has.
    fn ordered(self, making: &mut Making, name: &str, letters: &[char]) -> Result<Self, String> {
        if self.letters == letters {
            return Ok(self);
        }
        let perm = letters.iter().filter_map(|letter| self.letters.iter().position(|one| one == letter)).collect();
        let id = making.step(format!("{name}.turned"), ops::Transpose { perm }, &[self.id])?;
        Ok(Lettered { id, letters: letters.to_vec() })
    }

    /// Without the axes that are not kept, which are summed.
    fn summed(self, making: &mut Making, name: &str, keeps: impl Fn(char) -> bool) -> Result<Self, String> {
        let axes: Vec<usize> = (0..self.letters.len()).filter(|&at| !keeps(self.letters[at])).collect();
        if axes.is_empty() {
            return Ok(self);
        }
        let id = making.step(format!("{name}.sum"), ops::ReduceSum { axes, keepdims: false }, &[self.id])?;
        Ok(Lettered { id, letters: self.letters.into_iter().filter(|&letter| keeps(letter)).collect() })
    }
}

pub fn einsum<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    told.onnx.expect(&["equation"], 12)?;
    let count = told.onnx.inputs.len();
    let ranks = (0..count).map(|at| told.shape(at).map(Vec::len)).collect::<Result<Vec<_>, _>>()?;
    let equation = Equation::parse(&told.onnx.text("equation", "")?, &ranks)?;
    let name = told.name();
    let mut parts = Vec::with_capacity(count);
    for (at, letters) in equation.operands.iter().enumerate() {
        parts.push(Lettered { id: making.input(told, at)?, letters: letters.clone() });
    }
    // One operand after the other; what nobody wants any more is summed.
    let mut parts = parts.into_iter();
    let mut made = parts.next().ok_or("has no input")?;
    while let Some(next) = parts.next() {
        let later: Vec<char> = parts.as_slice().iter().flat_map(|part| part.letters.clone()).collect();
        let wanted = |letter: char| equation.result.contains(&letter) || later.contains(&letter);
        made = product(making, name, made, next, wanted)?;
    }
    let made = made.summed(making, name, |letter| equation.result.contains(&letter))?;
    let made = made.ordered(making, name, &equation.result)?;
    // The last step has the name of the node; what is an operand as it is has one of its own.
    let is_operand = making.b.graph().value(made.id).name == told.node.inputs[0];
    let id = match !is_operand && making.b.rename(made.id, name) {
        true => made.id,
        false => making.reshaped(name, made.id, making.shape(made.id).clone())?,
    };
    Ok(Some(vec![Known::Value(id)]))
}

/// The product of two: axes of both that are wanted are matrices apart, those that are not are summed over.
fn product(
    making: &mut Making,
    name: &str,
    a: Lettered,
    b: Lettered,
    wanted: impl Fn(char) -> bool,
) -> Result<Lettered, String> {
    let both: Vec<char> = a.letters.iter().copied().filter(|letter| b.letters.contains(letter)).collect();
    let in_both = |letter: char| both.contains(&letter);
    for &letter in &a.letters {
        if let (Some(one), Some(other)) = (a.size(making, letter), b.size(making, letter))
            && one != other
        {
            return Err(format!("has axes of the sizes {one} and {other} for the letter {letter}"));
        }
    }
    let (shared, inner): (Vec<char>, Vec<char>) = both.iter().copied().partition(|&letter| wanted(letter));
    let own = |part: &Lettered| -> Vec<char> {
        part.letters.iter().copied().filter(|&letter| !in_both(letter) && wanted(letter)).collect()
    };
    let (rows, columns) = (own(&a), own(&b));
    let sizes = |making: &Making, part: &Lettered, letters: &[char]| -> Shape {
        letters.iter().filter_map(|&letter| part.size(making, letter)).collect()
    };
    let keeps = |letter: char| in_both(letter) || wanted(letter);
    let (a, b) = (a.summed(making, name, keeps)?, b.summed(making, name, keeps)?);
    let outer = sizes(making, &a, &shared);
    let (of_rows, of_inner, of_columns) =
        (sizes(making, &a, &rows), sizes(making, &a, &inner), sizes(making, &b, &columns));
    let a = a.ordered(making, name, &[&shared[..], &rows, &inner].concat())?;
    let b = b.ordered(making, name, &[&shared[..], &inner, &columns].concat())?;
    let flat = |sizes: &[usize]| sizes.iter().product::<usize>();
    let matrix = |making: &mut Making, id: ValueId, [rows, columns]: [&[usize]; 2]| -> Result<ValueId, String> {
        let shape = [&outer[..], &[flat(rows), flat(columns)]].concat();
        if *making.shape(id) == shape {
            return Ok(id);
        }
        making.step(format!("{name}.matrix"), ops::Reshape { shape }, &[id])
    };
    let left = matrix(making, a.id, [&of_rows, &of_inner])?;
    let right = matrix(making, b.id, [&of_inner, &of_columns])?;
    let made = making.step(format!("{name}.product"), ops::MatMul, &[left, right])?;
    let shape = [outer, of_rows, of_columns].concat();
    let id = making.step(format!("{name}.parts"), ops::Reshape { shape }, &[made])?;
    Ok(Lettered { id, letters: [shared, rows, columns].concat() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_equation_has_a_letter_for_every_axis() {
        let result = |text: &str, ranks: &[usize]| {
            Equation::parse(text, ranks).map(|equation| equation.result.into_iter().collect::<String>())
        };
        assert_eq!(result("b i j, bjk -> bik", &[3, 3]).unwrap(), "bik");
        assert_eq!(result("kj,ji", &[2, 2]).unwrap(), "ik");
        assert_eq!(result("ij->", &[2]).unwrap(), "");
        assert_eq!(result("...i,ij->...j", &[3, 2]).unwrap(), "89j");
        assert_eq!(result("b...,i...", &[2, 3]).unwrap(), "89bi");
        for (text, ranks) in
            [("...ik->i", &[1][..]), ("ii->i", &[2]), ("ij->ik", &[2]), ("ij,jk->ik", &[2]), ("", &[1])]
        {
            assert!(result(text, ranks).unwrap_err().contains(text), "{text}");
        }
    }
}
