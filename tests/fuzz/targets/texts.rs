//! What people write: definitions, recipes, target files, thresholds, questions.

use autoneural::Result;
use autoneural::encoding::IntegerType;
use autoneural::evaluate::Set;
use autoneural::front::{Assembled, Component, DefinitionFile, Layout, Recorder, Vision, assemble};
use autoneural::gate::{self, Baseline, Date, Facts, Thresholds};
use autoneural::ir::validate;
use autoneural::recipe::{Recipe, Role, Words};
use autoneural::target::Target;

use super::Place;
use super::bundle::{known_report, tell};
use super::place::{look, project};

pub fn definition(place: &Place, bytes: &[u8]) -> Result<()> {
    let path = place.put("definition.toml", bytes);
    let file = DefinitionFile::read(&path, None)?;
    if let Some(other) = look(DefinitionFile::read(&path, Some(64))) {
        assert_eq!(other.definition.vision().map(Vision::image_size), Some(64));
    }
    let definition = &file.definition;
    let Assembled { model, used, .. } = assemble(definition, &Recorder::new(definition, &path))?;
    assert!(!used.is_empty());
    for (_, graph) in model.graphs() {
        validate(graph)?;
    }
    let _ = definition.vision().map(|vision| (vision.tokens(), vision.channels()));
    let checkpoint = autoneural::front::Checkpoint::open(&project("tests/fuzz/corpus/safetensors/floats.safetensors"))?;
    Layout::of(&checkpoint, definition, &path).map(drop)
}

pub fn recipe(place: &Place, bytes: &[u8]) -> Result<()> {
    let path = place.put("recipe.toml", bytes);
    let recipe = Recipe::read(&path)?;
    let groups = Component::ALL.map(Component::group);
    if recipe.refuse_other_groups(&groups).is_ok() {
        groups.iter().for_each(|group| assert!(!recipe.part(group).unwrap().scheme().is_empty()));
    }
    for name in ["logits", "layers.0.conv.in_proj.weight"] {
        assert!(recipe.exception(name, true).is_none_or(IntegerType::is_signed));
    }
    let folder = path.parent().expect("a folder");
    for sample in recipe.calibration.iter().chain(&recipe.verification) {
        let mut images = recipe.image_paths(sample).into_iter();
        assert!(images.all(|image| image.starts_with(folder)), "a path leaves the folder");
        if let Words::Conversation(said) = sample.words() {
            assert_eq!(
                said.iter().map(|said| said.images).sum::<usize>(),
                sample.images.len(),
                "an image is in no message"
            );
            assert_eq!(said.last().map(|said| said.role), Some(Role::User));
        }
        let _ = (sample.title(), sample.shown());
    }
    assert!(!recipe.bits().is_empty());
    Ok(())
}

pub fn target(place: &Place, bytes: &[u8]) -> Result<()> {
    let path = place.put("target.toml", bytes);
    let (target, _) = Target::find(&path.to_string_lossy())?;
    for operator in target.operators() {
        for case in operator.taken() {
            assert!(operator.takes(&case), "{}: {case}", operator.name);
            assert!(case.weights.is_none_or(|weights| operator.all_weights().any(|one| one == weights)));
        }
        for refusal in &operator.refused {
            assert!(
                operator.refused_by(refusal).iter().all(|case| !operator.takes(case) || operator.has_pairs(case)),
                "{}: {refusal}",
                operator.name
            );
        }
        look(target.refuse_unstated(&operator.name)).expect("it is stated");
    }
    Ok(())
}

pub fn thresholds(place: &Place, bytes: &[u8]) -> Result<()> {
    let thresholds = Thresholds::read(Some(&place.put("gate.toml", bytes)))?;
    let report = known_report()?;
    let baseline = Baseline::read(&project("tests/fuzz/corpus/baseline/micro.json"))?;
    let worse = Facts { device_bytes: None, ..baseline.facts.clone() };
    let today = Date::of_seconds(1_800_000_000);
    tell(&baseline, gate::judge(&worse, &report, &baseline, &thresholds, today))
}

pub fn questions(place: &Place, bytes: &[u8]) -> Result<()> {
    place.put("set/photo.png", b"");
    let path = place.put("set/questions.jsonl", bytes);
    let folder = path.parent().expect("a folder");
    let set = Set::read(folder)?;
    assert!(set.first(None).iter().flat_map(|question| &question.images).all(|image| image.starts_with(folder)));
    assert_eq!(set.key(true).len(), 16);
    Ok(())
}
