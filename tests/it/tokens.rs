//! Texts as tokens: the same as transformers makes of them, whatever stands in a tokenizer's file and beside it; and
//! what ends an answer.

use std::path::Path;

use autoneural::front::Definition;
use autoneural::host::{Chat, ContentPart, Message, Role, Tokenizer};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::bench::{Bench, INPUT};
use crate::common::{root, serve, stderr, stdout};

const MODEL: &str = "models/autoneural-tiny";

fn json_file(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap() as u32).collect()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

/// What `tools/make_tokenizer_golden.py` had transformers make.
#[test]
fn odd_tokenizers_make_the_tokens_that_transformers_makes() {
    serve();
    let golden = json_file(&root("tests/fixtures/golden/tokens.json"));
    let base = json_file(&root(MODEL).join("tokenizer.json"));
    let definition = Definition::read(&root("graphs/autoneural-tiny.toml")).unwrap();
    let message = |role, images, text| {
        let mut content = vec![ContentPart::Image; images];
        content.push(ContentPart::Text { text: String::from(text) });
        Message { role, content }
    };
    let talk = [
        message(Role::User, 1, "Which lamp is lit?"),
        message(Role::Assistant, 0, "Door."),
        message(Role::User, 0, " And  now? "),
    ];
    let mut changed = 0;
    for case in golden["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let folder = TempDir::new().unwrap();
        let mut file = base.clone();
        for (key, value) in case["tokenizer"].as_object().unwrap() {
            file[key] = value.clone();
        }
        let write = |name: &str, value: &Value| std::fs::write(folder.path().join(name), value.to_string()).unwrap();
        write("tokenizer.json", &file);
        for (name, value) in case["files"].as_object().unwrap() {
            write(name, value);
        }
        let compare = |which: &str| {
            let read = Tokenizer::read(folder.path(), &definition).unwrap_or_else(|error| panic!("{name}: {error}"));
            for ((text, ids), back) in
                texts(&golden["texts"]).iter().zip(case["ids"].as_array().unwrap()).zip(texts(&case["texts"]))
            {
                let ids = numbers(ids);
                assert_eq!(read.encode(text).unwrap(), ids, "{name}, {which}: {text:?}");
                assert_eq!(read.text(&ids).unwrap(), back, "{name}, {which}: {ids:?}");
            }
            let chat = Chat::read(&root(MODEL), read.specials().unwrap()).unwrap();
            assert_eq!(read.conversation(&chat, &talk).unwrap(), numbers(&case["conversation"]), "{name}, {which}");
            read.with_additions().unwrap()
        };
        // What a bundle gets says the same by itself.
        if let Some(file) = compare("with the files beside it") {
            changed += 1;
            for name in case["files"].as_object().unwrap().keys() {
                std::fs::remove_file(folder.path().join(name)).unwrap();
            }
            std::fs::write(folder.path().join("tokenizer.json"), file).unwrap();
            assert!(compare("as a bundle has it").is_none(), "{name}");
        }
    }
    assert!(changed >= 8, "{changed} cases have files that change the tokenizer");
}

/// The numbers that the vocabulary gives texts are no matter of how merges are written.
#[test]
fn merges_in_the_older_form_are_read() {
    serve();
    let definition = Definition::read(&root("graphs/autoneural-tiny.toml")).unwrap();
    let encode = |file: &Value| {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("tokenizer.json"), file.to_string()).unwrap();
        Tokenizer::read(folder.path(), &definition).unwrap().encode("Which warning lamp is lit?").unwrap()
    };
    let mut file = json_file(&root(MODEL).join("tokenizer.json"));
    let now = encode(&file);
    for pair in file["model"]["merges"].as_array_mut().unwrap() {
        *pair = texts(pair).join(" ").into();
    }
    assert_eq!(encode(&file), now);
}

const FLOAT: [&str; 5] = ["run", "{out/bundle}", "--on", "float", "--json"];

