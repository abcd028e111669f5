//! Chat templates: seeds with other tags in them, and programs made up from what the language has.

use super::{NUMBERS, bytes, text};
use crate::dice::Dice;

const NAMES: [&str; 12] = [
    "messages",
    "message",
    "bos_token",
    "eos_token",
    "add_generation_prompt",
    "loop",
    "ns",
    "x",
    "y",
    "self",
    "caller",
    "range",
];
const FILTERS: [&str; 47] = [
    "abs",
    "attr('x')",
    "batch(3)",
    "batch(1000000000)",
    "bool",
    "capitalize",
    "count",
    "d('x')",
    "default('x', true)",
    "dictsort",
    "escape",
    "first",
    "float",
    "format(1, 2)",
    "groupby('role')",
    "indent(2)",
    "indent(1000000000)",
    "int",
    "items",
    "join(', ')",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map('upper')",
    "map(attribute='role')",
    "max",
    "min",
    "pprint",
    "reject('none')",
    "rejectattr('role')",
    "replace('a', 'aa')",
    "replace('', 'x')",
    "reverse",
    "round(2)",
    "safe",
    "select('string')",
    "slice(3)",
    "slice(1000000000)",
    "sort",
    "split('x')",
    "sum",
    "title",
    "tojson(indent=2)",
    "trim",
    "unique",
];
const METHODS: [&str; 26] = [
    "strip()",
    "lstrip('x')",
    "rstrip()",
    "split()",
    "split('x', 2)",
    "replace('a', 'aaaa')",
    "replace('', 'x')",
    "join(['a'])",
    "upper()",
    "title()",
    "startswith('x')",
    "count('')",
    "count('a')",
    "find('')",
    "items()",
    "keys()",
    "values()",
    "get('x')",
    "append(1)",
    "format(1)",
    "splitlines()",
    "zfill(1000000000)",
    "center(1000000000)",
    "rjust(9)",
    "encode()",
    "rfind('')",
];
const TESTS: [&str; 12] = [
    "defined",
    "none",
    "string",
    "mapping",
    "iterable",
    "number",
    "even",
    "divisibleby(0)",
    "sameas(x)",
    "in(messages)",
    "eq(1)",
    "odd",
];
const OPERATORS: [&str; 16] =
    ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", ">=", "and", "or", "in", "not in"];

pub fn mutate(dice: &mut Dice, pool: &[Vec<u8>]) -> Vec<u8> {
    if dice.one_in(2) {
        let (mut made, depth) = (String::new(), 1 + dice.below(4));
        for _ in 0..dice.few(8) {
            statement(dice, depth, &mut made);
        }
        return made.into_bytes();
    }
    let Ok(mut seed) = String::from_utf8(dice.pick(pool).clone()) else { return bytes::mutate(dice, pool) };
    for _ in 0..dice.few(4) {
        // In front of a tag, or in place of what stands in one.
        let tags: Vec<usize> = seed.match_indices("{%").chain(seed.match_indices("{{")).map(|(at, _)| at).collect();
        let at = if tags.is_empty() { 0 } else { *dice.pick(&tags) };
        let mut new = String::new();
        match dice.below(5) {
            0 => statement(dice, 2, &mut new),
            1 => new = format!("{{{{ {} }}}}", expression(dice, 3)),
            2 => {
                let end = seed[at..].find('}').map_or(seed.len(), |end| at + end + 1);
                seed.replace_range(at..end, "");
            }
            3 => {
                let (from, to) = (*dice.pick(&NAMES), *dice.pick(&NAMES));
                seed = seed.replacen(from, to, 1 + dice.below(3));
            }
            _ => {
                let end = seed[at..].find('}').map_or(seed.len(), |end| at + end + 1);
                let piece = seed[at..end].to_string();
                new = piece.repeat(dice.few(256));
            }
        }
        let at = seed.floor_char_boundary(at.min(seed.len()));
        seed.insert_str(at, &new);
    }
    seed.into_bytes()
}

