//! Files that calibration and rounding leave: evidence and codes.

use autoneural::back::codes::CodeFile;
use autoneural::back::evidence;
use autoneural::encoding::{Encoding, IntegerType};
use autoneural::evidence::Ask;
use autoneural::ir::{Constant, ElementType, Origin, Value};
use autoneural::map::Map;
use autoneural::{Error, Result};
use safetensors::SafeTensors;

use super::Place;

/// Reads evidence of whatever the file says that it is of.
pub fn seen(place: &Place, bytes: &[u8]) -> Result<()> {
    let path = place.put("x.safetensors", bytes);
    let foreign = |what: &str| Error::input(path.display(), what);
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|_| foreign("no safetensors"))?;
    let text = header.metadata().as_ref().and_then(|texts| texts.get("evidence")).ok_or_else(|| foreign("no entry"))?;
    let ask: Ask = serde_json::from_str(text).map_err(|_| foreign("no wish"))?;
    let read = evidence::read(bytes, &path, &ask)?;
    let written = |name: &str, observer| {
        let path = place.put(name, b"");
        std::fs::remove_file(&path).expect("it was put there");
        evidence::write(&path, &ask, observer).expect("what was read can be written");
        std::fs::read(&path).expect("it was written")
    };
    let first = written("first.safetensors", &read);
    let again = evidence::read(&first, &path, &ask).expect("what was written can be read");
    assert!(first == written("again.safetensors", &again), "evidence changes as it is read");
    Ok(())
}

/// Reads codes, and looks for those of a constant.
pub fn codes(place: &Place, bytes: &[u8]) -> Result<()> {
    let path = place.put("codes.safetensors", bytes);
    let file = CodeFile::open(Map::open(&path)?, &path)?;
    let origin = Origin::Constant(Constant::from_values(vec![0.0; 3], vec![3]));
    let value = Value { name: "w".into(), shape: vec![3], element: ElementType::F32, origin };
    if let Some(found) = file.find(&value, &Encoding::symmetric(IntegerType::Int4, &[1.0], None)) {
        assert_eq!(found.len(), 2);
    }
    Ok(())
}
