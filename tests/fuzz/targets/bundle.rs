//! What a bundle from elsewhere holds: manifest, report, graphs, encodings, statistics; and the baseline it is held
//! against.

use std::collections::BTreeMap;

use autoneural::Result;
use autoneural::back::encodings;
use autoneural::bundle::{Bundle, FileRecord, GivenFiles, GoldenRecord, Manifest, hash_bytes};
use autoneural::drawing::{self, Tensors};
use autoneural::drivers;
use autoneural::engine::EngineKind;
use autoneural::engine::{Engine, Tensor};
use autoneural::evidence::{Ask, Observer, StatisticsTable};
use autoneural::files::Folder;
use autoneural::front::Definition;
use autoneural::front::GRAPHS;
use autoneural::gate::output::{Located, Statement, Written, github, junit, markdown, sarif, text as lines, update};
use autoneural::gate::{self, Baseline, Date, Facts, Judgement, Thresholds, text_of};
use autoneural::golden;
use autoneural::host::{Steps, blank_image};
use autoneural::ir::Graph;
use autoneural::json::{LARGEST_JSON, write_json};
use autoneural::page;
use autoneural::partition::Partition;
use autoneural::program::{Program, groups};
use autoneural::quantize::{Table, quantize};
use autoneural::recipe::Recipe;
use autoneural::report::{self, Report};
use autoneural::segment::segments;
use autoneural::text;

use super::Place;
use super::place::{look, project};
use crate::mutate::Json;

/// Operators as graphs hold them.
pub const OPERATORS: [&str; 24] = [
    r#"{"name":"n","op":"Concat","axis":18446744073709551615,"inputs":["image","image"]}"#,
    r#"{"name":"n","op":"Concat","axis":0,"inputs":[]}"#,
    r#"{"name":"n","op":"Split","axis":0,"parts":1024,"inputs":["image"]}"#,
    r#"{"name":"n","op":"Split","axis":1,"parts":3,"inputs":["image"]}"#,
    r#"{"name":"n","op":"Slice","axis":3,"start":18446744073709551615,"end":0,"inputs":["image"]}"#,
    r#"{"name":"n","op":"Reshape","shape":[],"inputs":["image"]}"#,
    r#"{"name":"n","op":"Reshape","shape":[4294967296,4294967296],"inputs":["features"]}"#,
    r#"{"name":"n","op":"Reshape","shape":[1,1,1,1,1,1,1,32],"inputs":["features"]}"#,
    r#"{"name":"n","op":"Transpose","perm":[0,0,0],"inputs":["features"]}"#,
    r#"{"name":"n","op":"Transpose","perm":[2,1,0],"inputs":["features"]}"#,
    r#"{"name":"n","op":"Resize","interpolation":"linear","size":[1073741824,2],"inputs":["image"]}"#,
    r#"{"name":"n","op":"Resize","interpolation":"nearest","size":[0,0],"inputs":["image"]}"#,
    r#"{"name":"n","op":"AveragePool","kernel":[1,1],"strides":[0,1],"inputs":["image"]}"#,
    r#"{"name":"n","op":"AveragePool","kernel":[2,2],"strides":[1,1],"inputs":["image"]}"#,
    r#"{"name":"n","op":"Attention","scale":1e308,"inputs":["features","features","features"]}"#,
    r#"{"name":"n","op":"MatMul","inputs":["features","features"]}"#,
    r#"{"name":"n","op":"Softmax","axis":3,"inputs":["image"]}"#,
    r#"{"name":"n","op":"Gather","axis":1,"inputs":["embeds","last"]}"#,
    r#"{"name":"n","op":"Rope","inputs":["cos","cos","sin"]}"#,
    r#"{"name":"n","op":"LayerNorm","epsilon":-1,"inputs":["features","features","features"]}"#,
    r#"{"name":"n","op":"RmsNorm","axis":9,"epsilon":0,"inputs":["image","image"]}"#,
    r#"{"name":"n","op":"Neg","inputs":["embeds"]}"#,
    r#"{"name":"n","op":"Requantize","inputs":["logits"]}"#,
    concat!(
        r#"{"name":"n","op":"Conv","strides":[0,18446744073709551615],"pads":[18446744073709551615,1,1,1],"#,
        r#""groups":0,"inputs":["image","image"]}"#,
    ),
];

