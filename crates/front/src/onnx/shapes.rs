//! Static shapes: every axis of an input gets a number, by option or by a default that is said.

use std::collections::HashMap;

use super::model::{Axis, Declared};
use autoneural_base::error::{Error, Result};
use autoneural_core::ir::Shape;

/// The shape of an input, as the option `--shape` states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatedShape {
    /// Name of the input; none where there is only one.
    pub input: Option<String>,
    /// Its sizes.
    pub shape: Shape,
}

impl StatedShape {
    /// From `NAME=1,3,640,640` or `1,3,640,640`. A name may have a `=` in it; sizes have none.
    ///
    /// # Errors
    /// Says in words what is no size.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        let (input, sizes) = match text.rsplit_once('=') {
            Some(("", _)) => return Err("there is no name before `=`".into()),
            Some((name, sizes)) => (Some(name.to_string()), sizes),
            None => (None, text),
        };
        let size = |word: &str| match word.trim().parse::<usize>() {
            Ok(size) if size > 0 => Ok(size),
            _ => Err(format!("`{word}` is no size of an axis; numbers from 1 on with commas between them are")),
        };
        Ok(StatedShape { input, shape: sizes.split(',').map(size).collect::<std::result::Result<_, _>>()? })
    }
}

/// The shapes of all inputs in order. What was chosen without being asked is added to `notes`.
///
/// # Errors
/// A stated shape that is of no input or contradicts the file, an axis whose size is not known.
pub fn settle(inputs: &[Declared], stated: &[StatedShape], notes: &mut Vec<String>) -> Result<Vec<Shape>> {
    let by_name = assign(inputs, stated)?;
    // A name of an axis that is settled by one input is settled for all.
    let mut named: HashMap<&str, usize> = HashMap::new();
    for (input, shape) in inputs.iter().zip(&by_name) {
        let (Some(axes), Some(shape)) = (&input.axes, shape) else { continue };
        refuse_contradiction(input, axes, shape, &mut named)?;
    }
    inputs.iter().zip(by_name).map(|(input, shape)| one(input, shape, &named, notes)).collect()
}

/// Which stated shape is of which input.
fn assign<'s>(inputs: &[Declared], stated: &'s [StatedShape]) -> Result<Vec<Option<&'s Shape>>> {
    let mut made = vec![None; inputs.len()];
    let names = || inputs.iter().map(|input| format!("`{}`", input.name)).collect::<Vec<_>>().join(", ");
    for StatedShape { input, shape } in stated {
        let at = match input {
            Some(name) => inputs.iter().position(|input| input.name == *name).ok_or_else(|| {
                Error::input(format!("--shape {name}"), "is no input of the model")
                    .help(format!("inputs are {}", names()))
            })?,
            None if inputs.len() == 1 => 0,
            None => {
                let message = format!("does not say of which input; the model has {}", inputs.len());
                return Err(
                    Error::input("--shape", message).help(format!("write --shape NAME=SIZES; inputs are {}", names()))
                );
            }
        };
        if made[at].replace(shape).is_some() {
            return Err(Error::input(format!("--shape {}", inputs[at].name), "is stated twice"));
        }
    }
    Ok(made)
}

fn refuse_contradiction<'i>(
    input: &'i Declared,
    axes: &'i [Axis],
    shape: &Shape,
    named: &mut HashMap<&'i str, usize>,
) -> Result<()> {
    let refused = |message: String| Err(Error::input(format!("--shape {}", input.name), message));
    if axes.len() != shape.len() {
        return refused(format!("has {} axes; the model says {}", shape.len(), axes.len()));
    }
    for (at, (axis, &size)) in axes.iter().zip(shape).enumerate() {
        match axis {
            Axis::Size(fixed) if *fixed != size => {
                return refused(format!("makes axis {at} {size}; the model says {fixed}"));
            }
            Axis::Named(name) => match named.insert(name, size) {
                Some(before) if before != size => {
                    return refused(format!(
                        "makes axis {at}, which is called {name}, {size}; it is {before} elsewhere"
                    ));
                }
                _ => {}
            },
            _ => {}
        }
    }
    Ok(())
}

