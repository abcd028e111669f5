//! Target files.

use crate::common::bench::{Bench, EXPORT, INPUT, TOOLKIT};
use crate::common::root;

fn sound() -> String {
    std::fs::read_to_string(root("targets/sa8295p.toml")).expect("the target")
}

fn export(bench: &Bench, target: &'static str) -> std::process::Output {
    let mut args = EXPORT;
    args[5] = target;
    bench.run(&args)
}

#[test]
fn unknown_and_malformed_targets_are_refused() {
    let bench = Bench::new();
    let unknown = ["target `sa9999`", "is not known", "known targets: sa8295p"];
    bench.expect("unknown", &export(&bench, "sa9999"), INPUT, &unknown);
    bench.expect("no file", &export(&bench, "{nowhere.toml}"), INPUT, &["nowhere.toml"]);
    let sound = sound();
    for (case, from, to, word) in [
        ("no TOML", "[soc]", "[soc", "target.toml:"),
        ("unknown key", "soc_model", "soc_modell", "unknown field `soc_modell`"),
        ("unknown type", "[\"uint16\", \"uint8\"]", "[\"uint12\"]", "`uint12` is no integer type; there are int4,"),
        ("signed activations", "[\"uint16\", \"uint8\"]", "[\"int16\"]", "int16 is no type of activations"),
        ("no granularity", "\"int8 per channel\"", "\"int8\"", "does not say how far a scale reaches"),
        ("no blocks", "\"int4 in blocks of 32\"", "\"int4 in blocks of 1\"", "does not say how far a scale reaches"),
        ("later schema", "schema = 2", "schema = 9", "schema 9"),
        ("earlier schema", "schema = 2", "schema = 1", "schema 1 is not known to this version, which reads schema 2"),
        (
            "unknown operator",
            "name = \"Conv\"",
            "name = \"Convolution\"",
            "Convolution: is no operator of this program",
        ),
    ] {
        assert!(sound.contains(from), "{case}: the target lacks `{from}`");
        bench.write("target.toml", sound.replacen(from, to, 1));
        bench.expect(case, &export(&bench, "{target.toml}"), INPUT, &["target.toml", word]);
    }
}

