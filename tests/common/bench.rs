//! A folder to damage and to compile from, checkpoints in memory, and the exit statuses. Every run here has little
//! memory and time, so sizes must be checked before memory is taken.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use tempfile::TempDir;

use crate::common::{GOLDEN, GRAPH, SMALL_RECIPE, WEIGHTS, root, stderr};

/// Exit statuses as the help text states them.
pub const USAGE: i32 = 2;
pub const INPUT: i32 = 3;
pub const OS: i32 = 4;
pub const TOOLKIT: i32 = 5;

/// Kilobytes of address space and seconds of processor time that a run may take.
const LIMITS: &str = "ulimit -v 4000000; ulimit -t 20";

/// A folder with copies of the demo's files to damage: `graph.toml`, `weights/`, `recipe/recipe.toml` with
/// `recipe/photo.png`, and `empty/`, which holds no toolkit. Results go to `out/bundle`.
pub struct Bench {
    folder: TempDir,
}

impl Bench {
    pub fn new() -> Self {
        let bench = Bench { folder: TempDir::new().expect("a temporary folder") };
        for folder in ["weights", "recipe", "empty", "out"] {
            std::fs::create_dir(bench.path(folder)).expect("a folder");
        }
        bench.copy(GRAPH, "graph.toml");
        for file in ["model.safetensors", "tokenizer.json"] {
            bench.copy(&format!("{WEIGHTS}/{file}"), &format!("weights/{file}"));
        }
        bench.copy(&format!("{GOLDEN}/photo.png"), "recipe/photo.png");
        bench.write("recipe/recipe.toml", SMALL_RECIPE);
        bench
    }

    fn copy(&self, from: &str, to: &str) {
        std::fs::copy(root(from), self.path(to)).unwrap_or_else(|error| panic!("{from}: {error}"));
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// The path as an argument.
    pub fn text(&self, relative: &str) -> String {
        self.path(relative).to_str().expect("UTF-8").to_string()
    }

    pub fn read(&self, relative: &str) -> String {
        std::fs::read_to_string(self.path(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
    }

    pub fn write(&self, relative: &str, contents: impl AsRef<[u8]>) {
        std::fs::write(self.path(relative), contents).unwrap_or_else(|error| panic!("{relative}: {error}"));
    }

    /// Replaces text that stands in a file.
    pub fn edit(&self, relative: &str, from: &str, to: &str) {
        let text = self.read(relative);
        assert!(text.contains(from), "{relative} does not hold `{from}`");
        self.write(relative, text.replacen(from, to, 1));
    }

    /// Runs the program under the limits; `{name}` in an argument stands for the path of `name` in the bench.
    pub fn run(&self, args: &[&str]) -> Output {
        self.run_in_shell("exec \"$0\" \"$@\"", args)
    }

    /// An argument, with `{name}` for the path of `name` in the bench.
    pub fn expand(&self, text: &str) -> String {
        text.replace('{', &format!("{}/", self.folder.path().display())).replace('}', "")
    }

    /// Runs the program by a shell line, in which it is `"$0"` and its arguments are `"$@"`.
    pub fn run_in_shell(&self, line: &str, args: &[&str]) -> Output {
        let mut command = Command::new("bash");
        command.arg("-c").arg(format!("{LIMITS}; {line}")).arg(env!("CARGO_BIN_EXE_autoneural"));
        command.args(args.iter().map(|arg| self.expand(arg))).arg("-q").current_dir(self.folder.path());
        command.output().expect("bash starts")
    }

    pub fn export(&self) -> Output {
        self.run(&EXPORT)
    }

    pub fn compile(&self) -> Output {
        self.run(&COMPILE)
    }

    /// Expects this failure, in these words, and that nothing is left.
    pub fn expect(&self, case: &str, output: &Output, status: i32, words: &[&str]) {
        let text = stderr(output);
        assert_eq!(output.status.code(), Some(status), "{case}: the exit status is another\n{text}");
        assert!(text.starts_with("error: "), "{case}: no error message\n{text}");
        for word in words {
            assert!(text.contains(word), "{case}: the message lacks `{word}`\n{text}");
        }
        assert!(!text.contains("panicked"), "{case}: a panic\n{text}");
        assert!(!text.contains(".partial"), "{case}: the message names a file that is gone\n{text}");
        self.expect_no_bundle(case);
    }

    /// Nothing is left but what the next run may go on from.
    pub fn expect_no_bundle(&self, case: &str) {
        let mut left = names(&self.path("out"));
        left.retain(|name| name != ".bundle.work");
        assert_eq!(left, Vec::<String>::new(), "{case}: something is left in the output's folder");
    }

    pub fn tensors(&self) -> Tensors {
        Tensors::read(&self.path("weights/model.safetensors"))
    }
}

/// Arguments of an export and of a compilation on the bench.
pub const EXPORT: [&str; 8] =
    ["export", "{graph.toml}", "--weights", "{weights}", "--target", "sa8295p", "--out", "{out/bundle}"];

pub const COMPILE: [&str; 12] = [
    "compile",
    "{graph.toml}",
    "--weights",
    "{weights}",
    "--target",
    "sa8295p",
    "--out",
    "{out/bundle}",
    "--calibration",
    "{recipe/recipe.toml}",
    "--toolkit",
    "{empty}",
];

/// Names in a folder, hidden ones too.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Contents of all files of a folder by name.
pub fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = |name: String| {
        let bytes = std::fs::read(folder.join(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, bytes)
    };
    names(folder).into_iter().map(read).collect()
}

/// One tensor of a checkpoint in memory.
#[derive(Clone)]
pub struct Tensor {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub data: Vec<u8>,
}

impl Tensor {
    /// The tensor with every bfloat16 number as f32 or f16.
    pub fn cast(&self, dtype: Dtype) -> Tensor {
        let numbers = self.data.chunks_exact(2).map(|b| half::bf16::from_le_bytes([b[0], b[1]]).to_f32());
        let data = match dtype {
            Dtype::F32 => numbers.flat_map(|number| number.to_le_bytes()).collect(),
            Dtype::F16 => numbers.flat_map(|number| half::f16::from_f32(number).to_le_bytes()).collect(),
            _ => self.data.clone(),
        };
        Tensor { dtype, shape: self.shape.clone(), data }
    }
}

/// The tensors of a checkpoint in memory.
pub struct Tensors(pub BTreeMap<String, Tensor>);

impl Tensors {
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).expect("the checkpoint");
        let file = safetensors::SafeTensors::deserialize(&bytes).expect("a checkpoint");
        let copy = |(name, view): (String, TensorView)| {
            (name, Tensor { dtype: view.dtype(), shape: view.shape().to_vec(), data: view.data().to_vec() })
        };
        Tensors(file.tensors().into_iter().map(copy).collect())
    }

    pub fn get(&mut self, name: &str) -> &mut Tensor {
        self.0.get_mut(name).unwrap_or_else(|| panic!("the fixture holds `{name}`"))
    }

    pub fn cast(&self, dtype: Dtype) -> Self {
        Tensors(self.0.iter().map(|(name, tensor)| (name.clone(), tensor.cast(dtype))).collect())
    }

    pub fn write(&self, path: &Path) {
        let views = self.0.iter().map(|(name, tensor)| {
            (name, TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.data).expect("data of the shape"))
        });
        std::fs::write(path, safetensors::serialize(views, None).expect("a file")).expect("the file is written");
    }
}

