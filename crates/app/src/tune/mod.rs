//! Tuning: which layers need more bits, and which do with fewer. Every layer is measured alone on the float reference,
//! the search of [`autoneural_core::tune`] chooses, the choice is checked in simulation and corrected, and in the end it
//! is compiled. A recipe comes out, with the reason for each choice.

mod candidates;
mod check;
mod evidence;
mod measure;
mod net;
mod noise;
mod part;
mod plan;
mod ready;
mod record;
mod search;
mod share;
mod table;
mod tried;
mod values;
mod written;

pub use part::MeasuredParts;
pub use plan::{Depth, Figure, Goal, TunePlan};
pub use record::{Checked, FILE, SCHEMA, State, Tuned, TunedChoice, TunedGroup, TunedLayer, TunedPoint, TunedWidths};
pub use share::{MeasuredShare, measure_share};
pub use table::tuned_table;
pub use written::overrides;

use crate::drivers::{Driver, Takes};
use crate::report::{Columns, Demands, Report};
use crate::stages::{Comparing, KeptEvidence, Plan, compile};
use crate::verify::Extent;
use autoneural_base::error::{Error, Result};
use autoneural_base::progress::Progress;
use autoneural_base::warning::Warning;
use autoneural_bundle::{GivenFiles, Making, Stage};
use autoneural_core::recipe::{Recipe, Sample};
use autoneural_core::tune::{Cost, Point, curve};
use autoneural_engines::back::qnn::Runtime;
use candidates::Subject;
use check::Checker;
use measure::Meter;
use ready::Ready;
use search::{Costs, Quest, budget};
use tried::Tried;

/// Takes what is known so far: a first answer, and better ones.
pub type Publish<'a> = dyn FnMut(&Tuned) -> Result<()> + 'a;

