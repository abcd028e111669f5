//! The report as a page for people: a bundle's report, manifest, graphs, encodings and statistics go in, one HTML file
//! that needs nothing else comes out, or Markdown. Both are views of `report.json`; nothing is computed anew.
//!
//! What stands in those files is other people's text. It is escaped where it becomes markup, and what the script of the
//! page shows it sets as text; the page allows itself no script but its own, and no network.

mod accuracy;
mod base64;
mod calibration;
mod change;
mod changes;
mod findings;
mod glance;
mod html;
mod layers;
mod markdown;
mod provenance;
mod sections;
mod sets;
mod settings;
mod sizes;
mod speed;
mod state;
mod subject;
mod table;
mod texts;
mod tuned;
mod weak;

pub use html::{compared_with, html};
pub use markdown::markdown;
pub use subject::{Gate, Subject};
pub use tuned::tuned_html;
