//! From a statement to experiments, and from what they give to a status.

use std::path::Path;

use super::experiment::{self, Choice, ExperimentResult, Multiplier};
use super::report::{SampleFinding, Status};
use super::sample::{Sample, on_axes, sample, samples};
use super::statement::Statement;
use super::sum_step;
use autoneural_base::error::Result;
use autoneural_core::encoding::IntegerType;
use autoneural_core::ir::ops::{Constants, Purpose};
use autoneural_core::target::{Activations, Case, Granularity, Operator, Target, Weights};
use autoneural_engines::back::qnn::Runtime;

/// A multiplier with one bit more than is exact costs at least this many dB; on v68 it costs 20 and more.
const VISIBLE_DB: f64 = 10.0;
/// How near to the ends of its range an output has to come, as a share of the range, for the range to be tested.
const REACHED: f32 = 0.01;

/// What all experiments need.
pub(crate) struct Judge<'a> {
    pub target: &'a Target,
    pub runtime: &'a Runtime,
    pub folder: &'a Path,
    pub floor_db: f64,
}

/// The verdict on a statement, and the reason for it.
pub(crate) struct Ruling {
    pub status: Status,
    /// The figure that counts, in dB.
    pub sqnr_db: Option<f64>,
    pub note: Option<String>,
    pub samples: Vec<SampleFinding>,
}

impl Ruling {
    fn new(status: Status, note: impl Into<String>, samples: Vec<SampleFinding>) -> Self {
        let sqnr_db = samples.iter().filter_map(|sample| sample.sqnr_db).reduce(f64::min);
        Ruling { status, sqnr_db, note: Some(note.into()).filter(|note: &String| !note.is_empty()), samples }
    }

    fn untested(note: impl Into<String>) -> Self {
        Self::new(Status::Untested, note, vec![])
    }
}

/// Which inputs are constant in a combination.
fn constants(case: &Case) -> Constants {
    Constants { weights: case.weights.is_some(), bias: case.bias.is_some() }
}

