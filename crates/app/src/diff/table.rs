//! What was found, as text.

use super::layer::{CompiledOutput, Diff, Layer};
use autoneural_base::shown::in_line;
use autoneural_base::text::columns;

/// Layers that are listed on either side of the first fault where not all are.
const AROUND: usize = 3;
/// Layers that are listed where nothing is wrong: those that add most noise.
const MOST_NOISY: usize = 10;

/// The faults on top, then the layers in order: all of them, or those next to a fault, or those that add most noise.
pub fn table(diff: &Diff, all: bool) -> String {
    let mut text = String::new();
    for (at, layer) in diff.broken().enumerate() {
        let Some(fault) = &layer.fault else { continue };
        let title = if at == 0 { "first fault" } else { "then" };
        let node = if layer.node == layer.name { String::new() } else { format!(", node {}", layer.node) };
        text.push_str(&format!("{title}: {}\n", in_line(&format!("{} ({}{node})", layer.name, layer.op))));
        text.push_str(&format!("  {}: {}\n  change: {}\n", fault.cause, in_line(&fault.what), fault.change));
    }
    if diff.faults.is_empty() {
        let (count, on) = (diff.layers.len(), diff.on);
        text.push_str(&format!("no fault in {count} layers, {on}\n"));
    }
    text.push_str(&compiled(diff));
    let on_npu = diff.on == "npu";
    let mut rows = vec![vec!["layer", "operator", "so far", "alone", "allowed", "adds", "saturates", "range used"]];
    if on_npu {
        rows[0].insert(4, "simulated");
    }
    let mut rows: Vec<Vec<String>> = rows.into_iter().map(|row| row.into_iter().map(String::from).collect()).collect();
    rows.extend(shown(diff, all).map(|layer| row(layer, on_npu)));
    text.push('\n');
    text.push_str(&match on_npu {
        true => columns(&rows.iter().map(|row| cells::<9>(row)).collect::<Vec<_>>()),
        false => columns(&rows.iter().map(|row| cells::<8>(row)).collect::<Vec<_>>()),
    });
    let listed = rows.len() - 1;
    if listed < diff.layers.len() {
        text.push_str(&format!("({listed} of {} layers; --all lists all)\n", diff.layers.len()));
    }
    let refused: Vec<String> = diff
        .layers
        .iter()
        .filter(|one| one.refused.is_some())
        .map(|one| format!("{} ({})", one.node, one.op))
        .collect();
    if !refused.is_empty() {
        text.push_str(&format!(
            "left to the CPU, as the NPU's compiler does not take them: {}\n",
            in_line(&refused.join(", "))
        ));
    }
    if diff.left > 0 {
        text.push_str(&format!("{} operators behind were not compared: --first\n", diff.left));
    }
    if diff.unpaired > 0 {
        text.push_str(&format!(
            "{} values have no counterpart in the float model and are not compared\n",
            diff.unpaired
        ));
    }
    text.push_str(&format!("input: {}\n", in_line(&diff.input)));
    text
}

/// The outputs of the network as it is compiled.
fn compiled(diff: &Diff) -> String {
    let Some(found) = &diff.compiled else { return String::new() };
    if let Some(refused) = &found.refused {
        return format!("not compared as it is compiled: {}\n", in_line(refused));
    }
    let decibels = |value: Option<f64>| value.map_or("-".to_string(), |value| format!("{value:.1} dB"));
    let line = |output: &CompiledOutput| {
        let (db, parts) = (decibels(Some(output.compiled_db)), decibels(output.in_parts_db));
        format!("as it is compiled, {} reaches {db}; with every value as an output {parts}\n", in_line(&output.name))
    };
    found.outputs.iter().map(line).collect()
}

fn cells<const N: usize>(row: &[String]) -> [String; N] {
    std::array::from_fn(|at| row.get(at).cloned().unwrap_or_default())
}

/// The layers that are listed.
fn shown(diff: &Diff, all: bool) -> impl Iterator<Item = &Layer> {
    let faults: Vec<usize> =
        diff.layers.iter().enumerate().filter(|(_, one)| one.fault.is_some()).map(|(at, _)| at).collect();
    let mut noise: Vec<f64> = diff.layers.iter().filter_map(|layer| layer.added_percent).collect();
    noise.sort_by(|a, b| b.total_cmp(a));
    let least = noise.get(MOST_NOISY - 1).copied().unwrap_or(0.0);
    diff.layers
        .iter()
        .enumerate()
        .filter(move |(at, layer)| {
            let near = |fault: &usize| (fault.saturating_sub(AROUND)..=fault + AROUND).contains(at);
            all || match faults.is_empty() {
                true => layer.added_percent.is_some_and(|added| added >= least),
                false => faults.iter().any(near) || *at + 1 == diff.layers.len(),
            }
        })
        .map(|(_, layer)| layer)
}

fn row(layer: &Layer, on_npu: bool) -> Vec<String> {
    let decibels = |value: Option<f64>| value.map_or("-".to_string(), |value| format!("{value:.1} dB"));
    let percent = |value: Option<f64>| value.map_or("-".to_string(), |value| format!("{value:.1} %"));
    let mark = if layer.fault.is_some() { "* " } else { "  " };
    let (so_far, alone) = match on_npu {
        true => (layer.so_far_db.npu, layer.alone_db.npu),
        false => (layer.so_far_db.simulated, layer.alone_db.simulated),
    };
    let mut row = vec![format!("{mark}{}", layer.name), layer.op.clone(), decibels(so_far), decibels(alone)];
    if on_npu {
        row.push(decibels(layer.alone_db.simulated));
    }
    row.push(decibels(layer.expected_db));
    row.extend([layer.added_percent, layer.saturation_percent, layer.range_use_percent].map(percent));
    row
}
