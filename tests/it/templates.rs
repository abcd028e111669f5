//! Chat templates: the text that transformers makes of them (tools/make_template_goldens.py), where a checkpoint has
//! them, and what export says of them.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;

use autoneural::engine::EngineKind;
use autoneural::host::{Chat, Message, Role, Special, Specials, TemplateSource};
use autoneural::progress::Silent;
use autoneural::runner::Model;
use serde_json::{Value, json};

use crate::common::bench::{Bench, EXPORT, INPUT};
use crate::common::{GOLDEN, root, stderr};

fn goldens() -> Value {
    serde_json::from_slice(&std::fs::read(root(GOLDEN).join("templates.json")).unwrap()).unwrap()
}

fn chat(goldens: &Value, template: &str) -> autoneural::error::Result<Chat> {
    let text = |name: &str| goldens["specials"][name].as_str().unwrap().to_string();
    let specials = Specials {
        bos: text("bos_token"),
        eos: text("eos_token"),
        image: text("image_token"),
        image_tags: None,
        named: BTreeMap::from([("pad_token".to_string(), Special::One(text("pad_token")))]),
    };
    crate::common::serve();
    Chat::new(Some(TemplateSource { place: "t.jinja".into(), text: template.into() }), specials)
}

fn talk(goldens: &Value, name: &str) -> Vec<Message> {
    serde_json::from_value(goldens["talks"][name].clone()).unwrap()
}

