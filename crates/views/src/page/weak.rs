//! Where a conversion is weak: what the report says of outputs that miss their goal, or of the weakest of a partition,
//! as a table that the figures of those outputs lead to.

use super::subject::Subject;
use super::table::{Cell, Table};
use autoneural_app::report::{CauseReport, GoalReport, LEAST_ADDED_PERCENT, PartitionReport, WeakOutput};

impl Subject {
    /// Where in the page the cause of a goal that is about an output stands.
    pub fn cause_of_goal(&self, goal: &GoalReport) -> Option<String> {
        let (partition, output) = goal.of.split_once('/')?;
        cause_link(self, partition, output)
    }
}

/// Every weak output, with the place that links to it lead to.
fn weak(subject: &Subject) -> impl Iterator<Item = (String, &PartitionReport, &WeakOutput)> {
    subject.report.partitions.iter().enumerate().flat_map(|(at, partition)| {
        let of = move |(place, weak)| (format!("cause-{at}-{place}"), partition, weak);
        partition.weak.iter().enumerate().map(of)
    })
}

/// Whether an output is weak.
pub fn any(subject: &Subject) -> bool {
    weak(subject).next().is_some()
}

/// A line per weak output and cause.
pub fn table(subject: &Subject) -> Table {
    let titles =
        ["output", "SQNR", "noise from", "worst layer", "SQNR there", "adds", "in step", "others", "what may help"];
    let mut table = Table::new(&titles);
    for (id, partition, weak) in weak(subject) {
        let output = partition.outputs.iter().find(|output| output.name == weak.output);
        let name = format!("{}/{}", partition.name, weak.output);
        let db = Cell::figure(output.and_then(|output| output.sqnr_db.best()), 1, " dB");
        if weak.causes.is_empty() {
            let why = match partition.layers.is_empty() {
                true => "layers were not measured",
                false => "no single layer stands out",
            };
            table.place(id, vec![Cell::Text(name), db, Cell::text(why)]);
            continue;
        }
        for (at, cause) in weak.causes.iter().enumerate() {
            let mut row = match at {
                0 => vec![Cell::text(&name), Cell::figure(output.and_then(|o| o.sqnr_db.best()), 1, " dB")],
                _ => vec![Cell::text(&name), Cell::Nothing],
            };
            row.extend(cells(subject, partition, cause));
            match at {
                0 => table.place(id.clone(), row),
                _ => table.row(row),
            }
        }
    }
    table
}

fn cells(subject: &Subject, partition: &PartitionReport, cause: &CauseReport) -> Vec<Cell> {
    let found = cause.found.as_ref().map(|found| format!(": {found}")).unwrap_or_default();
    let part = subject.parts.iter().position(|part| part.name == partition.name);
    let layer = match part {
        _ if cause.op.is_empty() => Cell::text(&format!("none: the encoding of {}", cause.layer)),
        Some(part) => Cell::Link(cause.layer.clone(), subject.layer_link(part, &cause.layer)),
        None => Cell::text(&cause.layer),
    };
    vec![
        Cell::Text(format!("{}{found}", cause.cause.words())),
        layer,
        Cell::figure(Some(cause.sqnr_db), 1, " dB"),
        Cell::figure(Some(cause.added_percent), 1, " %"),
        Cell::Text(cause.step.map_or("all".into(), |step| step.to_string())),
        Cell::Number(cause.others.to_string()),
        Cell::text(cause.help.as_deref().unwrap_or("not known")),
    ]
}

/// Where in the page the causes of an output's noise stand; none where it is not weak.
pub fn cause_link(subject: &Subject, partition: &str, output: &str) -> Option<String> {
    weak(subject).find(|(_, of, weak)| of.name == partition && weak.output == output).map(|(id, ..)| id)
}

/// What an output's noise comes from, as a cell that leads to it; nothing where it is not weak.
pub fn cause(subject: &Subject, partition: &str, output: &str) -> Cell {
    match weak(subject).find(|(_, of, weak)| of.name == partition && weak.output == output) {
        Some((id, _, weak)) => {
            let words = weak.causes.first().map_or("not known", |cause| cause.cause.words());
            Cell::Link(words.into(), id)
        }
        None => Cell::Nothing,
    }
}

/// What the table is, or why there is none.
pub fn explanation(subject: &Subject) -> String {
    let is_measured = subject.parts.iter().any(|part| part.measured);
    let measured = match is_measured {
        true => "",
        false => " Layers were not measured: `autoneural verify --layers npu` shows which of them add noise.",
    };
    if !any(subject) {
        return match is_measured {
            true => "No output misses its goal.".into(),
            false => format!("No output is known to be weak.{measured}"),
        };
    }
    format!(
        "Outputs that miss their goal, or the weakest output of a partition whose outputs have no goal, with what adds noise of at least \
         {LEAST_ADDED_PERCENT} % of the signal on the way to it.{measured} Only a new compilation shows what a change of the \
         recipe gains."
    )
}
