//! The versions that the wheel asks for.

use crate::common::root;

/// The versions stand in four files.
#[test]
fn pinned_versions_agree() {
    let read = |name: &str| std::fs::read_to_string(root(name)).unwrap();
    let pins = |name: &str| -> Vec<String> {
        let text = read(name);
        text.lines().filter(|line| line.contains("==")).map(|line| line.trim_end_matches(" \\").to_string()).collect()
    };
    let project: toml::Value = toml::from_str(&read("pyproject.toml")).unwrap();
    let list = |value: &toml::Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_string()).collect()
    };
    let toolkit = list(&project["project"]["dependencies"]);
    assert_eq!(toolkit, pins("tools/toolkit/requirements.txt"));
    let (runtime, provider) = (autoneural::back::qnn::ONNXRUNTIME, autoneural::back::qnn::ONNXRUNTIME_QNN);
    assert_eq!(toolkit, [format!("onnxruntime=={runtime}"), format!("onnxruntime-qnn=={provider}")]);
    assert_eq!(list(&project["build-system"]["requires"]), pins("tools/wheel/requirements.txt"));
}
