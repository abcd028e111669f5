//! Limits of a process: the error names the limit, and not the model.

use autoneural_onnx::{GraphProto, ModelProto, TensorProto};
use prost::Message;

use crate::common::bench::{Bench, COMPILE, OS};
use crate::common::stderr;

/// Memory that is not to be had ends a program on the spot, or fails: either way it says why.
#[test]
fn memory_that_ran_out_is_told() {
    let bench = Bench::new();
    let file = std::fs::File::create(bench.path("endless.onnx")).expect("a file");
    file.set_len(1 << 30).expect("a size");
    // A model that can be read and, beside what was read, not be held.
    let tensor = TensorProto { raw_data: vec![1; 64 << 20], ..TensorProto::default() };
    let graph = GraphProto { initializer: vec![tensor], ..GraphProto::default() };
    let model = ModelProto { graph: Some(graph), ..ModelProto::default() };
    bench.write("large.onnx", model.encode_to_vec());
    for (name, kilobytes) in [("{endless.onnx}", 200_000), ("{large.onnx}", 220_000)] {
        let inspect = |more: &[&str]| {
            let line = format!("ulimit -c 0; ulimit -v {kilobytes}; exec \"$0\" \"$@\"");
            let output = bench.run_in_shell(&line, &[&["inspect", name], more].concat());
            assert_eq!(output.status.code(), Some(OS), "{name}: {}", stderr(&output));
            stderr(&output)
        };
        let said = inspect(&[]);
        assert!(said.contains("memory ran out") && said.contains("`ulimit -v`"), "{name}: {said}");
        let said = inspect(&["--json"]);
        let error = said.lines().find_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()).expect("JSON");
        assert_eq!((&error["error"]["kind"], &error["error"]["exit_status"]), (&"io".into(), &4.into()), "{name}");
    }
    assert!(bench.run(&["inspect", "{large.onnx}"]).status.success(), "with memory it works");
}

#[test]
fn a_file_that_grows_too_large_is_told_by_the_program_itself() {
    let bench = Bench::new();
    for kilobytes in [0, 1, 10, 100, 1000, 3000] {
        let line = format!("ulimit -f {kilobytes}; exec \"$0\" \"$@\"");
        let output = bench.run_in_shell(&line, &COMPILE);
        bench.expect(&format!("{kilobytes} kB"), &output, OS, &["File too large", "`ulimit -f`"]);
    }
}
