//! The float reference against ONNX Runtime.

use autoneural::bundle::Bundle;
use autoneural::engine::{Engine, Tensor};
use autoneural::host::{Codec, Sequence};

use crate::common::parity::{DECODE, Model, PARITY_DB, PREFILL, PROJECTOR, VISION, assert_parity};
use crate::common::{Golden, demo_bundle, runtime};

#[test]
fn float_models_on_onnx_runtime_equal_tract() {
    let golden = Golden::open();
    let bundle = Bundle::look(demo_bundle()).unwrap();
    let mut model = Model::open(demo_bundle());
    let definition = model.definition.clone();
    let embeds = golden.get("embeds");
    let mut sequence = Sequence::new(&definition.language, Codec::Float);
    for at in [VISION, PROJECTOR, PREFILL, DECODE] {
        let partition = model.partitions[at].clone();
        let input = |name: &str| vec![Tensor::f32(golden.shape(name), golden.get(name))];
        let tokens = if at == PREFILL { definition.language.prefill } else { 1 };
        let inputs = match at {
            VISION => input("vision.input"),
            PROJECTOR => input("projector.input"),
            _ => sequence.inputs(&partition, &embeds[..tokens * definition.language.hidden]).unwrap(),
        };
        let wanted = model.run(at, &inputs);
        let mut session = runtime().simulate(&partition, &bundle.float_model(&partition)).unwrap();
        let made = session.run(&inputs).unwrap();
        for ((port, wanted), made) in partition.outputs.iter().zip(&wanted).zip(&made) {
            let what = format!("tract and ONNX Runtime, {} {}", partition.name, port.name);
            assert_parity(&what, wanted.as_f32().unwrap(), made.as_f32().unwrap(), PARITY_DB);
        }
        if at == PREFILL {
            sequence.absorb(&partition, &wanted, tokens).unwrap();
        }
    }
}
