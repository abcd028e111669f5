//! Arithmetic on constants: what models compute of shapes and sizes.

use super::array::{Array, Numbers, broadcast};
use autoneural_core::ir::ElementType;

/// What is made of two elements.
struct Pair {
    op: &'static str,
    real: fn(f32, f32) -> f32,
    /// None where the result is no integer of 64 bits.
    whole: fn(i64, i64) -> Option<i64>,
}

/// What compares two elements.
struct Compare {
    op: &'static str,
    real: fn(f32, f32) -> bool,
    whole: fn(i64, i64) -> bool,
}

const PAIRS: [Pair; 10] = [
    Pair { op: "Add", real: |a, b| a + b, whole: i64::checked_add },
    Pair { op: "Sub", real: |a, b| a - b, whole: i64::checked_sub },
    Pair { op: "Mul", real: |a, b| a * b, whole: i64::checked_mul },
    Pair { op: "Div", real: |a, b| a / b, whole: i64::checked_div },
    Pair { op: "Mod", real: floor_rest, whole: |a, b| a.checked_rem(b).map(|rest| turned(rest, b)) },
    Pair { op: FMOD, real: |a, b| a % b, whole: i64::checked_rem },
    Pair { op: "Pow", real: f32::powf, whole: |a, b| u32::try_from(b).ok().and_then(|b| a.checked_pow(b)) },
    Pair { op: "Min", real: f32::min, whole: |a, b| Some(a.min(b)) },
    Pair { op: "Max", real: f32::max, whole: |a, b| Some(a.max(b)) },
    Pair { op: "Sum", real: |a, b| a + b, whole: i64::checked_add },
];

/// `Mod` with the attribute `fmod`.
pub const FMOD: &str = "Mod, fmod";

/// A rest has the sign of the divisor.
fn floor_rest(a: f32, b: f32) -> f32 {
    let rest = a % b;
    if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }
}

/// A rest has the sign of the divisor.
fn turned(rest: i64, divisor: i64) -> i64 {
    if rest != 0 && (rest < 0) != (divisor < 0) { rest + divisor } else { rest }
}

const COMPARES: [Compare; 8] = [
    Compare { op: "Equal", real: |a, b| a == b, whole: |a, b| a == b },
    Compare { op: "Greater", real: |a, b| a > b, whole: |a, b| a > b },
    Compare { op: "GreaterOrEqual", real: |a, b| a >= b, whole: |a, b| a >= b },
    Compare { op: "Less", real: |a, b| a < b, whole: |a, b| a < b },
    Compare { op: "LessOrEqual", real: |a, b| a <= b, whole: |a, b| a <= b },
    Compare { op: "And", real: |_, _| false, whole: |a, b| a != 0 && b != 0 },
    Compare { op: "Or", real: |_, _| false, whole: |a, b| a != 0 || b != 0 },
    Compare { op: "Xor", real: |_, _| false, whole: |a, b| (a != 0) != (b != 0) },
];

/// What is made of one element.
struct One {
    op: &'static str,
    real: fn(f32) -> f32,
    whole: fn(i64) -> Option<i64>,
}

const ONES: [One; 12] = [
    One { op: "Neg", real: |x| -x, whole: i64::checked_neg },
    One { op: "Abs", real: f32::abs, whole: i64::checked_abs },
    One { op: "Sign", real: sign, whole: |x| Some(x.signum()) },
    One { op: "Floor", real: f32::floor, whole: |_| None },
    One { op: "Ceil", real: f32::ceil, whole: |_| None },
    One { op: "Round", real: f32::round_ties_even, whole: |_| None },
    One { op: "Sqrt", real: f32::sqrt, whole: |_| None },
    One { op: "Exp", real: f32::exp, whole: |_| None },
    One { op: "Log", real: f32::ln, whole: |_| None },
    One { op: "Sin", real: f32::sin, whole: |_| None },
    One { op: "Cos", real: f32::cos, whole: |_| None },
    One { op: "Reciprocal", real: |x| 1.0 / x, whole: |_| None },
];

fn sign(x: f32) -> f32 {
    if x == 0.0 || x.is_nan() { x } else { x.signum() }
}

