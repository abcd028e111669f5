//! Links where context binaries are wanted.

use std::os::unix::fs::symlink;

use crate::common::bench::INPUT;
use crate::common::{demo_bundle, stderr, toolkit};
use crate::sealed::Sealed;

#[test]
fn a_context_model_refers_to_a_binary_that_was_checked() {
    let toolkit = toolkit();
    let toolkit = toolkit.to_str().expect("UTF-8");
    let ask = ["run", "bundle", "--on", "npu", "--prompt", "Who?", "--max-tokens", "1", "-q", "--toolkit", toolkit];
    // A name of the same length, so that the model stays one.
    for (other, words) in [
        (".anguage.decode_qnn.bin", &["context/language.decode.onnx", "no hidden one"][..]),
        ("lenguage.decode_qnn.bin", &["context/language.decode.onnx", "which the manifest does not list"]),
    ] {
        let sealed = Sealed::of(demo_bundle());
        let model = sealed.path("bundle/context/language.decode.onnx");
        let mut bytes = std::fs::read(&model).expect("the model");
        let name = b"language.decode_qnn.bin";
        let at = bytes.windows(name.len()).position(|window| window == name).expect("the name");
        bytes[at..at + name.len()].copy_from_slice(other.as_bytes());
        std::fs::write(&model, bytes).expect("written");
        sealed.seal("context/language.decode.onnx");
        let binary = sealed.path("bundle/context/language.decode_qnn.bin");
        std::fs::copy(&binary, binary.with_file_name(other)).expect("copied");
        let output = sealed.run(&ask);
        assert_eq!(output.status.code(), Some(INPUT), "{other}: {}", stderr(&output));
        words.iter().for_each(|word| assert!(stderr(&output).contains(word), "{word}: {}", stderr(&output)));
    }
    let sealed = Sealed::of(demo_bundle());
    let binary = sealed.path("bundle/context/language.decode_qnn.bin");
    std::fs::rename(&binary, sealed.path("elsewhere.bin")).expect("moved");
    symlink(sealed.path("elsewhere.bin"), &binary).expect("a link");
    for args in [&ask[..], &["inspect", "bundle/context/language.decode.onnx"]] {
        let output = sealed.run(args);
        assert_eq!(output.status.code(), Some(INPUT), "{}", stderr(&output));
        assert!(stderr(&output).contains("_qnn.bin: is a link"), "{}", stderr(&output));
    }
}
