//! Chat templates and tokenizers that ask for all memory, all time or an endless stack: each is an ordinary error that
//! names the file, and takes little of any.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Output, Stdio};

use serde_json::{Value, json};

use crate::common::bench::{Bench, EXPORT, INPUT};
use crate::common::{WEIGHTS, root, stderr};

/// Most kilobytes that a run and the process that it starts take, each: under 1 GB together.
const MOST_KILOBYTES: i64 = 640_000;

/// Runs the program; gives the most memory that it or its processes took, in kilobytes.
#[expect(clippy::zombie_processes, reason = "wait4 waits for it, and measures")]
fn measured(bench: &Bench, args: &[&str]) -> (Output, i64) {
    let expand = |text: &str| match text.strip_prefix('{') {
        Some(rest) => bench.text(rest.trim_end_matches('}')),
        None => text.to_string(),
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_autoneural"));
    command.args(args.iter().map(|arg| expand(arg))).arg("-q").stdout(Stdio::null());
    let said = bench.path("said");
    let child = command.stderr(std::fs::File::create(&said).unwrap()).spawn().unwrap();
    let (mut status, mut usage) = (0, unsafe { std::mem::zeroed::<libc::rusage>() });
    // SAFETY: both places live until the call is over. The measure counts the processes that the child waited for.
    let waited = unsafe { libc::wait4(child.id() as i32, &raw mut status, 0, &raw mut usage) };
    assert_eq!(waited, child.id() as i32);
    let stderr = std::fs::read(&said).unwrap();
    (Output { status: ExitStatus::from_raw(status), stdout: vec![], stderr }, usage.ru_maxrss)
}

/// Expects that an export refuses what the bench holds, in these words.
fn refuse(bench: &Bench, case: &str, words: &[&str]) {
    let (output, kilobytes) = measured(bench, &EXPORT);
    bench.expect(case, &output, INPUT, words);
    assert!(kilobytes < MOST_KILOBYTES, "{case}: {kilobytes} kB");
}

/// The depth, the memory or the time that a template asks for, as errors say it.
const DEPTH: &str = "nests too deeply";
const MEMORY: &str = "of memory";
const TIME: &str = "of processor time";
/// What ends with memory, or on a slow machine with time: what both say.
const BOTH: &str = "the tokenizer takes more than ";

#[test]
fn templates_that_go_beyond_their_bounds_are_refused() {
    let bench = Bench::new();
    let nested = |open: &str, inner: &str, close: &str| {
        let times = 40_000;
        format!("{}{inner}{}", open.repeat(times), close.repeat(times))
    };
    let doubled = "{% set ns = namespace(s='x' * 1000) %}{% for i in range(26) %}{% set ns.s = ns.s ~ ns.s %}{% endfor \
             %}{{ ns.s | length }}";
    let lists = "{% set ns = namespace(s=['x' * 1000]) %}{% for i in range(40) %}{% set ns.s = [ns.s, ns.s] %}{% \
             endfor %}{{ ns.s }}";
    for (case, template, word) in [
        ("not not not", format!("{{{{ {}1 }}}}", "not ".repeat(40_000)), DEPTH),
        ("doublings", doubled.to_string(), "chat_template.jinja"),
        ("an indent", "{{ ('a\n' * 1000) | indent(1000000000) }}".to_string(), "chat_template.jinja"),
        ("a text in a text", "{{ ('a' * 100000) | replace('a', 'b' * 100000) }}".to_string(), "chat_template.jinja"),
        // What these exceed may be the engine's own measure, or that of the text.
        (
            "a value in itself",
            "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}".to_string(),
            "chat_template.jinja",
        ),
        ("lists", lists.to_string(), "chat_template.jinja"),
        ("brackets", format!("{{{{ {} }}}}", nested("[", "", "]")), "chat_template.jinja"),
        ("parentheses", format!("{{{{ {} }}}}", nested("(", "1", ")")), "chat_template.jinja"),
        ("minus", format!("{{{{ {}1 }}}}", "-".repeat(40_000)), "chat_template.jinja"),
        ("blocks", nested("{% if 1 %}", "", "{% endif %}"), "chat_template.jinja"),
        ("loops in loops", nested("{% for a in [1] %}", "", "{% endfor %}"), "chat_template.jinja"),
        ("a macro in itself", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}".to_string(), "chat_template.jinja"),
        (
            "a loop in itself",
            "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}".to_string(),
            "chat_template.jinja",
        ),
        ("a long text", "{{ 'x' * 1000000000000 }}".to_string(), "chat_template.jinja"),
        ("a long list", "{{ [1] * 1000000000000 }}".to_string(), "chat_template.jinja"),
        ("a range", "{{ range(100000000000) | list }}".to_string(), "chat_template.jinja"),
        (
            "loops",
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}".to_string(),
            "chat_template.jinja",
        ),
        ("much text", "{% for a in range(99999) %}{{ 'x' * 9999 }}{% endfor %}".to_string(), "chat_template.jinja"),
        ("a power", "{{ 10 ** 1000000000 }}".to_string(), "chat_template.jinja"),
        ("a width", "{{ '%1000000000000d' | format(1) }}".to_string(), "chat_template.jinja"),
        ("a centre", "{{ 'x'.center(1000000000000) }}".to_string(), "chat_template.jinja"),
        ("a margin", "{{ 'x'.ljust(1000000000000) }}".to_string(), "chat_template.jinja"),
    ] {
        bench.write("weights/chat_template.jinja", template);
        refuse(&bench, case, &[&bench.text("weights/chat_template.jinja"), word]);
    }
    // A template in a configuration is bound as well.
    std::fs::remove_file(bench.path("weights/chat_template.jinja")).unwrap();
    bench.write("weights/tokenizer_config.json", json!({ "chat_template": doubled }).to_string());
    refuse(&bench, "in a configuration", &["tokenizer_config.json, chat_template"]);
}

