//! What a user sees: commands on files, golden outputs of timm and transformers, the NPU's emulator on a small model.
//!
//! `make test` sets AUTONEURAL_TOOLKIT (the vendor toolkit), AUTONEURAL_CHECK_PYTHONPATH (the onnx package) and AUTONEURAL_WHEELS
//! (the folder of the wheel).

mod bad_input;
mod bits;
mod bounds;
mod browser;
mod checkpoints;
mod command_line;
mod common;
mod crash;
mod demo;
mod doors;
mod encodings;
mod environments;
mod eval;
mod extent;
mod gate;
mod golden;
mod graph;
mod handover;
mod host;
mod inspect;
mod internvl;
mod keep;
mod layers;
mod layout;
mod left;
mod models;
mod numerics;
mod outside;
mod page;
mod parity;
mod pictures;
mod pipeline;
mod resume;
mod run;
mod samples;
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
mod unreadable;
mod verdict;
mod weights;
mod wheel;
mod workflows;