/// A safetensors file of any header, true or not.
pub fn raw(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

/// A PNG file that claims a size: signature, header with a true checksum, an empty end.
pub fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut header = b"IHDR".to_vec();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for chunk in [&header[..], b"IDAT", b"IEND"] {
        file.extend((chunk.len() as u32 - 4).to_be_bytes());
        file.extend(chunk);
        file.extend(checksum(chunk).to_be_bytes());
    }
    file
}

/// CRC-32 as PNG has it (ISO 3309).
pub fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 })
    })
}

/// The bench's checkpoint.
pub const FILE: &str = "weights/model.safetensors";

/// Changes the bfloat16 numbers of a tensor.
pub fn change(tensors: &mut Tensors, name: &str, change: impl Fn(usize, f32) -> f32) {
    let tensor = tensors.get(name);
    let numbers = tensor.data.chunks_exact(2).map(|b| half::bf16::from_le_bytes([b[0], b[1]]).to_f32());
    let changed = numbers.enumerate().flat_map(|(at, number)| half::bf16::from_f32(change(at, number)).to_le_bytes());
    tensor.data = changed.collect();
}

/// A bench with an exported bundle at `bundle`, after a change to its checkpoint.
pub fn exported(change: impl FnOnce(&Bench)) -> Bench {
    let bench = Bench::new();
    change(&bench);
    let mut args = crate::common::bench::EXPORT;
    args[7] = "{bundle}";
    let output = bench.run(&args);
    assert!(output.status.success(), "the bundle is made: {}", stderr(&output));
    bench
}

pub const FLOAT: [&str; 6] = ["run", "{bundle}", "--on", "float", "--max-tokens", "2"];
