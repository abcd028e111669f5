//! How fast: nobody measured that, and the page says so. What is known is how much there is to do.

use super::subject::Subject;
use super::table::{Cell, Table};
use autoneural_base::text::bytes;

/// Why there is no time.
pub const NOT_MEASURED: &str = "Not measured. Verification runs the context binaries on the emulator of the NPU, which gives the \
                                NPU's results but not its speed. Measure time on the device. What each run has to do:";

/// A line per partition: work and traffic of one run.
pub fn table(subject: &Subject) -> Table {
    let mut table =
        Table::new(&["partition", "bits", "nodes on the NPU", "multiply-adds", "weights read", "inputs", "outputs"]);
    for partition in &subject.report.partitions {
        let part = subject.parts.iter().find(|part| part.name == partition.name);
        let sizes = subject.report.sizes.as_ref();
        let sizes = sizes.and_then(|sizes| sizes.partitions.iter().find(|sizes| sizes.name == partition.name));
        let amount = |of: fn(&autoneural_app::report::PartitionSizes) -> u64| {
            sizes.map_or(Cell::Missing, |sizes| Cell::Number(bytes(of(sizes))))
        };
        let nodes = partition.npu_nodes.map_or(Cell::text("not compiled"), |nodes| {
            Cell::Number(format!("{nodes} of {}", partition.nodes)).bad_if(nodes < partition.nodes)
        });
        table.row(vec![
            Cell::text(&partition.name),
            Cell::text(&partition.weights),
            nodes,
            part.map_or(Cell::Missing, |part| Cell::Number(count(part.multiply_adds))),
            amount(autoneural_app::report::PartitionSizes::weight_bytes),
            amount(|sizes| sizes.input_bytes),
            amount(|sizes| sizes.output_bytes),
        ]);
    }
    table
}

/// A number of multiply-adds as people read it.
fn count(count: u64) -> String {
    match count {
        1_000_000_000.. => format!("{:.2} billion", count as f64 / 1e9),
        1_000_000.. => format!("{:.2} million", count as f64 / 1e6),
        _ => count.to_string(),
    }
}
