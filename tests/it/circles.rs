//! Files of a crate use one another without circles: what two files need of each other stands in a third.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::common::root;

type Names = Vec<String>;
/// The code of files without comments and tests, by module; whether it is that of a folder.
type Modules = BTreeMap<Names, (String, bool)>;

fn read(folder: &Path, module: &Names, made: &mut Modules) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap().path();
        let below = [module.as_slice(), &[entry.file_stem().unwrap().to_string_lossy().into_owned()]].concat();
        if entry.is_dir() {
            read(&entry, &below, made);
        } else if entry.extension().is_some_and(|end| end == "rs") {
            let text = std::fs::read_to_string(&entry).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().lines();
            let code =
                code.map(|line| line.split("//").next().unwrap_or_default().replace("'static ", "") + "\n").collect();
            let of_folder = ["mod.rs", "lib.rs", "main.rs"].iter().any(|name| entry.ends_with(name));
            made.insert(if of_folder { module.clone() } else { below }, (code, of_folder));
        }
    }
}

/// Every path in some code, those of trees in braces written out.
fn paths(code: &str) -> Vec<Names> {
    let (mut made, mut open, mut path, mut word) = (Vec::new(), Vec::<Names>::new(), Names::new(), String::new());
    for letter in code.replace("::", "~").chars() {
        match letter {
            _ if letter.is_alphanumeric() || letter == '_' => word.push(letter),
            '~' => path.push(std::mem::take(&mut word)),
            '{' if word.is_empty() => open.push(path.clone()),
            _ => {
                if !word.is_empty() {
                    made.push([path, vec![std::mem::take(&mut word)]].concat());
                }
                match letter {
                    '{' => open.push(vec![]),
                    '}' => drop(open.pop()),
                    _ => {}
                }
                path = open.last().cloned().unwrap_or_default();
            }
        }
    }
    made
}

/// The file that has what a path in the file of a module names; none where it is of another crate.
fn find(modules: &Modules, from: &Names, path: &[String], depth: usize) -> Option<Names> {
    let mut at = from.clone();
    for (step, name) in path.iter().enumerate() {
        let below = [at.as_slice(), std::slice::from_ref(name)].concat();
        let (code, of_folder) = modules.get(&at)?;
        let defines = |kind| code.split(&format!("{kind} {name}")).skip(1).any(|rest| !rest.starts_with(is_of_word));
        match name.as_str() {
            "crate" => at.clear(),
            "super" => drop(at.pop()),
            "self" => {}
            _ if modules.contains_key(&below) => at = below,
            _ if ["fn", "struct", "enum", "trait", "type", "const", "static"].into_iter().any(defines) => {
                return (step > 0).then_some(at);
            }
            // What is taken from elsewhere.
            _ if depth < 9 && (step == 0 || *of_folder) => {
                let uses = code
                    .split(';')
                    .filter_map(|one| one.rsplit_once("use "))
                    .flat_map(|(_, tree)| paths(&format!("{tree};")));
                let known = uses.filter(|one| one.len() > 1 && one.last() == Some(name)).find(|one| one[0] != *name);
                return find(modules, &at, &[&known?, &path[step + 1..]].concat(), depth + 1);
            }
            _ => return Some(at),
        }
    }
    (!modules.get(&at)?.1).then_some(at)
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Files that stand in circles, each with those of them that it uses.
fn circles(folder: &Path) -> Vec<String> {
    let mut modules = Modules::new();
    read(folder, &vec![], &mut modules);
    let used = |module: &Names, code: &str| -> BTreeSet<Names> {
        let found =
            paths(code).into_iter().filter(|path| path.len() > 1).filter_map(|path| find(&modules, module, &path, 0));
        found.filter(|one| one != module).collect()
    };
    let mut left: BTreeMap<&Names, BTreeSet<Names>> =
        modules.iter().map(|(module, (code, _))| (module, used(module, code))).collect();
    loop {
        let (before, known) = (left.len(), left.clone());
        left.retain(|_, uses| uses.iter().any(|one| known.contains_key(one)));
        let known = left.clone();
        left.retain(|module, _| known.values().any(|uses| uses.contains(*module)));
        if left.len() == before {
            break;
        }
    }
    let line = |(module, uses): (&&Names, &BTreeSet<Names>)| {
        let uses: Vec<String> = uses.iter().filter(|one| left.contains_key(one)).map(|one| one.join("::")).collect();
        format!("{}: {} uses {}", folder.display(), module.join("::"), uses.join(", "))
    };
    left.iter().map(line).collect()
}

#[test]
fn no_file_uses_one_that_uses_it() {
    let crates = std::fs::read_dir(root("crates")).unwrap().map(|one| one.unwrap().path().join("src"));
    let found: Vec<String> = crates.chain([root("src")]).flat_map(|folder| circles(&folder)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_circle_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("lib.rs", "mod a;\nmod b;\nmod c;\npub use a::{A, go};\nstruct Own;\n");
    write("a.rs", "use super::b::B;\npub struct A;\npub fn go() {}\n");
    write("b.rs", "pub struct B;\n");
    write("c.rs", "use crate::A;\n");
    assert_eq!(circles(folder.path()), Vec::<String>::new());
    write("b.rs", "use crate::{\n    A,\n};\n");
    assert_eq!(circles(folder.path()).len(), 2);
    write("b.rs", "use super::Own;\n");
    assert_eq!(circles(folder.path()).len(), 3);
}
