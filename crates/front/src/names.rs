//! Under which names the parts of a model are looked for: those of its definition, and those that a part has where it
//! was saved alone.

use super::assemble::first_of_vision;
use super::checkpoint::marked;
use super::language::HEAD;
use super::{Definition, LanguageFamily, Vision, WeightNames, language, projector};
use crate::Component;
use autoneural_core::quantize::Aliases;

impl WeightNames {
    /// Prefixes of a part's tensors, in the order in which they are tried.
    pub fn prefixes(&self, part: Component) -> &[String] {
        match part {
            Component::Vision => &self.vision,
            Component::Projector => &self.projector,
            Component::Language => &self.language,
        }
    }

    /// What the checkpoint calls the tensors of the graphs.
    pub fn aliases(&self) -> Aliases {
        let of = |part: Component| self.prefixes(part).iter().map(move |prefix| (part.group(), prefix.clone()));
        let prefixes = Component::ALL.into_iter().flat_map(of).filter(|(_, prefix)| !prefix.is_empty());
        let head = self.head.iter().map(|head| (head.clone(), HEAD.to_string()));
        Aliases { prefixes: prefixes.collect(), names: head.collect() }
    }
}

/// A part's first tensor, behind its prefix; `None` of a part that the model does not have.
pub(crate) fn first_tensor(part: Component, definition: &Definition) -> Option<&'static str> {
    match part {
        Component::Vision => definition.vision().map(first_of_vision),
        Component::Projector => definition.vision().map(|vision| projector::namings(vision)[0].0),
        Component::Language => Some(language::first_tensor(definition.language.family)),
    }
}

/// Prefixes of a part that timm or transformers saved without the others.
fn alone(part: Component, definition: &Definition) -> &'static [&'static str] {
    match (part, definition.vision()) {
        (Component::Vision, Some(Vision::MobileNetV5(_))) => &["timm_model.", ""],
        (Component::Vision, Some(Vision::InternVit(_))) => &["vision_model.", ""],
        (Component::Projector, Some(Vision::MobileNetV5(_))) => &["multi_modal_projector.", ""],
        (Component::Projector, Some(Vision::InternVit(_))) => &["mlp1.", ""],
        (Component::Vision | Component::Projector, None) => &[],
        (Component::Language, _) => &["model.", ""],
    }
}

/// The head of a language model that was saved without the others.
fn head_alone(family: LanguageFamily) -> &'static str {
    match family {
        LanguageFamily::Lfm2 | LanguageFamily::Llama => "lm_head.weight",
        LanguageFamily::InternLm2 => "output.weight",
    }
}

/// A definition that looks for each part where a checkpoint may have it: a part for which a place was `given`, there
/// alone.
pub(crate) fn resolved(definition: &Definition, given: &[Component]) -> Definition {
    let mut made = definition.clone();
    let mark = |part: Component| given.contains(&part).then_some(part);
    let with = |part: Component, names: &[String], more: &[&str]| -> Vec<String> {
        let more = more.iter().filter(|name| names.iter().all(|known| known != *name));
        names.iter().map(String::as_str).chain(more.copied()).map(|name| marked(mark(part), name)).collect()
    };
    let prefixes = |part: Component| with(part, definition.weights.prefixes(part), alone(part, definition));
    let head = with(Component::Language, &definition.weights.head, &[head_alone(definition.language.family)]);
    made.weights = WeightNames {
        vision: prefixes(Component::Vision),
        projector: prefixes(Component::Projector),
        language: prefixes(Component::Language),
        head,
        ignore: made.weights.ignore,
    };
    made
}