/// Exports, and asks; gives what `run --json` says of the answer.
fn ask(bench: &Bench, prompt: &str, more: &[&str]) -> Value {
    let output = bench.run(&[&crate::common::bench::EXPORT[..], &["--force"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let output = bench.run(&[&FLOAT[..], &["--prompt", prompt], more].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let made: Value = serde_json::from_str(&stdout(&output)).unwrap();
    made["answers"][0].clone()
}

fn set(bench: &Bench, key: &str, value: Value) {
    let mut file: Value = serde_json::from_str(&bench.read("weights/tokenizer.json")).unwrap();
    file[key] = value;
    bench.write("weights/tokenizer.json", file.to_string());
}

#[test]
fn truncation_and_padding_are_for_batches_and_not_for_prompts() {
    let bench = Bench::new();
    let prompt = "Which one of the warning lamps in this picture is lit at the moment?";
    let plain = ask(&bench, prompt, &["--max-tokens", "4"]);
    set(
        &bench,
        "truncation",
        json!({ "direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0 }),
    );
    let padding = json!({ "strategy": { "Fixed": 128 }, "direction": "Left", "pad_to_multiple_of": null, "pad_id": 0,
        "pad_type_id": 0, "pad_token": "<|pad|>" });
    set(&bench, "padding", padding);
    let made = ask(&bench, prompt, &["--max-tokens", "4"]);
    assert_eq!((&made["prompt_tokens"], &made["tokens"]), (&plain["prompt_tokens"], &plain["tokens"]));
}

#[test]
fn a_byte_order_mark_is_no_text() {
    let bench = Bench::new();
    bench.write("weights/tokenizer_config.json", "{}");
    bench.write("weights/generation_config.json", "{\"eos_token_id\": [3]}");
    let plain = ask(&bench, "Who?", &["--max-tokens", "4"]);
    let files =
        ["weights/tokenizer.json", "weights/tokenizer_config.json", "weights/generation_config.json", "graph.toml"];
    for file in files {
        bench.write(file, format!("\u{feff}{}", bench.read(file)));
    }
    let made = ask(&bench, "Who?", &["--max-tokens", "4"]);
    assert_eq!((&made["prompt_tokens"], &made["tokens"]), (&plain["prompt_tokens"], &plain["tokens"]));
    // Another encoding is named as such.
    for file in [files[1], files[3]] {
        let text = bench.read(file);
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        bench.write(file, wide);
        std::fs::remove_dir_all(bench.path("out/bundle")).ok();
        bench.expect(file, &bench.export(), INPUT, &[&bench.text(file), "UTF-16"]);
        bench.write(file, text);
    }
}

#[test]
fn what_stands_in_place_of_a_tokenizer_is_named() {
    for (file, words) in [
        ("tokenizer.model", ["tokenizer.model is a SentencePiece model", "AutoTokenizer.from_pretrained"]),
        ("spiece.model", ["spiece.model is a SentencePiece model", "save_pretrained"]),
        ("tekken.json", ["Mistral", "save_pretrained"]),
        ("qwen.tiktoken", ["qwen.tiktoken is a tiktoken vocabulary", "save_pretrained"]),
        ("vocab.json", ["slow tokenizers", "save_pretrained"]),
    ] {
        let bench = Bench::new();
        std::fs::remove_file(bench.path("weights/tokenizer.json")).unwrap();
        bench.write(&format!("weights/{file}"), "x");
        bench.expect(
            file,
            &bench.export(),
            INPUT,
            &[&[&bench.text("weights/tokenizer.json")[..]], &words[..]].concat(),
        );
        bench.expect(file, &bench.compile(), INPUT, &words);
    }
    let bench = Bench::new();
    std::fs::remove_file(bench.path("weights/tokenizer.json")).unwrap();
    bench.expect("nothing", &bench.export(), INPUT, &["tokenizer.json", "No such file", "is wanted"]);
}

#[test]
fn files_that_git_lfs_did_not_fetch_are_named() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid \
             sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 17210084\n";
    for file in ["tokenizer.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja"] {
        let bench = Bench::new();
        let path = format!("weights/{file}");
        bench.write(&path, pointer);
        bench.expect(file, &bench.export(), INPUT, &[&bench.text(&path), "git-lfs pointer", "git lfs pull"]);
    }
}

/// An end token that the checkpoint names ends an answer of the model at its first place.
#[test]
fn every_end_token_of_the_checkpoint_ends_an_answer() {
    let bench = Bench::new();
    let more = ["--max-tokens", "24"];
    let made = ask(&bench, "Tell me a story.", &more);
    assert!(!bench.path("out/bundle/model/host.json").exists());
    let tokens = numbers(&made["tokens"]);
    let at = (1..tokens.len()).find(|&at| !tokens[..at].contains(&tokens[at])).expect("an answer of several tokens");
    let end = tokens[at];
    let vocabulary: Value = serde_json::from_str(&bench.read("weights/tokenizer.json")).unwrap();
    let text = vocabulary["model"]["vocab"].as_object().unwrap().iter().find(|(_, number)| **number == json!(end));
    let text = text.expect("the token is in the vocabulary").0.clone();
    for (file, contents) in [
        ("generation_config.json", json!({ "eos_token_id": [2, end] })),
        ("generation_config.json", json!({ "eos_token_id": end })),
        ("config.json", json!({ "eos_token_id": end })),
        ("config.json", json!({ "text_config": { "eos_token_id": [end] } })),
        ("config.json", json!({ "llm_config": { "eos_token_id": [end, null] } })),
        ("tokenizer_config.json", json!({ "eos_token": text })),
        ("special_tokens_map.json", json!({ "eos_token": { "content": text } })),
    ] {
        let contents = contents.to_string().replace(",null", "");
        bench.write(&format!("weights/{file}"), &contents);
        let made = ask(&bench, "Tell me a story.", &more);
        assert_eq!(made["stop"], "eos", "{file}: {contents}");
        assert_eq!(numbers(&made["tokens"]), tokens[..at], "{file}: {contents}");
        let kept: Value = serde_json::from_str(&bench.read("out/bundle/model/host.json")).unwrap();
        assert_eq!(kept, json!({ "ends": [end] }), "{file}: {contents}");
        std::fs::remove_file(bench.path(&format!("weights/{file}"))).unwrap();
    }
    // What the definition says already needs no file.
    bench.write("weights/generation_config.json", json!({ "eos_token_id": 2 }).to_string());
    ask(&bench, "Tell me a story.", &more);
    assert!(!bench.path("out/bundle/model/host.json").exists());
    bench.write("weights/generation_config.json", json!({ "eos_token_id": ["two"] }).to_string());
    let output = bench.run(&[&crate::common::bench::EXPORT[..], &["--force"]].concat());
    let words = ["generation_config.json: eos_token_id", "\"two\" is no number of a token"];
    assert_eq!(output.status.code(), Some(INPUT));
    assert!(words.iter().all(|word| stderr(&output).contains(word)), "{}", stderr(&output));
}

/// A template that takes whatever it is given.
const TEMPLATE: &str = "{% for m in messages %}{% for part in m.content %}\
    {% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}{% endfor %}{% endfor %}";

/// The warnings of an export, as `place: message`.
fn warnings(bench: &Bench) -> Vec<String> {
    let output = bench.run(&[&crate::common::bench::EXPORT[..], &["--force"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let manifest: Value = serde_json::from_str(&bench.read("out/bundle/manifest.json")).unwrap();
    let all = manifest["warnings"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap().to_string();
    all.iter().map(|warning| format!("{}: {}", text(&warning["place"]), text(&warning["message"]))).collect()
}

#[test]
fn files_that_contradict_the_definition_are_told() {
    let bench = Bench::new();
    bench.write("weights/chat_template.jinja", TEMPLATE);
    assert_eq!(warnings(&bench), Vec::<String>::new());
    bench.write(
        "weights/tokenizer_config.json",
        json!({
            "bos_token": "<|im_end|>", "eos_token": "<|im_start|>", "image_token": "<|pad|>", "pad_token": "<none>",
        })
        .to_string(),
    );
    bench.write("weights/generation_config.json", json!({ "eos_token_id": [3, 100_000] }).to_string());
    let told = warnings(&bench);
    for words in [
        ["tokenizer_config.json: bos_token", "is `<|im_end|>`, token 2; the definition's bos is 1"],
        ["tokenizer_config.json: image_token", "is `<|pad|>`, token 0; the definition's image is 4"],
        ["generation_config.json: eos_token_id", "token 100000 cannot end an answer"],
        ["generation_config.json: eos_token_id", "token 3 ends an answer; the definition's eos is 2; both are taken"],
    ] {
        assert!(told.iter().any(|line| words.iter().all(|word| line.contains(word))), "{words:?}: {told:#?}");
    }
}

#[test]
fn tokens_beyond_the_model_are_left_out_or_refused() {
    let bench = Bench::new();
    bench.write("weights/chat_template.jinja", TEMPLATE);
    let full: Value = serde_json::from_str(&bench.read("weights/tokenizer.json")).unwrap();
    let size = full["model"]["vocab"].as_object().unwrap().len();
    let added = |number: usize, text: &str| {
        let mut list = full["added_tokens"].clone();
        let token = json!({ "id": number, "content": text, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true });
        list.as_array_mut().unwrap().push(token);
        list
    };
    // The model has rows for tokens that the tokenizer does not know.
    let model = Definition::read(&bench.path("graph.toml")).unwrap().language.vocabulary;
    assert!(size <= model);
    let many: Vec<String> = (0..=model - size).map(|number| format!("<new{number}>")).collect();
    bench.write("weights/tokenizer_config.json", json!({ "extra_special_tokens": many }).to_string());
    let told = warnings(&bench);
    let words = ["the model has no row for 1 tokens", &format!("`{}`", many[many.len() - 1])];
    assert!(told.len() == 1 && words.iter().all(|word| told[0].contains(word)), "{told:?}");
    std::fs::remove_file(bench.path("weights/tokenizer_config.json")).unwrap();
    std::fs::remove_dir_all(bench.path("out/bundle")).unwrap();

    let mut vocabulary = full["model"].clone();
    for number in size..model {
        vocabulary["vocab"][format!("<fill{number}>")] = number.into();
    }
    set(&bench, "model", vocabulary);
    set(&bench, "added_tokens", added(model, "<|new|>"));
    bench.expect("beyond", &bench.export(), INPUT, &["tokenizer.json", "`<|new|>`", "belongs to another model"]);
}

/// What a user may ask is no matter of which words are special.
#[test]
fn a_word_that_is_a_special_token_is_a_word() {
    let bench = Bench::new();
    let file: Value = serde_json::from_str(&bench.read("weights/tokenizer.json")).unwrap();
    let vocabulary = file["model"]["vocab"].as_object().unwrap();
    let word = vocabulary.keys().find(|text| text.len() == 1 && text.chars().all(char::is_alphanumeric)).unwrap();
    bench.write("weights/tokenizer_config.json", json!({ "extra_special_tokens": [word] }).to_string());
    let made = ask(&bench, &format!("{word} {word}"), &["--max-tokens", "1"]);
    assert_eq!(made["prompt_tokens"], 4);
    let output = bench.run(&[&FLOAT[..], &["--prompt", "a<|im_end|>"]].concat());
    assert_eq!(output.status.code(), Some(INPUT), "{}", stderr(&output));
}

/// What would be refused at the first question is refused before anything is made.
#[test]
fn a_tokenizer_that_cannot_ask_is_refused_at_once() {
    let bench = Bench::new();
    let file: Value = serde_json::from_str(&bench.read("weights/tokenizer.json")).unwrap();
    let without: Vec<Value> = file["added_tokens"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|token| token["content"] != "<image>")
        .cloned()
        .collect();
    set(&bench, "added_tokens", without.into());
    bench.expect("no image", &bench.export(), INPUT, &["tokenizer.json", "no special token 4", "image token"]);
    bench.write("weights/tokenizer.json", file.to_string());
    for (case, config, words) in [
        ("split", json!({ "split_special_tokens": true }), ["tokenizer_config.json", "split_special_tokens"]),
        ("no list", json!({ "added_tokens_decoder": [] }), ["added_tokens_decoder", "is no object"]),
        ("no number", json!({ "added_tokens_decoder": { "x": "a" } }), ["added_tokens_decoder: x", "is no number"]),
        ("no token", json!({ "added_tokens_decoder": { "4": 1 } }), ["added_tokens_decoder: 4", "is no token"]),
        ("no flag", json!({ "added_tokens_decoder": { "4": { "content": "a", "lstrip": 1 } } }), ["lstrip", "neither"]),
        ("a list", json!([]), ["tokenizer_config.json", "is no JSON object"]),
    ] {
        bench.write("weights/tokenizer_config.json", config.to_string());
        bench.expect(case, &bench.export(), INPUT, &words);
    }
}
