//! What a user sees: commands on files, golden outputs of timm and transformers, the NPU's emulator on a small model.
//!
//! `make test` sets AUTONEURAL_TOOLKIT (the vendor toolkit) and AUTONEURAL_CHECK_PYTHONPATH (the onnx package).

mod bad_input;
mod bounds;
mod browser;
mod checkpoints;
mod common;
mod crash;
mod docs;
mod doors;
mod encodings;
mod eval;
mod extent;
mod gate;
mod graph;
mod handover;
mod internvl;
mod layers;
mod layout;
mod models;
mod numerics;
mod outside;
mod page;
mod parity;
mod pictures;
mod pipeline;
mod resume;
mod run;
mod script;
mod sealed;
mod segments;
mod sizes;
mod snapshots;
mod synth;
mod targets;
mod templates;
mod terminal;
mod tokens;
mod tracer;
mod trained;
mod trust;
mod workflows;
