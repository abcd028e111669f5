//! What is tried: one entry per kind of file that the program reads, with the code that it runs on such a file.
//!
//! A target reads the input as the program does, and goes on with what was read as far as commands do without the
//! vendor toolkit. That a file is refused is well; what it must not do is named in `main.rs`. What is read and written
//! again must be the same, which targets assert.

mod bundle;
mod calibrated;
mod checkpoint;
mod host;
mod models;
mod place;
mod planted;
mod texts;

pub use place::Place;
use place::files_of;

use autoneural::Result;

use crate::mutate::Format;

/// Reads an input, and does what is done with it.
pub type Run = fn(&Place, &[u8]) -> Result<()>;

/// A kind of file.
pub struct Target {
    pub name: &'static str,
    /// Files to begin with, and folders of such, in the project.
    from: &'static [&'static str],
    pub format: Format,
    /// Cases of the short run; fewer where a case takes longer.
    pub short: u64,
    pub run: Run,
}

impl Target {
    /// The inputs to begin with, in the order of their names.
    pub fn seeds(&self) -> Vec<Vec<u8>> {
        let paths = self.seed_paths();
        paths.iter().map(|path| std::fs::read(path).expect("a seed")).collect()
    }

    pub fn seed_paths(&self) -> Vec<std::path::PathBuf> {
        self.from.iter().flat_map(|from| files_of(from)).collect()
    }
}

