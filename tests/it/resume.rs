//! `autoneural compile` again without the toolkit: what did not change is not done twice, and mistakes destroy nothing.

use std::fs::File;

use crate::common::desk::{Desk, assert_same, assert_work, identities, succeeded};
use crate::common::{autoneural, root, stderr};

#[test]
fn an_error_keeps_what_is_finished() {
    let desk = Desk::new();
    let sound = std::fs::read_to_string(desk.path("recipe.toml")).unwrap();
    // The NPU takes no weights of 16 bits where a convolution makes 8: told when vision is quantized.
    desk.edit("recipe.toml", |text| {
        let exception = |name: &str, integer| format!("[[override]]\ntensor = \"{name}\"\ntype = \"{integer}\"\n");
        let weights = exception("blocks.0.0.conv_exp.weight*", "int16");
        format!("{text}\n{weights}{}", exception("blocks.0.0.conv_exp", "uint8"))
    });
    let output = desk.compile_part("out", &[]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("change the recipe") && said.contains("is kept in") && said.contains(".out.work"), "{said}");
    assert!(!desk.path("out").exists());
    std::fs::write(desk.path("recipe.toml"), sound).unwrap();
    let (_, said) = succeeded(desk.compile_part("out", &[]));
    assert_work(&said, &["quantize vision", "calibrate text"], &["export language", "calibrate images"]);
}

#[test]
fn weights_that_the_target_does_not_take_are_refused_before_samples_run() {
    let desk = Desk::new();
    desk.edit("recipe.toml", |text| text.replacen("weights = \"int8\"", "weights = \"int8 in blocks of 32\"", 1));
    let output = desk.compile_part("out", &[]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("recipe `") && said.contains("not int8 in blocks of 32"), "{said}");
    assert!(!said.contains("calibrate"), "{said}");
}

#[test]
fn a_form_that_the_target_has_no_parts_for_is_refused_before_samples_run() {
    let desk = Desk::new();
    let sound = std::fs::read_to_string(root("targets/sa8295p.toml")).unwrap();
    let (before, sigmoid) = sound.split_once("name = \"Sigmoid\"").unwrap();
    let poor = format!("{before}name = \"Sigmoid\"{}", sigmoid.replacen("[\"uint16\", \"uint8\"]", "[\"uint8\"]", 1));
    std::fs::write(desk.path("target.toml"), poor).unwrap();
    let (empty, target) = (desk.text("empty"), desk.text("target.toml"));
    let args = desk.args("out", &["--toolkit", &empty]);
    let args: Vec<&str> = args.iter().map(|arg| if arg == "sa8295p" { &target } else { arg.as_str() }).collect();
    desk.edit("recipe.toml", |text| text.replacen("[recipe.vision]", "[recipe.vision]\ngelu = \"spelled\"", 1));
    let output = autoneural(&args);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("recipe.vision.gelu: `spelled` needs Sigmoid in 16 bits"), "{said}");
    assert!(!said.contains("calibrate"), "{said}");
}

#[test]
fn other_weights_redo_what_reads_them() {
    let desk = Desk::new();
    succeeded(desk.compile_part("out", &["-q"]));
    desk.scale_tensor("multi_modal_projector.linear_2.weight");
    let (_, said) = succeeded(desk.compile_part("out", &[]));
    let exported = ["export host", "export vision", "export projector", "export language"];
    let done = ["calibrate images", "calibrate text", "quantize projector", "quantize language", "emit projector"];
    // Vision was exported to the same bytes, so nothing behind it is new.
    assert_work(&said, &[&exported[1..], &done, &["verify"]].concat(), &["emit vision"]);
    succeeded(desk.compile_part("fresh", &["-q"]));
    assert_same(&desk.path("out"), &desk.path("fresh"));

    // Another picture, of the same name: calibration begins again.
    std::fs::copy(root("calibration/photos/room.jpg"), desk.path("photos/cat.jpg")).unwrap();
    let (_, said) = succeeded(desk.compile_part("out", &[]));
    assert_work(&said, &["calibrate images", "calibrate text"], &exported);
    // Another prompt: its second half alone.
    desk.edit("recipe.toml", |text| text.replace("Which colours do you see?", "What is it made of?"));
    let (_, said) = succeeded(desk.compile_part("out", &[]));
    assert_work(&said, &["calibrate text"], &["calibrate images", "quantize vision", "emit vision"]);
    succeeded(desk.compile_part("fresh", &["-q", "--force"]));
    assert_same(&desk.path("out"), &desk.path("fresh"));

    // A file of the bundle that was damaged is made again, and only that.
    let damaged = desk.path("out/qdq/projector.data");
    let mut bytes = std::fs::read(&damaged).unwrap();
    bytes[1000] ^= 0x40;
    std::fs::write(&damaged, bytes).unwrap();
    let (_, said) = succeeded(desk.compile_part("out", &[]));
    assert_work(&said, &["emit projector"], &["emit vision", "emit language", "quantize projector", "verify"]);
    assert_same(&desk.path("out"), &desk.path("fresh"));
}