impl Judge<'_> {
    /// Decides whether a statement of the target is true, by experiments on the engine.
    ///
    /// # Errors
    /// An experiment cannot be run.
    pub(crate) fn judge(&self, statement: &Statement) -> Result<Ruling> {
        match statement {
            Statement::Takes(operator, case) => self.takes(operator, case),
            Statement::Refuses(operator, refusal) => self.refuses(operator, &operator.refused_by(refusal)),
            Statement::MultiplierBits(operator, bits) => self.multiplier_bits(operator, *bits),
            Statement::SecondBits(operator, _) => self.second_bits(operator),
            Statement::OutputRange(operator, range) => self.output_range(operator, *range),
            Statement::LastAxisOnly(operator) => self.last_axis_only(operator),
            Statement::MostAxes(_, operator, most) => self.most_axes(operator, *most),
            Statement::SumStep(operator, step) => self.sum_step(operator, *step),
            Statement::Memory(..) => Ok(Ruling::untested("the emulator has the memory of this machine")),
        }
    }

    fn takes(&self, operator: &Operator, case: &Case) -> Result<Ruling> {
        let found = self.all_samples(operator, case, operator.has_pairs(case))?;
        if found.is_empty() {
            return Ok(Ruling::untested("this program builds no graph of the operator"));
        }
        let words = |(sample, failure): &(SampleFinding, Option<Failure>)| {
            let failure = failure.as_ref()?;
            let place = if sample.name.is_empty() { String::new() } else { format!("{}: ", sample.name) };
            Some((matches!(failure, Failure::NoReference(_)), format!("{place}{}", self.words(failure))))
        };
        let failures: Vec<(bool, String)> = found.iter().filter_map(words).collect();
        let in_float = found.iter().find_map(|(sample, _)| sample.in_float.first());
        let (status, note) = match (failures.iter().find(|(unknown, _)| !unknown), failures.first()) {
            (Some((_, why)), _) => (Status::Wrong, why.clone()),
            (None, Some((_, why))) => (Status::Untested, format!("the CPU does not run it: {why}")),
            (None, None) => match (operator.is_in_fp16(case), in_float) {
                (false, Some(node)) => {
                    (Status::Wrong, format!("the provider computes it in float ({node}); `in_fp16` does not say so"))
                }
                (true, None) => {
                    (Status::Wrong, "the provider computes it in integers; `in_fp16` says otherwise".into())
                }
                (true, Some(node)) => (Status::Confirmed, format!("in fp16 ({node})")),
                (false, None) => (Status::Confirmed, String::new()),
            },
        };
        Ok(Ruling::new(status, note, found.into_iter().map(|(sample, _)| sample).collect()))
    }

    /// A refusal holds if no sample of any of its combinations runs as it should.
    fn refuses(&self, operator: &Operator, cases: &[Case]) -> Result<Ruling> {
        let (mut all, mut taken, mut refused) = (Vec::new(), Vec::new(), 0);
        for case in cases {
            for (sample, failure) in self.all_samples(operator, case, false)? {
                match failure {
                    None => taken.push(format!("{case} {}", sample.name).trim_end().to_string()),
                    Some(Failure::NoReference(_)) => {}
                    Some(_) => refused += 1,
                }
                all.push(sample);
            }
        }
        Ok(match (taken.as_slice(), refused) {
            ([], 0) => Ruling::new(Status::Untested, "this program builds no graph of it that the CPU runs", all),
            ([], _) => Ruling::new(Status::Confirmed, "", all),
            ([first, ..], _) => Ruling::new(Status::Wrong, format!("the engine takes {first}"), all),
        })
    }

    /// A multiplier of so many bits is exact, and one bit more is not.
    fn multiplier_bits(&self, operator: &Operator, bits: u32) -> Result<Ruling> {
        let per_channel = |case: &&Case| case.weights.is_some_and(|w| w.granularity == Granularity::Channel);
        let Some(case) = operator.taken().iter().find(per_channel).cloned() else {
            return Ok(Ruling::untested("no weights with a scale per channel are taken"));
        };
        let (mut all, mut status, mut note) = (Vec::new(), Status::Untested, String::new());
        let mut lowest = [f64::INFINITY; 2];
        for sample in self.samples_of(operator, &case)? {
            let mut figure = |bits| -> Result<Option<f64>> {
                let choice = Choice { multiplier: Multiplier::Exactly(bits), ..Choice::default() };
                let (mut finding, _, _) = self.one(&sample, &case, choice)?;
                finding.name = format!("{} {bits} bits", sample.name).trim_start().to_string();
                let sqnr_db = finding.sqnr_db;
                all.push(finding);
                Ok(sqnr_db)
            };
            let (Some(exact), Some(longer)) = (figure(bits)?, figure(bits + 1)?) else { continue };
            lowest = [lowest[0].min(exact), lowest[1].min(longer)];
            if exact - longer >= VISIBLE_DB {
                status = if status == Status::Untested { Status::Confirmed } else { status };
            } else {
                status = Status::Wrong;
                note = format!("{} {bits} bits give {exact:.1} dB, {} give {longer:.1} dB", sample.name, bits + 1);
            }
        }
        if status == Status::Confirmed {
            note = format!("{} bits give {:.1} dB", bits + 1, lowest[1]);
        }
        let sqnr_db = Some(lowest[0]).filter(|figure| figure.is_finite());
        Ok(Ruling { sqnr_db, ..Ruling::new(status, note.trim_start(), all) })
    }

    /// The means of channels are off as a chip is that keeps sums in such steps.
    fn sum_step(&self, operator: &Operator, step: u32) -> Result<Ruling> {
        let channels = Weights { integer: IntegerType::Int8, granularity: Granularity::Channel };
        let case = Case { activations: Activations::Same(IntegerType::Uint16), weights: Some(channels), bias: None };
        let Some(sample) = sum_step::sample(&operator.name)? else {
            return Ok(Ruling::untested("this program builds no graph that shows the sums of the operator"));
        };
        let choice = Choice { multiplier: settled(operator), ..Choice::default() };
        let result = self.run(&sample, &case, choice)?;
        let (outputs, table) = match result {
            ExperimentResult::Ran { outputs, table, .. } => (outputs, table),
            ExperimentResult::Refused(why) => return Ok(Ruling::new(Status::Wrong, first_line(&why), vec![])),
            ExperimentResult::NoReference(why) => return Ok(Ruling::untested(first_line(&why))),
        };
        let seen = sum_step::Seen::new(&sample.partition.graph, &table, &outputs)?;
        let off = seen.off(step);
        let note = match seen.nearest() {
            _ if follows(step, off) => format!("means of channels are within {off:.0} integers"),
            (1, near) if follows(1, near) => "nothing is cut off".into(),
            (nearest, near) if follows(nearest, near) => {
                format!("means of channels are {off:.0} integers off; with a step of {nearest} it is {near:.0}")
            }
            _ => format!("means of channels are {off:.0} integers off, and follow no step"),
        };
        let status = if follows(step, off) { Status::Confirmed } else { Status::Wrong };
        Ok(Ruling::new(status, note, vec![]))
    }

    /// The provider brings the second of two operands of 16 bits to 8.
    fn second_bits(&self, operator: &Operator) -> Result<Ruling> {
        let case = Case { activations: Activations::Same(IntegerType::Uint16), weights: None, bias: None };
        let (mut all, mut narrowed) = (Vec::new(), 0);
        for sample in self.samples_of(operator, &case)? {
            if let ExperimentResult::Ran { layout, .. } = self.run(&sample, &case, Choice::default())? {
                narrowed += layout.narrowed;
            }
            all.push(self.one(&sample, &case, Choice::default())?.0);
        }
        let (status, note) = match (all.is_empty(), narrowed) {
            (true, _) => (Status::Untested, "this program builds no graph of it"),
            (false, 0) => (Status::Wrong, "the provider brings no operand to 8 bits"),
            (false, _) => (Status::Confirmed, "the provider converts it"),
        };
        Ok(Ruling::new(status, note, all))
    }

    /// Driven by wide inputs, the output comes near both ends of its range and never leaves it; and the NPU computes it
    /// well in integers that cover just this range.
    fn output_range(&self, operator: &Operator, range: [f32; 2]) -> Result<Ruling> {
        let (Some(case), Some(sample)) = (operator.taken().first().cloned(), sample(&operator.name, Purpose::Ends)?)
        else {
            return Ok(Ruling::untested("this program builds no graph that drives the output to its ends"));
        };
        let [low, high] = range;
        let width = high - low;
        let choice = |range| Choice { output_range: Some(range), ..Choice::default() };
        let (finding, failure, _) = self.one(&sample, &case, choice(range))?;
        let (mut wider, _, seen) = self.one(&sample, &case, choice([low - width / 2.0, high + width / 2.0]))?;
        wider.name = "in integers of twice the range".into();
        let (sqnr_db, elsewhere) = (finding.sqnr_db, wider.sqnr_db);
        let all = vec![finding, wider];
        if let Some(failure) = failure {
            return Ok(Ruling::new(Status::Wrong, self.words(&failure), all));
        }
        let Some([least, most]) = seen else {
            return Ok(Ruling::new(Status::Untested, "the engine takes no other range, so none is seen", all));
        };
        let margin = width * REACHED;
        let (status, mut note) = if least < low - margin || most > high + margin {
            (Status::Wrong, format!("the output goes from {least:.3} to {most:.3}"))
        } else if least > low + margin || most < high - margin {
            (Status::Untested, format!("the output goes from {least:.3} to {most:.3} only"))
        } else {
            (Status::Confirmed, String::new())
        };
        if let (Status::Confirmed, Some(figure)) = (status, elsewhere) {
            note = format!("integers of twice the range give {figure:.1} dB");
        }
        Ok(Ruling { sqnr_db, ..Ruling::new(status, note, all) })
    }

    /// On one axis more the engine does not take the operator, with constants if it may have them.
    fn most_axes(&self, operator: &Operator, most: usize) -> Result<Ruling> {
        let taken = operator.taken();
        let case = taken.iter().find(|case| case.weights.is_some()).or(taken.first());
        let sample = case.map(|case| on_axes(&operator.name, constants(case), most + 1)).transpose()?.flatten();
        let (Some(case), Some(sample)) = (case, sample) else {
            return Ok(Ruling::untested("this program builds no graph of the operator on so many axes"));
        };
        self.refused_there(&sample, case, &format!("the engine takes {} on {} axes", operator.name, most + 1))
    }

    /// On another axis the engine does not take the operator.
    fn last_axis_only(&self, operator: &Operator) -> Result<Ruling> {
        let (Some(case), Some(sample)) =
            (operator.taken().first().cloned(), sample(&operator.name, Purpose::AnotherAxis)?)
        else {
            return Ok(Ruling::untested("the ONNX operator has no form for another single axis"));
        };
        self.refused_there(&sample, &case, "the engine takes it on another axis")
    }

    /// The ruling on a statement that the engine does not take a sample; in words what is wrong if it does.
    fn refused_there(&self, sample: &Sample, case: &Case, taken: &str) -> Result<Ruling> {
        let (finding, failure, _) = self.one(sample, case, Choice::default())?;
        Ok(match failure {
            None => Ruling::new(Status::Wrong, taken, vec![finding]),
            Some(Failure::NoReference(why)) => Ruling::new(Status::Untested, first_line(&why), vec![finding]),
            Some(_) => Ruling::new(Status::Confirmed, "", vec![finding]),
        })
    }

    fn samples_of(&self, operator: &Operator, case: &Case) -> Result<Vec<Sample>> {
        let granularity = case.weights.map(|weights| weights.granularity);
        let purpose = if matches!(granularity, Some(Granularity::Block(_))) { Purpose::Blocks } else { Purpose::Usual };
        let mut made = samples(&operator.name, constants(case), purpose)?;
        match granularity {
            Some(Granularity::Block(size)) => made.retain(|sample| sample.has_blocks_of(size)),
            Some(Granularity::Channel) => made.retain(Sample::has_channels),
            Some(Granularity::Tensor) | None => {}
        }
        Ok(made)
    }

    fn all_samples(
        &self,
        operator: &Operator,
        case: &Case,
        pairs: bool,
    ) -> Result<Vec<(SampleFinding, Option<Failure>)>> {
        let choice = Choice { output_range: operator.output_range, multiplier: settled(operator), pairs };
        let made = self.samples_of(operator, case)?;
        made.iter()
            .map(|sample| self.one(sample, case, choice).map(|(finding, failure, _)| (finding, failure)))
            .collect()
    }

    /// One sample: the finding, what speaks against it, and the range of the outputs.
    fn one(
        &self,
        sample: &Sample,
        case: &Case,
        choice: Choice,
    ) -> Result<(SampleFinding, Option<Failure>, Option<[f32; 2]>)> {
        let name = sample.name.to_string();
        let mut finding = SampleFinding { name, sqnr_db: None, refused: None, in_float: vec![] };
        Ok(match self.run(sample, case, choice)? {
            ExperimentResult::Ran { sqnr_db, range, layout, .. } => {
                finding.in_float = layout.in_float.into_iter().map(|node| node.operator).collect();
                finding.sqnr_db = Some((sqnr_db * 10.0).round() / 10.0);
                let failure = (sqnr_db < self.floor_db).then_some(Failure::Low(sqnr_db));
                (finding, failure, Some(range))
            }
            ExperimentResult::Refused(why) => {
                finding.refused = Some(first_line(&why).to_string());
                (finding, Some(Failure::Refused(why)), None)
            }
            ExperimentResult::NoReference(why) => (finding, Some(Failure::NoReference(why)), None),
        })
    }

    fn words(&self, failure: &Failure) -> String {
        match failure {
            Failure::Refused(why) | Failure::NoReference(why) => first_line(why).to_string(),
            Failure::Low(figure) => format!("{figure:.1} dB is less than {} dB", self.floor_db),
        }
    }

    fn run(&self, sample: &Sample, case: &Case, choice: Choice) -> Result<ExperimentResult> {
        experiment::run(self.runtime, self.target, self.folder, sample, case, choice)
    }
}

/// What the pipeline does to the scales of the operator's weights.
fn settled(operator: &Operator) -> Multiplier {
    operator.multiplier_bits.map_or(Multiplier::AsItIs, Multiplier::Settled)
}

/// Whether channels that are so many integers off follow a step. (Where nothing is cut off, they are some integers off by
/// rounding.)
fn follows(step: u32, off: f64) -> bool {
    off <= f64::from(step.max(64)) / 8.0
}

/// What speaks against a sample.
enum Failure {
    Refused(String),
    Low(f64),
    NoReference(String),
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
