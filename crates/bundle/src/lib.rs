//! Bundles: the folder that everything is written to and read from. Each stage owns one folder (or file) in it.
//!
//! A bundle is whole when its `manifest.json` is there: that file is written last, and lists every other file.
//! [`Bundle`] reads one. While it is made it is in a hidden folder beside its place, in units of work that a ledger
//! remembers: [`Making`] does that work, and reads what is there so far as a `Bundle`.

mod bundle;
mod commit;
mod contexts;
mod file_record;
mod finish;
mod given;
mod hash;
mod hold;
mod key;
mod ledger;
mod lock;
mod making;
mod manifest;
mod model_record;
mod models;
mod origin;
mod partition_json;
mod paths;
mod place;
mod round;
mod segment_record;
mod stage;
mod stamp;
mod unit;

pub use bundle::Bundle;
pub use commit::{Committed, Tally};
pub use file_record::{FileRecord, is_behind_figures, is_of_model};
pub use given::{GivenFiles, kept_file};
pub use hash::{digest, hash_bytes, hash_of, short};
pub use hold::Held;
pub use key::Key;
pub use making::{Begin, Making};
pub use manifest::{
    GivenRecord, GoldenRecord, InputRecord, Manifest, PartitionRecord, PortRecord, StageRecord, ToolkitRecord,
    encoding_of,
};
pub use model_record::{ContextRecord, ModelRecord, RuntimeRecord};
pub use models::models_of;
pub use origin::{MODE as OWN_MODE, is as is_ours, of as origin_of};
pub use partition_json::write as write_partition;
pub use paths::{CODES, EQUALIZED, GOLDEN, INPUTS, RECIPE, REPORT, STATISTICS};
pub use round::round;
pub use segment_record::{CrossingRecord, SegmentRecord};
pub use stage::Stage;
pub use unit::records;
