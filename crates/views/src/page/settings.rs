//! The settings of a recipe as lines that can be compared: what stands in its tables, without the samples.

use std::collections::BTreeMap;
use std::path::Path;

use autoneural_base::error::Result;

/// Every setting by its path, such as `recipe.language.weights`; of samples how many there are.
///
/// # Errors
/// No TOML.
pub(crate) fn settings(text: &str, path: &Path) -> Result<BTreeMap<String, String>> {
    let table: toml::Table =
        toml::from_str(text).map_err(|error| autoneural_base::text::toml_error(path, text, &error))?;
    let mut made = BTreeMap::new();
    for (key, value) in &table {
        match (key.as_str(), value) {
            ("calibration" | "verification", toml::Value::Array(samples)) => {
                made.insert(format!("samples for {key}"), samples.len().to_string());
            }
            ("override", toml::Value::Array(list)) => list.iter().for_each(|one| exception(one, &mut made)),
            _ => flatten(key, value, &mut made),
        }
    }
    Ok(made)
}

/// An exception goes by its tensor: its place in the list says nothing.
fn exception(value: &toml::Value, made: &mut BTreeMap<String, String>) {
    let text = |key: &str| value.get(key).and_then(toml::Value::as_str).unwrap_or_default();
    made.insert(format!("override of {}", text("tensor")), text("type").to_string());
}

fn flatten(path: &str, value: &toml::Value, made: &mut BTreeMap<String, String>) {
    match value {
        toml::Value::Table(table) => {
            table.iter().for_each(|(key, value)| flatten(&format!("{path}.{key}"), value, made));
        }
        toml::Value::String(text) => drop(made.insert(path.to_string(), text.clone())),
        other => drop(made.insert(path.to_string(), serde_json::to_string(other).unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_go_by_their_path_and_exceptions_by_their_tensor() {
        let text = "name = \"a\"\n[recipe.vision]\nweights = \"int8\"\n[[override]]\ntensor = \"x\"\ntype = \"int8\"\n\
                    [[calibration]]\nprompt = \"?\"\n[goal.sqnr_db]\n\"*\" = 20\n";
        let made = settings(text, Path::new("recipe.toml")).unwrap();
        let lines: Vec<String> = made.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let wanted = ["goal.sqnr_db.*=20", "name=a", "override of x=int8", "recipe.vision.weights=int8"];
        assert_eq!(lines, [&wanted[..], &["samples for calibration=1"]].concat());
        assert!(settings("a = ", Path::new("recipe.toml")).is_err());
    }
}
