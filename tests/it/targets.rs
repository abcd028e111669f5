//! The target files that are built in.

use std::path::Path;

use serde_json::Value;

use crate::common::{root, succeed};

#[test]
fn every_target_file_is_built_in_and_listed() {
    let list: Value = serde_json::from_str(&succeed(&["target", "list", "--json"])).expect("JSON");
    let mut known: Vec<String> =
        list.as_array().expect("a list").iter().map(|t| t["name"].as_str().expect("a name").to_string()).collect();
    known.sort();
    let stem = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.expect("an entry").path();
        Path::new(&path).file_stem().expect("a name").to_string_lossy().into_owned()
    };
    let mut files: Vec<String> = std::fs::read_dir(root("targets")).expect("the folder").map(stem).collect();
    files.sort();
    assert_eq!(known, files);
    let text = succeed(&["target", "list"]);
    assert!(text.lines().any(|line| line.starts_with("sa8295p  Qualcomm SA8295P, Hexagon v68")), "{text}");
}
