//! `autoneural run` in float: conversations, templates, and questions that cannot be.

use serde_json::Value;

use crate::common::bench::{Bench, FLOAT, INPUT, USAGE, exported};
use crate::common::{autoneural, stderr, stdout};

#[test]
fn a_conversation_can_be_scripted_and_survives_errors() {
    let bench = exported(|_| ());
    bench.write("my photo.png", std::fs::read(bench.path("recipe/photo.png")).unwrap());
    let script = "Who are you?\n\n/help\nmy\\ photo.png\n'my photo.png' Which one?\nnowhere.png\n/image text\n\
        /image my photo.png\n/what\nIs <image> one?\nfile://DIR/my%20photo.png And this?\n/reset\nWho are \
        you?\n/exit\nno"
        .replace("DIR", bench.text("").trim_end_matches('/'));
    bench.write("script", [b"\xff\n", script.as_bytes()].concat());
    bench.write("text", "no image");
    let line = "\"$0\" \"$@\" < script";
    let output = bench.run_in_shell(line, &["run", "{bundle}", "--on", "float", "--max-tokens", "2", "--json"]);
    // Lines that failed are told at the end, too: the first one was an input that is wrong.
    assert_eq!(output.status.code(), Some(INPUT), "{}", stderr(&output));
    let answers: Vec<Value> = stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found: Vec<(&str, u64)> = answers
        .iter()
        .map(|made| (made["prompt"].as_str().unwrap(), made["answers"][0]["visual_tokens"].as_u64().unwrap()))
        .collect();
    // Errors take no image away: the one that stood before them is in the next question.
    let wanted = [("Who are you?", 0), ("Which one?", 32), ("And this?", 64), ("Who are you?", 0)];
    assert_eq!(found, wanted);
    assert_eq!(answers[0]["answers"][0]["tokens"], answers[3]["answers"][0]["tokens"]);
    let said = stderr(&output);
    let words = ["is empty", "/reset", "nowhere.png", "text", "is no command", "image placeholder `<image>`", "UTF-8"];
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert_eq!(said.matches("\"error\"").count(), 6, "{said}");
}

fn with_template(template: &str) -> Bench {
    exported(|bench| bench.write("weights/chat_template.jinja", template))
}

#[test]
fn questions_and_pictures_that_cannot_be_are_refused() {
    let bench = exported(|_| ());
    let refuse = |case: &str, more: &[&str], status: i32, words: &[&str]| {
        bench.expect(case, &bench.run(&[&FLOAT, more].concat()), status, words);
    };
    refuse("empty", &["--prompt", ""], INPUT, &["prompt: is empty"]);
    refuse("blanks", &["--prompt", " \n"], INPUT, &["prompt: is empty"]);
    refuse("placeholder", &["--prompt", "<image> what?"], INPUT, &["image placeholder `<image>`", "--image"]);
    refuse("special token", &["--prompt", "a<|im_end|>b"], INPUT, &["`<|im_end|>`", "special token"]);
    let long = "long ".repeat(400);
    let words = ["prompt: has ", " tokens with its images; the context holds 256", "shorten"];
    refuse("too long", &["--prompt", &long], INPUT, &words);
    let many = [["--image", "{recipe/photo.png}"]; 17].concat();
    refuse("too many pictures", &[&many, &["--prompt", "?"][..]].concat(), INPUT, &["the context holds 256"]);
    refuse("no system", &["--prompt", "a", "--system", "b"], INPUT, &["no chat template", "--system"]);

    let picture = |width: u32, height: u32| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image::RgbImage::new(width, height).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    };
    let with_picture = ["--image", "{a.png}", "--prompt", "What?"];
    for (case, bytes, word) in [
        ("1 x 1", picture(1, 1), "has 1 x 1 pixels; at least 16 a side"),
        ("a line", picture(400, 2), "has 400 x 2 pixels"),
        ("20000 x 20000", crate::common::bench::png_header(20_000, 20_000), "16 to 16384 pixels a side"),
        ("text", b"no image".to_vec(), "cannot be read as an image"),
        ("nothing", vec![], "is empty"),
    ] {
        bench.write("a.png", bytes);
        refuse(case, &with_picture, INPUT, &["a.png", word]);
    }
    std::fs::remove_file(bench.path("a.png")).unwrap();
    refuse("missing", &with_picture, INPUT, &["a.png", "No such file"]);
}

