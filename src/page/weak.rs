//! Where a conversion is weak: what the report says of outputs that miss their goal, or of the weakest, as a table.

use super::Subject;
use super::table::{Cell, Table};
use crate::report::LEAST_ADDED_PERCENT;

/// A line per weak output and cause; empty where nothing was measured.
pub fn table(subject: &Subject) -> Table {
    let mut table =
        Table::new(&["output", "SQNR", "noise from", "most in", "SQNR there", "adds", "others", "what may help"]);
    for partition in &subject.report.partitions {
        for weak in &partition.weak {
            let output = partition.outputs.iter().find(|output| output.name == weak.output);
            let db = output.and_then(|output| output.sqnr_db.best());
            for cause in &weak.causes {
                let text = |text: String| Cell::Text(text);
                let found = cause.found.as_ref().map(|found| format!(": {found}")).unwrap_or_default();
                table.row(vec![
                    text(format!("{}/{}", partition.name, weak.output)),
                    Cell::figure(db, 1, " dB"),
                    text(format!("{}{found}", cause.cause.words())),
                    text(cause.layer.clone()),
                    Cell::figure(Some(cause.sqnr_db), 1, " dB"),
                    Cell::figure(Some(cause.added_percent), 1, " %"),
                    Cell::Number(cause.others.to_string()),
                    text(cause.help.clone().unwrap_or_default()),
                ]);
            }
        }
    }
    table
}

/// What the table is, or why there is none.
pub fn explanation(subject: &Subject) -> String {
    let weak = || subject.report.partitions.iter().flat_map(|partition| &partition.weak);
    match (subject.parts.iter().any(|part| part.measured), weak().all(|weak| weak.causes.is_empty())) {
        (false, true) => {
            "Layers were not measured; `autoneural verify --layers npu` tells where noise comes from.".into()
        }
        (true, true) => format!("No layer that was measured adds noise of {LEAST_ADDED_PERCENT} % of its signal."),
        _ => format!(
            "Outputs that miss their goal, or the weakest of a partition without one, with the layers on their way that add noise of at \
             least {LEAST_ADDED_PERCENT} % of their signal. What may help changes the tensor and is taken by the target; a compilation tells \
             what it gains."
        ),
    }
}