pub static TARGETS: [Target; 27] = [
    Target {
        name: "safetensors",
        from: &["tests/fuzz/corpus/safetensors", "tests/fuzz/bundle/model/embeddings.safetensors"],
        format: Format::Safetensors,
        short: 1500,
        run: checkpoint::safetensors,
    },
    Target {
        name: "index",
        from: &["tests/fuzz/corpus/index"],
        format: Format::Json(&[]),
        short: 1500,
        run: checkpoint::index,
    },
    Target {
        name: "definition",
        from: &["graphs", "tests/fuzz/bundle/model/definition.toml", "tests/fixtures/internvl-random/definition.toml"],
        format: Format::Toml,
        short: 1500,
        run: texts::definition,
    },
    Target {
        name: "recipe",
        from: &[
            "calibration/demo.toml",
            "calibration/photos.toml",
            "tests/fixtures/golden/samples.toml",
            "tests/fuzz/bundle/calibration/recipe.toml",
        ],
        format: Format::Toml,
        short: 1500,
        run: texts::recipe,
    },
    Target {
        name: "target",
        from: &["targets/sa8295p.toml", "targets/sm8750.toml"],
        format: Format::Toml,
        short: 1500,
        run: texts::target,
    },
    Target {
        name: "thresholds",
        from: &["crates/views/src/gate/default.toml", "tests/fuzz/corpus/thresholds"],
        format: Format::Toml,
        short: 1500,
        run: texts::thresholds,
    },
    Target {
        name: "questions",
        from: &["tests/fuzz/corpus/questions"],
        format: Format::JsonLines,
        short: 1500,
        run: texts::questions,
    },
    Target {
        name: "baseline",
        from: &["tests/fuzz/corpus/baseline"],
        format: Format::Json(&[]),
        short: 300,
        run: bundle::baseline,
    },
    Target {
        name: "manifest",
        from: &["tests/fuzz/bundle/manifest.json"],
        format: Format::Json(&[]),
        short: 400,
        run: bundle::manifest,
    },
    Target {
        name: "golden",
        from: &["tests/fuzz/corpus/golden"],
        format: Format::Json(&[]),
        short: 300,
        run: bundle::golden,
    },
    Target {
        name: "report",
        from: &["tests/fuzz/bundle/report.json"],
        format: Format::Json(&[]),
        short: 300,
        run: bundle::report,
    },
    Target {
        name: "graph",
        from: &[
            "tests/fuzz/bundle/model/projector.json",
            "tests/fuzz/bundle/model/vision.json",
            "tests/fuzz/bundle/model/language.decode.json",
            "tests/fuzz/bundle/model/language.prefill.json",
        ],
        format: Format::Json(&bundle::OPERATORS),
        short: 300,
        run: bundle::graph,
    },
    Target {
        name: "program",
        from: &["tests/fuzz/bundle/model/program.json"],
        format: Format::Json(&[]),
        short: 300,
        run: bundle::program,
    },
    Target {
        name: "bundled-definition",
        from: &["tests/fuzz/bundle/model/definition.toml"],
        format: Format::Toml,
        short: 300,
        run: bundle::definition,
    },
    Target {
        name: "encodings",
        from: &["tests/fuzz/bundle/encodings"],
        format: Format::Json(&[]),
        short: 300,
        run: bundle::encodings,
    },
    Target {
        name: "statistics",
        from: &["tests/fuzz/bundle/calibration/statistics.json"],
        format: Format::Json(&[]),
        short: 300,
        run: bundle::statistics,
    },
    Target {
        name: "evidence",
        from: &["tests/fuzz/corpus/evidence"],
        format: Format::Safetensors,
        short: 1000,
        run: calibrated::seen,
    },
    Target {
        name: "codes",
        from: &["tests/fuzz/corpus/codes"],
        format: Format::Safetensors,
        short: 1000,
        run: calibrated::codes,
    },
    Target {
        name: "onnx",
        from: &["tests/fuzz/bundle/context", "tests/fuzz/bundle/model/projector.onnx"],
        format: Format::Protobuf,
        short: 1500,
        run: models::onnx,
    },
    Target {
        name: "onnx-import",
        from: &["tests/fixtures/onnx"],
        format: Format::Protobuf,
        short: 1500,
        run: models::imported_model,
    },
    Target {
        name: "onnx-text",
        from: &["tests/fixtures/onnx-text"],
        format: Format::Bytes,
        short: 1500,
        run: models::model_text,
    },
    Target {
        name: "float-model",
        from: &[
            "tests/fuzz/bundle/model/projector.onnx",
            "tests/fuzz/bundle/model/language.decode.onnx",
            "tests/fuzz/bundle/model/vision.onnx",
        ],
        format: Format::Protobuf,
        short: 100,
        run: models::float_model,
    },
    Target {
        name: "tokenizer",
        from: &["tests/fuzz/bundle/model/tokenizer.json", "tests/fuzz/corpus/tokenizer"],
        format: Format::Json(&host::PARTS_OF_TOKENIZERS),
        short: 400,
        run: host::tokenizer,
    },
    Target {
        name: "tokenizer-config",
        from: &["tests/fuzz/corpus/tokenizer-config"],
        format: Format::Json(&[]),
        short: 1500,
        run: host::tokenizer_config,
    },
    Target {
        name: "template",
        from: &[
            "tests/fuzz/bundle/model/chat_template.jinja",
            "models/autoneural-tiny/chat_template.jinja",
            "tests/fuzz/corpus/template",
        ],
        format: Format::Template,
        short: 400,
        run: host::template,
    },
    Target {
        name: "picture",
        from: &["tests/fuzz/corpus/picture"],
        format: Format::Picture,
        short: 1500,
        run: host::picture,
    },
    Target {
        name: "unstructured",
        from: &["tests/fuzz/corpus/safetensors", "tests/fuzz/corpus/picture", "tests/fuzz/corpus/thresholds"],
        format: Format::Bytes,
        short: 100,
        run: models::any_reader,
    },
];

/// The target of a name, also one of those that fail on purpose.
pub fn find(name: &str) -> &'static Target {
    let all = TARGETS.iter().chain(&planted::TARGETS);
    all.into_iter().find(|target| target.name == name).unwrap_or_else(|| panic!("there is no target `{name}`"))
}

pub use planted::TARGETS as PLANTED;
