//! What a user sees with the vendor toolkit: the NPU's emulator on a small model, the ONNX checker, the page in a
//! browser, the wheel.
//!
//! A plain `cargo test` leaves this ring out. `make test` runs it, and sets AUTONEURAL_TOOLKIT (the vendor toolkit),
//! AUTONEURAL_CHECK_PYTHONPATH (the onnx package) and AUTONEURAL_WHEELS (the folder of the wheel).

mod axes;
mod bad_input;
mod bits;
mod blocks;
mod browser;
mod codes;
mod command_line;
#[path = "../common/mod.rs"]
mod common;
mod cut;
mod dead;
mod demo;
mod detours;
mod diff;
mod docs;
mod doors;
mod encodings;
mod equalize;
mod eval;
mod extent;
mod frozen;
mod gate;
mod gelu;
mod given;
mod golden;
mod graph;
mod handover;
mod host;
mod imported;
mod inspect;
mod internvl;
mod keep;
mod layers;
mod left;
mod llama;
mod models;
mod onnx_nodes;
mod operators;
mod outer;
mod outside;
mod pads;
mod page;
mod pairs;
mod parity;
mod pipeline;
mod products;
mod program;
mod pruned;
mod resume;
mod rounding;
mod run;
mod sealed;
mod segments;
mod sets;
mod shards;
mod silu;
mod sizes;
mod sums;
mod synth;
mod targets;
mod tensors;
mod terminal;
mod trained;
mod tune;
mod unreadable;
mod verdict;
mod wheel;
mod workflows;
mod wraps;
