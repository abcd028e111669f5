//! The outputs that are compared, and the one whose classes are counted.

use autoneural_base::error::{Error, Result};
use autoneural_core::ir::{ElementType, Shape};
use autoneural_core::partition::Partition;

/// An output of a graph.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Output {
    /// Its name, as `graph/output`.
    pub name: String,
    /// The graph's place in the program.
    pub partition: usize,
    /// Its place among the outputs of the graph.
    pub port: usize,
    /// Sizes of its axes.
    pub shape: Shape,
}

/// The output whose classes are counted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Counted {
    /// Its name.
    pub name: String,
    /// Its place among the outputs.
    pub at: usize,
    /// Number of classes.
    pub classes: usize,
}

/// All outputs of all graphs.
pub(crate) fn outputs(partitions: &[Partition]) -> Vec<Output> {
    let of = |(at, partition): (usize, &Partition)| {
        let port =
            move |(port, (of, id)): (usize, (&autoneural_core::partition::Port, &autoneural_core::ir::ValueId))| {
                let shape = partition.graph.value(*id).shape.clone();
                Output { name: format!("{}/{}", partition.name, of.name), partition: at, port, shape }
            };
        partition.outputs.iter().zip(partition.graph.outputs()).enumerate().map(port).collect::<Vec<_>>()
    };
    partitions.iter().enumerate().flat_map(of).collect()
}

/// The output whose classes are counted: the one that was named, or the only one with a number for each class.
///
/// # Errors
/// None has such numbers or several have, or there is none of that name.
pub(crate) fn counted(outputs: &[Output], partitions: &[Partition], named: Option<&str>) -> Result<Counted> {
    let classes = |output: &Output| {
        let count: usize = output.shape.iter().product();
        let partition = &partitions[output.partition];
        let element = partition.graph.value(partition.graph.outputs()[output.port]).element;
        (count > 1 && output.shape.contains(&count) && element == ElementType::F32).then_some(count)
    };
    let listed: Vec<String> = outputs.iter().map(|output| format!("`{}` {:?}", output.name, output.shape)).collect();
    let help = format!("outputs are {}", listed.join(", "));
    let is_named = |output: &Output| match named {
        Some(name) => output.name == name || output.name.split_once('/').is_some_and(|(_, alone)| alone == name),
        None => classes(output).is_some(),
    };
    let fit: Vec<usize> = (0..outputs.len()).filter(|&at| is_named(&outputs[at])).collect();
    match (fit.as_slice(), named) {
        (&[at], _) => {
            let name = outputs[at].name.clone();
            match classes(&outputs[at]) {
                Some(classes) => Ok(Counted { name, at, classes }),
                None => Err(Error::input(format!("--output {name}"), "has no number for each class").help(help)),
            }
        }
        ([], Some(name)) => Err(Error::input(format!("--output {name}"), "is the output of no graph").help(help)),
        ([], None) => Err(Error::input("", "has labels, and no output of the model has a number for each class")
            .help(format!("{help}; --unlabelled leaves the labels out"))),
        (_, _) => Err(Error::input("", "has labels, and several outputs may be meant")
            .help(format!("name one with --output; {help}"))),
    }
}