/// Whether an operator computes elements one by one.
pub fn is_elementwise(op: &str) -> bool {
    ONES.iter().any(|one| one.op == op)
        || PAIRS.iter().any(|pair| pair.op == op)
        || COMPARES.iter().any(|compare| compare.op == op)
        || matches!(op, "Not" | "Where")
}

/// The result of an operator on elements one by one; none if it is no such operator.
///
/// # Errors
/// Operands that do not fit each other, a result that is no number of their type.
pub fn elementwise(op: &str, inputs: &[Array]) -> Option<Result<Array, String>> {
    if let Some(one) = ONES.iter().find(|one| one.op == op) {
        return Some(first(inputs, 1).and_then(|x| unary(one, x)));
    }
    if let Some(pair) = PAIRS.iter().find(|pair| pair.op == op) {
        let start = first(inputs, 1).cloned();
        return Some(
            start.and_then(|start| inputs[1..].iter().try_fold(start, |made, next| binary(pair, &made, next))),
        );
    }
    if let Some(compare) = COMPARES.iter().find(|compare| compare.op == op) {
        return Some(first(inputs, 2).and_then(|a| compared(compare, a, &inputs[1])));
    }
    match op {
        "Not" => Some(first(inputs, 1).map(|x| {
            let flipped = x.whole().into_iter().map(|value| i64::from(value == 0)).collect();
            Array { shape: x.shape.clone(), element: ElementType::Bool, numbers: Numbers::Whole(flipped) }
        })),
        "Where" => Some(first(inputs, 3).and_then(|condition| chosen(condition, &inputs[1], &inputs[2]))),
        _ => None,
    }
}

fn first(inputs: &[Array], count: usize) -> Result<&Array, String> {
    inputs.first().filter(|_| inputs.len() >= count).ok_or_else(|| format!("{count} inputs are wanted"))
}

fn unary(one: &One, x: &Array) -> Result<Array, String> {
    let numbers = match &x.numbers {
        Numbers::Real(values) => Numbers::Real(values.iter().map(|&value| (one.real)(value)).collect()),
        Numbers::Whole(values) => Numbers::Whole(
            values.iter().map(|&value| (one.whole)(value)).collect::<Option<_>>().ok_or("is beyond the integers")?,
        ),
    };
    Ok(Array { shape: x.shape.clone(), element: x.element, numbers })
}

fn same_type(a: &Array, b: &Array) -> Result<(), String> {
    match a.element == b.element {
        true => Ok(()),
        false => Err(format!("has operands of the types {} and {}", a.element.name(), b.element.name())),
    }
}

fn binary(pair: &Pair, a: &Array, b: &Array) -> Result<Array, String> {
    // An exponent may be of another type than its base.
    let b = if pair.op == "Pow" { &b.cast(a.element) } else { b };
    same_type(a, b)?;
    let shape = broadcast(&a.shape, &b.shape)?;
    let (left, right) = (a.broadcast(&shape), b.broadcast(&shape));
    let numbers = match (left.numbers, right.numbers) {
        (Numbers::Real(a), Numbers::Real(b)) => {
            Numbers::Real(a.iter().zip(b).map(|(&a, b)| (pair.real)(a, b)).collect())
        }
        (Numbers::Whole(a), Numbers::Whole(b)) => {
            let fits = |value: &i64| a_fits(*value, left.element);
            let made = a.iter().zip(b).map(|(&a, b)| (pair.whole)(a, b).filter(fits));
            Numbers::Whole(made.collect::<Option<_>>().ok_or("has a result that is no integer of its type")?)
        }
        _ => unreachable!("the types are the same"),
    };
    Ok(Array { shape, element: left.element, numbers })
}

fn a_fits(value: i64, element: ElementType) -> bool {
    match element {
        ElementType::I32 => i32::try_from(value).is_ok(),
        ElementType::Bool => matches!(value, 0 | 1),
        ElementType::I64 | ElementType::F32 => true,
    }
}

fn compared(compare: &Compare, a: &Array, b: &Array) -> Result<Array, String> {
    same_type(a, b)?;
    let shape = broadcast(&a.shape, &b.shape)?;
    let truths = match (a.broadcast(&shape).numbers, b.broadcast(&shape).numbers) {
        (Numbers::Real(a), Numbers::Real(b)) => a.iter().zip(b).map(|(&a, b)| (compare.real)(a, b).into()).collect(),
        (Numbers::Whole(a), Numbers::Whole(b)) => a.iter().zip(b).map(|(&a, b)| (compare.whole)(a, b).into()).collect(),
        _ => unreachable!("the types are the same"),
    };
    Ok(Array { shape, element: ElementType::Bool, numbers: Numbers::Whole(truths) })
}

