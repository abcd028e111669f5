//! SARIF 2.1.0 (OASIS standard, <https://docs.oasis-open.org/sarif/sarif/v2.1.0/>): a result for everything that got
//! worse, could not be judged, or has a warning, at its line in the baseline; what an exception accepts is suppressed.

use serde_json::{Value, json};

use super::statement::Statement;
use super::words::{cause_message, follow, message};
use crate::gate::{Check, Judgement, Outcome, Rule, plain};
use autoneural_base::error::{Error, Result};

/// Name of the repository's root (section 3.14.14), as the specification's examples and readers have it.
const ROOT: &str = "%SRCROOT%";

/// The whole file.
///
/// # Errors
/// None that a user can cause.
pub fn sarif(statement: &Statement) -> Result<String> {
    let rules: Vec<Value> = Rule::ALL
        .iter()
        .map(|rule| json!({ "id": rule.id(), "shortDescription": { "text": rule.describe() } }))
        .collect();
    let (results, invocation) = match statement.result {
        Ok(judgement) => {
            let results = results(statement, judgement);
            let exit = judgement.verdict.exit_status();
            (results, json!({ "executionSuccessful": exit != 2, "exitCode": exit }))
        }
        Err(why) => {
            let notification = json!({ "level": "error", "message": { "text": plain(why) } });
            let invocation = json!({
                "executionSuccessful": false, "exitCode": 2, "toolExecutionNotifications": [notification],
            });
            (vec![], invocation)
        }
    };
    let mut log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "autoneural gate",
                "version": autoneural_base::version::VERSION,
                "rules": rules,
            }},
            "invocations": [invocation],
            "results": results,
        }],
    });
    if let Some(uri) = statement.located.root_uri() {
        log["runs"][0]["originalUriBaseIds"] = json!({ ROOT: { "uri": uri } });
    }
    let text = serde_json::to_string_pretty(&log).map_err(|error| Error::internal("SARIF", error))?;
    Ok(text + "\n")
}

/// The causes with what follows from them, then the rest.
fn results(statement: &Statement, judgement: &Judgement) -> Vec<Value> {
    let mut made = Vec::new();
    for cause in &judgement.causes {
        let mut top = result(statement, &judgement.checks[cause.check]);
        if let (Some(top), Some(follow)) = (&mut top, follow(judgement, cause)) {
            top["message"]["text"] = json!(format!("{}; {follow}", cause_message(judgement, cause)));
            top["properties"] = json!({ "follow": cause.follows.len() });
        }
        made.extend(top);
        for &at in &cause.follows {
            let mut one = result(statement, &judgement.checks[at]);
            if let Some(one) = &mut one {
                one["properties"] = json!({ "followsFrom": cause_message(judgement, cause) });
            }
            made.extend(one);
        }
    }
    let rest = judgement.checks.iter().filter(|check| check.outcome != Outcome::Failed);
    made.extend(rest.filter_map(|check| result(statement, check)));
    made
}

fn result(statement: &Statement, check: &Check) -> Option<Value> {
    let level = match check.outcome {
        Outcome::Failed | Outcome::Unjudged => "error",
        Outcome::Excepted => "note",
        Outcome::Warning => "warning",
        Outcome::Skipped | Outcome::Passed => return None,
    };
    let place = plain(&check.place.to_string());
    let mut artifact = json!({ "uri": statement.located.uri() });
    if statement.located.root.is_some() {
        artifact["uriBaseId"] = json!(ROOT);
    }
    let mut result = json!({
        "ruleId": check.rule.id(),
        "ruleIndex": Rule::ALL.iter().position(|rule| *rule == check.rule),
        "level": level,
        "message": { "text": format!("{place}: {}", message(check)) },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": artifact,
                "region": { "startLine": statement.line(check.rule, &check.place) },
            },
            "logicalLocations": [{ "fullyQualifiedName": place }],
        }],
    });
    // Section 3.35: what a reader of results is to leave out, and why.
    if let (Outcome::Excepted, Some(exception)) = (check.outcome, &check.exception) {
        let justification = plain(&exception.to_string());
        let properties = json!({ "lastDay": exception.last_day, "daysLeft": exception.days_left });
        result["suppressions"] = json!([{
            "kind": "external", "status": "accepted", "justification": justification, "properties": properties,
        }]);
    }
    Some(result)
}