/// Evidence of nothing, which no method asks for where scales hold every weight.
fn nothing() -> BTreeMap<Ask, Observer> {
    BTreeMap::new()
}

fn thresholds() -> Result<Thresholds> {
    Thresholds::read(None)
}

/// Every form of a judgement.
pub fn tell(baseline: &Baseline, judgement: Result<Judgement>) -> Result<()> {
    let error = judgement.as_ref().err().map(ToString::to_string);
    let result = judgement.as_ref().map_err(|_| error.as_deref().unwrap_or_default());
    let statement = Statement {
        bundle: "out".into(),
        file: "baseline.json".into(),
        baseline: Some(baseline),
        result,
        located: Located { root: None, path: "baseline.json".into() },
        today: Date::of_seconds(1_800_000_000),
        is_day_given: true,
        all: true,
    };
    for made in [lines(&statement), markdown(&statement), junit(&statement), github(&statement), sarif(&statement)?] {
        let is_harmful = |c: char| c.is_control() && !c.is_whitespace();
        assert!(!made.contains(is_harmful), "a terminal would obey: {:?}", made.chars().find(|c| is_harmful(*c)));
    }
    serde_json::from_str::<serde_json::Value>(&sarif(&statement)?).expect("SARIF is JSON");
    if let Ok(judgement) = &judgement {
        let of = |cause: &gate::Cause| [&[cause.check][..], &cause.follows].concat();
        let mut grouped: Vec<usize> = judgement.causes.iter().flat_map(of).collect();
        grouped.sort_unstable();
        let is_failed = |at: &usize| judgement.checks[*at].outcome == gate::Outcome::Failed;
        let failed: Vec<usize> = (0..judgement.checks.len()).filter(is_failed).collect();
        assert_eq!(grouped, failed, "every failed check stands in one cause");
    }
    judgement.map(drop)
}

/// The report of the bundle that inputs take a part of.
pub fn known_report() -> Result<Report> {
    let path = project("tests/fuzz/bundle/report.json");
    Report::parse(&text::read_at_most(&path, LARGEST_JSON)?, &path)
}

pub fn baseline(place: &Place, bytes: &[u8]) -> Result<()> {
    let path = place.put("baseline.json", bytes);
    let baseline = Baseline::read(&path)?;
    let again =
        Baseline::read(&place.put("again.json", text_of(&baseline.facts)?.as_bytes())).expect("it is read again");
    assert!(again.facts == baseline.facts, "what is written is not what was read");
    let known = Baseline::read(&project("tests/fuzz/corpus/baseline/micro.json"))?;
    let report = known_report()?;
    let today = Date::of_seconds(1_800_000_000);
    for (before, now) in [(&known.facts, &baseline.facts), (&baseline.facts, &known.facts)] {
        let (kept, changes) = gate::update(before, now, &report, &thresholds()?, today);
        assert!(kept.check().is_ok() || before.check().is_err() || now.check().is_err(), "it says what cannot be");
        let _ = update(&changes, "baseline.json", Written::Kept, true);
    }
    tell(&baseline, gate::judge(&known.facts, &report, &baseline, &thresholds()?, today))
}

