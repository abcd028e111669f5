//! Programs: what a model is once its graphs are built. A program states its graphs and their groups, what the roles of
//! their ports mean, and which driver runs samples through them. A bundle stores it in `model/program.json`; every
//! stage after the front end reads it.
//!
//! The inputs and outputs of each graph are described beside the graph ([`Port`]). Ports with the same encoding key are
//! tied: they share one encoding.
//!
//! [`Port`]: partition::Port

mod fit;
mod group;
mod meaning;
pub mod partition;
mod step;

pub use fit::refuse_unfit;
pub use group::Group;
pub use meaning::{Meaning, Padding, Rows, State};
pub use step::{Load, Step, Tokens, Visit};

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use autoneural_base::error::{Error, Result};
use partition::Partition;

/// Version of the file's format.
const SCHEMA: u32 = 1;
/// Most graphs of a program. Their names alone would fill a screen.
const MOST: usize = 256;

/// Names that no graph or group may have, because other files of the folder have them.
const TAKEN: [&str; 4] = ["host", "program", "special_tokens_map", "tokenizer"];

/// What a model is, without its graphs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// Version of this format.
    schema: u32,
    /// Name of the driver that runs samples through it.
    pub driver: String,
    /// Names of its graphs, in the order in which samples reach them: `GROUP`, or `GROUP.REST` if a group has several.
    graphs: Vec<String>,
    /// What the roles mean, which are the driver's words for ports.
    pub roles: BTreeMap<String, Meaning>,
}

impl Program {
    /// Its file in a bundle.
    pub const FILE: &str = "model/program.json";

    /// A program of graphs of these names.
    ///
    /// # Errors
    /// There is no graph, or there are more than 256; a name cannot be a file name or is taken by another file; or two
    /// graphs have the same name.
    pub fn new(driver: &str, graphs: Vec<String>, roles: BTreeMap<String, Meaning>) -> Result<Self> {
        let made = Program { schema: SCHEMA, driver: driver.to_string(), graphs, roles };
        made.check()?;
        Ok(made)
    }

    /// Reads it from the text of its file; `path` is only for messages.
    ///
    /// # Errors
    /// The text is malformed JSON or of another schema; or as for [`Program::new`].
    pub fn parse(text: &[u8], path: &Path) -> Result<Self> {
        let made: Program = autoneural_base::text::json(path, text)?;
        if made.schema != SCHEMA {
            let message = format!("schema {} is not known to this version, which reads schema {SCHEMA}", made.schema);
            return Err(Error::input(path.display(), message).help("compile the bundle again with this version"));
        }
        made.check().map_err(|error| error.within(path.display()))?;
        Ok(made)
    }

    fn check(&self) -> Result<()> {
        if !(1..=MOST).contains(&self.graphs.len()) {
            return Err(Error::input("graphs", format!("are {}; 1 to {MOST} are possible", self.graphs.len())));
        }
        for (at, name) in self.graphs.iter().enumerate() {
            name.split('.').try_for_each(|part| Group::new(part).map(drop)).map_err(|error| Error {
                place: format!("graph `{name}`"),
                message: "is no name of a graph".into(),
                ..error
            })?;
            let mut parts = name.split('.');
            let is_taken = parts.next().is_some_and(|group| TAKEN.contains(&group))
                || parts.any(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
            if is_taken {
                return Err(Error::input(format!("graph `{name}`"), "is called as other files of a bundle are")
                    .help("choose another name; behind a `.`, one that is no number"));
            }
            if self.graphs[..at].contains(name) {
                return Err(Error::input(format!("graph `{name}`"), "stands twice"));
            }
        }
        Ok(())
    }

    /// Names of its graphs, in order.
    pub fn graphs(&self) -> &[String] {
        &self.graphs
    }

    /// Its groups, each once, in the order of their first graphs.
    pub fn groups(&self) -> Vec<Group> {
        each_once(self.graphs.iter().filter_map(|name| Group::of_graph(name).ok()))
    }
}

/// The groups of these graphs, each once, in the order of their first graphs.
pub fn groups(graphs: &[Partition]) -> Vec<Group> {
    each_once(graphs.iter().map(|graph| graph.group.clone()))
}

fn each_once(groups: impl Iterator<Item = Group>) -> Vec<Group> {
    let mut made: Vec<Group> = Vec::new();
    for group in groups {
        if !made.contains(&group) {
            made.push(group);
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(graphs: &[&str]) -> Result<Program> {
        Program::new("tensors", graphs.iter().map(ToString::to_string).collect(), BTreeMap::new())
    }

    #[test]
    fn groups_follow_from_the_names_of_graphs() {
        let made = program(&["detector", "text.long", "head", "text.short"]).unwrap();
        assert_eq!(made.groups().iter().map(Group::name).collect::<Vec<_>>(), ["detector", "text", "head"]);
    }

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        for graphs in
            [&["../x"][..], &["a/b"], &["a."], &[""], &["a", "a"], &[], &["program"], &["a", "a.0"], &["host.x"]]
        {
            assert!(program(graphs).is_err(), "{graphs:?}");
        }
        let path = Path::new("program.json");
        for text in [
            r#"{"schema": 1, "driver": "vlm", "graphs": ["a..b"], "roles": {}}"#,
            r#"{"schema": 2, "driver": "vlm", "graphs": ["a"], "roles": {}}"#,
            r#"{"schema": 1, "graphs": ["a"], "roles": {}}"#,
        ] {
            assert!(Program::parse(text.as_bytes(), path).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let rows = Rows { axis: 1, rest: Padding::RepeatLast };
        let roles = BTreeMap::from([
            ("keys".to_string(), Meaning { state: Some(State::Append { axis: 3 }), ..Meaning::default() }),
            ("rows".to_string(), Meaning { padding: Some(rows), main: true, ..Meaning::default() }),
            ("mask".to_string(), Meaning { mask: true, ..Meaning::default() }),
        ]);
        let made = Program::new("vlm", vec!["a".into(), "b.c".into()], roles).unwrap();
        let text = serde_json::to_string(&made).unwrap();
        assert!(text.contains(r#""keys":{"state":{"update":"append","axis":3}}"#), "{text}");
        assert_eq!(Program::parse(text.as_bytes(), Path::new("program.json")).unwrap(), made);
    }
}