#[test]
fn contradictions_in_a_target_name_the_entry() {
    let bench = Bench::new();
    let head = "schema = 2\nname = \"t\"\ndescription = \"\"\n[soc]\nsoc_model = 39\nhtp_arch = 68\nvtcm_mb = 8\n";
    let both = "activations = [\"uint16\", \"uint8\"]\n";
    let operator = |name: &str, more: &str| format!("[[operator]]\nname = \"{name}\"\n{both}{more}\n");
    let cases = [
        (
            "taken and refused",
            operator("MatMul", "weights = [\"int8 per channel\"]\nrefused = [{ weights = \"int8 per channel\" }]"),
            ["MatMul", "weights: `int8 per channel` is listed as taken, but `refused` leaves no combination with it"],
        ),
        (
            "taken and refused bit by bit",
            operator(
                "MatMul",
                "weights = [\"int8 per channel\", \"int4 per channel\"]\nrefused = [{ activations = \"uint8\", weights \
                 = \"int4 per channel\" }, { activations = \"uint16\", weights = \"int4 per channel\" }]",
            ),
            ["MatMul", "weights: `int4 per channel` is listed as taken"],
        ),
        (
            "activations taken and refused",
            operator("Neg", "refused = [{ activations = \"uint8\" }]"),
            ["Neg", "activations: `uint8` is listed as taken"],
        ),
        ("stated twice", operator("Neg", "") + &operator("Neg", ""), ["Neg", "stands twice"]),
        (
            "type stated twice",
            operator("Add", "weights = [\"uint8 per tensor\", \"uint8 per tensor\"]"),
            ["Add", "weights: `uint8 per tensor` stands twice"],
        ),
        ("empty range", operator("Sigmoid", "output_range = [1.0, 0.0]"), ["Sigmoid", "output_range from 1 to 0"]),
        ("no number", operator("Sigmoid", "output_range = [nan, 1.0]"), ["Sigmoid", "output_range from NaN to 1"]),
        (
            "weights of nothing",
            operator("Sigmoid", "weights = [\"int8 per channel\"]"),
            ["Sigmoid", "weights `int8 per channel`: the operator has no constant input"],
        ),
        (
            "refused weights of nothing",
            operator("Sigmoid", "refused = [{ weights = \"int8 per channel\" }]"),
            ["Sigmoid", "the operator has no constant input"],
        ),
        (
            "channels of a vector",
            operator("Add", "weights = [\"int8 per channel\"]"),
            ["Add", "this constant has no channels; `per tensor` is wanted"],
        ),
        ("no weights", operator("Conv", ""), ["Conv", "weights: missing"]),
        ("bias of nothing", operator("Neg", "bias = [\"int32\"]"), ["Neg", "bias: the operator has no third input"]),
        (
            "bits of nothing",
            operator("Neg", "multiplier_bits = 10"),
            ["Neg", "multiplier_bits: the operator has no sums"],
        ),
        (
            "too many bits",
            operator("MatMul", "multiplier_bits = 40"),
            ["MatMul", "multiplier_bits = 40; 4 to 23 make sense"],
        ),
        (
            "axis of nothing",
            operator("Neg", "last_axis_only = true"),
            ["Neg", "last_axis_only: the operator has no axis"],
        ),
        ("no axes", operator("Neg", "most_axes = 0"), ["Neg", "most_axes = 0; 2 to 16 make sense"]),
        (
            "too many inputs",
            "[[operator]]\nname = \"Neg\"\nactivations = [\"uint8 x uint16 -> uint8\"]\n".into(),
            ["Neg", "`uint8 x uint16 -> uint8` has another number of inputs than the operator"],
        ),
        (
            "a refusal of nothing",
            operator("Neg", "refused = [{}]"),
            ["Neg", "activations: `uint16` is listed as taken"],
        ),
        (
            "nothing taken",
            "[[operator]]\nname = \"Neg\"\nactivations = []\n".into(),
            ["Neg", "activations: none is listed"],
        ),
        (
            "pairs of what needs none",
            operator("MatMul", "weights = [\"int8 per channel\"]\nin_pairs = [\"int8 per channel\"]"),
            ["MatMul", "in_pairs: `int8 per channel`: int16 per channel and int16 per tensor can be pairs"],
        ),
        (
            "pairs without halves",
            operator("MatMul", "weights = [\"int4 per channel\"]\nin_pairs = [\"int16 per channel\"]"),
            ["MatMul", "in_pairs: `int16 per channel` needs `int8 per channel` with uint16"],
        ),
        (
            "pairs of what is taken",
            operator("MatMul", "weights = [\"int16 per channel\"]\nin_pairs = [\"int16 per channel\"]"),
            ["MatMul", "in_pairs: `int16 per channel` is taken as it stands"],
        ),
        (
            "no memory",
            "[memory]\nprocess_mib = 0\n".to_string() + &operator("Neg", ""),
            ["[memory]", "process_mib = 0"],
        ),
        (
            "a part larger than the whole",
            "[memory]\nprocess_mib = 100\ncontext_mib = 101\n".to_string() + &operator("Neg", ""),
            ["[memory]", "context_mib = 101 is more than process_mib = 100"],
        ),
    ];
    for (case, text, [entry, word]) in cases {
        bench.write("target.toml", format!("{head}{text}"));
        let place = format!("target.toml: {entry}: ");
        for args in [vec!["target", "check", "{target.toml}", "--toolkit", "{empty}"], {
            let mut args = EXPORT.to_vec();
            args[5] = "{target.toml}";
            args
        }] {
            bench.expect(case, &bench.run(&args), INPUT, &[&place, word]);
        }
    }
}

#[test]
fn a_check_needs_the_toolkit_and_a_stated_operator() {
    let bench = Bench::new();
    let check = |more: &[&str]| bench.run(&[&["target", "check"], more, &["--toolkit", "{empty}"]].concat());
    let words = ["toolkit: onnxruntime", "is missing", "help: `make toolkit` installs it"];
    bench.expect("no toolkit", &check(&["sa8295p"]), TOOLKIT, &words);
    bench.expect("unknown target", &check(&["sa9999"]), INPUT, &["target `sa9999`: is not known"]);
    let words = ["target sa8295p: states nothing about `Silu`", "it states something about Conv, MatMul"];
    bench.expect("unknown operator", &check(&["sa8295p", "--operator", "Silu"]), INPUT, &words);
}

/// The pipeline obeys what the file says of combinations, not of types alone.
#[test]
fn a_combination_that_the_target_refuses_is_refused_by_quantize() {
    let bench = Bench::new();
    let sound = sound();
    let refusal = "refused = [{ activations = \"uint16\", weights = \"int8 per channel\" }, ";
    let conv = sound.find("name = \"Conv\"").expect("an entry");
    let (before, after) = sound.split_at(conv);
    // Without halves there are no pairs.
    let after = after.replacen("in_pairs = [\"int16 per channel\", ", "in_pairs = [", 1);
    bench.write("target.toml", format!("{before}{}", after.replacen("refused = [", refusal, 1)));
    let mut args = crate::common::bench::COMPILE;
    args[5] = "{target.toml}";
    let words = ["vision: conv_stem.conv: target sa8295p does not take Conv in uint16, weights int8 per channel"];
    bench.expect("refused combination", &bench.run(&args), INPUT, &words);
}
