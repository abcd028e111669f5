//! The verdict as text for a terminal, in lines that fit one.

use super::cause::WeakOutput;
use super::contents::Report;
use super::verdict::{GoalReport, Verdict, VerdictState};
use autoneural_base::shown::in_line;

/// Characters of a line.
const WIDTH: usize = 100;
/// Goals that are listed at most.
const MOST_GOALS: usize = 10;
/// Causes of an output that are listed at most.
const MOST_CAUSES: usize = 3;

/// Whether a model can ship, what is weak and why, and what to do; `bundle` is its path.
pub fn verdict_text(report: &Report, bundle: &str) -> String {
    let verdict = &report.verdict;
    let mut text = wrapped(&format!("verdict: {}", verdict.sentence()), 0);
    text.push_str(&goals(verdict, |_| true));
    verdict.todo(bundle).iter().for_each(|line| text.push_str(&wrapped(line, 2)));
    let mut weak = weak(report);
    if verdict.state == VerdictState::NoGoal {
        // Of all partitions, not of each.
        weak.truncate(1);
    }
    for (_, partition, output) in weak.iter().take(MOST_GOALS) {
        text.push_str(&of_output(report, partition, output));
    }
    if weak.len() > MOST_GOALS {
        text.push_str(&format!("{} more weak outputs are in report.json\n", weak.len() - MOST_GOALS));
    }
    text
}

/// Goals that are not met, a line each.
pub fn goals(verdict: &Verdict, is_meant: impl Fn(&GoalReport) -> bool) -> String {
    let of = |state| verdict.goals_in(state).filter(|goal| is_meant(goal)).map(|goal| goal.line());
    let lines: Vec<String> = of(VerdictState::Missed).chain(of(VerdictState::NotMeasured)).collect();
    let mut text: String = lines.iter().take(MOST_GOALS).map(|line| wrapped(line, 2)).collect();
    if lines.len() > MOST_GOALS {
        text.push_str(&format!("  and {} more, in report.json\n", lines.len() - MOST_GOALS));
    }
    text
}

/// Weak outputs of all partitions, the worst first.
fn weak(report: &Report) -> Vec<(f64, &str, &WeakOutput)> {
    let mut made = Vec::new();
    for partition in &report.partitions {
        for weak in &partition.weak {
            let output = partition.outputs.iter().find(|output| output.name == weak.output);
            made.extend(output.and_then(|output| {
                Some((output.sqnr_db.best().or(weak.layer_step_db.best())?, partition.name.as_str(), weak))
            }));
        }
    }
    made.sort_by(|a, b| a.0.total_cmp(&b.0));
    made
}

fn of_output(report: &Report, partition: &str, weak: &WeakOutput) -> String {
    let partition = report.partitions.iter().find(|found| found.name == partition);
    let found =
        partition.and_then(|found| Some((found, found.outputs.iter().find(|output| output.name == weak.output)?)));
    let Some((partition, output)) = found else { return String::new() };
    let db = |figure: Option<f64>| figure.map_or("not measured".into(), |figure| format!("{figure:.1} dB"));
    let steps = partition.steps.compared;
    let mut line = format!("weak: {}/{}", partition.name, weak.output);
    match steps {
        0 => line.push_str(": steps were not compared"),
        1 => line.push_str(&format!(" {} in one step", db(output.sqnr_db.best()))),
        _ => line.push_str(&format!(" {} over {steps} steps", db(output.sqnr_db.best()))),
    }
    if let (Some(lowest), true) = (&output.lowest, steps > 1) {
        line.push_str(&format!("; lowest in {}: {}", lowest.at, db(lowest.sqnr_db.best())));
    }
    if let (Some(step), Some(figure)) = (partition.layer_step, weak.layer_step_db.best()) {
        line.push_str(&format!("; in {step}, where layers were measured, {figure:.1} dB"));
    }
    let mut text = wrapped(&line, 0);
    for cause in weak.causes.iter().take(MOST_CAUSES) {
        text.push_str(&wrapped(&cause.line(), 2));
        cause.help.iter().for_each(|help| text.push_str(&wrapped(&format!("may help: {help}"), 4)));
    }
    if weak.causes.is_empty() && partition.layers.is_empty() {
        text.push_str(&wrapped("layers were not measured; `--layers npu` tells where its noise comes from", 2));
    }
    text
}

/// Text in lines that fit a terminal, broken between words; all begin behind `indent` spaces.
pub fn wrapped(text: &str, indent: usize) -> String {
    let text = in_line(text);
    let (mut made, mut length) = (" ".repeat(indent), indent);
    for (at, word) in text.split(' ').enumerate() {
        let width = word.chars().count();
        if at > 0 && length + 1 + width > WIDTH {
            // What goes on stands farther in than what begins.
            made.push_str(&format!("\n{}", " ".repeat(indent + 2)));
            length = indent + 2;
        } else if at > 0 {
            made.push(' ');
            length += 1;
        }
        made.push_str(word);
        length += width;
    }
    made + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_a_terminal() {
        let text = wrapped(&"eight888 ".repeat(30), 2);
        assert!(text.lines().count() > 2 && text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(text.starts_with("  eight888 ") && text.lines().nth(1).unwrap().starts_with("    eight888"), "{text}");
        // One word stays whole, whatever its length, so that it can be copied.
        assert_eq!(wrapped(&"a".repeat(200), 0), "a".repeat(200) + "\n");
    }
}
