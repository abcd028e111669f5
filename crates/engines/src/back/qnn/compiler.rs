//! Compilers, which make context binaries of quantized models.

use std::path::Path;

use autoneural_base::error::Result;
use autoneural_core::target::Target;

/// A quantized model to compile.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// Name of the partition.
    pub name: &'a str,
    /// The model.
    pub model: &'a Path,
    /// The data file that it refers to.
    pub data: &'a Path,
    /// What it is compiled for.
    pub target: &'a Target,
    /// The file that states the target.
    pub target_file: &'a Path,
    /// The ONNX file with one node that is written; the binary is written beside it.
    pub context: &'a Path,
}

/// Makes context binaries, on any thread.
pub trait Compiler: Sync {
    /// Identity of the toolkit: another toolkit may make other binaries.
    fn identity(&self) -> &str;

    /// Compiles one model.
    ///
    /// # Errors
    /// The engine refuses the model; the nodes that it would have left to the CPU are named.
    fn compile(&self, job: &Job) -> Result<()>;
}