/// The demo model's tokenizer with keys replaced.
fn tokenizer(keys: Value) -> String {
    let text = std::fs::read_to_string(root(WEIGHTS).join("tokenizer.json")).unwrap();
    let mut made: Value = serde_json::from_str(&text).unwrap();
    for (key, value) in keys.as_object().unwrap() {
        made[key] = value.clone();
    }
    made.to_string()
}

#[test]
fn tokenizers_that_go_beyond_their_bounds_are_refused() {
    let bench = Bench::new();
    let replace = |from: Value, to: &str| json!({ "type": "Replace", "pattern": from, "content": to });
    let bomb = |letter: &str| vec![replace(json!({ "String": letter }), &letter.repeat(2)); 40];
    let split = |regex: &str| {
        let pattern = json!({ "Regex": regex });
        json!({ "type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": false })
    };
    let padding = |strategy: Value, multiple: Value| {
        json!({ "strategy": strategy, "direction": "Right", "pad_to_multiple_of": multiple, "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "<|pad|>" })
    };
    let truncation = |most: u64, stride: u64| {
        let strategy = "LongestFirst";
        json!({ "direction": "Right", "max_length": most, "strategy": strategy, "stride": stride })
    };
    let deep = |open: &str, close: &str| {
        tokenizer(json!({ "pre_tokenizer": "HERE" }))
            .replace("\"HERE\"", &(open.repeat(50_000) + &close.repeat(50_000)))
    };
    let sequence = ("{\"type\":\"Sequence\",\"pretokenizers\":[", "]}");
    for (case, text, word) in [
        ("doublings", tokenizer(json!({ "normalizer": { "type": "Sequence", "normalizers": bomb("a") } })), BOTH),
        ("doublings of z", tokenizer(json!({ "normalizer": { "type": "Sequence", "normalizers": bomb("z") } })), BOTH),
        (
            "a long prefix",
            tokenizer(json!({ "normalizer": { "type": "Prepend", "prepend": "a ".repeat(8_000_000) } })),
            BOTH,
        ),
        ("doublings of answers", tokenizer(json!({ "decoder": { "type": "Sequence", "decoders": bomb("e") } })), BOTH),
        (
            "pieces of nothing",
            tokenizer(json!({ "pre_tokenizer": { "type": "FixedLength", "length": 0 } })),
            "fails on a text",
        ),
        (
            "padding",
            tokenizer(json!({ "padding": padding(json!({ "Fixed": 100_000_000_000u64 }), Value::Null) })),
            "padding",
        ),
        ("a multiple", tokenizer(json!({ "padding": padding(json!("BatchLongest"), json!(u64::MAX)) })), "padding"),
        ("a long stride", tokenizer(json!({ "truncation": truncation(8, 9) })), "truncation"),
        ("a whole stride", tokenizer(json!({ "truncation": truncation(8, 8) })), "truncation"),
        ("a stride without a length", tokenizer(json!({ "truncation": truncation(0, 0) })), "truncation"),
        ("much nested", deep(sequence.0, sequence.1), "recursion limit"),
        ("brackets", deep("[", "]"), "recursion limit"),
        (
            "a large regex",
            tokenizer(json!({ "pre_tokenizer": split("(?:(?:a{1000}){1000}){1000}") })),
            "tokenizer.json",
        ),
    ] {
        bench.write("weights/tokenizer.json", text);
        refuse(&bench, case, &[&bench.text("weights/tokenizer.json"), word]);
    }
    // These may be read or refused, and take little of anything.
    for (case, text) in [
        ("an empty pattern", tokenizer(json!({ "normalizer": replace(json!({ "String": "" }), "ab") }))),
        ("an empty regex", tokenizer(json!({ "normalizer": replace(json!({ "Regex": "" }), "ab") }))),
        ("backtracking", tokenizer(json!({ "pre_tokenizer": split("(?=(\\w+)+\\1$)(\\w+\\s?)+$") }))),
        ("nested repetitions", tokenizer(json!({ "pre_tokenizer": split("((((a*)*)*)*)*b") }))),
    ] {
        bench.write("weights/tokenizer.json", text);
        let (output, kilobytes) = measured(&bench, &[&EXPORT[..], &["--force"]].concat());
        assert!(matches!(output.status.code(), Some(0 | INPUT)), "{case}: {:?} {}", output.status, stderr(&output));
        assert!(kilobytes < MOST_KILOBYTES, "{case}: {kilobytes} kB");
        let _ = std::fs::remove_dir_all(bench.path("out/bundle"));
    }
}

/// Files beside a tokenizer may be large, too.
#[test]
fn more_tokens_beside_a_tokenizer_than_any_has_are_refused() {
    let bench = Bench::new();
    let listed: Vec<String> = (0..700_000).map(|number| format!("\"{number}\":\"{number}\"")).collect();
    bench.write("weights/tokenizer_config.json", format!("{{\"added_tokens_decoder\":{{{}}}}}", listed.join(",")));
    refuse(&bench, "many tokens", &["tokenizer.json", "more goes with the tokenizer"]);
}

/// The name of a folder need not be UTF-8.
#[test]
fn a_folder_of_any_name_is_read() {
    use std::os::unix::ffi::OsStringExt;
    let bench = Bench::new();
    let name = std::ffi::OsString::from_vec(b"w\xff".to_vec());
    bench.write("weights/chat_template.jinja", "{% for m in messages %}{{ m.content[-1].text }}{% endfor %}");
    std::fs::rename(bench.path("weights"), bench.path("").join(&name)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_autoneural"));
    command.arg("export").arg(bench.path("graph.toml")).arg("--weights").arg(bench.path("").join(&name));
    command.args(["--target", "sa8295p", "-q", "--out"]).arg(bench.path("out/bundle"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

/// What shows only with a longer prompt ends the question, and the next one finds the tokenizer as it was.
#[test]
fn a_question_that_goes_beyond_the_bounds_ends_alone() {
    let bench = Bench::new();
    // A run of x doubles as often as it is long.
    let step = json!({ "type": "Replace", "pattern": { "Regex": "yx(x*)" }, "content": "y" });
    let grow = json!({
        "type": "Replace", "pattern": { "String": "\u{3b1}\u{3b2}" }, "content": "\u{3b2}\u{3b1}\u{3b2}\u{3b1}",
    });
    let normalizers = [vec![step], vec![grow; 40]].concat();
    bench.write(
        "weights/tokenizer.json",
        tokenizer(json!({ "normalizer": { "type": "Sequence", "normalizers": normalizers } })),
    );
    let output = bench.export();
    assert!(output.status.success(), "{}", stderr(&output));
    bench.write("script", "What is it?\n\u{3b1}\u{3b2}\u{3b1}\u{3b2}\u{3b1}\u{3b2}?\nWhat is it?\n");
    let args = ["run", "{out/bundle}", "--on", "float", "--max-tokens", "2", "--json"];
    let output = bench.run_in_shell("\"$0\" \"$@\" < script", &args);
    let answers = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(INPUT), "{said}");
    assert_eq!(answers.lines().count(), 2, "{answers}{said}");
    assert!(said.contains("tokenizer.json") && (said.contains(MEMORY) || said.contains(TIME)), "{said}");
}

/// The process that runs foreign code can open nothing and keeps no file.
#[test]
fn the_process_for_foreign_code_ends_with_its_input() {
    let output = Command::new(env!("CARGO_BIN_EXE_autoneural"))
        .args(["serve-foreign", "template"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
    for wrong in [&b"\x05\0\0\0\0\0\0\0hello"[..], b"\xff\xff\xff\xff\xff\xff\xff\xff", b"abc"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_autoneural"))
            .args(["serve-foreign", "tokenizer"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), wrong).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.code().is_some() && output.stdout.is_empty(), "{output:?}");
    }
}