pub fn manifest(place: &Place, bytes: &[u8]) -> Result<()> {
    let folder = place.bundle("manifest");
    let path = folder.join("manifest.json");
    std::fs::write(&path, bytes).expect("a file");
    let manifest = Manifest::read(&Folder::open(&folder)?)?;
    let copy = Folder::open(place.put("again/manifest.json", b"").parent().expect("a folder"))?;
    manifest.write(&copy)?;
    assert!(
        Manifest::read(&copy).expect("it is read again").says_the_same(&manifest),
        "what is written is not what was read"
    );
    let bundle = Bundle::look(&folder)?;
    assert!(manifest.files.iter().all(|file| bundle.path(&file.path).starts_with(&folder)), "a path leaves the bundle");
    look(Facts::of(&bundle));
    look(drawing::Subject::read(&bundle).and_then(|subject| drawing::overview(&subject, Tensors::All)));
    look(page::Subject::read(&bundle, "out", None, &thresholds()?).and_then(|subject| page::html(&subject)));
    Ok(())
}

/// Golden vectors of a bundle, with a host's tensors that are partly as they should be.
pub fn golden(place: &Place, bytes: &[u8]) -> Result<()> {
    let folder = place.bundle("golden");
    let dump = project("tests/fuzz/corpus/vectors/golden.safetensors");
    let tensors = std::fs::read(&dump).expect("a file");
    let mut manifest = Manifest::read(&Folder::open(&project("tests/fuzz/bundle"))?)?;
    for (path, bytes) in [(golden::FILE, bytes), (golden::TENSORS, &tensors)] {
        place.put(&format!("golden/{path}"), bytes);
        let (path, sha256) = (path.to_string(), hash_bytes(bytes));
        manifest.files.push(FileRecord { path, bytes: bytes.len() as u64, sha256 });
    }
    let (file, tensors) = (golden::FILE.to_string(), golden::TENSORS.to_string());
    manifest.golden = Some(GoldenRecord { file, tensors, engines: vec![EngineKind::Simulated] });
    manifest.write(&Folder::open(&folder)?)?;
    look(golden::compare(&Bundle::look(&folder)?, &dump, None));
    Ok(())
}

pub fn report(place: &Place, bytes: &[u8]) -> Result<()> {
    let folder = place.bundle_with("report", "report.json", bytes);
    let path = folder.join("report.json");
    let report = Report::parse(bytes, &path)?;
    let copy = place.put("again.json", b"");
    std::fs::remove_file(&copy).expect("removed");
    write_json(&report, &copy)?;
    let again = Report::parse(&std::fs::read(&copy).expect("a file"), &copy).expect("it is read again");
    assert!(again == report, "what is written is not what was read");
    let _ = (report::table(&report), report.sizes.as_ref().map(|sizes| sizes.table()));
    let bundle = Bundle::look(&folder)?;
    look(drawing::Subject::read(&bundle).and_then(|subject| drawing::overview(&subject, Tensors::Border)));
    let (facts, report) = Facts::of(&bundle)?;
    let baseline = Baseline::read(&project("tests/fuzz/corpus/baseline/micro.json"))?;
    look(tell(&baseline, gate::judge(&facts, &report, &baseline, &thresholds()?, Date::of_seconds(1_800_000_000))));
    let subject = page::Subject::read(&bundle, "out", Some((&bundle, "other")), &thresholds()?)?;
    assert!(page::html(&subject)?.len() + page::markdown(&subject).len() > 0);
    Ok(())
}

pub fn graph(place: &Place, bytes: &[u8]) -> Result<()> {
    let name = named(bytes);
    let bundle = Bundle::look(&place.bundle_with("graph", &format!("model/{name}.json"), bytes))?;
    let (definition, partitions) = (bundle.definition()?, bundle.partitions()?);
    for partition in &partitions {
        assert!(!partition.graph.to_string().is_empty());
    }
    walk(&definition, &partitions, None)?;
    let tables = bundle.tables(&partitions)?;
    walk(&definition, &partitions, Some(&tables))?;
    let subject = drawing::Subject::read(&bundle)?;
    drawing::overview(&subject, Tensors::All)?;
    drawing::inside(&subject, name, Tensors::All)?;
    drawing::inside(&subject, name, Tensors::Border)?;
    look(page::Subject::read(&bundle, "out", None, &thresholds()?).and_then(|subject| page::html(&subject)));
    let (target, recipe) = (bundle.target()?, Recipe::read(&bundle.path("calibration/recipe.toml"))?);
    let statistics = bundle.statistics()?;
    for group in groups(&partitions) {
        look(quantize(
            &partitions,
            &group,
            (&statistics, &nothing()),
            &recipe,
            &target,
            GivenFiles::default().encodings(),
        ));
    }
    Ok(())
}

