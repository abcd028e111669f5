//! Files of evidence: what one observer saw, in the safetensors format. The header's metadata has one entry,
//! `evidence`: the request as JSON. The numbers are the observer's own, so that an observer that is read from a file
//! can go on observing exactly.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use autoneural_base::error::{Error, Result};
use autoneural_base::files;
use autoneural_core::evidence::{Ask, Exact, Histogram, Means, Observer, Peaks, SecondMoments, Sums, Want};
use autoneural_core::ir::ops::Rows;

/// The metadata's entry.
const ENTRY: &str = "evidence";

/// Name of the file of a request, in the folder of calibration: `evidence/<group>/<value>.<what>.safetensors`.
pub fn file(ask: &Ask) -> String {
    let what = ask.want.to_string().replace(' ', "-");
    let rows = match &ask.rows {
        Rows::LastAxis => String::new(),
        Rows::Windows { kernel: [h, w], strides: [down, across], pads, groups, dilations } => {
            let [top, left, bottom, right] = pads;
            let spread = match dilations {
                [1, 1] => String::new(),
                [y, x] => format!("-{y}x{x}"),
            };
            format!(".{h}x{w}-{down}x{across}-{top}.{left}.{bottom}.{right}-{groups}{spread}")
        }
    };
    let stem = files::stem(&format!("{}.{what}{rows}", ask.site));
    format!("evidence/{}/{stem}.safetensors", ask.group.name())
}

/// A tensor of a file.
struct Numbers {
    name: &'static str,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

macro_rules! numbers {
    ($($make:ident, $read:ident, $type:ty, $dtype:ident);* $(;)?) => {
        $(
            fn $make(name: &'static str, shape: Vec<usize>, numbers: &[$type]) -> Numbers {
                let mut bytes = Vec::with_capacity(size_of_val(numbers));
                numbers.iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
                Numbers { name, dtype: Dtype::$dtype, shape, bytes }
            }

            fn $read(tensors: &SafeTensors, name: &str) -> Result<(Vec<usize>, Vec<$type>), String> {
                let tensor = tensors.tensor(name).map_err(|error| error.to_string())?;
                if tensor.dtype() != Dtype::$dtype {
                    return Err(format!("`{name}` is {:?}", tensor.dtype()));
                }
                let (chunks, _) = tensor.data().as_chunks();
                Ok((tensor.shape().to_vec(), chunks.iter().map(|&bytes| <$type>::from_le_bytes(bytes)).collect()))
            }
        )*
    };
}

numbers! {
    of_f32, f32s, f32, F32;
    of_i64, i64s, i64, I64;
    of_u8, u8s, u8, U8;
    of_u64, u64s, u64, U64;
}

/// Writes what was seen for a request.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, ask: &Ask, observer: &Observer) -> Result<()> {
    let failed = |error: safetensors::SafeTensorError| Error::internal(path.display(), error);
    let tensors = tensors(observer);
    let views = tensors.iter().map(|numbers| {
        let view = TensorView::new(numbers.dtype, numbers.shape.clone(), &numbers.bytes).map_err(failed)?;
        Ok((numbers.name, view))
    });
    let views = views.collect::<Result<Vec<_>>>()?;
    let text = serde_json::to_string(ask).map_err(|error| Error::internal(path.display(), error))?;
    let made = safetensors::serialize(views, Some(HashMap::from([(ENTRY.to_string(), text)]))).map_err(failed)?;
    drop(tensors);
    files::write(path, &made)
}

fn tensors(observer: &Observer) -> Vec<Numbers> {
    let one = |name, number| of_u64(name, vec![1], &[number]);
    match observer {
        Observer::Histogram(made) => {
            vec![of_u64("counts", vec![Histogram::BINS], made.counts()), one("non-finite", made.non_finite)]
        }
        Observer::Means(made) => sums(made),
        Observer::Peaks(made) => {
            let width = made.width().max(1);
            vec![of_f32("peaks", vec![made.peaks().len() / width, width], made.peaks())]
        }
        Observer::SecondMoments(made) => sums(made),
    }
}

/// Exact sums, as the integers that they are.
fn sums(made: &Sums) -> Vec<Numbers> {
    let (high, low, place) = made.sums().parts();
    vec![
        of_i64("high", vec![high.len()], high),
        of_i64("low", vec![low.len()], low),
        of_u8("place", vec![place.len()], place),
        of_u64("rows", vec![made.groups()], made.rows()),
        of_u64("columns", vec![1], &[made.width() as u64]),
        of_u64("non-finite", vec![1], &[made.non_finite]),
    ]
}

/// What was seen for a request, from the bytes of a file.
///
/// # Errors
/// The bytes are no such file, or are of another request.
pub fn read(bytes: &[u8], path: &Path, ask: &Ask) -> Result<Observer> {
    let damaged = |message: String| {
        Error::input(path.display(), format!("is no file of evidence: {message}"))
            .help("the bundle is damaged; `autoneural calibrate` collects it anew")
    };
    let found = |error: safetensors::SafeTensorError| damaged(error.to_string());
    let tensors = SafeTensors::deserialize(bytes).map_err(found)?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(found)?;
    let text = header.metadata().as_ref().and_then(|texts| texts.get(ENTRY));
    let text = text.ok_or_else(|| damaged(format!("its header has no `{ENTRY}`")))?;
    let of: Ask = serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
    if of != *ask {
        return Err(damaged(format!("it has {} of `{}`, not {} of `{}`", of.want, of.site, ask.want, ask.site)));
    }
    observer(&tensors, ask).map_err(damaged)
}

