//! Tensors of a checkpoint that no model is made of.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::elsewhere::{self, SetAside};
use super::opened::{Checkpoint, TensorInfo};
use super::place::unmarked;
use super::{buffers, scales};
use crate::WeightNames;
use autoneural_base::error::{Error, Result};
use autoneural_base::text;

impl Checkpoint {
    /// Tensors, by their names, that are neither used nor covered by a pattern, nor known to hold nothing that a model
    /// is made of, nor of a part for which another place was given.
    pub fn left_over<'a>(&'a self, used: &[String], names: &WeightNames) -> Vec<&'a str> {
        let known = self.known(used);
        let may_stay = |(name, info): &(&String, &TensorInfo)| {
            let bare = unmarked(name);
            known.contains(name.as_str())
                || info.shape.contains(&0)
                || buffers::is_buffer(bare, &info.shape)
                || names.ignore.iter().any(|pattern| text::glob(pattern, bare))
                || elsewhere::elsewhere(self, name, &known, names).is_some_and(|found| found.is_decided)
        };
        self.tensors.iter().filter(|entry| !may_stay(entry)).map(|(name, _)| name.as_str()).collect()
    }

    /// Tensors that are used, by their names in the files, with the scales beside them.
    fn known(&self, used: &[String]) -> BTreeSet<&str> {
        let mut known: BTreeSet<&str> = BTreeSet::new();
        for (stored, info) in used.iter().filter_map(|name| self.find(name)) {
            known.insert(stored);
            known.extend(scales::beside(self, stored, info));
        }
        known
    }

    /// Tensors of parts for which another place was given.
    pub fn set_aside(&self, used: &[String], names: &WeightNames) -> Vec<SetAside> {
        elsewhere::set_aside(self, &self.known(used), names)
    }

    /// Refuses tensors that are left over.
    pub fn refuse_extra(&self, used: &[String], names: &WeightNames) -> Result<()> {
        let extra = self.left_over(used, names);
        let Some(first) = extra.first() else { return Ok(()) };
        let file = &self.tensors[*first].file;
        let place = format!("{}: `{}`", file.display(), unmarked(first));
        let more = if extra.len() > 1 { format!(" (and {} more)", extra.len() - 1) } else { String::new() };
        if let Some(found) = elsewhere::elsewhere(self, first, &self.known(used), names) {
            let (part, taken) = found.told(self);
            let message = format!("is of the {part} part, which {taken} holds, too, under other names{more}");
            let help = format!("say which of the two is meant: --weights {part}=DIR");
            return Err(Error::input(place, message).help(help));
        }
        let mut help =
            "if it may be left out, add a pattern for it to `ignore` under [weights] in the model definition"
                .to_string();
        let mut files: BTreeSet<&PathBuf> = BTreeSet::new();
        files.extend(used.iter().filter_map(|name| self.find(name)).map(|(_, info)| &info.file));
        if let (false, Some(model)) = (files.contains(file), files.first()) {
            help = match files.len() {
                1 => format!("the model itself is in another file: --weights {}", model.display()),
                _ => "the model itself is in other files: move this one out of the folder".into(),
            };
        }
        Err(Error::input(place, format!("is not part of the model{more}")).help(help))
    }
}