/// A program whose graphs are others', or almost.
pub fn program(place: &Place, bytes: &[u8]) -> Result<()> {
    let folder = place.bundle_with("program", "model/program.json", bytes);
    let program = Program::parse(bytes, &folder.join("model/program.json"))?;
    let again = serde_json::to_vec(&program).expect("JSON");
    let again = Program::parse(&again, &folder).expect("it is read again");
    assert!(again == program, "what is written is not what was read");
    let names = program.groups().iter().all(|group| program.graphs().iter().any(|name| name.starts_with(group.name())));
    assert!(names, "every group has a graph");
    let bundle = Bundle::look(&folder)?;
    look(drivers::of_bundle(&bundle));
    let (definition, partitions) = (bundle.definition()?, bundle.partitions()?);
    look(walk(&definition, &partitions, None));
    let tables = bundle.tables(&partitions)?;
    look(walk(&definition, &partitions, Some(&tables)));
    look(drawing::Subject::read(&bundle).and_then(|subject| drawing::overview(&subject, Tensors::All)));
    look(page::Subject::read(&bundle, "out", None, &thresholds()?).and_then(|subject| page::html(&subject)));
    look(Facts::of(&bundle));
    Ok(())
}

/// A definition of a bundle whose graphs are others', or almost.
pub fn definition(place: &Place, bytes: &[u8]) -> Result<()> {
    let bundle = Bundle::look(&place.bundle_with("bundled-definition", "model/definition.toml", bytes))?;
    let definition = bundle.definition()?;
    let partitions = bundle.partitions()?;
    walk(&definition, &partitions, None)?;
    walk(&definition, &partitions, Some(&bundle.tables(&partitions)?))?;
    look(page::Subject::read(&bundle, "out", None, &thresholds()?).and_then(|subject| page::html(&subject)));
    Ok(())
}

/// Gives zeros, of the shape that the graph says.
struct Zeros(Vec<Tensor>);

impl Engine for Zeros {
    fn run(&mut self, _: &[Tensor]) -> Result<Vec<Tensor>> {
        Ok(self.0.clone())
    }
}

/// A picture and a prompt on their way through partitions, as the host takes them.
fn walk(definition: &Definition, partitions: &[Partition], tables: Option<&[Table]>) -> Result<()> {
    let load = |partition: &Partition| {
        let at = partitions.iter().position(|other| other.name == partition.name).expect("a partition");
        let zeros = partition.outputs.iter().zip(partition.graph.outputs()).map(|(port, &id)| {
            let shape = partition.graph.value(id).shape.clone();
            let count = shape.iter().product();
            let encoding = tables.map(|tables| tables[at].activation(&port.name)).transpose()?;
            Tensor::f32(shape, vec![0.0; count]).encode(encoding)
        });
        Ok(Zeros(zeros.collect::<Result<_>>()?))
    };
    let mut steps = Steps::new(definition, partitions, tables, Box::new(load));
    let visual = steps.see(&blank_image(definition.seeing().unwrap()), &mut |_| Ok(()))?;
    assert_eq!(visual.embeds.len(), definition.seeing().unwrap().tokens() * definition.language.hidden);
    let (mut sequence, prompt) = (steps.begin()?, vec![0.5; 11 * definition.language.hidden]);
    let logits = steps.extend(&mut sequence, &prompt, &mut |_| Ok(()))?;
    assert_eq!(logits.len(), definition.language.vocabulary);
    Ok(())
}

