//! The only place that knows the vendor's engine: ONNX Runtime with the QNN plugin provider, loaded at run time.

mod any_model;
mod compiler;
mod elf;
mod environment;
mod layout;
mod loading;
mod quiet;
mod session;
mod toolkit;
mod trust;

pub use any_model::Place;
pub use compiler::{Compiler, Job};
pub use layout::{FloatNode, Layout};
pub use quiet::quiet;
pub use session::{ContextFacts, Runtime, provider_options};
pub use toolkit::{ONNXRUNTIME, ONNXRUNTIME_QNN, Toolkit, version_text};