fn one(
    input: &Declared,
    stated: Option<&Shape>,
    named: &HashMap<&str, usize>,
    notes: &mut Vec<String>,
) -> Result<Shape> {
    if let Some(shape) = stated {
        return Ok(shape.clone());
    }
    let Some(axes) = &input.axes else {
        return Err(Error::input(format!("input `{}`", input.name), "does not say how many axes it has")
            .help(format!("state its shape: --shape {}=SIZES", input.name)));
    };
    let mut shape = Shape::new();
    for (at, axis) in axes.iter().enumerate() {
        let known = match axis {
            Axis::Size(size) => Some(*size),
            Axis::Named(name) => named.get(name.as_str()).copied(),
            Axis::Open => None,
        };
        let size = match known {
            Some(size) => size,
            // The first axis is that of samples, which go through one by one.
            None if at == 0 => {
                notes.push(format!("input `{}`: axis 0 has no size in the model and was taken as 1", input.name));
                1
            }
            None => {
                let called = if let Axis::Named(name) = axis { format!(" ({name})") } else { String::new() };
                let example = axes.iter().enumerate().map(|(at, axis)| match axis {
                    Axis::Size(size) => size.to_string(),
                    _ if at == 0 => "1".into(),
                    Axis::Named(name) => name.clone(),
                    Axis::Open => "?".into(),
                });
                let example: Vec<String> = example.collect();
                return Err(Error::input(
                    format!("input `{}`", input.name),
                    format!("axis {at}{called} has no size in the model; all sizes are fixed when it is compiled"),
                )
                .help(format!(
                    "state them: --shape {}={}, with numbers throughout",
                    input.name,
                    example.join(",")
                )));
            }
        };
        shape.push(size);
    }
    Ok(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(name: &str, axes: &[Axis]) -> Declared {
        Declared { name: name.into(), data_type: 1, axes: Some(axes.to_vec()) }
    }

    fn named(name: &str) -> Axis {
        Axis::Named(name.into())
    }

    fn settled(inputs: &[Declared], stated: &[&str]) -> Result<(Vec<Shape>, Vec<String>)> {
        let stated: Vec<_> = stated.iter().map(|text| StatedShape::parse(text).unwrap()).collect();
        let mut notes = Vec::new();
        settle(inputs, &stated, &mut notes).map(|shapes| (shapes, notes))
    }

    #[test]
    fn the_first_axis_is_one_and_this_is_said() {
        let (shapes, notes) = settled(&[input("x", &[named("N"), Axis::Size(3)])], &[]).unwrap();
        assert_eq!(shapes, [vec![1, 3]]);
        assert!(notes[0].contains("`x`: axis 0"), "{notes:?}");
    }

    #[test]
    fn a_name_is_the_same_number_everywhere() {
        let inputs = [input("x", &[named("N"), named("S")]), input("y", &[named("S"), Axis::Size(2)])];
        assert_eq!(settled(&inputs, &["x=1,7"]).unwrap().0, [vec![1, 7], vec![7, 2]]);
        let error = settled(&inputs, &["x=1,7", "y=8,2"]).unwrap_err().to_string();
        assert!(error.contains("called S, 8; it is 7 elsewhere"), "{error}");
    }

    #[test]
    fn what_is_not_known_is_asked_for_by_option() {
        let whole = [input("x", &[named("N"), Axis::Size(3), named("H"), Axis::Open])];
        let cases: [(&[Declared], &[&str], &str); 7] = [
            (&whole, &[], "input `x`: axis 2 (H) has no size in the model"),
            (&whole, &[], "--shape x=1,3,H,?"),
            (&whole, &["y=1,3,4,4"], "--shape y: is no input"),
            (&whole, &["1,4,4,4"], "--shape x: makes axis 1 4; the model says 3"),
            (&whole, &["1,3,4"], "has 3 axes; the model says 4"),
            (&whole, &["1,3,4,4", "x=1,3,4,4"], "stated twice"),
            (&[input("x", &[]), input("y", &[])], &["1"], "does not say of which input"),
        ];
        for (inputs, stated, message) in cases {
            let error = settled(inputs, stated).unwrap_err().to_string();
            assert!(error.contains(message), "{message}: {error}");
        }
        assert_eq!(settled(&whole, &["1,3,4,4"]).unwrap().0, [vec![1, 3, 4, 4]]);
        for text in ["", "x=", "1,0", "1,,2", "=1", "x=1,-2"] {
            assert!(StatedShape::parse(text).is_err(), "{text}");
        }
    }
}
