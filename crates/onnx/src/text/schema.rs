//! The messages of the schema as the crate `protobuf` knows them: made at run time, of the committed descriptors.

use autoneural_base::error::{Error, Result};
use protobuf::Message;
use protobuf::descriptor::FileDescriptorProto;
use protobuf::reflect::{FileDescriptor, MessageDescriptor, RuntimeFieldType, RuntimeType};

/// Most messages of a model; each takes about 2 kB while it is read or printed.
pub const MOST_MESSAGES: usize = 1 << 17;
/// Most values of all fields together.
pub const MOST_VALUES: usize = 1 << 22;
/// Most messages in each other; protobuf's own bound for the binary form.
pub const MOST_NESTED: usize = 100;

/// The descriptors.
pub struct Schema {
    /// `ModelProto`.
    pub model: MessageDescriptor,
}

impl Schema {
    /// The schema of [`crate::ModelProto`].
    ///
    /// # Errors
    /// The committed descriptors are damaged.
    pub fn new() -> Result<Self> {
        let broken = |message: String| Error::internal("generated.desc", message);
        let mut file = FileDescriptorProto::parse_from_bytes(include_bytes!("../generated.desc"))
            .map_err(|error| broken(error.to_string()))?;
        // So that a field that is set to 0 is told from one that is not set, as `onnx` itself does.
        file.syntax = Some("proto2".into());
        let file = FileDescriptor::new_dynamic(file, &[]).map_err(|error| broken(error.to_string()))?;
        let model = file.message_by_package_relative_name("ModelProto");
        model.map(|model| Schema { model }).ok_or_else(|| broken("has no ModelProto".into()))
    }
}

/// Refuses more messages or values in the binary form than there may be.
///
/// # Errors
/// Says in words what there is too much of.
pub fn refuse_many(bytes: &[u8], model: &MessageDescriptor) -> Result<(), String> {
    let (mut messages, mut values) = (0, 0);
    let mut open = vec![(bytes, model.clone())];
    while let Some((mut rest, descriptor)) = open.pop() {
        messages += 1;
        while let Some((number, value)) = field(&mut rest) {
            let kind = descriptor.field_by_number(number).map(|field| field.runtime_field_type());
            match (kind, value) {
                (
                    Some(
                        RuntimeFieldType::Singular(RuntimeType::Message(of))
                        | RuntimeFieldType::Repeated(RuntimeType::Message(of)),
                    ),
                    Some(inner),
                ) => open.push((inner, of)),
                (Some(RuntimeFieldType::Repeated(RuntimeType::F32)), Some(packed)) => values += packed.len() / 4,
                (Some(RuntimeFieldType::Repeated(RuntimeType::F64)), Some(packed)) => values += packed.len() / 8,
                (Some(RuntimeFieldType::Repeated(RuntimeType::VecU8 | RuntimeType::String)), _) => values += 1,
                // The last byte of a number is below 128.
                (Some(RuntimeFieldType::Repeated(_)), Some(packed)) => {
                    values += packed.iter().filter(|&&byte| byte < 0x80).count();
                }
                _ => values += 1,
            }
        }
        if messages + open.len() > MOST_MESSAGES {
            return Err(format!("has more than {MOST_MESSAGES} messages"));
        }
        if values > MOST_VALUES {
            return Err(format!("has more than {MOST_VALUES} values"));
        }
    }
    Ok(())
}

/// The next field: its number, and its bytes where it has a length. What is damaged ends the message.
fn field<'a>(rest: &mut &'a [u8]) -> Option<(u32, Option<&'a [u8]>)> {
    let tag = varint(rest)?;
    let mut take = |count: u64| -> Option<&'a [u8]> {
        let (taken, left) = rest.split_at_checked(usize::try_from(count).ok()?)?;
        *rest = left;
        Some(taken)
    };
    let value = match tag & 7 {
        0 => varint(rest).map(|_| None)?,
        1 => take(8).map(|_| None)?,
        5 => take(4).map(|_| None)?,
        2 => {
            let count = varint(rest)?;
            let (taken, left) = rest.split_at_checked(usize::try_from(count).ok()?)?;
            *rest = left;
            Some(taken)
        }
        _ => return None,
    };
    Some((u32::try_from(tag >> 3).ok()?, value))
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut made = 0u64;
    for at in 0..10 {
        let (&byte, left) = rest.split_first()?;
        *rest = left;
        made |= u64::from(byte & 0x7f) << (7 * at).min(63);
        if byte < 0x80 {
            return Some(made);
        }
    }
    None
}
