//! Emit: graphs and encodings become quantized models.

use crate::back::bundle::{Bundle, Stage};
use crate::back::onnx::{DataFiles, emit_qdq};
use crate::error::Result;
use crate::host::Embeddings;
use crate::partition::Component;
use crate::progress::Progress;

/// Runs the stage.
pub fn emit(bundle: &mut Bundle, progress: &dyn Progress) -> Result<()> {
    bundle.stage(Stage::Emit, |bundle, folder| {
        let partitions = bundle.partitions()?;
        let tables = bundle.tables(&partitions)?;
        progress.start("emit", partitions.len() as u64);
        let mut data = DataFiles::new(folder);
        for (partition, table) in partitions.iter().zip(&tables) {
            progress.begin(&partition.name);
            let writer = data.writer(partition.component)?;
            emit_qdq(partition, table, &folder.join(format!("{}.onnx", partition.name)), writer)?;
            progress.tick(&partition.name);
        }
        data.finish()?;
        let definition = bundle.definition()?;
        let embeddings = Embeddings::read(&bundle.host_folder().join(Embeddings::FILE), &definition.language)?;
        if let Some(table) = partitions.iter().zip(&tables).find(|(p, _)| p.component == Component::Language) {
            embeddings.write_codes(&folder.join(Embeddings::FILE), table.1.activation("embeds")?)?;
        }
        progress.finish();
        Ok(())
    })
}