#[test]
fn wrong_usage_is_told_as_such() {
    for more in [
        ["--temperature", "-1"],
        ["--temperature", "NaN"],
        ["--temperature", "inf"],
        ["--max-tokens", "0"],
        ["--on", "gpu"],
        ["--seed", "1"],
    ] {
        let output = autoneural(&[&["run", "nowhere", "--prompt", "a"], &more[..]].concat());
        assert_eq!(output.status.code(), Some(USAGE), "{more:?}: {}", stderr(&output));
    }
    for more in [["--top-p", "0"], ["--top-p", "1.5"], ["--top-p", "NaN"], ["--top-k", "0"], ["--seed", "-1"]] {
        let output = autoneural(&[&["run", "nowhere", "--prompt", "a", "--temperature", "1"], &more[..]].concat());
        assert_eq!(output.status.code(), Some(USAGE), "{more:?}: {}", stderr(&output));
    }
}

fn prompt_tokens(bench: &Bench, more: &[&str]) -> u64 {
    let output = bench.run(&[&FLOAT, more, &["--json"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let made: Value = serde_json::from_str(&stdout(&output)).unwrap();
    made["answers"][0]["prompt_tokens"].as_u64().unwrap()
}

#[test]
fn without_a_template_the_prompt_is_the_text_as_it_is() {
    let bench = exported(|_| ());
    let tokens = prompt_tokens(&bench, &["--prompt", "a", "--image", "{recipe/photo.png}"]);
    assert_eq!(tokens, 1 + 16 + 1);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_autoneural"));
    let args = ["--on", "float", "--prompt", "a", "--max-tokens", "1"];
    let output = command.arg("run").arg(bench.path("bundle")).args(args).output().unwrap();
    assert_eq!(stderr(&output).matches("no chat template").count(), 1, "{}", stderr(&output));
}

#[test]
fn templates_come_from_the_checkpoint() {
    // One beginning token, however often the template and the program want one.
    let bench = with_template("{{ bos_token }}{% for m in messages %}{{ m.content[-1].text }}{% endfor %}");
    assert_eq!(prompt_tokens(&bench, &["--prompt", "a"]), 2);
    let text = std::fs::read_to_string(bench.path("bundle/model/chat_template.jinja")).unwrap();
    assert!(text.contains("m.content[-1]"));
    // Older checkpoints have it in another file.
    let config = r#"{"chat_template": "{% for m in messages %}bb{% endfor %}"}"#;
    let bench = exported(|bench| bench.write("weights/tokenizer_config.json", config));
    assert_eq!(prompt_tokens(&bench, &["--prompt", "a"]), 3);
    // One for plain text gets plain text, with the placeholder of each image in it.
    let bench = with_template(
        "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}{{ m.content | tojson }}{% endif \
         %}{% endfor %}",
    );
    assert_eq!(prompt_tokens(&bench, &["--prompt", "a", "--image", "{recipe/photo.png}"]), 18);
}

#[test]
fn templates_that_fail_name_their_line() {
    let place = |line: usize| format!("model/chat_template.jinja:{line}");
    for (case, template, words) in [
        ("refusal", "\n\n{{ raise_exception('no such roles') }}", [place(3), "no such roles".into()]),
        (
            "no picture",
            "{% for m in messages %}a{% endfor %}",
            ["chat_template.jinja".into(), "writes 0 image placeholders for 1 images".into()],
        ),
    ] {
        let bench = with_template(template);
        let output = bench.run(&[&FLOAT[..], &["--prompt", "a", "--image", "{recipe/photo.png}"]].concat());
        bench.expect(case, &output, INPUT, &words.each_ref().map(String::as_str));
    }
}
