//! `tune` without the toolkit: what is measured and chosen on the float reference, what is written, and what is refused.

use std::path::Path;

use autoneural::recipe::Recipe;
use serde_json::Value;

use crate::common::loud::{self, DOES_WITH_8, NEEDS_16};
use crate::common::picky::{LAYERS, PICKY, arguments, written};
use crate::common::stream::{self, ROTATION};
use crate::common::{autoneural, json, stderr};

fn tune(folder: &Path, recipe: &Path, more: &[&str]) -> std::process::Output {
    let all = [&["--on", "predicted"], more].concat();
    let arguments = arguments(folder, recipe, &all);
    autoneural(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Layers with what was chosen.
fn chosen(tuned: &Value) -> Vec<(String, String)> {
    let layers = tuned["groups"][0]["layers"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_string();
    let of = |layer: &Value| {
        let choice = &layer["choices"][layer["chosen"].as_u64().unwrap() as usize];
        (text(&layer["name"]), text(&choice["bits"]))
    };
    layers.iter().map(of).collect()
}

#[test]
fn the_layer_that_minds_keeps_its_bits_and_the_recipe_says_why() {
    let (folder, recipe) = written("rounding = \"gptq\"\nbias_correction = true");
    let output = tune(folder.path(), &recipe, &["--goal", "25dB"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let out = folder.path().join("out");
    let tuned = json(&out.join("tune.json"));
    let found = chosen(&tuned);
    assert_eq!(found.len(), LAYERS);
    assert!(found.contains(&(PICKY.into(), "int8".into())), "{}", tuned["groups"][0]);
    assert!(found.iter().filter(|(_, bits)| bits == "int4").count() >= 2, "{found:?}");
    assert_eq!((&tuned["reached"], &tuned["state"]), (&Value::Bool(true), &Value::from("predicted")));
    // The curve rises in bytes, and falls in noise.
    let curve = tuned["groups"][0]["curve"].as_array().unwrap();
    let pair = |point: &Value| (point["bytes"].as_u64().unwrap(), point["noise"].as_f64().unwrap());
    assert!(curve.len() > 1 && curve.windows(2).all(|two| pair(&two[0]).0 < pair(&two[1]).0));
    assert!(curve.windows(2).all(|two| pair(&two[0]).1 > pair(&two[1]).1));
    // The recipe is one, beside its samples, and has a reason for each layer.
    let text = std::fs::read_to_string(out.join("recipe.toml")).unwrap();
    let made = Recipe::parse(text.clone(), &recipe).unwrap();
    for (name, bits) in &found {
        assert_eq!(made.exception(name, true).map_or("int8", |integer| integer.name()), bits, "{text}");
        assert!(text.contains(&format!("\"{name}\"")) || text.contains(&format!("# {name} stays int8: ")), "{text}");
    }
    assert!(text.contains("% of all noise; int8: ") && text.contains("% of all noise; int4: "), "{text}");
    let page = std::fs::read_to_string(out.join("tune.html")).unwrap();
    assert!(page.contains("<svg") || page.contains("data:image/svg+xml;base64,"));
    assert!(page.contains("goal: 25 dB: reached"), "{page}");
    // The same again measures nothing anew, and gives the same.
    let before = std::fs::read(out.join("tune.json")).unwrap();
    let arguments = arguments(folder.path(), &recipe, &["--on", "predicted", "--goal", "25dB"]);
    let words: Vec<&str> = arguments.iter().map(String::as_str).filter(|word| *word != "-q").chain(["-v"]).collect();
    let again = autoneural(&words);
    assert!(stderr(&again).contains("measure tower: unchanged"), "{}", stderr(&again));
    assert_eq!(std::fs::read(out.join("tune.json")).unwrap(), before);
}

#[test]
fn a_budget_is_kept_and_more_bytes_are_never_worse() {
    let (folder, recipe) = written("");
    let mut noises = Vec::new();
    for megabytes in ["0.0008", "0.0009", "0.001"] {
        let output = tune(folder.path(), &recipe, &["--budget-mb", megabytes]);
        assert!(output.status.success(), "{}", stderr(&output));
        let layers = json(&folder.path().join("out/tune.json"))["groups"][0]["layers"].clone();
        let choice = |layer: &Value| layer["choices"][layer["chosen"].as_u64().unwrap() as usize].clone();
        let all: Vec<Value> = layers.as_array().unwrap().iter().map(choice).collect();
        let bytes: u64 = all.iter().map(|choice| choice["bytes"].as_u64().unwrap()).sum();
        assert!(bytes as f64 <= megabytes.parse::<f64>().unwrap() * 1e6, "{bytes} {megabytes}");
        noises.push(all.iter().map(|choice| choice["noise"].as_f64().unwrap()).sum::<f64>());
    }
    assert!(noises.windows(2).all(|two| two[1] <= two[0]) && noises[2] < noises[0], "{noises:?}");
}

#[test]
fn what_the_recipe_states_of_a_layer_by_name_stays() {
    let (folder, recipe) = written("[[override]]\ntensor = \"layers.0.*\"\ntype = \"int8\"");
    let output = tune(folder.path(), &recipe, &["--budget-mb", "0.0008"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let found = chosen(&json(&folder.path().join("out/tune.json")));
    assert_eq!(found[0], ("layers.0.weight".into(), "int8".into()));
    assert!(found[1..].iter().any(|(_, bits)| bits == "int4"), "{found:?}");
    let text = std::fs::read_to_string(folder.path().join("out/recipe.toml")).unwrap();
    assert!(text.contains("# layers.0.weight stays int8: ") && text.contains("leaves no choice"), "{text}");
}

#[test]
fn a_goal_that_is_out_of_reach_leaves_the_best_and_says_what_stands_in_the_way() {
    let (folder, recipe) = written("");
    let output = tune(folder.path(), &recipe, &["--goal", "140dB"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(6), "{said}");
    assert!(said.contains("the goal is not reached: 140 dB"), "{said}");
    let tuned = json(&folder.path().join("out/tune.json"));
    assert_eq!(tuned["reached"], false);
    let way = tuned["in_the_way"].as_array().unwrap();
    assert!(way.iter().any(|line| line.as_str().unwrap().contains(" in int16 brings ")), "{way:?}");
    assert!(chosen(&tuned).iter().all(|(_, bits)| bits == "int16"));
    assert!(folder.path().join("out/recipe.toml").is_file());
}

#[test]
fn samples_that_show_little_are_told_before_anything_is_compiled() {
    let (folder, recipe) = written("");
    let one = std::fs::read_to_string(&recipe).unwrap();
    let begin = one.find("[[calibration]]").unwrap();
    let (next, judging) = (one[begin + 1..].find("[[").unwrap() + begin + 1, one.find("[[verification]]").unwrap());
    std::fs::write(&recipe, [&one[..next], &one[judging..]].concat()).unwrap();
    let sample = folder.path().join("0.safetensors");
    let mut zeros = std::fs::read(&sample).unwrap();
    let header = u64::from_le_bytes(*zeros.first_chunk().unwrap()) as usize;
    zeros[8 + header..].fill(0);
    std::fs::write(&sample, zeros).unwrap();
    let output = tune(folder.path(), &recipe, &["--budget-mb", "0.001"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let tuned = json(&folder.path().join("out/tune.json"));
    let told = |words: &str| {
        let mut all = tuned["warnings"].as_array().unwrap().iter();
        all.any(|one| one["message"].as_str().unwrap().contains(words))
    };
    assert!(told("one sample calibrates"), "{}", tuned["warnings"]);
    assert!(told("was zero in all of calibration"), "{}", tuned["warnings"]);
}

#[test]
fn values_get_8_bits_where_the_goal_allows_it_whatever_the_recipe_begins_with() {
    let mut made = Vec::new();
    for activations in ["uint16", "uint8"] {
        let (folder, recipe) = loud::written(activations, "");
        let output = tune(folder.path(), &recipe, &["--goal", "28dB", "--activations", "8,16"]);
        assert!(output.status.success(), "{}", stderr(&output));
        let tuned = json(&folder.path().join("out/tune.json"));
        let found = chosen(&tuned);
        for (name, bits) in [(DOES_WITH_8, "uint8"), (NEEDS_16, "uint16")] {
            assert!(found.contains(&(name.into(), bits.into())), "{found:?}");
        }
        // Inputs and outputs stay.
        assert!(found.iter().all(|(name, _)| name != "x" && name != "layers.8"), "{found:?}");
        let widths = &tuned["groups"][0]["widths"];
        let number = |of: &str, what: &str| widths[of][what].as_u64().unwrap();
        assert!(number("chosen", "in_8_bits") > 0 && number("wide", "in_8_bits") == 0, "{widths}");
        assert!(number("chosen", "moved") < number("wide", "moved"), "{widths}");
        let text = std::fs::read_to_string(folder.path().join("out/recipe.toml")).unwrap();
        let written = Recipe::parse(text.clone(), &recipe).unwrap();
        let is_as_chosen = |name: &str, bits: &str| match activations == bits {
            true => written.exception(name, false).is_none() && text.contains(&format!("# {name} stays {bits}: ")),
            false => written.exception(name, false).is_some_and(|integer| integer.name() == bits),
        };
        assert!(is_as_chosen(DOES_WITH_8, "uint8") && is_as_chosen(NEEDS_16, "uint16"), "{text}");
        assert!(text.contains("% of multiply-adds in 8 bits"), "{text}");
        made.push(tuned);
    }
    // A value that the recipe states stays, and is no part of the choice.
    let (folder, recipe) =
        loud::written("uint16", &format!("[[override]]\ntensor = \"{DOES_WITH_8}\"\ntype = \"uint16\""));
    let output = tune(folder.path(), &recipe, &["--goal", "28dB", "--activations", "8,16"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(chosen(&json(&folder.path().join("out/tune.json"))).iter().all(|(name, _)| name != DOES_WITH_8));
    // Weights of 16 bits stay, as nothing takes them beside 8 bits, and that is told.
    let text = std::fs::read_to_string(&recipe).unwrap().replace("weights = \"int8\"", "weights = \"int16\"");
    std::fs::write(&recipe, text).unwrap();
    let output = tune(folder.path(), &recipe, &["--goal", "28dB", "--activations", "8,16"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let told = json(&folder.path().join("out/tune.json"))["warnings"].to_string();
    assert!(told.contains("layers keep the weights that the recipe begins with"), "{told}");
    // Shares of layers and values give the same as one run.
    let (folder, recipe) = loud::written("uint16", "");
    let own = ["--goal", "28dB", "--activations", "8,16"];
    for shard in ["1/2", "2/2"] {
        let part = folder.path().join(&shard[..1]);
        let output =
            tune(folder.path(), &recipe, &[&own[..], &["--shard", shard, "--part", part.to_str().unwrap()]].concat());
        assert!(output.status.success(), "{}", stderr(&output));
    }
    let parts = ["1", "2"].map(|part| folder.path().join(part).to_str().unwrap().to_string());
    let output = tune(folder.path(), &recipe, &[&own[..], &["--join", &parts[0], &parts[1]]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let joined = json(&folder.path().join("out/tune.json"));
    assert_eq!(joined["groups"], made[0]["groups"]);
    // Without the option they are no measurements of it.
    let output = tune(folder.path(), &recipe, &["--goal", "28dB", "--join", &parts[0], &parts[1]]);
    assert!(output.status.code() == Some(3), "{}", stderr(&output));
}

#[test]
fn what_cannot_be_asked_for_is_told() {
    let (folder, recipe) = written("");
    // Any file is a text; this model reads none.
    let prose = recipe.to_str().unwrap();
    for (more, status, words) in [
        (&[][..], 2, "<--goal <DB>|--goal-perplexity <PERCENT>|--budget-mb <MB>>"),
        (&["--goal", "30dB", "--budget-mb", "1"], 2, "cannot be used with"),
        (&["--goal", "30%"], 2, "a number of dB is wanted"),
        (&["--goal", "-3"], 2, "more than 0 and at most 150 dB are possible"),
        (&["--goal-perplexity", "2%"], 2, "--text <FILE>"),
        (&["--goal-perplexity", "2%", "--text", "no.txt"], 3, "No such file or directory (given as --text)"),
        (&["--goal-perplexity", "2%", "--text", prose], 3, "language.prefill: this partition is missing"),
        (&["--budget-mb", "0.0001"], 3, "are too few: the least that the target takes is"),
        (&["--goal", "30dB", "--keep-encodings"], 2, "tuning chooses them"),
        (&["--goal", "30dB", "--rounds", "0"], 2, "--rounds"),
        (&["--goal", "30dB", "--activations", "8"], 2, "8,16 is possible"),
        (&["--budget-mb", "1", "--activations", "8,16"], 2, "cannot be used with"),
    ] {
        let output = tune(folder.path(), &recipe, more);
        let said = stderr(&output);
        assert!(output.status.code() == Some(status) && said.contains(words), "{more:?}: {said}");
    }
    let other = folder.path().join("other.toml");
    std::fs::write(&other, std::fs::read_to_string(&recipe).unwrap().replace("recipe.tower", "recipe.house")).unwrap();
    let output = tune(folder.path(), &other, &["--goal", "30dB"]);
    assert!(output.status.code() == Some(3), "{}", stderr(&output));
}

#[test]
fn a_graph_that_the_recipe_rotates_is_measured_rotated_and_the_written_recipe_compiles() {
    let folder = stream::written();
    let recipe = stream::rotated(folder.path(), ["int8", "uint16"], "");
    let output = tune(folder.path(), &recipe, &["--goal", "30dB"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let tuned = json(&folder.path().join("out/tune.json"));
    let rotation = tuned["groups"][0]["layers"].as_array().unwrap().iter().find(|layer| layer["name"] == ROTATION);
    // One number and its negative are exact in any integers, so that it gets the fewest.
    let rotation = rotation.unwrap_or_else(|| panic!("{}", tuned["groups"][0]));
    assert!(rotation["choices"].as_array().unwrap().iter().all(|choice| choice["noise"].as_f64().unwrap() < 1e-4));
    assert!(chosen(&tuned).contains(&(ROTATION.into(), "int4".into())), "{rotation}");
    // The graphs of the checkpoint do not have what the recipe says of these weights.
    let tuned = folder.path().join("tuned.toml");
    std::fs::copy(folder.path().join("out/recipe.toml"), &tuned).unwrap();
    let compile = |recipe: &Path| {
        let (model, made) = (folder.path().join("tower.onnx"), folder.path().join("made"));
        let [model, recipe, made] = [&model, recipe, &made].map(|path| path.to_str().unwrap());
        let arguments = ["compile", model, "--calibration", recipe, "--target", "sa8295p", "--out", made];
        autoneural(&[&arguments[..], &["--verify", "none", "-q"]].concat())
    };
    let output = compile(&tuned);
    assert!(output.status.success(), "{}", stderr(&output));
    // Without the rotation nothing has them.
    let text = std::fs::read_to_string(&tuned).unwrap();
    std::fs::write(&tuned, text.replace("equalize = { method = \"hadamard\" }\n", "")).unwrap();
    let said = stderr(&compile(&tuned));
    assert!(said.contains("`x.rotation.weight` fits no weight of the model"), "{said}");
}

#[test]
fn shares_of_the_layers_are_joined_to_what_one_run_measures() {
    let (folder, recipe) = written("rounding = \"gptq\"\nbias_correction = true");
    let out = folder.path().join("out");
    let read = |name: &str| std::fs::read(out.join(name)).unwrap();
    let run = |more: &[&str]| tune(folder.path(), &recipe, &[&["--goal", "25dB"], more].concat());
    let succeed = |more: &[&str]| {
        let output = run(more);
        assert!(output.status.success(), "{more:?}: {}", stderr(&output));
    };
    let parts = ["part-1", "part-2"].map(|name| folder.path().join(name).to_str().unwrap().to_string());
    succeed(&[]);
    let whole = ["tune.json", "recipe.toml"].map(read);
    std::fs::remove_dir_all(&out).unwrap();
    for (share, part) in ["1/2", "2/2"].iter().zip(&parts) {
        succeed(&["--shard", share, "--part", part]);
        // What it was measured in is gone.
        assert!(!out.exists());
    }
    let join = [&["--join"], &[parts[1].as_str(), parts[0].as_str()][..]].concat();
    succeed(&join);
    assert_eq!(["tune.json", "recipe.toml"].map(read), whole);
    // What is joined is what stands in the parts.
    let file = Path::new(&parts[0]).join("measured.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let mut part: Value = serde_json::from_str(&text).unwrap();
    part["layers"][0]["tried"][0]["noise"] = 7.25.into();
    std::fs::write(&file, part.to_string()).unwrap();
    std::fs::remove_dir_all(&out).unwrap();
    succeed(&join);
    assert_eq!(json(&out.join("tune.json"))["groups"][0]["layers"][0]["choices"][0]["noise"], 7.25);
    // What does not belong together is refused.
    std::fs::remove_dir_all(&out).unwrap();
    let refused = |more: &[&str], words: &str| {
        let output = run(more);
        let said = stderr(&output);
        assert!(!output.status.success() && said.contains(words) && !out.join("tune.json").exists(), "{words}: {said}");
    };
    refused(&["--join", &parts[1]], "shard 1/2 is missing");
    refused(&["--join", folder.path().to_str().unwrap()], "has no measured layers (no measured.json)");
    refused(&["--shard", "1/9", "--part", &parts[0]], "there are 5 layers, too few for 9 shares");
    refused(&["--shard", "1/2", "--part", folder.path().to_str().unwrap()], "exists and is no part");
    part["layers"][0]["tried"][0]["noise"] = (-1.0).into();
    std::fs::write(&file, part.to_string()).unwrap();
    refused(&join, "which is no share of a power");
    part["layers"][0]["tried"][0]["noise"] = 7.25.into();
    let own = part["build"].take();
    part["build"] = "0".into();
    std::fs::write(&file, part.to_string()).unwrap();
    refused(&join, "part-1: was made by another build of the program");
    part["build"] = own;
    part["layers"][0]["key"] = "0".into();
    std::fs::write(&file, part.to_string()).unwrap();
    refused(&join, "part-1: `layers.0.weight`: was measured with other weights, samples or bits");
    part["layers"][0]["layer"] = "other".into();
    std::fs::write(&file, part.to_string()).unwrap();
    refused(&join, "no part has measurements of `layers.0.weight`");
}
