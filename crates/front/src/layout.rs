//! What a checkpoint is: which model's tensors it holds, under which names, and what is missing or left over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;

use super::absent_biases;
use super::assemble::{assemble, first_of_vision};
use super::built_in::BUILT_IN;
use super::checkpoint::unmarked;
use super::{Checkpoint, Definition, LanguageFamily, Recorder, SetAside, Vision, WeightNames};
use super::{language, names, projector};
use autoneural_base::error::Result;

/// How a checkpoint fits a model definition.
#[derive(Debug, Clone, Serialize)]
pub struct Layout {
    /// Name of the model.
    pub model: String,
    /// File of the definition.
    pub definition: String,
    /// Vision encoder, projector and language model.
    pub components: Vec<ComponentLayout>,
    /// Tensors that the model needs and the checkpoint lacks, under the names they would have.
    pub missing: Vec<String>,
    /// Tensors of another shape than the model's.
    pub misshapen: Vec<Misshapen>,
    /// Biases that the checkpoint's layers were built without: they are zero.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub zero: Vec<String>,
    /// Tensors that the model does not use.
    pub left_over: Vec<String>,
    /// Tensors of parts for which another place was given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub set_aside: Vec<SetAside>,
}

/// How one component's tensors are named.
#[derive(Debug, Clone, Serialize)]
pub struct ComponentLayout {
    /// Name of the component.
    pub component: &'static str,
    /// The naming that was recognized.
    pub naming: &'static str,
    /// What stands before all names.
    pub prefix: String,
    /// Tensors that are there in the shape that is wanted.
    pub found: usize,
    /// Tensors that the model needs.
    pub needed: usize,
}

/// A tensor of another shape.
#[derive(Debug, Clone, Serialize)]
pub struct Misshapen {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// The shape that the model needs.
    pub needed: Vec<usize>,
}

impl Layout {
    /// How a checkpoint fits a definition.
    ///
    /// # Errors
    /// A definition from which no graph can be built.
    pub fn of(checkpoint: &Checkpoint, definition: &Definition, path: &Path) -> Result<Self> {
        let definition = &names::resolved(definition, &checkpoint.given());
        let parts = parts(definition);
        let has = |name: &str| checkpoint.find(name).is_some();
        // Tensors are recorded behind marks that no checkpoint has, one for each component.
        let mark = |part: &Part| format!("\0{}\0", part.component);
        let mut marked = definition.clone();
        let heads = marked.weights.head.clone();
        let one = |name: &str| parts.iter().filter(|part| part.component == name).map(mark).collect();
        marked.weights = WeightNames {
            vision: one("vision"),
            projector: one("projector"),
            language: one("language"),
            ..marked.weights
        };
        let recognized: Vec<_> = parts.iter().map(|part| part.recognize(&has)).collect();
        let mut absent: Vec<String> = Vec::new();
        for (part, (_, chosen)) in parts.iter().zip(&recognized) {
            let others = part.firsts.iter().filter(|(first, _)| first != chosen);
            absent.extend(others.map(|(first, _)| format!("{}{first}", mark(part))));
        }
        if definition.language.tied_embeddings {
            absent.extend(heads.clone());
        } else if let Some(head) = heads.iter().find(|head| has(head)) {
            absent.extend(heads.iter().filter(|other| *other != head).cloned());
        }
        let recorder = Recorder::without(path, absent);
        let may_lack = assemble(&marked, &recorder)?.biases;
        let wanted = recorder.into_tensors();
        let mut made = Layout {
            model: definition.name.clone(),
            definition: path.display().to_string(),
            components: vec![],
            missing: vec![],
            misshapen: vec![],
            zero: vec![],
            left_over: vec![],
            set_aside: vec![],
        };
        let mut used = Vec::new();
        for (part, (prefix, first)) in parts.iter().zip(recognized) {
            let is_head = |name: &str| part.component == "language" && heads.iter().any(|head| head == name);
            let own: Vec<(&str, bool, &Vec<usize>)> = wanted
                .iter()
                .filter_map(|(name, (_, shape))| match name.strip_prefix(&mark(part)) {
                    Some(rest) => Some((rest, true, shape)),
                    None => is_head(name).then_some((name.as_str(), false, shape)),
                })
                .collect();
            // Where not even the first tensor is there, the prefix that most others have.
            let count = |prefix: &String| own.iter().filter(|(name, ..)| has(&format!("{prefix}{name}"))).count();
            let most = || part.prefixes.iter().rev().max_by_key(|prefix| count(prefix)).cloned().unwrap_or_default();
            let prefix = prefix.unwrap_or_else(most);
            let full =
                |name: &str, behind_prefix| if behind_prefix { format!("{prefix}{name}") } else { name.to_string() };
            let biases = own.iter().filter(|(name, ..)| may_lack.contains_key(&format!("{}{name}", mark(part))));
            let biases: BTreeMap<String, bool> =
                biases.map(|&(name, behind, _)| (full(name, behind), has(&full(name, behind)))).collect();
            let zero: BTreeSet<String> = absent_biases(&biases).zero.into_iter().collect();
            let mut found = 0;
            for &(name, behind_prefix, shape) in &own {
                let full = full(name, behind_prefix);
                match checkpoint.find(&full) {
                    None if zero.contains(&full) => {}
                    None => made.missing.push(unmarked(&full).to_string()),
                    Some((_, info)) => {
                        if info.shape == *shape {
                            found += 1;
                        } else {
                            let (shape, needed) = (info.shape.clone(), shape.clone());
                            let name = unmarked(&full).to_string();
                            made.misshapen.push(Misshapen { name, shape, needed });
                        }
                        used.push(full);
                    }
                }
            }
            let naming = part.firsts.iter().find(|(name, _)| *name == first).map_or("", |(_, naming)| naming);
            let component = part.component;
            let needed = own.len() - zero.len();
            made.zero.extend(zero.iter().map(|name| unmarked(name).to_string()));
            let prefix = unmarked(&prefix).to_string();
            made.components.push(ComponentLayout { component, naming, prefix, found, needed });
        }
        // A head beside tied embeddings may stay where it is equal to them.
        used.extend(heads);
        let left_over = checkpoint.left_over(&used, &definition.weights);
        made.left_over = left_over.into_iter().map(|name| unmarked(name).to_string()).collect();
        made.set_aside = checkpoint.set_aside(&used, &definition.weights);
        Ok(made)
    }

