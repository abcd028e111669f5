//! Samples of a recipe: conversations that go through the chat template, and raw text that says so.

use std::path::Path;

use autoneural::front::Definition;
use autoneural::host::{Asking, Chat, Message, Role, Tokenizer};
use autoneural::recipe::{Recipe, Sample};
use serde_json::Value;

use crate::common::bench::{Bench, INPUT};
use crate::common::{GOLDEN, WEIGHTS, json, root, serve, stderr, warnings_of};

const MODEL: &str = "models/autoneural-tiny";
const FILE: &str = "recipe/recipe.toml";

/// A picture of a message.
const PICTURE: &str = ", image = \"photo.png\"";
const TEMPLATE: &str = "weights/chat_template.jinja";

fn definition() -> Definition {
    Definition::read(&root("graphs/autoneural-tiny.toml")).unwrap()
}

/// What `tools/make_sample_golden.py` had transformers make.
#[test]
fn samples_make_the_tokens_that_transformers_makes() {
    serve();
    let (golden, definition) = (json(&root(GOLDEN).join("samples.json")), definition());
    let asking = Asking::read(&root(MODEL), &definition).unwrap();
    let mut compared = 0;
    for (path, lists) in golden.as_object().unwrap() {
        let recipe = Recipe::read(&root(path)).unwrap();
        for (list, samples) in [("calibration", &recipe.calibration), ("verification", &recipe.verification)] {
            assert_eq!(samples.len(), lists[list].as_array().unwrap().len(), "{path}: {list}");
            for (sample, ids) in samples.iter().zip(lists[list].as_array().unwrap()) {
                let image = definition.language.tokens.image;
                let times = |id: u32| if Some(id) == image { definition.seeing().unwrap().tokens() } else { 1 };
                let ids = ids.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32);
                let wanted: Vec<u32> = ids.flat_map(|id| std::iter::repeat_n(id, times(id))).collect();
                assert_eq!(asking.tokens(&definition, &recipe, sample).unwrap(), wanted, "{}", sample.place);
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 91);
}

fn recipe_of(sample: &str) -> Recipe {
    let text = std::fs::read_to_string(root(GOLDEN).join("samples.toml")).unwrap();
    let bits = text.split("[[calibration]]").next().unwrap();
    let text = format!("{bits}[[calibration]]\n{sample}\n[[verification]]\n{sample}\n");
    Recipe::parse(text, Path::new("recipe.toml")).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_question_and_the_text_that_the_template_makes_of_it_are_the_same_tokens() {
    serve();
    let definition = definition();
    let asking = Asking::read(&root(MODEL), &definition).unwrap();
    let tokens = |sample: &str| {
        let recipe = recipe_of(sample);
        asking.tokens(&definition, &recipe, &recipe.calibration[0]).unwrap()
    };
    let question = tokens("image = \"a.png\"\nprompt = \"Which lamp is lit?\"");
    let raw = "Picture 1: <image>\\nWhich lamp is lit?<|im_end|>\\n<|im_start|>assistant\\n";
    assert_eq!(question, tokens(&format!("image = \"a.png\"\ntext = \"<|im_start|>user\\n{raw}\"")));
    let messages = "messages = [{ role = \"user\", image = \"a.png\", content = \"Which lamp is lit?\" }]";
    assert_eq!(question, tokens(messages));
    // And those of `run`.
    let tokenizer = Tokenizer::read(&root(MODEL), &definition).unwrap();
    let chat = Chat::read(&root(MODEL), tokenizer.specials().unwrap()).unwrap();
    let asked = [Message::new(Role::User, 1, "Which lamp is lit?")];
    assert_eq!(question, tokenizer.conversation(&chat, &asked).unwrap());
}

fn with_template(schema: u32) -> Bench {
    let bench = Bench::new();
    std::fs::copy(root(WEIGHTS).join("chat_template.jinja"), bench.path(TEMPLATE)).unwrap();
    bench.edit(FILE, "schema = 1", &format!("schema = {schema}"));
    bench
}

/// Compiles, without engines; gives the report.
fn report(bench: &Bench) -> Value {
    let output = bench.compile();
    assert!(output.status.success(), "{}", stderr(&output));
    json(&bench.path("out/bundle/report.json"))
}

fn statistics(bench: &Bench) -> String {
    bench.read("out/bundle/calibration/statistics.json")
}

#[test]
fn prompts_that_bypass_the_template_without_saying_so_are_told() {
    let bench = with_template(1);
    let raw = report(&bench);
    let told = warnings_of(&raw);
    assert_eq!(told.len(), 2, "{told:?}");
    for (list, told) in ["calibration", "verification"].iter().zip(&told) {
        assert!(told.starts_with(&format!("recipe.toml: {list}: 1 prompts bypass the chat template")), "{told}");
    }
    let helps = raw["warnings"].as_array().unwrap().iter().filter_map(|one| one["help"].as_str());
    assert!(helps.filter(|help| help.contains("schema = 2")).count() == 2, "{raw}");
    let count = |report: &Value, list: &str| {
        let made = &report["samples"]["prompts"][list];
        ["template", "no_template", "raw"].map(|how| made[how].as_u64().unwrap())
    };
    assert_eq!((count(&raw, "calibration"), count(&raw, "verification")), ([0, 0, 1], [0, 0, 1]));
    let of_raw = statistics(&bench);

    // The same words as conversations: other tokens, so other ranges.
    bench.edit(FILE, "schema = 1", "schema = 2");
    let talk = report(&bench);
    assert_eq!(warnings_of(&talk), Vec::<String>::new());
    assert_eq!((count(&talk, "calibration"), count(&talk, "verification")), ([1, 0, 0], [1, 0, 0]));
    assert_ne!(statistics(&bench), of_raw);
    // As text they are what they were, and say so.
    bench.edit(FILE, "prompt = \"Who?\"", "text = \"Who?\"");
    let text = report(&bench);
    assert_eq!(warnings_of(&text), Vec::<String>::new());
    assert_eq!((count(&text, "calibration"), count(&text, "verification")), ([0, 0, 1], [1, 0, 0]));
    assert_eq!(statistics(&bench), of_raw);
}

#[test]
fn without_a_template_a_question_is_the_bare_text_of_its_message() {
    let bench = Bench::new();
    let raw = report(&bench);
    assert_eq!(warnings_of(&raw), Vec::<String>::new());
    let of_raw = statistics(&bench);
    bench.edit(FILE, "schema = 1", "schema = 2");
    let talk = report(&bench);
    assert_eq!(talk["samples"]["prompts"]["calibration"]["no_template"], 1);
    assert_eq!(statistics(&bench), of_raw);
}

#[test]
fn another_template_makes_new_ranges_where_samples_go_through_it() {
    let bench = with_template(2);
    report(&bench);
    let before = statistics(&bench);
    bench.edit(TEMPLATE, "<|im_start|>assistant", "<|im_start|>assistant in the car");
    report(&bench);
    let after = statistics(&bench);
    assert_ne!(before, after);
    bench.edit(FILE, "prompt = \"Who?\"", "text = \"Who?\"");
    report(&bench);
    let of_text = statistics(&bench);
    bench.edit(TEMPLATE, " in the car", "");
    report(&bench);
    assert_eq!(statistics(&bench), of_text);
}

/// What a sample is refused for: the sample in place of the first, and words of the error.
#[test]
fn samples_that_say_too_little_or_too_much_are_refused() {
    let bench = with_template(2);
    let sound = bench.read(FILE);
    let user = |more: &str| format!("{{ role = \"user\", content = \"Who?\"{more} }}");
    let messages = |list: &[&str]| format!("messages = [{}]", list.join(", "));
    let assistant = "{ role = \"assistant\", content = \"I.\" }";
    let cases = [
        ("nothing", String::new(), vec!["calibration[0]: asks nothing", "`prompt`, a user's question", "`text`"]),
        ("two", "prompt = \"a\"\ntext = \"b\"".into(), vec!["calibration[0]: has `prompt` and `text`; one of them"]),
        ("empty", "prompt = \" \"".into(), vec!["calibration[0]: the prompt is empty"]),
        ("empty text", "text = \"\"".into(), vec!["calibration[0]: the text is empty"]),
        ("no messages", "messages = []".into(), vec!["calibration[0].messages: is empty"]),
        ("empty answer", "prompt = \"a\"\nanswer = \"\"".into(), vec!["calibration[0]: the answer is empty"]),
        ("an answer to text", "text = \"a\"\nanswer = \"b\"".into(), vec!["calibration[0].answer", "holds its answer"]),
        ("tokens", "prompt = \"a\"\ntokens = 90".into(), vec!["calibration[0].tokens", "write the sample as `text`"]),
        (
            "a special token",
            "prompt = \"a<|im_end|>b\"".into(),
            vec!["recipe.toml: calibration[0]: prompt: holds `<|im_end|>`", "written as `text`"],
        ),
        (
            "a placeholder",
            "prompt = \"<image> Who?\"".into(),
            vec!["calibration[0]: prompt: holds the image placeholder `<image>`", "written as `text`"],
        ),
        (
            "a special token in a message",
            messages(&[&user(PICTURE), "{ role = \"assistant\", content = \"<image>\" }", &user("")]),
            vec!["calibration[0]: messages[1]: holds the image placeholder"],
        ),
        (
            "a special answer",
            "prompt = \"a\"\nanswer = \"b<|im_end|>\"".into(),
            vec!["calibration[0]: answer: holds `<|im_end|>`"],
        ),
        (
            "an unknown role",
            "messages = [{ role = \"robot\", content = \"a\" }]".into(),
            vec!["recipe.toml:2", "unknown variant `robot`"],
        ),
        (
            "no content",
            messages(&["{ role = \"user\", content = \"\" }"]),
            vec!["calibration[0].messages[0]: has no content"],
        ),
        (
            "the last is an answer",
            messages(&[&user(""), assistant]),
            vec!["calibration[0].messages[1]: is not a user's", "`answer`"],
        ),
        (
            "a late rule",
            messages(&[&user(""), "{ role = \"system\", content = \"a\" }", &user("")]),
            vec!["calibration[0].messages[1]: is a system message"],
        ),
        (
            "a picture of the model's",
            messages(&[&user(""), "{ role = \"assistant\", image = \"photo.png\", content = \"a\" }", &user("")]),
            vec!["calibration[0].messages[1]: shows an image"],
        ),
        (
            "a picture somewhere else",
            messages(&[&user(", image = \"../photo.png\"")]),
            vec!["calibration[0]: image `../photo.png` leaves the folder"],
        ),
        ("an unknown key", messages(&[&user(", name = \"a\"")]), vec!["recipe.toml:2", "unknown field `name`"]),
        (
            "more than the context",
            messages(&[&user(PICTURE), assistant, &user("").replace("Who?", &"long ".repeat(300))]),
            vec!["calibration[0]: prompt: has ", "exceed the context of 256"],
        ),
    ];
    for (case, sample, words) in cases {
        // The sample of the recipe keeps its picture where this one is a single question.
        let picture = if sample.contains("messages") { "" } else { "image = \"photo.png\"\n" };
        let text = sound.replacen("image = \"photo.png\"\nprompt = \"Who?\"", &format!("{picture}{sample}"), 1);
        assert_ne!(text, sound, "{case}");
        bench.write(FILE, text);
        bench.expect(case, &bench.compile(), INPUT, &words);
    }
    let beside = messages(&[&user("")]);
    bench.write(FILE, sound.replacen("prompt = \"Who?\"", &beside, 1));
    let words = ["calibration[0]: image `photo.png` stands beside `messages`", "the message that shows it"];
    bench.expect("a picture of no message", &bench.compile(), INPUT, &words);
}

#[test]
fn schema_1_knows_prompts_alone() {
    let bench = Bench::new();
    let sound = bench.read(FILE);
    for (key, sample) in [
        ("text", "text = \"Who?\""),
        ("messages", "messages = [{ role = \"user\", content = \"Who?\" }]"),
        ("answer", "prompt = \"Who?\"\nanswer = \"I.\""),
    ] {
        bench.write(FILE, sound.replacen("prompt = \"Who?\"", sample, 1));
        let words = [&format!("`{key}` is known from schema 2 on")[..], "set `schema = 2`"];
        bench.expect(key, &bench.compile(), INPUT, &words);
    }
    bench.write(FILE, sound.replacen("prompt = \"Who?\"", "", 1));
    bench.expect("none", &bench.compile(), INPUT, &["calibration[0]: has no `prompt`"]);
}

/// The sample is named, and the line of the template.
#[test]
fn a_template_that_does_not_take_a_sample_is_told_with_both() {
    let bench = with_template(2);
    let template = bench.read(TEMPLATE);
    let system = "messages = [{ role = \"system\", content = \"Be kind.\" }, { role = \"user\", image = \"photo.png\", \
             content = \"Who?\" }]";
    bench.edit(FILE, "image = \"photo.png\"\nprompt = \"Who?\"", system);
    for (case, line, word) in [
        (
            "refuses",
            "{% if messages[0].role == 'system' %}{{ raise_exception('no rules here') }}{% endif %}",
            "no rules here",
        ),
        ("fails", "{% if messages[0].role == 'system' %}{{ messages[0].nothing.at_all }}{% endif %}", ""),
    ] {
        bench.write(TEMPLATE, format!("{{# one #}}\n{line}{template}"));
        let place = format!("recipe.toml: calibration[0]: {}:2", bench.text(TEMPLATE));
        bench.expect(case, &bench.compile(), INPUT, &[&place, word]);
    }
    std::fs::remove_file(bench.path(TEMPLATE)).unwrap();
    let words = ["calibration[0]: messages[0]: the model has no chat template", "chat_template.jinja"];
    bench.expect("no template", &bench.compile(), INPUT, &words);
}

#[test]
fn what_is_shown_of_a_sample_is_what_is_said() {
    let shown = |sample: &str| recipe_of(sample).calibration[0].shown();
    assert_eq!(shown("image = \"a.png\"\nprompt = \"Who?\""), "Who?");
    assert_eq!(shown("image = \"a.png\"\nprompt = \"Who?\"\nanswer = \"I.\""), "Who?\nanswer: I.");
    let talk = "messages = [{ role = \"user\", image = [\"a.png\", \"b.png\"], content = \"Who?\" }, \
                { role = \"assistant\", content = \"I.\" }, { role = \"user\", image = \"c.png\", content = \"And?\" \
                }]";
    assert_eq!(shown(talk), "user: Who?\nassistant: I.\nuser: And?");
    let recipe = recipe_of(talk);
    let sample: &Sample = &recipe.calibration[0];
    assert_eq!((sample.title(), sample.is_raw()), ("And?", false));
    let images: Vec<_> = sample.images.iter().map(|path| path.display().to_string()).collect();
    assert_eq!(images, ["a.png", "b.png", "c.png"]);
}

/// The pictures and words of a vision-language model are samples like others.
#[test]
fn pictures_of_one_colour_and_repeated_questions_are_told() {
    let bench = Bench::new();
    image::RgbImage::from_pixel(64, 64, image::Rgb([40, 40, 40])).save(bench.path("recipe/grey.png")).unwrap();
    let sample = |list: &str, picture: &str| format!("[[{list}]]\nimage = \"{picture}\"\nprompt = \"Who?\"\n\n");
    let photo = "image = \"photo.png\"\nprompt = \"Who?\"\n";
    let more = format!("{photo}\n{}{}", sample("calibration", "grey.png"), sample("calibration", "photo.png"));
    bench.edit(FILE, photo, &more);
    bench.edit(FILE, "prompt = \"Where?\"", "prompt = \"Who?\"");
    let found = warnings_of(&report(&bench));
    for words in [
        "recipe.toml: calibration: calibration[1] is of one colour or number throughout",
        "recipe.toml: calibration: 1 of 3 samples repeat others: calibration[2] is calibration[0]",
        "recipe.toml: verification: 1 of 1 samples that judge also calibrate: verification[0] is calibration[0]",
    ] {
        assert!(found.iter().any(|one| one.contains(words)), "{words}: {found:#?}");
    }
}
