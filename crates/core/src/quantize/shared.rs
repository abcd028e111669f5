//! Values that share one encoding, for those who choose it.

use std::collections::BTreeMap;

use super::ties::Ties;
use crate::ir::ElementType;
use crate::partition::Partition;
use crate::program::Group;

/// Values of a group that share one encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// Their names, in the order in which the graphs make them.
    pub values: Vec<String>,
    /// Whether one of them enters or leaves a graph, so that others depend on its integers.
    pub is_at_border: bool,
}

/// The classes of a group's values, in the order in which the graphs make the first of each.
pub fn shared(partitions: &[Partition], group: &Group) -> Vec<Shared> {
    let ties = Ties::new(partitions);
    let (mut made, mut places): (Vec<Shared>, BTreeMap<usize, usize>) = Default::default();
    for partition in partitions.iter().filter(|partition| partition.group == *group) {
        let graph = &partition.graph;
        let made_by_nodes = graph.nodes().iter().flat_map(|node| &node.outputs);
        for &id in graph.inputs().iter().chain(made_by_nodes) {
            let value = graph.value(id);
            let Some(class) = ties.class(group, &value.name).filter(|_| value.element == ElementType::F32) else {
                continue;
            };
            let place = *places.entry(class).or_insert(made.len());
            if place == made.len() {
                made.push(Shared { values: vec![], is_at_border: false });
            }
            let one = &mut made[place];
            one.is_at_border |= graph.inputs().contains(&id) || graph.outputs().contains(&id);
            if !one.values.contains(&value.name) {
                one.values.push(value.name.clone());
            }
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, ops};
    use crate::partition::Port;
    use crate::passes::as_built;

    #[test]
    fn what_is_only_moved_is_one_class_and_ports_are_at_the_border() {
        let mut b = Builder::new("g");
        let x = b.input("x", vec![1, 4], ElementType::F32).unwrap();
        let inner = b.node("inner", ops::Relu, &[x]).unwrap();
        let moved = b.node("moved", ops::Reshape { shape: vec![2, 2] }, &[inner]).unwrap();
        let y = b.node("y", ops::Neg, &[moved]).unwrap();
        let partition = Partition {
            name: "g".into(),
            group: Group::fixed("g"),
            graph: as_built(&b.finish(vec![y])).unwrap(),
            inputs: vec![Port::plain("x".into())],
            outputs: vec![Port::plain("y".into())],
        };
        let of = |values: &[&str], is_at_border| Shared {
            values: values.iter().map(ToString::to_string).collect(),
            is_at_border,
        };
        let wanted = [of(&["x"], true), of(&["inner", "moved"], false), of(&["y"], true)];
        assert_eq!(shared(&[partition], &Group::fixed("g")), wanted);
    }
}
