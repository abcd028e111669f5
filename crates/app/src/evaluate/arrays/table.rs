//! The figures as tables for a terminal.

use super::report::{ArraysEngine, ArraysReport};
use crate::report::FEWEST;
use autoneural_base::shown::in_line;
use autoneural_base::text::columns;

/// Right classes, a line for each engine, and then every output against float.
pub fn arrays_table(report: &ArraysReport) -> String {
    let of = match report.samples == report.in_set {
        true => String::new(),
        false => format!(" of {}", report.in_set),
    };
    let mut text = format!("{}{of} samples of {}\n", report.samples, in_line(&report.set));
    if let Some(output) = &report.classes_of {
        let mut rows =
            vec![["classes".to_string(), "engine".into(), "top-1".into(), "top-5".into(), "as float".into()]];
        for ArraysEngine { engine, classes, .. } in &report.engines {
            let Some(found) = classes else { continue };
            let percent = |figure: f64| format!("{figure:.2} %");
            let (top1, top5) = (percent(found.top1_percent), percent(found.top5_percent));
            let agreement = found.agreement_percent.map_or("-".into(), percent);
            rows.push([output.clone(), engine.name().into(), top1, top5, agreement]);
        }
        text.push_str(&format!("\n{}", columns(&rows)));
    }
    let titles =
        ["output", "engine", "SQNR", "5th percentile", "worst", "cosine", "largest difference", "worst sample"];
    let mut rows = vec![titles.map(String::from)];
    for engine in &report.engines {
        for output in &engine.outputs {
            let db = |figure: f64| format!("{figure:.1} dB");
            rows.push([
                output.output.clone(),
                engine.engine.name().to_string(),
                db(output.sqnr_db),
                if report.samples < FEWEST { "-".into() } else { db(output.percentile5_db) },
                db(output.worst_db),
                output.cosine.map_or("-".into(), |cosine| format!("{cosine:.6}")),
                output.largest_difference.map_or("-".into(), |largest| format!("{largest:.4e}")),
                output.worst.clone(),
            ]);
        }
    }
    if rows.len() > 1 {
        text.push_str(&format!("\n{}", columns(&rows)));
    }
    text
}