#[test]
fn two_runs_do_not_make_one_bundle() {
    let desk = Desk::new();
    succeeded(desk.compile_part("out", &["-q"]));
    let before = identities(&desk.path("out"));
    let lock = File::create(desk.path(".out.lock")).unwrap();
    std::fs::write(desk.path(".out.lock"), "4711\n").unwrap();
    lock.lock().unwrap();
    let emit = ["emit".to_string(), desk.text("out")];
    for args in [desk.args("out", &["--force"]), desk.args("out", &[]), emit.to_vec()] {
        let output = autoneural(&args.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(3), "{args:?}");
        let said = stderr(&output);
        assert!(said.contains("is being made by another run (process 4711)") && said.contains("help: wait"), "{said}");
    }
    assert_eq!(identities(&desk.path("out")), before);
    // A lock file whose process is gone locks nothing.
    drop(lock);
    let (said, _) = succeeded(desk.compile_part("out", &[]));
    assert!(said.contains("is up to date"), "{said}");
}

#[test]
fn overrides_that_cannot_hold_are_refused() {
    let desk = Desk::new();
    let sound = std::fs::read_to_string(desk.path("recipe.toml")).unwrap();
    let types = "says either `type`, of weights and activations, or `products`";
    for (tensor, line, words) in [
        ("blocks.9.*", "type = \"int4\"", ["override[0]: `blocks.9.*` fits no weight", "encodings/*.json"]),
        ("blocks.0.0.bn1", "type = \"int8\"", ["override[0]: `blocks.0.0.bn1` fits no weight", "uint8 or uint16"]),
        ("linear_1.weight", "type = \"uint8\"", ["`linear_1.weight` fits no activation", "int4, int8 or int16"]),
        ("linear_1.weight", "type = \"int32\"", ["override[0].type", "int32 is no type to choose"]),
        ("linear_1.weight", "type = \"int4 in blocks of 8\"", ["linear_1", "not int4 in blocks of 8"]),
        ("linear_1.weight", "type = \"float\"", ["recipe.toml:", "`float` is no integer type"]),
        ("linear_1.weight", "", ["override[0]", types]),
        ("linear_1.weight", "type = \"int8\"\nproducts = \"split\"", ["override[0]", types]),
        ("linear_1", "products = \"split\"", ["`linear_1` fits no product of two", "what other operators make"]),
        ("linear_1", "products = \"halved\"", ["recipe.toml:", "`halved`"]),
    ] {
        let exception = format!("\n[[override]]\ntensor = \"{tensor}\"\n{line}\n");
        std::fs::write(desk.path("recipe.toml"), format!("{sound}{exception}")).unwrap();
        let output = desk.compile_part("out", &[]);
        assert_eq!(output.status.code(), Some(3), "{tensor} {line}: {}", stderr(&output));
        for word in words {
            assert!(stderr(&output).contains(word), "{tensor} {line}: {word}:\n{}", stderr(&output));
        }
    }
    // Keys of the cache go in and out under two names: both are one value.
    let two = ["layers.1.k_cache\"\ntype = \"uint8", "layers.1.k_new\"\ntype = \"uint16"];
    let exceptions: String = two.iter().map(|one| format!("\n[[override]]\ntensor = \"{one}\"\n")).collect();
    std::fs::write(desk.path("recipe.toml"), format!("{sound}{exceptions}")).unwrap();
    let said = stderr(&desk.compile_part("out", &[]));
    assert!(said.contains("shares its encoding") && said.contains("give both the same type"), "{said}");
}
