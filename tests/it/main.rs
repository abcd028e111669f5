//! What a user sees: commands on files, golden outputs of timm and transformers. This ring needs nothing but the
//! program, bash and python3; what needs the toolkit, the onnx package, a browser or the wheel is in `tests/npu`.

mod bad_input;
mod bits;
mod bounds;
mod checkpoints;
mod circles;
mod command_line;
#[path = "../common/mod.rs"]
mod common;
mod crash;
mod docs;
mod doors;
mod environments;
mod evidence;
mod extent;
mod given;
mod graph;
mod host;
mod inspect;
mod internvl;
mod layers;
mod layout;
mod left;
mod llama;
mod models;
mod numerics;
mod parity;
mod pictures;
mod quantized;
mod resume;
mod run;
mod samples;
mod script;
mod segments;
mod snapshots;
mod synth;
mod targets;
mod templates;
mod terminal;
mod tokens;
mod trust;
mod tune;
mod weights;
mod wheel;
mod workflows;