/// Tunes a model in a bundle in the making, and compiles it with what was chosen where the plan says so. Measurements
/// and checks stay in the bundle, so that a run that was stopped goes on where it was. Every answer goes to `publish`.
///
/// # Errors
/// The recipe does not fit, a stage fails, or no assignment takes as few bytes as is asked. A goal that is not reached
/// is no error here: [`Tuned::reached`] says it.
pub fn tune(
    bundle: &mut Making,
    plan: &TunePlan,
    runtime: Option<&Runtime>,
    publish: &mut Publish,
    progress: &dyn Progress,
) -> Result<(Tuned, Option<Report>)> {
    let recipe = plan.recipe;
    let ready = Ready::new(bundle, plan, progress)?;
    let (driver, partitions, statistics) = (&*ready.driver, &ready.partitions, &ready.statistics);
    let kept = KeptEvidence(bundle);
    let basis = ready.basis(&kept, plan);
    let subjects = ready.subjects(&basis, plan)?;
    let meter = Meter::new((bundle, driver), &basis, &subjects, plan.unit(), progress);
    let all = |of: &dyn Fn(usize) -> Result<Vec<Vec<Tried>>>| -> Result<Vec<Costs>> {
        subjects.iter().enumerate().map(|(at, subject)| Ok(Costs::of(subject, &of(at)?))).collect()
    };
    let (model, of) = (bundle.manifest.model.clone(), record::subject(bundle)?);
    let of_samples = bundle.manifest.warnings.iter().filter(|warning| warning.stage == Stage::Calibrate.name());
    let of_layers = subjects.iter().flat_map(|subject| &subject.warnings);
    let warnings: Vec<Warning> = of_samples.chain(of_layers).cloned().collect();
    let about = |state: State, costs: &[Costs], points: &[Point]| Tuned {
        warnings: warnings.clone(),
        ..told(plan, (&model, &of), (state, &subjects), costs, points)
    };
    if plan.measured.is_none() {
        let guessed = all(&|at| meter.guessed(at))?;
        publish(&about(State::Guessed, &guessed, &chosen(plan, &guessed)?))?;
    }
    let tried = |at| -> Result<Vec<Vec<Tried>>> {
        Ok(meter.measured(at, plan.measured)?.into_iter().map(|layer| layer.tried).collect())
    };
    let costs = all(&tried)?;
    drop(meter);
    let most = plan.goal.most_noise().unwrap_or(f64::INFINITY);
    let mut quests: Vec<Quest> = costs.iter().map(|costs| Quest::new(costs.searched.clone(), most)).collect();
    let mut points = chosen(plan, &costs)?;
    let mut tuned = about(State::Predicted, &costs, &points);
    publish(&tuned)?;
    let checking = checking(recipe, driver, partitions);
    if let Some(runtime) = runtime.filter(|_| plan.depth >= Depth::Simulated) {
        let checker = Checker {
            bundle,
            driver,
            partitions,
            subjects: &subjects,
            statistics,
            runtime,
            text: plan.text.as_ref(),
            progress,
        };
        for _ in 0..plan.rounds {
            let mut is_new = quests[0].checks.is_empty();
            if plan.goal.most_noise().is_some() {
                let next: Vec<(Point, bool)> = quests.iter().map(Quest::next).collect();
                is_new = next.iter().any(|(_, is_new)| *is_new);
                points = next.into_iter().map(|(point, _)| point).collect();
            }
            if !is_new {
                break;
            }
            let text = overrides(&about(State::Predicted, &costs, &points));
            let noises = checker.noises(&with(recipe, &text, &checking.0)?)?;
            let of_subjects = subjects.iter().zip(&costs);
            for (((quest, point), noise), (subject, costs)) in
                quests.iter_mut().zip(&points).zip(noises).zip(of_subjects)
            {
                // The simulation reads operands of products in all of their bits.
                let of_products: f64 = subject.products(point, &quest.costs);
                let size = (subject.bytes(point), costs.used(subject, point));
                quest.add(point.clone(), size, noise + of_products);
            }
            points = quests.iter().map(Quest::best).collect();
            tuned = with_checks(about(State::Checked, &costs, &points), &quests);
            publish(&tuned)?;
        }
    }
    tuned.reached = plan.goal.most_noise().is_none() || quests.iter().all(Quest::is_met);
    if !tuned.reached {
        let is_least: Vec<bool> = quests.iter().map(|quest| quest.best().chosen == quest.least().chosen).collect();
        tuned.in_the_way = in_the_way(&tuned, &is_least);
        if plan.has_widths {
            let words = "values may have 8 bits, so weights are what the target takes beside both widths; without \
                         `--activations` they may be more";
            tuned.in_the_way.push(words.into());
        }
    }
    publish(&tuned)?;
    if plan.depth < Depth::Npu {
        return Ok((tuned, None));
    }
    let (recipe, none) = (with(recipe, &overrides(&tuned), &checking.1)?, GivenFiles::read(&[], false)?);
    let extent = Extent { partitions: None, sampled: Checker::extent(driver, partitions).sampled };
    let demands = Demands { max_difference_db: f64::INFINITY, enough_db: 0.0, min_sqnr_db: None };
    let compiled = Plan {
        source: plan.source,
        target: plan.target,
        recipe: &recipe,
        given: &none,
        compiler: plan.compiler,
        comparing: Comparing { extent: &extent, layers: &[], golden: None, demands },
    };
    let report = compile(bundle, &compiled, runtime, progress)?;
    tuned.judged = Some(judged(&report, &subjects));
    tuned.judged_apart = checking.2;
    tuned.state = State::Compiled;
    if let (Goal::Db(least), Some(found)) = (&plan.goal, tuned.judged.and_then(|columns| columns.npu)) {
        tuned.reached = tuned.reached && found >= *least;
        if found < *least {
            tuned.in_the_way.push(format!("on the NPU it is {found:.1} dB"));
        }
    }
    publish(&tuned)?;
    Ok((tuned, Some(report)))
}

/// A recipe with exceptions, and with these samples for verification.
fn with(recipe: &Recipe, exceptions: &str, verification: &[Sample]) -> Result<Recipe> {
    let mut made = recipe.with_overrides(exceptions)?;
    made.verification = verification.to_vec();
    Ok(made)
}

/// The verification samples that check assignments, those that judge what was chosen, and whether these are others: every
/// second of arrays, and all of what has words.
fn checking(
    recipe: &Recipe,
    driver: &dyn Driver,
    partitions: &[autoneural_core::partition::Partition],
) -> (Vec<Sample>, Vec<Sample>, bool) {
    let all = &recipe.verification;
    if all.len() < 2 || matches!(driver.takes(partitions), Takes::Words) {
        return (all.clone(), all.clone(), false);
    }
    // Neighbours are often alike, so that both get some of each kind.
    let every_second = |from: usize| all.iter().skip(from).step_by(2).cloned().collect();
    (every_second(0), every_second(1), true)
}

/// What is chosen by predictions alone.
fn chosen(plan: &TunePlan, costs: &[Costs]) -> Result<Vec<Point>> {
    let costs: Vec<Vec<Vec<Cost>>> = costs.iter().map(|costs| costs.searched.clone()).collect();
    match plan.goal.most_noise() {
        Some(most) => Ok(costs.iter().map(|costs| Quest::new(costs.clone(), most).best()).collect()),
        None => budget(&costs, &plan.goal)?.ok_or_else(|| {
            let least: u64 = costs.iter().map(|costs| curve(costs)[0].price).sum();
            let (least, most) = (autoneural_base::text::bytes(least), &plan.goal);
            Error::input("--budget-mb", format!("{most} are too few: the least that the target takes is {least}"))
        }),
    }
}

