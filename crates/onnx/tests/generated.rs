//! The committed messages and descriptors are those of the schema. `UPDATE_SNAPSHOTS=1` writes them anew.

use std::path::{Path, PathBuf};

use prost::Message;
use prost_build::Config;

const SCHEMA: &str = "onnx-ml.proto3";

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn compare(path: &str, made: &[u8]) {
    let path = here(path);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, made).unwrap();
    }
    let committed = std::fs::read(&path).unwrap();
    assert!(committed == made, "{} is not what the schema gives; UPDATE_SNAPSHOTS=1 writes it", path.display());
}

#[test]
fn the_committed_code_is_what_the_schema_gives() {
    let set = protox::compile([SCHEMA], [here("proto")]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new();
    config.out_dir(folder.path()).disable_comments(["."]);
    config.compile_fds(set.clone()).unwrap();
    compare("src/generated.rs", &std::fs::read(folder.path().join("onnx.rs")).unwrap());
    // Without the comments, which nobody reads there.
    let [mut file] = <[_; 1]>::try_from(set.file).unwrap();
    file.source_code_info = None;
    compare("src/generated.desc", &file.encode_to_vec());
}