fn statement(dice: &mut Dice, depth: usize, made: &mut String) {
    if depth == 0 || dice.one_in(6) {
        made.push_str(&format!("{{{{ {} }}}}", expression(dice, 2)));
        return;
    }
    let value = expression(dice, depth);
    let name = *dice.pick(&NAMES);
    let (open, close) = match dice.below(15) {
        0 => (format!("{{% if {value} %}}"), "{% endif %}"),
        1 => (format!("{{% for {name} in {value} %}}"), "{% else %}x{% endfor %}"),
        2 => (format!("{{%- for {name} in {value} if {} -%}}", expression(dice, 1)), "{% endfor %}"),
        3 => (format!("{{% for {name} in {value} recursive %}}{{{{ loop({value}) }}}}"), "{% endfor %}"),
        4 => (format!("{{% set {name} = {value} %}}"), ""),
        5 => (format!("{{% set ns = namespace(a={value}) %}}{{% set ns.a = ns %}}"), "{{ ns }}"),
        6 => (format!("{{% set {name} %}}"), "{% endset %}"),
        7 => (format!("{{% macro {name}(a, b={value}) %}}{{{{ {name}(a) if a else b }}}}"), "{% endmacro %}"),
        8 => (format!("{{% call {name}() %}}"), "{% endcall %}"),
        9 => (format!("{{% filter {} %}}", dice.pick(&FILTERS)), "{% endfilter %}"),
        10 => (format!("{{% with {name} = {value} %}}"), "{% endwith %}"),
        11 => (format!("{{% block {name} %}}{{{{ self.{name}() }}}}"), "{% endblock %}"),
        12 => ("{% break %}{% continue %}{% raw %}".into(), "{% endraw %}"),
        13 => ("{% for a in range(100000) %}{% set x = x ~ x %}".into(), "{% endfor %}"),
        _ => (format!("{{% include {value} %}}{{% extends {value} %}}{{% import {value} as y %}}"), ""),
    };
    made.push_str(&open);
    for _ in 0..dice.few(3) {
        statement(dice, depth - 1, made);
    }
    // Now and then a tag stays open.
    if !dice.one_in(16) {
        made.push_str(close);
    }
}

fn expression(dice: &mut Dice, depth: usize) -> String {
    if depth == 0 {
        return match dice.below(5) {
            0 => dice.pick(&NUMBERS).to_string(),
            1 => format!("'{}'", text(dice).replace(['\'', '\\'], "").chars().take(1 << 12).collect::<String>()),
            2 => dice.pick(&["true", "none", "[]", "{}", "''", "1.5", "-1", "1e308", "()", "[[]]", "'x'"]).to_string(),
            _ => dice.pick(&NAMES).to_string(),
        };
    }
    let inner = expression(dice, depth - 1);
    match dice.below(14) {
        0..=1 => format!("{inner} | {}", dice.pick(&FILTERS)),
        2..=3 => format!("({inner}).{}", dice.pick(&METHODS)),
        4 => format!("({inner}) is {}", dice.pick(&TESTS)),
        5..=6 => format!("({inner}) {} ({})", dice.pick(&OPERATORS), expression(dice, depth - 1)),
        7 => format!("{inner}[{}]", expression(dice, depth - 1)),
        8 => format!("({inner})[{}:{}:{}]", expression(dice, 0), expression(dice, 0), expression(dice, 0)),
        9 => format!("[{inner}, {inner}]"),
        10 => format!("{{'a': {inner}}}"),
        11 => format!("range({inner})"),
        12 => {
            let (open, close) = *dice.pick(&[("(", ")"), ("[", "]"), ("not ", ""), ("-", ""), ("{'a':", "}")]);
            let count = dice.few(1 << 16);
            format!("{}{inner}{}", open.repeat(count), close.repeat(count))
        }
        _ => format!(
            "{}({inner})",
            dice.pick(&["dict", "namespace", "joiner", "cycler", "lipsum", "debug", "raise_exception", "strftime_now"])
        ),
    }
}
