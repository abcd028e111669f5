//! The list of checks: what each looks at, its limit, and how an exception names it.

use serde_json::{Value, json};

use crate::gate::{Rule, Thresholds};

/// For people: three lines a check.
pub fn list_text(thresholds: &Thresholds) -> String {
    let width = Rule::ALL.iter().map(|rule| rule.id().len()).max().unwrap_or(0);
    let mut text = String::new();
    for &rule in Rule::ALL {
        let limits: Vec<String> =
            limits(rule, thresholds).iter().map(|(key, value)| format!("{key} = {value}")).collect();
        let limits = match (rule, limits.is_empty()) {
            (Rule::Goal, _) => "those of [goal] in the recipe".to_string(),
            (Rule::GoalLoosened, _) => "the goals in the baseline".to_string(),
            (Rule::Demands, _) => "those of --min-sqnr, --max-difference and --enough".to_string(),
            (Rule::Exception, _) => "none".to_string(),
            (_, true) => "none, every difference fails".to_string(),
            (_, false) => limits.join(", "),
        };
        let exception = match (rule.can_be_excepted(), rule.unit()) {
            (false, _) => "except: not this one; give the exception a later last_day".to_string(),
            (true, None) => format!("except: place {}; without limit", rule.stated().place),
            (true, Some(unit)) => {
                let unit = if unit.is_empty() { " a number".to_string() } else { format!(" in{unit}") };
                format!("except: place {}; limit{unit}, or without", rule.stated().place)
            }
        };
        text.push_str(&format!("{:<width$}  {}\n", rule.id(), rule.describe()));
        text.push_str(&format!("{:<width$}  limit: {limits}\n{:<width$}  {exception}\n", "", ""));
    }
    text + "\nAn exception stands in the file for --thresholds; globs (*) stand for several places or checks:\n\n\
        [[exception]]\nplace = \"vision: features\"\ncheck = \"sqnr-drop\"\nlimit = 2.0\nreason = \"a new stem\"\n\
        last_day = 2027-03-31\n"
}

/// The same as data.
pub fn list_json(thresholds: &Thresholds) -> Value {
    let entry = |&rule: &Rule| {
        let limits: serde_json::Map<String, Value> =
            limits(rule, thresholds).into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        json!({
            "check": rule.id(), "looks_at": rule.describe(), "limits": limits, "place": rule.stated().place,
            "can_be_excepted": rule.can_be_excepted(), "exception_limit": rule.unit().map(str::trim),
        })
    };
    json!({ "checks": Rule::ALL.iter().map(entry).collect::<Vec<_>>() })
}

/// Keys of the thresholds with what they say.
fn limits(rule: Rule, thresholds: &Thresholds) -> Vec<(&'static str, String)> {
    rule.stated().keys.iter().filter_map(|&key| Some((key, thresholds.value(key)?))).collect()
}
