//! What the program says of itself: the first steps, help, completions, manual pages.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::common::bench::names;
use crate::common::{autoneural, stderr, stdout, succeed};

/// Commands as `--help` lists them: indented by two, below a title that is no list of options.
fn commands() -> Vec<String> {
    let said = succeed(&["--help"]);
    let lists = said.split("\n\n").filter(|part| part.lines().next().is_some_and(|title| title.ends_with(':')));
    let lists =
        lists.filter(|part| !part.starts_with("General") && !part.starts_with("Exit") && !part.starts_with("Ex"));
    let lines = lists.flat_map(|part| part.lines().skip(1));
    lines.filter_map(|line| line.trim().split(' ').next().map(String::from)).collect()
}

#[test]
fn without_arguments_the_first_steps_are_told() {
    let output = autoneural(&[]);
    // A script that lost its arguments must not go on.
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""));
    let said = stderr(&output);
    assert!(said.lines().count() <= 16, "{said}");
    for word in ["First steps", "autoneural compile", "autoneural report", "autoneural gate", "autoneural --help"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let other = autoneural(&["--quiet", "--json"]);
    assert_eq!((other.status.code(), stderr(&other)), (Some(2), said));
    // Another wrong usage says what is wrong, and not that; hidden commands are not named.
    let wrong = [
        (&["compil"][..], "'compile'"),
        (&["target", "-q"], "requires a subcommand"),
        (
            &["verify", "x", "--calibration", "y", "--verify", "visoin"],
            "`visoin` is none of all, none, sampled, vision",
        ),
        (&["verify", "x", "--calibration", "y", "--enough", "-3"], "a number of at least 0 is wanted"),
        (&["eval", "x", "--set", "y", "--limit", "-3"], "a whole number of at least 1 is wanted"),
        (&["run", "x", "--on", "cpu"], "float, simulated, npu"),
    ];
    for (args, word) in wrong {
        let output = autoneural(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let said = stderr(&output);
        assert!(
            said.contains(word) && !said.contains("First steps") && !said.contains("build-one"),
            "{args:?}: {said}"
        );
    }
}

#[test]
fn help_is_short_and_long_and_has_the_general_options_apart() {
    let names = commands();
    assert!(names.len() >= 19 && names.contains(&"inspect".to_string()), "{names:?}");
    assert!(!names.contains(&"build-one".to_string()), "a hidden command is listed");
    for command in &names {
        let (short, long) = (succeed(&[command, "-h"]), succeed(&[command, "--help"]));
        for said in [&short, &long] {
            let (own, general) = said.split_once("General options:").unwrap_or_else(|| panic!("{command}: {said}"));
            for option in ["--json", "--quiet", "--verbose", "--toolkit"] {
                let first = |text: &str| {
                    text.lines().any(|line| {
                        line.trim_start().trim_start_matches("-q, ").trim_start_matches("-v, ").starts_with(option)
                    })
                };
                assert!(first(general) && !first(own), "{command} {option}: {said}");
            }
        }
        let examples = short.find("\nExample").map(|at| short[at..].trim_end()).unwrap_or_default();
        assert!(long.trim_end().ends_with(examples), "{command}: {long}");
        assert_eq!(succeed(&["help", command]), long, "{command}");
    }
    let all = succeed(&["--help"]);
    for line in ["Make a bundle:", "Look at it:", "Use it:", "Check:", "Exit status:", "   3  a file that you gave"] {
        assert!(all.contains(line), "{line}: {all}");
    }
}

#[test]
fn completions_are_scripts_of_their_shells() {
    let folder = TempDir::new().expect("a folder");
    let mut checked = 0;
    for shell in ["bash", "zsh", "fish"] {
        let script = succeed(&["completions", shell]);
        assert_eq!(script, succeed(&["completions", shell, "-q"]));
        for word in ["inspect", "completions", "calibration", "sa8295p", "language.decode"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        for hidden in ["build-one", "build__one"] {
            assert!(!script.contains(hidden), "{shell}: {hidden}");
        }
        let file = folder.path().join(shell);
        std::fs::write(&file, &script).expect("a file");
        let Ok(output) = Command::new(shell).arg("-n").arg(&file).output() else { continue };
        assert!(output.status.success(), "{shell}: {}", stderr(&output));
        checked += 1;
    }
    assert!(checked > 0, "bash is here, as other tests need it");
    let refused = autoneural(&["completions", "tcsh"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("bash, zsh, fish"), "{}", stderr(&refused));
}

/// The function of the script, called as bash calls it.
#[test]
fn bash_completes_commands_options_targets_and_files() {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("script"), succeed(&["completions", "bash"])).expect("a file");
    std::fs::write(folder.path().join("mine.toml"), "").expect("a file");
    std::fs::create_dir(folder.path().join("minebundle")).expect("a folder");
    let complete = |line: &[&str]| -> Vec<String> {
        let driver = "source ./script; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
                      compopt() { :; }; \
                      _autoneural \"$1\" \"${!#}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"; printf '%s\\n' \
                      \"${COMPREPLY[@]}\"";
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", driver, "bash"]).args(line).current_dir(folder.path());
        let output = bash.output().expect("bash starts");
        assert!(stderr(&output).is_empty(), "{line:?}: {}", stderr(&output));
        stdout(&output).lines().filter(|line| !line.is_empty()).map(String::from).collect()
    };
    assert_eq!(complete(&["autoneural", "comp"]), ["compile", "completions"]);
    assert_eq!(complete(&["autoneural", "compile", "--requ"]), ["--require-npu"]);
    assert_eq!(complete(&["autoneural", "compile", "--target", "sa8"]), ["sa8295p", "sa8255p", "sa8775p"]);
    assert_eq!(complete(&["autoneural", "run", "b", "--on", ""]), ["float", "simulated", "npu"]);
    assert_eq!(complete(&["autoneural", "graph", "b", "--partition", "language.d"]), ["language.decode"]);
    assert_eq!(complete(&["autoneural", "compile", "--calibration", "mine"]), ["mine.toml", "minebundle"]);
    assert_eq!(complete(&["autoneural", "target", "l"]), ["list"]);
    // Where folders are wanted the function leaves the field to bash, which then offers folders alone (`plusdirs`).
    assert_eq!(complete(&["autoneural", "compile", "--out", "mine"]), Vec::<String>::new());
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = TempDir::new().expect("a folder");
    let write = |name: &str| {
        let out = folder.path().join(name);
        succeed(&["man", "--out", out.to_str().expect("UTF-8")]);
        out
    };
    let pages = write("a/deeper/one");
    let mut wanted: Vec<String> = commands().iter().map(|name| format!("autoneural-{name}.1")).collect();
    wanted.extend(["autoneural.1", "autoneural-target-check.1", "autoneural-target-list.1"].map(String::from));
    wanted.sort();
    assert_eq!(names(&pages), wanted);
    let again = write("again");
    for name in &wanted {
        let page = std::fs::read_to_string(pages.join(name)).expect("a page");
        assert_eq!(page, std::fs::read_to_string(again.join(name)).expect("a page"), "{name} is not the same again");
        let title = name.trim_end_matches(".1");
        let first = page.lines().find(|line| line.starts_with(".TH ")).unwrap_or_default();
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(first, format!(".TH {title} 1 \"\" \"autoneural {version}\" \"autoneural\""), "{name}");
        let mut sections = vec![".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH \"GENERAL OPTIONS\""];
        if name != "autoneural-target.1" {
            sections.push(".SH EXAMPLES");
        }
        let mut at = 0;
        for section in sections {
            let found = page[at..].find(section).unwrap_or_else(|| panic!("{name} has no {section}, or too early"));
            at += found;
        }
        assert_eq!(page.matches(".nf\n").count(), page.matches(".fi\n").count(), "{name}");
        lint(&pages.join(name), &page);
    }
    let page = std::fs::read_to_string(pages.join("autoneural.1")).expect("a page");
    assert!(page.contains(".SS \"Make a bundle\"") && page.contains(".SH \"EXIT STATUS\""), "{page}");
}

/// What the programs that read manual pages say of one, where they are installed.
fn lint(file: &Path, page: &str) {
    let groff = Command::new("groff").args(["-man", "-Tutf8", "-ww", "-z"]).arg(file).output();
    if let Ok(output) = groff {
        assert!(output.status.success() && stderr(&output).is_empty(), "{}: {}", file.display(), stderr(&output));
    }
    if let Ok(output) = Command::new("mandoc").args(["-Tlint", "-Werror"]).arg(file).output() {
        assert!(output.status.success(), "{}: {}", file.display(), stdout(&output));
    }
    // A line that begins with a dot or an apostrophe is a request, and these are all that are used.
    let known = ["TH", "SH", "SS", "TP", "PP", "IP", "RS", "RE", "nf", "fi", "ie", "el", "br"];
    for line in page.lines().filter(|line| line.starts_with(['.', '\''])) {
        let request = line[1..].split(' ').next().unwrap_or_default();
        assert!(known.contains(&request), "{}: {line}", file.display());
    }
}
