//! Graphs that are there already, as what a bundle is made of.

use std::collections::BTreeMap;
use std::path::Path;

use super::driver::{NAME, Tensors};
use super::takes::intakes;
use crate::drivers::export::{Exported, FOLDER, export_group, refuse_another_model};
use crate::drivers::memory::refuse_too_large;
use crate::drivers::{Driver, Source, Takes};
use autoneural_base::error::Result;
use autoneural_base::files;
use autoneural_base::json::write_json;
use autoneural_base::progress::{Progress, Silent};
use autoneural_bundle::{Key, Making};
use autoneural_core::ir::{ElementType, Graph, ValueId};
use autoneural_core::partition::{Partition, Port};
use autoneural_core::passes::Frozen;
use autoneural_core::program::{Group, Meaning, Program, groups};
use autoneural_core::recipe::Recipe;
use autoneural_core::target::Target;

/// Graphs with their ports.
pub struct Graphs<'a> {
    /// Name of the model.
    pub name: &'a str,
    /// The graphs, in the order in which samples go through them.
    pub graphs: &'a [Partition],
    /// Those of them that are known as they were built, by name ([`autoneural_core::passes::as_built`]).
    pub as_built: &'a [Frozen],
    /// What they were made of, in a text that is another for others: say, the SHA-256 of a file.
    pub made_of: &'a str,
}

/// What the driver's words for ports mean.
fn roles() -> BTreeMap<String, Meaning> {
    let main = Meaning { main: true, ..Meaning::default() };
    BTreeMap::from([("input".to_string(), Meaning::default()), ("output".to_string(), main)])
}

/// A graph with its ports, none of which is tied to another; a name is that of the group, alone or with `.` and more.
///
/// # Errors
/// A name that files cannot be called by.
pub fn partition(name: &str, graph: Frozen) -> Result<Partition> {
    let roles = roles();
    let port = |id: &ValueId, role: &str| {
        let value = graph.value(*id);
        let encoding_key = match value.element {
            ElementType::F32 => format!("{name}/{}", value.name),
            _ => String::new(),
        };
        let meaning = roles.get(role).copied().unwrap_or_default();
        Port { name: value.name.clone(), role: role.to_string(), encoding_key, range: None, meaning }
    };
    let inputs = graph.inputs().iter().map(|id| port(id, "input")).collect();
    let outputs = graph.outputs().iter().map(|id| port(id, "output")).collect();
    Ok(Partition { name: name.to_string(), group: Group::of_graph(name)?, graph, inputs, outputs })
}

impl Source for Graphs<'_> {
    fn program(&self) -> Result<Program> {
        Program::new(NAME, self.graphs.iter().map(|graph| graph.name.clone()).collect(), roles())
    }

    fn takes(&self) -> Result<Takes> {
        Ok(Takes::Arrays { groups: groups(self.graphs), intakes: intakes(self.graphs) })
    }

    fn check(&self, _bundle: &Making, recipe: &Recipe) -> Result<()> {
        let parts: Vec<(&str, &Graph)> = self.graphs.iter().map(|part| (part.name.as_str(), &*part.graph)).collect();
        refuse_too_large(&parts, Path::new(self.name))?;
        Tensors::new(groups(self.graphs)).refuse_unfit(recipe, self.graphs)
    }

    fn export(
        &self,
        bundle: &mut Making,
        (target, target_text): (&Target, &str),
        progress: &dyn Progress,
    ) -> Result<()> {
        refuse_another_model(bundle, self.name, target)?;
        let program = self.program()?;
        let key = || Key::new().and("graphs", self.made_of).and("target", target_text).setting("program", &program);
        bundle.unit("export/program", FOLDER, key(), &Silent, |folder| {
            write_json(&program, &folder.join("program.json"))?;
            files::write(&folder.join("target.toml"), target_text.as_bytes())
        })?;
        let graphs = Exported { partitions: self.graphs, as_built: self.as_built };
        for group in program.groups() {
            export_group(bundle, &group, key(), || Ok(graphs), || Ok(()), progress)?;
        }
        bundle.manifest.model = self.name.to_string();
        bundle.manifest.target = target.name.clone();
        Ok(())
    }
}