/// What is known, as it is told.
fn told(
    plan: &TunePlan,
    (model, of): (&str, &str),
    (state, subjects): (State, &[Subject]),
    costs: &[Costs],
    points: &[Point],
) -> Tuned {
    let group = |((subject, costs), point): ((&Subject, &Costs), &Point)| {
        let layer = |((tunable, costs), &chosen): ((&candidates::Tunable, &Vec<Cost>), &usize)| {
            let choices = tunable.choices.iter().zip(costs);
            TunedLayer {
                name: tunable.name.clone(),
                elements: tunable.elements(),
                multiply_adds: tunable.multiply_adds,
                base: tunable.base,
                chosen,
                choices: choices
                    .map(|(&bits, cost)| TunedChoice { bits, bytes: tunable.bytes(bits), noise: cost.noise })
                    .collect(),
            }
        };
        let used = |point: &Point| costs.used(subject, point);
        // Nothing has 8 bits that can have 16.
        let wide = Point { price: 0, noise: 0.0, chosen: vec![] };
        TunedGroup {
            group: subject.group.name().to_string(),
            layers: subject.layers.iter().zip(&costs.all).zip(&costs.chosen(point)).map(layer).collect(),
            curve: curve(&costs.searched)
                .iter()
                .map(|point| TunedPoint { bytes: subject.bytes(point), widths: used(point), noise: point.noise })
                .collect(),
            checks: vec![],
            widths: used(point).zip(used(&wide)).map(|(chosen, wide)| TunedWidths { chosen, wide }),
        }
    };
    let groups: Vec<TunedGroup> = subjects.iter().zip(costs).zip(points).map(group).collect();
    let most = plan.goal.most_noise().unwrap_or(f64::INFINITY);
    let reached = groups.iter().all(|group| group.predicted() <= most);
    Tuned {
        schema: SCHEMA,
        model: model.to_string(),
        target: plan.target.0.name.clone(),
        of: of.to_string(),
        goal: plan.goal.clone(),
        figure: plan.figure(),
        state,
        reached,
        in_the_way: vec![],
        warnings: vec![],
        groups,
        judged: None,
        judged_apart: false,
    }
}

fn with_checks(mut tuned: Tuned, quests: &[Quest]) -> Tuned {
    for (group, quest) in tuned.groups.iter_mut().zip(quests) {
        group.checks = quest.checks.iter().map(|(check, _)| *check).collect();
    }
    tuned
}

/// Why a goal is not reached: the layers that still bring most, and what the rest of the network brings. `is_least` says
/// of each group whether what was chosen has the least noise of all.
fn in_the_way(tuned: &Tuned, is_least: &[bool]) -> Vec<String> {
    let (mut made, words) = (Vec::new(), |noise| tuned.figure.words(noise));
    for (group, is_least) in tuned.groups.iter().zip(is_least) {
        if let Some(measured) = group.measured() {
            let (name, measured, predicted) = (&group.group, words(measured), words(group.predicted()));
            made.push(match is_least {
                true => format!(
                    "{name}: with the least noise that weights can have here it is {measured} ({predicted} from its \
                     layers one by one)"
                ),
                false => format!(
                    "{name}: the best of {} checks has {measured} ({predicted} from its layers one by one); more \
                     `--rounds` may find better",
                    group.checks.len()
                ),
            });
        }
        let mut layers: Vec<&TunedLayer> = group.layers.iter().collect();
        layers.sort_by(|a, b| b.choice().noise.total_cmp(&a.choice().noise));
        for layer in layers.iter().take(3) {
            let own = layer.choice();
            made.push(format!("{} in {} brings {}", layer.name, own.bits, words(own.noise)));
        }
    }
    made
}

/// The weakest main output of what is tuned, by engine.
fn judged(report: &Report, subjects: &[Subject]) -> Columns {
    let names: Vec<&str> = subjects.iter().flat_map(|one| &one.nets).map(|(_, net)| net.name.as_str()).collect();
    let is_judged = |name: &str, output: &str| {
        let nets = subjects.iter().flat_map(|one| &one.nets).map(|(_, net)| net);
        let mut own = nets.filter(|net| net.name == name);
        own.any(|net| net.judged().into_iter().any(|at| net.outputs[at].name == output))
    };
    let mut made = Columns { simulated: None, npu: None };
    for partition in report.partitions.iter().filter(|partition| names.contains(&partition.name.as_str())) {
        for output in partition.outputs.iter().filter(|output| is_judged(&partition.name, &output.name)) {
            let least = |a: Option<f64>, b: Option<f64>| a.into_iter().chain(b).reduce(f64::min);
            made.simulated = least(made.simulated, output.sqnr_db.simulated);
            made.npu = least(made.npu, output.sqnr_db.npu);
        }
    }
    made
}