#[test]
fn templates_make_the_text_that_transformers_makes() {
    let goldens = goldens();
    let messages = talk(&goldens, "rule");
    let mut wrong = Vec::new();
    for snippet in goldens["snippets"].as_array().unwrap() {
        let (template, wanted) = (snippet["template"].as_str().unwrap(), snippet["text"].as_str().unwrap());
        let made = chat(&goldens, template).and_then(|chat| chat.render(&messages));
        if made.as_ref().ok().map(String::as_str) != Some(wanted) {
            wrong.push(format!(
                "{template}\n  wanted {wanted:?}\n  made   {:?}",
                made.map_err(|error| error.to_string())
            ));
        }
    }
    assert!(goldens["snippets"].as_array().unwrap().len() > 100);
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_transformers_refuses_is_refused() {
    let goldens = goldens();
    let messages = talk(&goldens, "rule");
    let mut wrong = Vec::new();
    for template in goldens["faults"].as_array().unwrap() {
        let template = template.as_str().unwrap();
        match chat(&goldens, template).and_then(|chat| chat.render(&messages)) {
            Ok(made) => wrong.push(format!("{template} makes {made:?}")),
            Err(error) if !error.place.starts_with("t.jinja") => wrong.push(format!("{template}: {error}")),
            Err(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn whole_templates_get_messages_in_the_form_that_they_want() {
    let goldens = goldens();
    let mut wrong = Vec::new();
    for style in goldens["styles"].as_array().unwrap() {
        let (name, chat) = (&style["name"], chat(&goldens, style["template"].as_str().unwrap()).unwrap());
        for (talked, wanted) in style["texts"].as_object().unwrap() {
            let made = chat.render(&talk(&goldens, talked));
            if made.as_ref().ok().map(String::as_str) != wanted.as_str() {
                let made = made.map_err(|error| error.to_string());
                wrong.push(format!("{name}, {talked}\n  wanted {wanted:?}\n  made   {made:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
}

const FILE: &str = "weights/chat_template.jinja";
const CONFIG: &str = "weights/tokenizer_config.json";

/// A template of parts, with a mark by which it is known.
fn parts(mark: &str) -> String {
    format!(
        "{mark}{{% for m in messages %}}{{{{ m.role }}}} {{% for part in m.content %}}{{% if part.type == 'image' \
         %}}<image>{{% else %}}{{{{ part.text }}}}{{% endif %}}{{% endfor %}}{{% endfor %}}"
    )
}

/// A bench whose checkpoint was changed, and its warnings, exported.
fn exported(change: impl FnOnce(&Bench)) -> (Bench, Vec<String>) {
    let bench = Bench::new();
    change(&bench);
    let output = bench.export();
    assert!(output.status.success(), "{}", stderr(&output));
    let manifest: Value = serde_json::from_str(&bench.read("out/bundle/manifest.json")).unwrap();
    let list = manifest["warnings"].as_array().cloned().unwrap_or_default();
    let warning =
        |warning: Value| format!("{}: {}", warning["place"].as_str().unwrap(), warning["message"].as_str().unwrap());
    (bench, list.into_iter().map(warning).collect())
}

fn refused(change: impl FnOnce(&Bench), words: &[&str]) {
    let bench = Bench::new();
    change(&bench);
    bench.expect("export", &bench.export(), INPUT, words);
    bench.expect_no_bundle("export");
}

/// The prompt that a bundle's template makes.
fn prompt(bench: &Bench, messages: &[Message]) -> String {
    crate::common::serve();
    let specials = Specials { bos: "<s>".into(), eos: "</s>".into(), image: "<image>".into(), ..Specials::default() };
    let chat = Chat::read(&bench.path("out/bundle/model"), specials).unwrap();
    chat.render(messages).unwrap_or_else(|error| panic!("{error}"))
}

fn question(images: usize) -> [Message; 1] {
    [Message::new(Role::User, images, "What?")]
}

/// A place of a template: the mark of the template there, and what puts it there.
type Place<'a> = (&'a str, &'a dyn Fn(&Bench));

#[test]
fn templates_are_found_where_transformers_finds_them() {
    let named = |key: &str, text: String| json!({ key: text }).to_string();
    let key = "chat_template";
    let sources: [Place; 5] = [
        ("processor", &|bench| bench.write("weights/processor_config.json", named(key, parts("processor")))),
        ("json", &|bench| bench.write("weights/chat_template.json", named(key, parts("json")))),
        ("file", &|bench| bench.write(FILE, parts("file"))),
        ("tokenizer", &|bench| bench.write(CONFIG, named(key, parts("tokenizer")))),
        ("listed", &|bench| {
            let list = [("tool_use", "x".to_string()), ("default", parts("listed"))];
            let list: Vec<Value> = list.map(|(name, text)| json!({"name": name, "template": text})).into();
            bench.write(CONFIG, format!("\u{feff}{}", json!({ key: list })));
        }),
    ];
    // Each alone, and each before all that come later.
    for (at, (name, write)) in sources.iter().enumerate() {
        let (bench, warnings) = exported(|bench| write(bench));
        assert!(prompt(&bench, &question(1)).starts_with(&format!("{name}user <image>What?")), "{name}");
        assert_eq!(warnings, Vec::<String>::new(), "{name}");
        let (bench, warnings) = exported(|bench| sources[at..4.max(at + 1)].iter().for_each(|(_, write)| write(bench)));
        assert!(prompt(&bench, &question(0)).starts_with(name), "{name}");
        // That the tokenizer's is another one is as it should be.
        let of_processor = [2, 1, 0, 0, 0][at];
        assert_eq!(warnings.len(), of_processor, "{name}: {warnings:?}");
        assert!(warnings.iter().all(|warning| warning.contains("is another chat template than")), "{warnings:?}");
    }
    let (bench, _) = exported(|bench| {
        std::fs::create_dir(bench.path("weights/additional_chat_templates")).unwrap();
        bench.write("weights/additional_chat_templates/rag.jinja", "x");
        bench.write(FILE, parts("file"));
    });
    assert!(prompt(&bench, &question(0)).starts_with("file"));
}

#[test]
fn a_checkpoint_without_a_template_is_told_to_have_none() {
    let (_, warnings) = exported(|_| ());
    assert!(
        warnings[0].starts_with("chat_template.jinja: is not in the checkpoint") && warnings[0].contains("bare text")
    );
    let list = json!({"chat_template": [{"name": "tool_use", "template": "x"}, {"name": "rag", "template": "y"}]});
    let (bench, warnings) = exported(|bench| bench.write(CONFIG, list.to_string()));
    assert!(
        warnings[0]
            .contains("tokenizer_config.json, chat_template: has no chat template named default, only rag, tool_use")
    );
    assert!(!bench.path("out/bundle/model/chat_template.jinja").exists());
    // A bundle that is there already says it again.
    let output = bench.run(&[&EXPORT[..], &["--force"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(bench.read("out/bundle/manifest.json").contains("named default"));
}

#[test]
fn templates_that_cannot_work_are_refused_by_export() {
    for (case, template, words) in [
        ("syntax", "a\n{% for %}", ["chat_template.jinja:2: is no chat template"; 1]),
        (
            "not closed",
            "a\n{% if true %}\nb",
            ["chat_template.jinja:2: is no chat template: the tag `if` has no `endif`"],
        ),
        (
            "unknown filter",
            "\n\n{{ 'x' | shout }}",
            ["chat_template.jinja:3: is no chat template: no filter named 'shout'"],
        ),
        ("another file", "{% include '/etc/passwd' %}", ["chat_template.jinja:1: the chat template fails"]),
        ("a fault", "{% for m in messages %}\n{{ m.content + m.nothing }}{% endfor %}", ["chat_template.jinja:2: "]),
        (
            "endless",
            "{% for a in range(99999) %}\n{% for b in range(99999) %}{% endfor %}{% endfor %}",
            ["chat_template.jinja:"],
        ),
        ("too much", "{% for a in range(99999) %}{{ 'x' * 99999 }}{% endfor %}", ["writes more than"]),
        ("too deep", &format!("{{{{ {}1 }}}}", "1 + ".repeat(5000)), ["levels deep"]),
    ] {
        refused(|bench| bench.write(FILE, template), &[&[case][..0], &words].concat());
    }
    let config = json!({"chat_template": "a\n{{ 1 + }}"}).to_string();
    refused(|bench| bench.write(CONFIG, config), &["tokenizer_config.json, chat_template:2: is no chat template"]);
    refused(
        |bench| bench.write(CONFIG, "{\"chat_template\": 5}"),
        &["tokenizer_config.json, chat_template: is a number"],
    );
}

#[test]
fn what_a_template_refuses_itself_is_a_warning() {
    let rule = "{% if messages[0].role == 'system' %}{{ raise_exception('no system, please') }}{% endif %}";
    let (bench, warnings) = exported(|bench| bench.write(FILE, format!("{rule}{}", parts(""))));
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("does not take a system message: the chat template fails: no system, please"));
    let run = ["run", "{out/bundle}", "--on", "float", "--max-tokens", "1", "--prompt", "a"];
    assert!(bench.run(&run).status.success());
    let output = bench.run(&[&run[..], &["--system", "b"]].concat());
    assert_eq!(output.status.code(), Some(INPUT));
    let said = stderr(&output);
    assert!(said.contains("chat_template.jinja:1: the chat template fails: no system, please"), "{said}");
    // One that counts on a system message has a fault without one.
    let (_, warnings) = exported(|bench| bench.write(FILE, format!("{{{{ messages[1].role }}}}{}", parts(""))));
    assert!(
        warnings[0].contains("chat_template.jinja:1: the chat template does not take a question: "),
        "{warnings:?}"
    );
    assert!(!warnings.iter().any(|warning| warning.contains("system message")), "{warnings:?}");
    // One that leaves out pictures says so before they are asked for.
    let blind = "{% for m in messages %}{% for part in m.content %}{{ part.text }}{% endfor %}{% endfor %}";
    let (_, warnings) = exported(|bench| bench.write(FILE, blind));
    assert!(
        warnings.iter().any(|warning| warning.contains("does not take an image: writes 0 image placeholders for 1"))
    );
}

#[test]
fn templates_find_functions_tags_and_tokens_of_transformers() {
    let template = "{{ strftime_now('%Y') | length }}{% generation %}-{% endgeneration %}{{ bos_token }}{{ unk_token }}\
        {{ pad_token }}{{ boi_token }}{{ image_token }}{{ additional_special_tokens | join('+') }}";
    let (bench, _) = exported(|bench| {
        bench.write(FILE, format!("{template}{}", parts("")));
        let config = json!({"bos_token": null, "unk_token": "<unk>", "pad_token": {"content": "<pad>", "lstrip": false},
            "add_bos_token": true, "extra_special_tokens": {"boi_token": "<boi>"}, "model_max_length": 1});
        bench.write(CONFIG, config.to_string());
        let map = json!({"pad_token": "<pad2>", "additional_special_tokens": ["<a>", {"content": "<b>"}]});
        bench.write("weights/special_tokens_map.json", map.to_string());
    });
    let made = prompt(&bench, &[Message::new(Role::User, 0, "a")]);
    assert_eq!(made, "4-<s><unk><pad2><boi><image><a>+<b>user a");
}

#[test]
fn links_stay_in_the_checkpoint_or_in_its_repository() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), parts("secret")).unwrap();
    refused(
        |bench| symlink(secret.path(), bench.path(FILE)).unwrap(),
        &["chat_template.jinja", "is a link out of the checkpoint"],
    );
    refused(|bench| symlink("../graph.toml", bench.path(CONFIG)).unwrap(), &["tokenizer_config.json", "is a link out"]);
    let (bench, _) = exported(|bench| {
        bench.write("weights/own.txt", parts("own"));
        symlink("own.txt", bench.path(FILE)).unwrap();
    });
    assert!(prompt(&bench, &question(0)).starts_with("own"));

    // The cache of the hub keeps each file of a repository once, and links to it.
    let bench = Bench::new();
    let snapshot = bench.path("models--a--b/snapshots/0123");
    std::fs::create_dir_all(&snapshot).unwrap();
    std::fs::create_dir(bench.path("models--a--b/blobs")).unwrap();
    for name in ["model.safetensors", "tokenizer.json"] {
        std::fs::copy(bench.path("weights").join(name), snapshot.join(name)).unwrap();
    }
    bench.write("models--a--b/blobs/feed", parts("hub"));
    symlink("../../blobs/feed", snapshot.join("chat_template.jinja")).unwrap();
    let mut args = EXPORT;
    let weights = args.iter().position(|arg| *arg == "--weights").unwrap() + 1;
    args[weights] = "{models--a--b/snapshots/0123}";
    let output = bench.run(&args);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(prompt(&bench, &question(0)).starts_with("hub"));
}

#[test]
fn templates_of_plain_text_get_images_in_the_text() {
    let template = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\\n' }}{% endfor %}";
    let (bench, warnings) = exported(|bench| bench.write(CONFIG, json!({"chat_template": template}).to_string()));
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(prompt(&bench, &question(2)), "user: <image><image>What?\n");
    crate::common::serve();
    let model = Model::open(&bench.path("out/bundle"), &[EngineKind::Float], &Silent).unwrap();
    let tokens = |images| model.tokens(&question(images)).unwrap().len();
    assert_eq!(tokens(1), tokens(0) + 16);

    // InternVL has tags around the tokens of an image, and a line end behind them.
    let tags = Some(["<img>".to_string(), "</img>".to_string()]);
    let specials = Specials { image: "<IMG_CONTEXT>".into(), image_tags: tags, ..Specials::default() };
    let source = |text: &str| Some(TemplateSource { place: "t".into(), text: text.into() });
    let made = |text: &str| Chat::new(source(text), specials.clone()).unwrap().render(&question(2)).unwrap();
    let image = "<img><IMG_CONTEXT></img>";
    assert_eq!(made(template), format!("user: {image}\n{image}\nWhat?\n"));
    let written = |placeholder: &str| parts("").replace("<image>", placeholder);
    assert_eq!(made(&written("<IMG_CONTEXT>")), format!("user {image}{image}What?"));
    assert_eq!(made(&written(image)), format!("user {image}{image}What?"));
}

#[test]
fn a_byte_order_mark_and_line_ends_are_as_in_transformers() {
    let (bench, warnings) = exported(|bench| bench.write(FILE, format!("\u{feff}{}", parts("a\r\nb"))));
    assert!(warnings[0].contains("byte order mark"), "{warnings:?}");
    assert_eq!(prompt(&bench, &question(0)), "\u{feff}a\nbuser What?");
}