fn observer(tensors: &SafeTensors, ask: &Ask) -> Result<Observer, String> {
    let one = |name| match u64s(tensors, name)?.1[..] {
        [number] => Ok(number),
        _ => Err(format!("`{name}` is not one number")),
    };
    let unfit = || "its tensors do not fit each other".to_string();
    let parts = || {
        let width = usize::try_from(one("columns")?).map_err(|_| unfit())?;
        let (high, low, place) = (i64s(tensors, "high")?.1, i64s(tensors, "low")?.1, u8s(tensors, "place")?.1);
        let sums = Exact::of_parts(high, low, place).ok_or_else(unfit)?;
        Ok::<_, String>((width, sums, u64s(tensors, "rows")?.1, one("non-finite")?))
    };
    // Methods go through the channel groups of the layer that asks.
    let groups = ask.rows.groups();
    Ok(match ask.want {
        Want::Range => return Err("no file has ranges alone".into()),
        Want::Histogram => {
            let made = Histogram::of_counts(u64s(tensors, "counts")?.1, one("non-finite")?);
            Observer::Histogram(made.ok_or_else(unfit)?)
        }
        Want::Means => {
            let (width, sums, rows, non_finite) = parts()?;
            if rows.len() != groups {
                return Err(unfit());
            }
            Observer::Means(Means::of_sums(width, sums, rows, non_finite).ok_or_else(unfit)?)
        }
        Want::Peaks => {
            let (shape, peaks) = f32s(tensors, "peaks")?;
            let width = shape.last().copied().unwrap_or(0);
            let made = Peaks::of_peaks(width, peaks).filter(|made| made.peaks().len() == width * groups);
            Observer::Peaks(made.ok_or_else(unfit)?)
        }
        Want::SecondMoments => {
            let (width, sums, rows, non_finite) = parts()?;
            if rows.len() != groups {
                return Err(unfit());
            }
            Observer::SecondMoments(SecondMoments::of_sums(width, sums, rows, non_finite).ok_or_else(unfit)?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use autoneural_core::program::Group;

    #[test]
    fn what_is_read_is_what_was_seen_and_goes_on() {
        let windows = Rows::Windows { kernel: [2, 1], strides: [1, 1], pads: [0; 4], groups: 2, dilations: [1, 1] };
        let (shape, folder) = ([1, 4, 3, 2], tempfile::tempdir().unwrap());
        let values: Vec<f32> = (0..24).map(|at| if at == 5 { f32::NAN } else { at as f32 - 9.5 }).collect();
        let wants = [Want::Histogram, Want::Means, Want::Peaks, Want::SecondMoments];
        for (number, want) in wants.into_iter().enumerate() {
            let ask = Ask::new(&Group::fixed("some"), "x", want, &windows);
            let path = folder.path().join(number.to_string());
            let mut seen = Observer::new(&ask, &shape).unwrap();
            // Before anything was seen, and behind two runs.
            for run in 0..3 {
                let _ = std::fs::remove_file(&path);
                write(&path, &ask, &seen).unwrap();
                let bytes = std::fs::read(&path).unwrap();
                let mut read_back = read(&bytes, &path, &ask).unwrap();
                assert_eq!(read_back, seen, "{want} behind {run} runs");
                seen.observe(&ask.rows, &shape, &values);
                read_back.observe(&ask.rows, &shape, &values);
                assert_eq!(read_back, seen, "{want} behind {run} runs and one more");
            }
            let bytes = std::fs::read(&path).unwrap();
            let other = Ask { site: "y".into(), ..ask.clone() };
            let said = read(&bytes, &path, &other).unwrap_err().to_string();
            assert!(said.contains("of `x`, not") && said.contains("autoneural calibrate"), "{said}");
            assert!(read(&bytes[..bytes.len() - 1], &path, &ask).is_err());
        }
    }

    #[test]
    fn every_request_has_a_file_of_its_own() {
        let windows =
            Rows::Windows { kernel: [3, 3], strides: [2, 2], pads: [0, 0, 1, 1], groups: 1, dilations: [1, 1] };
        let ask = |want, rows: &Rows| file(&Ask::new(&Group::fixed("some"), "layers.0.x", want, rows));
        assert_eq!(ask(Want::SecondMoments, &Rows::LastAxis), "evidence/some/layers.0.x.second-moments.safetensors");
        assert_eq!(
            ask(Want::SecondMoments, &windows),
            "evidence/some/layers.0.x.second-moments.3x3-2x2-0.0.1.1-1.safetensors"
        );
        assert_ne!(ask(Want::Means, &windows), ask(Want::Peaks, &windows));
    }
}
