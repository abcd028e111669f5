//! Measurements of a share of the layers, for a part: what they find is the same whoever else measures the others.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::measure::Meter;
use super::part::{MEASURED, MeasuredPart};
use super::plan::TunePlan;
use super::ready::Ready;
use crate::shards::{Share, refuse_taken};
use crate::stages::KeptEvidence;
use autoneural_base::error::Result;
use autoneural_base::folder::{self, Partial};
use autoneural_base::json::write_json;
use autoneural_base::progress::Progress;
use autoneural_bundle::Making;

/// What was measured, and where it is.
#[derive(Debug, Clone, Serialize)]
pub struct MeasuredShare {
    /// The share.
    pub shard: Share,
    /// How many layers are in it.
    pub layers: usize,
    /// The part's folder.
    pub part: PathBuf,
}

/// Measures a share of the layers in a bundle in the making, which is exported and calibrated for it as
/// [`super::tune`] does it, and writes what was found to the folder `out`. Neither goal nor depth of the plan counts.
///
/// # Errors
/// Those of calibration and measurement, fewer layers than shares, or something else than a part at `out`.
pub fn measure_share(
    bundle: &mut Making,
    plan: &TunePlan,
    shard: Share,
    out: &Path,
    progress: &dyn Progress,
) -> Result<MeasuredShare> {
    refuse_taken(out, MEASURED)?;
    let ready = Ready::new(bundle, plan, progress)?;
    let kept = KeptEvidence(bundle);
    let basis = ready.basis(&kept, plan);
    let subjects = ready.subjects(&basis, plan)?;
    let count = subjects.iter().map(|subject| subject.layers.len()).sum();
    let mine = shard.range(count, "layers")?;
    let meter = Meter::new((bundle, &*ready.driver), &basis, &subjects, plan.unit(), progress).only(&mine);
    let mut layers = Vec::new();
    for at in 0..subjects.len() {
        layers.extend(meter.measured(at, None)?);
    }
    let place = folder::place(out)?;
    let partial = Partial::begin(&place)?;
    write_json(&MeasuredPart::new(shard, layers)?, &partial.path().join(MEASURED))?;
    refuse_taken(out, MEASURED)?;
    partial.finish(&place)?;
    Ok(MeasuredShare { shard, layers: mine.len(), part: out.to_path_buf() })
}
