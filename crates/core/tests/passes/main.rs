//! Passes and other rewrites: what each does to a small graph, and that none changes what graphs compute.

mod equalize;
mod examples;
mod function;
mod random;
mod run;
mod snapshots;

use std::path::Path;

use autoneural_core::target::Target;

/// A target that takes softmax on the last axis only, and few axes, so that every pass has something to do.
fn target() -> Target {
    let text = "schema = 2\nname = \"strict\"\ndescription = \"for tests\"\nmost_axes = 3\n\
                soc = { soc_model = 1, htp_arch = 1, vtcm_mb = 1 }\n\
                [[operator]]\nname = \"Softmax\"\nactivations = [\"uint16\"]\nlast_axis_only = true\n";
    Target::parse(text, Path::new("strict.toml")).unwrap()
}
