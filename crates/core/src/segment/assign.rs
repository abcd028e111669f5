//! Who carries out which node: in come where each node may go and what a border costs at each place, out goes the
//! assignment whose borders cost least, by dynamic programming along the order of the nodes.

use super::unit::Device;

/// Where a node may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// To the NPU only.
    Npu,
    /// To the CPU only.
    Cpu,
    /// To either.
    Either,
}

impl Choice {
    fn allows(self, device: Device) -> bool {
        match self {
            Choice::Either => true,
            Choice::Npu => device == Device::Npu,
            Choice::Cpu => device == Device::Cpu,
        }
    }
}

/// Bytes over all borders, then nodes on the CPU, then borders: of two that cost the same the one is taken that leaves
/// more to the NPU, then the one with fewer pieces.
type Cost = (u64, usize, usize);

const DEVICES: [Device; 2] = [Device::Npu, Device::Cpu];

/// The cheapest assignment of nodes to devices. `border[p]` is what a change of device before node `p` costs; the first
/// node may go anywhere for nothing.
pub fn assign(choices: &[Choice], border: &[u64]) -> Vec<Device> {
    // Cheapest way to each device so far, and from which device it came, node by node.
    let mut best: [Option<Cost>; 2] = [Some((0, 0, 0)); 2];
    let mut came_from: Vec<[usize; 2]> = Vec::with_capacity(choices.len());
    for (at, choice) in choices.iter().enumerate() {
        let (mut next, mut from) = ([None; 2], [0, 1]);
        for (to, &device) in DEVICES.iter().enumerate().filter(|(_, device)| choice.allows(**device)) {
            for (before, cost) in best.iter().enumerate() {
                let Some((bytes, nodes, borders)) = *cost else { continue };
                let is_border = at > 0 && before != to;
                let cost = (
                    bytes + if is_border { border[at] } else { 0 },
                    nodes + usize::from(device == Device::Cpu),
                    borders + usize::from(is_border),
                );
                if next[to].is_none_or(|known| cost < known) {
                    (next[to], from[to]) = (Some(cost), before);
                }
            }
        }
        best = next;
        came_from.push(from);
    }
    let mut device = usize::from(best[0].is_none_or(|npu| best[1].is_some_and(|cpu| cpu < npu)));
    let mut made = Vec::with_capacity(choices.len());
    for from in came_from.iter().rev() {
        made.push(DEVICES[device]);
        device = from[device];
    }
    made.reverse();
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cost(devices: &[Device], border: &[u64]) -> Cost {
        let borders: Vec<usize> = (1..devices.len()).filter(|&at| devices[at] != devices[at - 1]).collect();
        let nodes = devices.iter().filter(|device| **device == Device::Cpu).count();
        (borders.iter().map(|&at| border[at]).sum(), nodes, borders.len())
    }

    /// Every assignment that the choices allow.
    fn all(choices: &[Choice]) -> Vec<Vec<Device>> {
        choices.iter().fold(vec![vec![]], |made, choice| {
            let longer = |device: Device| made.iter().map(move |before| [before.as_slice(), &[device]].concat());
            DEVICES.into_iter().filter(|device| choice.allows(*device)).flat_map(longer).collect()
        })
    }

    fn choice() -> impl Strategy<Value = Choice> {
        prop_oneof![Just(Choice::Npu), Just(Choice::Cpu), Just(Choice::Either)]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn no_other_assignment_is_cheaper(
            (choices, border) in (1usize..10).prop_flat_map(|count| (
                prop::collection::vec(choice(), count), prop::collection::vec(0u64..5, count + 1),
            )),
        ) {
            let made = assign(&choices, &border);
            prop_assert!(made.iter().zip(&choices).all(|(device, choice)| choice.allows(*device)));
            let least = all(&choices).iter().map(|other| cost(other, &border)).min();
            prop_assert_eq!(Some(cost(&made, &border)), least);
        }
    }

    #[test]
    fn without_a_node_that_must_go_to_the_cpu_nothing_does() {
        assert_eq!(assign(&[Choice::Either, Choice::Npu, Choice::Either], &[0; 4]), [Device::Npu; 3]);
        assert_eq!(assign(&[], &[0]), []);
    }

    #[test]
    fn neighbours_follow_where_the_border_is_smaller() {
        use Choice::{Cpu, Either, Npu};
        use Device::{Cpu as C, Npu as N};
        assert_eq!(assign(&[Npu, Either, Cpu, Either, Npu], &[0, 2, 9, 9, 2, 0]), [N, C, C, C, N]);
        assert_eq!(assign(&[Npu, Either, Cpu, Either, Npu], &[0, 9, 2, 2, 2, 0]), [N, N, C, N, N]);
    }
}
