//! `autoneural run` with lines from a script: its errors are its exit status, and no question is asked without its
//! picture.

use serde_json::Value;

use crate::common::bench::{Bench, INPUT};
use crate::common::{stderr, stdout};

#[test]
fn a_script_tells_that_something_failed_and_asks_nothing_without_its_picture() {
    let bench = Bench::new();
    let output = bench.export();
    assert!(output.status.success(), "{}", stderr(&output));
    bench.write("text", "no image");
    let ask = |script: &str| {
        bench.write("script", script);
        let line = "\"$0\" \"$@\" < script";
        let output = bench.run_in_shell(line, &["run", "{out/bundle}", "--on", "float", "--max-tokens", "2", "--json"]);
        let answers = stdout(&output);
        let asked: Vec<(String, u64)> = answers
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .map(|made: Value| {
                (made["prompt"].as_str().unwrap().into(), made["answers"][0]["visual_tokens"].as_u64().unwrap())
            })
            .collect();
        (output.status.code().unwrap(), asked, stderr(&output))
    };
    let plain = |text: &str| (text.to_string(), 0);
    let picture = "recipe/photo.png";
    let too_long = "long ".repeat(400);
    for (case, script, status, asked) in [
        ("all is well", format!("{picture}\nWho?\nWhy?"), 0, vec![("Who?".into(), 16), ("Why?".into(), 16)]),
        ("no picture", "nowhere.png\nWho?\nWhy?".into(), INPUT, vec![plain("Why?")]),
        ("no picture at all", "nowhere.png\nWho?".into(), INPUT, vec![]),
        ("no image in it", "/image text\nWho?\nWhy?".into(), INPUT, vec![plain("Why?")]),
        ("no path", "/image\nWho?\nWhy?".into(), INPUT, vec![plain("Why?")]),
        ("one of two", format!("{picture}\nnowhere.png\nWho?\nWhy?"), INPUT, vec![plain("Why?")]),
        ("with its question", "nowhere.png Who?\nWhy?".into(), INPUT, vec![plain("Why?")]),
        ("one of two with its question", format!("{picture}\nnowhere.png Who?\nWhy?"), INPUT, vec![plain("Why?")]),
        ("an empty line between", "nowhere.png\n\nWho?\nWhy?".into(), INPUT, vec![plain("Why?")]),
        ("begun anew", "nowhere.png\n/reset\nWho?".into(), INPUT, vec![plain("Who?")]),
        ("no command", "/imgae a\nWho?".into(), INPUT, vec![plain("Who?")]),
        ("left behind it", "/what\n/exit".into(), INPUT, vec![]),
        ("too long", format!("{too_long}\nWho?"), INPUT, vec![plain("Who?")]),
    ] {
        let (found, prompts, said) = ask(&script);
        assert_eq!((found, &prompts), (status, &asked), "{case}: {said}");
        let is_asked = |text: &str| asked.iter().any(|(prompt, _)| prompt == text);
        assert_eq!(
            said.contains("`Who?` is not asked"),
            !script.contains("png Who?") && script.contains("Who?") && !is_asked("Who?"),
            "{case}: {said}"
        );
    }
}
