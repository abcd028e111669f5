//! `autoneural` turns a vision-language checkpoint into what a car NPU loads, and proves what it made.
//!
//! A model is a [`ir::Graph`] that never changes once [`passes::lower`] is done with it, and a [`quantize::Table`] of
//! encodings beside it. The [`stages`] lead from one to the other through a [`back::bundle::Bundle`] on disk.
#![warn(missing_docs)]

pub mod back;
pub mod calibrate;
pub mod contain;
pub mod cut_off;
pub mod demo;
pub mod drawing;
pub mod encoding;
pub mod engine;
pub mod error;
pub mod evaluate;
pub mod evidence;
pub mod files;
pub mod folder;
pub mod front;
pub mod gate;
pub mod goals;
pub mod golden;
pub mod host;
pub mod ir;
pub mod limits;
pub mod machine;
pub mod map;
pub mod page;
pub mod partition;
pub mod passes;
pub mod progress;
pub mod quantize;
pub mod recipe;
pub mod report;
pub mod runner;
pub mod segment;
pub mod shown;
pub mod stages;
pub mod synth;
pub mod target;
pub mod target_check;
pub mod text;
pub mod utf8_path;
pub mod verify;
pub mod warning;

pub use error::{Error, Result};