    /// The built-in definition that a checkpoint fits best, and how well it fits; `None` if the checkpoint has no
    /// tensor of any.
    ///
    /// # Errors
    /// A built-in definition is malformed, or the checkpoint cannot be read.
    pub fn recognize(checkpoint: &Checkpoint) -> Result<Option<(Self, Definition)>> {
        let mut best: Option<(Layout, Definition)> = None;
        for (name, text) in BUILT_IN {
            let path = Path::new(name);
            let definition = Definition::parse(text, path)?;
            let layout = Layout::of(checkpoint, &definition, path)?;
            let better = best.as_ref().is_none_or(|(best, _)| layout.rank() > best.rank());
            if better && layout.named() > 0 {
                best = Some((layout, definition));
            }
        }
        Ok(best)
    }

    /// Whether the checkpoint holds all of the model and nothing else.
    pub fn is_whole(&self) -> bool {
        self.missing.is_empty() && self.misshapen.is_empty() && self.left_over.is_empty()
    }

    fn found(&self) -> usize {
        self.components.iter().map(|component| component.found).sum()
    }

    /// Tensors that are there in whatever shape.
    fn named(&self) -> usize {
        self.found() + self.misshapen.len()
    }

    /// More tensors that fit, then more that have at least the name, then fewer that have not.
    fn rank(&self) -> (usize, usize, std::cmp::Reverse<usize>) {
        (self.found(), self.named(), std::cmp::Reverse(self.missing.len() + self.left_over.len()))
    }
}

/// Where a component's tensors may be.
struct Part {
    component: &'static str,
    prefixes: Vec<String>,
    /// Tensors that tell namings apart, and what these are called; the usual one first.
    firsts: Vec<(&'static str, &'static str)>,
}

impl Part {
    /// The prefix, if a first tensor is there, and the first tensor of the naming.
    fn recognize(&self, has: &dyn Fn(&str) -> bool) -> (Option<String>, &'static str) {
        for prefix in &self.prefixes {
            if let Some((first, _)) = self.firsts.iter().find(|(first, _)| has(&format!("{prefix}{first}"))) {
                return (Some(prefix.clone()), first);
            }
        }
        (None, self.firsts[0].0)
    }
}

fn parts(definition: &Definition) -> Vec<Part> {
    let (names, family) = (&definition.weights, definition.language.family);
    let language = match family {
        LanguageFamily::Lfm2 => "LFM2 in transformers' names",
        LanguageFamily::InternLm2 => "InternLM2 with grouped wqkv",
        LanguageFamily::Llama => "Llama in transformers' names",
    };
    let part = |component, prefixes: &[String], firsts| Part { component, prefixes: prefixes.to_vec(), firsts };
    let mut made = Vec::new();
    if let Some(vision) = definition.vision() {
        let naming = match vision {
            Vision::MobileNetV5(_) => "MobileNetV5 in timm's names",
            Vision::InternVit(_) => "InternViT in InternVL2's names",
        };
        made.push(part("vision", &names.vision, vec![(first_of_vision(vision), naming)]));
        made.push(part("projector", &names.projector, projector::namings(vision).to_vec()));
    }
    made.push(part("language", &names.language, vec![(language::first_tensor(family), language)]));
    made
}