/// The partition that a graph says it is of; the smallest where it says nothing.
fn named(bytes: &[u8]) -> &'static str {
    let Some(Json::Object(entries)) = Json::parse(bytes) else { return "projector" };
    let says = |name: &&str| {
        entries.iter().any(|(_, value)| matches!(value, Json::Leaf(leaf) if leaf.trim_matches('"') == *name))
    };
    GRAPHS.iter().find(|name| says(name)).unwrap_or(&"projector")
}

pub fn encodings(place: &Place, bytes: &[u8]) -> Result<()> {
    let path = place.put("encodings.json", bytes);
    let table = encodings::look(bytes, &path)?;
    // Scales of blocks are written in an order that a graph tells.
    if table.params.values().all(|encoding| encoding.block.is_none()) {
        let copy = place.put("again.json", b"");
        std::fs::remove_file(&copy).expect("removed");
        encodings::write(&table, &Graph::default(), &copy)?;
        let again = encodings::look(&std::fs::read(&copy).expect("a file"), &copy).expect("it is read again");
        let same = again.activations == table.activations && again.params == table.params;
        assert!(same, "what is written is not what was read");
    }
    let bundle = Bundle::look(&place.bundle("encodings"))?;
    let partitions = bundle.partitions()?;
    let target = bundle.target()?;
    for partition in &partitions {
        if let Some(table) = look(encodings::read(bytes, &path, &partition.graph)) {
            look(segments(partition, &table, &target));
            for (_, value) in partition.graph.values() {
                if let (Some(constant), Some(encoding)) = (value.constant(), table.params.get(&value.name)) {
                    let codes = encoding.quantize(&constant.to_f32(), &value.shape);
                    let (least, most) = encoding.integer.limits();
                    assert!(codes.iter().all(|&code| (least..=most).contains(&i64::from(code))), "{}", value.name);
                }
            }
        }
    }
    let (recipe, statistics) = (Recipe::read(&bundle.path("calibration/recipe.toml"))?, bundle.statistics()?);
    for settles in [false, true] {
        let given = GivenFiles::read(std::slice::from_ref(&path), settles)?;
        let Some(given) = look(given.encodings().resolved(&partitions, &bundle.definition()?.weights.aliases())) else {
            continue;
        };
        for group in groups(&partitions) {
            look(quantize(&partitions, &group, (&statistics, &nothing()), &recipe, &target, &given));
        }
    }
    Ok(())
}

pub fn statistics(place: &Place, bytes: &[u8]) -> Result<()> {
    let path = place.put("statistics.json", bytes);
    let table: StatisticsTable = text::json(&path, &text::read_at_most(&path, LARGEST_JSON)?)?;
    let copy = place.put("again.json", b"");
    std::fs::remove_file(&copy).expect("removed");
    write_json(&table, &copy)?;
    let again: StatisticsTable = text::json(&copy, &std::fs::read(&copy).expect("a file")).expect("it is read again");
    assert!(again == table, "what is written is not what was read");
    let mut twice = table.clone();
    twice.merge(&table);
    let bundle = Bundle::look(&place.bundle("statistics"))?;
    let (partitions, target) = (bundle.partitions()?, bundle.target()?);
    let recipe = Recipe::read(&bundle.path("calibration/recipe.toml"))?;
    for group in groups(&partitions) {
        let Some((made, _)) = look(quantize(
            &partitions,
            &group,
            (&twice, &nothing()),
            &recipe,
            &target,
            GivenFiles::default().encodings(),
        )) else {
            continue;
        };
        for (table, _) in made {
            let all = table.activations.iter().chain(&table.params);
            for (name, encoding) in all {
                assert!(
                    encoding.scale.iter().all(|scale| scale.is_finite() && *scale > 0.0),
                    "{name}: {:?}",
                    encoding.scale
                );
            }
        }
    }
    Ok(())
}
