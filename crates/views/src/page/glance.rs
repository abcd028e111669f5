//! The answers on top of the page, a line each: the worst output, whole sequences, accuracy, speed, memory, and what
//! changed.

use super::sections::{engine_name, worst};
use super::subject::Subject;
use super::{changes, sets, sizes, weak};
use autoneural_app::evaluate::{EngineReport, EvaluationReport};
use autoneural_app::report::{Columns, FrozenReport, OutputReport};
use autoneural_core::engine::EngineKind;

/// A question with its answer, and where in the page there is more.
pub(crate) struct Answer {
    /// The question, in a word or two.
    pub title: String,
    /// The answer.
    pub text: String,
    /// A place in the page.
    pub link: Option<String>,
}

/// All of them.
pub(crate) fn answers(subject: &Subject) -> Vec<Answer> {
    let mut made = vec![worst_output(subject), sequences(subject), accuracy(subject)];
    made.extend(frozen(subject));
    let speed = "not measured: the emulator gives the NPU's results, not its speed";
    made.push(answer("speed", speed, Some("speed")));
    let memory = sizes::total(&subject.report)
        .map_or("not measured".into(), |total| format!("{total} for all partitions, without what the driver takes"));
    made.push(answer("memory on the device", &memory, Some("sizes")));
    for reference in subject.references() {
        let title =
            format!("against {} {}", if reference.title == "baseline" { "baseline" } else { "bundle" }, reference.name);
        made.push(answer(&title, &changes::sentence(subject, &reference), Some("changes")));
    }
    made
}

fn answer(title: &str, text: &str, link: Option<&str>) -> Answer {
    Answer { title: title.into(), text: text.into(), link: link.map(str::to_string) }
}

/// A figure of the NPU, else of the simulation, with what it is of.
fn figure(columns: Columns, digits: usize, unit: &str) -> Option<String> {
    let npu = columns.npu.map(|figure| format!("{figure:.digits$}{unit} on the NPU"));
    npu.or(columns.simulated.map(|figure| format!("{figure:.digits$}{unit} simulated")))
}

fn worst_output(subject: &Subject) -> Answer {
    let found = subject.report.partitions.iter().filter_map(|partition| Some((partition, worst(partition)?)));
    let db = |output: &OutputReport| output.sqnr_db.best().unwrap_or(f64::INFINITY);
    let Some((partition, output)) = found.min_by(|(_, a), (_, b)| db(a).total_cmp(&db(b))) else {
        return answer("worst output", "not measured", Some("outputs"));
    };
    let sqnr = figure(output.sqnr_db, 1, " dB").unwrap_or_default();
    let error = output.rms_error_percent.best();
    let error = error.map_or(String::new(), |percent| format!(", an RMS error of {percent:.2} %"));
    let text = format!("{}/{}: {sqnr}{error}", partition.name, output.name);
    let link = weak::cause_link(subject, &partition.name, &output.name);
    answer("worst output", &text, Some(link.as_deref().unwrap_or("outputs")))
}

/// How far the graphs are from the checkpoint; nothing where that was not compared.
fn frozen(subject: &Subject) -> Option<Answer> {
    let found =
        subject.report.partitions.iter().filter_map(|partition| Some((&partition.name, partition.frozen.as_ref()?)));
    let (name, found) = found.min_by(|(_, a), (_, b)| a.sqnr_db.total_cmp(&b.sqnr_db))?;
    let text = match found.is_equal() {
        true => "every output is the same, both in float".into(),
        false => {
            let FrozenReport { output, sqnr_db, largest_difference, largest_value } = found;
            format!(
                "{name}/{output}: {sqnr_db:.1} dB, both in float; the largest difference is {largest_difference:.1e}, \
                 the largest number {largest_value:.1e}"
            )
        }
    };
    Some(answer("graph against checkpoint", &text, Some("outputs")))
}

fn sequences(subject: &Subject) -> Answer {
    let chain = &subject.report.chain;
    let Some(sqnr) = figure(chain.logits_sqnr_db, 1, " dB") else {
        return answer("whole sequences", "not measured", Some("sequences"));
    };
    let same = chain.top1_agreement_percent.best().unwrap_or_default();
    let text = format!("{sqnr}, the same token as float in {same:.1} % of {} steps", chain.steps);
    answer("whole sequences", &text, Some("sequences"))
}

/// The evaluation with most questions and pictures, on the best engine.
fn best(evaluations: &[EvaluationReport]) -> Option<(&EvaluationReport, &EngineReport)> {
    let on = |kind: EngineKind| {
        let having = evaluations.iter().filter(|one| !one.blank);
        let having = having.filter_map(|one| Some((one, one.engines.iter().find(|engine| engine.engine == kind)?)));
        having.max_by_key(|(one, _)| one.questions)
    };
    on(EngineKind::Npu).or_else(|| on(EngineKind::Simulated)).or_else(|| on(EngineKind::Float))
}

fn accuracy(subject: &Subject) -> Answer {
    let link = Some("questions");
    if let (true, Some(sentence)) = (subject.report.evaluations.is_empty(), sets::sentence(subject)) {
        return answer("accuracy", &sentence, link);
    }
    let Some((evaluation, engine)) = best(&subject.report.evaluations) else {
        return answer("accuracy", &not_evaluated(subject), link);
    };
    let of = match evaluation.in_set {
        Some(all) if all != evaluation.questions => format!("{} of {all}", evaluation.questions),
        _ => evaluation.questions.to_string(),
    };
    let exact = engine.total.exact_match_percent;
    let float = evaluation.engines.iter().find(|other| other.engine == EngineKind::Float);
    let float = float
        .filter(|_| engine.engine != EngineKind::Float)
        .map_or(String::new(), |float| format!(", float {:.1} %", float.total.exact_match_percent));
    let mut text = format!("{exact:.1} % of {of} questions of {} exact", evaluation.set);
    text.push_str(&match engine.engine {
        EngineKind::Float => " on float; the quantized model was not asked".into(),
        engine => format!(" ({}{float})", engine_name(engine)),
    });
    answer("accuracy", &text, link)
}

/// That the report has no evaluation, and who has.
pub(crate) fn not_evaluated(subject: &Subject) -> String {
    let mut text = String::from("not evaluated: the report has no answers to questions with known answers");
    if subject.has_answers {
        text = "not in the report, but the bundle keeps answers of an earlier evaluation: `autoneural eval` with the \
                same set uses those of the same models and asks only the rest"
            .into();
    }
    for reference in subject.references() {
        let on_npu = |(name, _): &(&String, _)| name.ends_with(" on npu");
        let known = || reference.facts.evaluations.iter();
        if let Some((name, facts)) = known().find(on_npu).or_else(|| known().next()) {
            let name = name.trim_end_matches(" on npu");
            let found = match facts.accuracy_percent {
                Some(exact) => format!("{exact:.1} % exact"),
                None => format!("a perplexity of {:.3}", facts.perplexity),
            };
            text.push_str(&format!("; the {} has {found}, {name}", reference.title));
        }
    }
    text
}