fn chosen(condition: &Array, yes: &Array, no: &Array) -> Result<Array, String> {
    same_type(yes, no)?;
    let shape = broadcast(&condition.shape, &broadcast(&yes.shape, &no.shape)?)?;
    let (condition, yes, no) = (condition.broadcast(&shape).whole(), yes.broadcast(&shape), no.broadcast(&shape));
    let numbers = match (yes.numbers, no.numbers) {
        (Numbers::Real(yes), Numbers::Real(no)) => Numbers::Real(choose(&condition, yes, no)),
        (Numbers::Whole(yes), Numbers::Whole(no)) => Numbers::Whole(choose(&condition, yes, no)),
        _ => unreachable!("the types are the same"),
    };
    Ok(Array { shape, element: yes.element, numbers })
}

fn choose<T>(condition: &[i64], yes: Vec<T>, no: Vec<T>) -> Vec<T> {
    condition.iter().zip(yes.into_iter().zip(no)).map(|(&is, (yes, no))| if is != 0 { yes } else { no }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(values: &[i64]) -> Array {
        Array::long(values.to_vec(), vec![values.len()])
    }

    fn real(values: &[f32]) -> Array {
        Array { shape: vec![values.len()], element: ElementType::F32, numbers: Numbers::Real(values.to_vec()) }
    }

    fn made(op: &str, inputs: &[Array]) -> Result<Array, String> {
        elementwise(op, inputs).unwrap()
    }

    #[test]
    fn integers_are_computed_as_integers() {
        for (op, a, b, wanted) in [
            ("Add", 7, -2, 5),
            ("Sub", 7, -2, 9),
            ("Mul", 7, -2, -14),
            ("Div", -7, 2, -3),
            ("Mod", -7, 2, 1),
            (FMOD, -7, 2, -1),
            ("Pow", 2, 10, 1024),
            ("Max", i64::MAX, 3, i64::MAX),
            ("Less", 1, 2, 1),
            ("Equal", 1, 2, 0),
        ] {
            assert_eq!(made(op, &[long(&[a]), long(&[b])]).unwrap().whole(), [wanted], "{op}");
        }
        for (op, a, b) in [("Div", 1, 0), ("Add", i64::MAX, 1), ("Pow", 2, -1), ("Mod", i64::MIN, -1)] {
            assert!(made(op, &[long(&[a]), long(&[b])]).is_err(), "{op}");
        }
        let short = |value| long(&[value]).cast(ElementType::I32);
        assert!(made("Mul", &[short(1 << 20), short(1 << 20)]).is_err());
    }

    #[test]
    fn operands_broadcast_and_choose() {
        let column = Array::long(vec![1, 2], vec![2, 1]);
        let sum = made("Add", &[column, long(&[10, 20, 30])]).unwrap();
        assert_eq!((sum.shape.clone(), sum.whole()), (vec![2, 3], vec![11, 21, 31, 12, 22, 32]));
        let condition = made("Greater", &[sum, long(&[20])]).unwrap();
        let chosen = made("Where", &[condition, real(&[1.0]), real(&[-1.0])]).unwrap();
        assert_eq!(chosen.real(), [-1.0, 1.0, 1.0, -1.0, 1.0, 1.0]);
    }

    #[test]
    fn what_does_not_fit_is_an_error_and_no_panic() {
        assert!(made("Add", &[long(&[1]), real(&[1.0])]).is_err());
        assert!(made("Add", &[]).is_err());
        assert!(made("Where", &[long(&[1]), long(&[1])]).is_err());
        assert!(made("Add", &[long(&[1, 2]), long(&[1, 2, 3])]).is_err());
        let wide = |shape: Vec<usize>| Array::long(vec![1; 1 << 13], shape);
        let error = made("Add", &[wide(vec![1 << 13, 1]), wide(vec![1, 1 << 13])]).unwrap_err();
        assert!(error.contains("at most"), "{error}");
        assert_eq!(made("Add", &[long(&[]), long(&[1])]).unwrap().shape, [0]);
    }
}
