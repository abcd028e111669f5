//! Each pass on a small graph, before and after, against files in `tests/snapshots/passes`. `UPDATE_SNAPSHOTS=1` writes
//! them anew; look at the difference.

use std::path::Path;

use autoneural_core::passes::{Context, PASSES};

use super::examples::example;
use super::target;

#[test]
fn passes_on_small_graphs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/passes");
    let target = target();
    for pass in PASSES {
        let before = example(pass.name);
        let after = pass.apply(&before, Context { target: &target }).unwrap();
        let made = format!("{:?}: {} {}\n\n{before}\n{after}", pass.kind, pass.name, pass.what);
        let path = folder.join(format!("{}.txt", pass.name));
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        let wanted = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(made, wanted, "{}", path.display());
    }
    let names: Vec<String> = PASSES.iter().map(|pass| format!("{}.txt", pass.name)).collect();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(names.contains(&name), "no pass makes {name}");
    }
}
