//! The ONNX form of operators, in types of our own: this floor knows no protobuf.

use crate::ir::constant::Constant;
use crate::ir::types::{ElementType, Shape};

/// Value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Attribute {
    /// An integer.
    Int(i64),
    /// Several integers.
    Ints(Vec<i64>),
    /// A real number.
    Float(f32),
    /// Several real numbers.
    Floats(Vec<f32>),
    /// A text.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
}

/// An input of an ONNX node behind those of the operator.
#[derive(Debug, Clone, PartialEq)]
pub enum Extra {
    /// It is left out, since one behind it is there.
    Absent,
    /// A small constant tensor of one axis: what it is, and its numbers.
    Integers(&'static str, Vec<i64>),
    /// A constant tensor without axes: what it is, and its number.
    Real(&'static str, f32),
}

/// How ONNX writes an operator.
#[derive(Debug, Clone, PartialEq)]
pub struct OnnxForm {
    /// Operator of the standard set.
    pub op_type: &'static str,
    /// Attributes in the order in which they are written.
    pub attributes: Vec<(&'static str, Attribute)>,
    /// Inputs behind those of the operator.
    pub extra: Vec<Extra>,
    /// Whether it makes integers, which a `Cast` behind it makes real numbers.
    pub is_of_integers: bool,
}

impl OnnxForm {
    /// What integers are called, behind the name of the node that makes real numbers of them.
    pub const INTEGERS: &str = "/integers";

    /// An operator without attributes and without other inputs than its own.
    pub fn new(op_type: &'static str) -> Self {
        OnnxForm { op_type, attributes: vec![], extra: vec![], is_of_integers: false }
    }

    /// With integers of 64 bits as its output, which a `Cast` makes real numbers.
    pub fn of_integers(self) -> Self {
        OnnxForm { is_of_integers: true, ..self }
    }

    fn with(mut self, name: &'static str, value: Attribute) -> Self {
        self.attributes.push((name, value));
        self
    }

    /// With an attribute of an integer other than zero (see [`OnnxForm::axis`]).
    pub fn int(self, name: &'static str, value: usize) -> Self {
        debug_assert_ne!(value, 0);
        self.with(name, Attribute::Int(value as i64))
    }

    /// With an attribute of yes or no.
    pub fn flag(self, name: &'static str, value: bool) -> Self {
        self.with(name, Attribute::Int(value.into()))
    }

    /// With the attribute `axis`, counted from the end. Counted from the front, axis 0 would be lost: these messages
    /// leave zeros out, and readers that know absent from zero then take the operator's default.
    pub fn axis(self, axis: usize, rank: usize) -> Self {
        self.with("axis", Attribute::Int(axis as i64 - rank as i64))
    }

    /// With an attribute of several integers.
    pub fn ints(self, name: &'static str, values: &[usize]) -> Self {
        self.with(name, Attribute::Ints(values.iter().map(|&value| value as i64).collect()))
    }

    /// With an attribute of a real number.
    pub fn float(self, name: &'static str, value: f32) -> Self {
        self.with(name, Attribute::Float(value))
    }

    /// With an attribute of a text.
    pub fn text(self, name: &'static str, value: &str) -> Self {
        self.with(name, Attribute::Text(value.to_string()))
    }

    /// With a constant input of integers.
    pub fn integers(mut self, what: &'static str, values: &[usize]) -> Self {
        self.extra.push(Extra::Integers(what, values.iter().map(|&value| value as i64).collect()));
        self
    }

    /// With a constant input of one real number.
    pub fn real(mut self, what: &'static str, value: f32) -> Self {
        self.extra.push(Extra::Real(what, value));
        self
    }

    /// With an input that is left out.
    pub fn absent(mut self) -> Self {
        self.extra.push(Extra::Absent);
        self
    }
}

/// An input of a node that is read.
#[derive(Debug, Clone)]
pub struct OnnxInput {
    /// Sizes of the axes.
    pub shape: Shape,
    /// Type of the elements.
    pub element: ElementType,
    /// Its values, if they are known.
    pub constant: Option<Constant>,
}

/// A node that is read. Names of values are the importer's.
#[derive(Debug, Clone)]
pub struct OnnxNode {
    /// Operator of the standard set.
    pub op_type: String,
    /// Version of the operator set that the model was written for.
    pub opset: i64,
    /// Attributes by name.
    pub attributes: Vec<(String, Attribute)>,
    /// Inputs in order; none where one is left out.
    pub inputs: Vec<Option<OnnxInput>>,
    /// Number of outputs.
    pub outputs: usize,
}

/// The operator that a node stands for.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported<O> {
    /// The operator.
    pub operator: O,
    /// Which inputs of the node it reads, in its own order; the others went into attributes.
    pub inputs: Vec<usize>,
}

impl<O> Imported<O> {
    /// An operator that reads the first inputs of a node.
    pub fn new(operator: O, count: usize) -> Self {
        Imported { operator, inputs: (0..count).collect() }
    }

    /// The same with another type of operator.
    pub fn map<P>(self, turn: impl FnOnce(O) -> P) -> Imported<P> {
        Imported { operator: turn(self.operator), inputs: self.inputs }
    }
}

impl OnnxNode {
    /// Refuses attributes other than these, and a model of an older operator set than that in which they mean what they
    /// say.
    pub fn expect(&self, known: &[&str], since: i64) -> Result<(), String> {
        if self.opset < since {
            let op = &self.op_type;
            return Err(format!("{op} of operator set {} is another one; {since} or newer is wanted", self.opset));
        }
        match self.attributes.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => Err(format!("the attribute `{name}` of {} is not known", self.op_type)),
            None => Ok(()),
        }
    }

    /// The operator of the standard set without attributes and with so many inputs.
    pub fn plain<O>(&self, operator: O, inputs: usize, since: i64) -> Result<Imported<O>, String> {
        self.expect(&[], since)?;
        Ok(Imported::new(operator, inputs))
    }

    fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    fn other_kind(&self, name: &str) -> String {
        format!("the attribute `{name}` of {} is of another kind", self.op_type)
    }

    /// An attribute of an integer.
    pub fn int(&self, name: &str, default: i64) -> Result<i64, String> {
        match self.attribute(name) {
            None => Ok(default),
            Some(Attribute::Int(value)) => Ok(*value),
            Some(_) => Err(self.other_kind(name)),
        }
    }

    /// An attribute of several integers that are not negative, if it is there.
    pub fn ints(&self, name: &str) -> Result<Option<Vec<usize>>, String> {
        let Some(values) = self.signed(name)? else { return Ok(None) };
        let sizes = values.iter().map(|&value| usize::try_from(value).ok()).collect::<Option<Vec<_>>>();
        sizes.map(Some).ok_or_else(|| format!("`{name}` of {} is negative: {values:?}", self.op_type))
    }

    /// An attribute of several integers of either sign, if it is there.
    pub fn signed(&self, name: &str) -> Result<Option<Vec<i64>>, String> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Ints(values)) => Ok(Some(values.clone())),
            Some(_) => Err(self.other_kind(name)),
        }
    }

    /// An attribute of exactly so many integers, or what holds where it is left out.
    pub fn sizes<const N: usize>(&self, name: &str, default: [usize; N]) -> Result<[usize; N], String> {
        let Some(values) = self.ints(name)? else { return Ok(default) };
        <[usize; N]>::try_from(values)
            .map_err(|values| format!("`{name}` of {} is {values:?}; {N} numbers are wanted", self.op_type))
    }

    /// An attribute of a real number.
    pub fn float(&self, name: &str, default: f32) -> Result<f32, String> {
        match self.attribute(name) {
            None => Ok(default),
            Some(Attribute::Float(value)) => Ok(*value),
            Some(_) => Err(self.other_kind(name)),
        }
    }

    /// An attribute of several real numbers, if it is there.
    pub fn reals(&self, name: &str) -> Result<Option<Vec<f32>>, String> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Floats(values)) => Ok(Some(values.clone())),
            Some(_) => Err(self.other_kind(name)),
        }
    }

    /// An attribute of a text.
    pub fn text(&self, name: &str, default: &str) -> Result<String, String> {
        match self.attribute(name) {
            None => Ok(default.to_string()),
            Some(Attribute::Text(value)) => Ok(value.clone()),
            Some(_) => Err(self.other_kind(name)),
        }
    }

    /// An attribute of several texts.
    pub fn texts(&self, name: &str) -> Result<Option<Vec<String>>, String> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Texts(values)) => Ok(Some(values.clone())),
            Some(_) => Err(self.other_kind(name)),
        }
    }

    /// Refuses a text other than this one, which is the default where `is_default`.
    pub fn demand_text(&self, name: &str, wanted: &str, default: &str) -> Result<(), String> {
        match self.text(name, default)? {
            found if found == wanted => Ok(()),
            found => Err(format!("{} with `{name}` {found} is not supported; {wanted} is", self.op_type)),
        }
    }

    /// Refuses an integer other than this one, which holds where it is left out.
    pub fn demand_int(&self, name: &str, wanted: i64) -> Result<(), String> {
        match self.int(name, wanted)? {
            found if found == wanted => Ok(()),
            found => Err(format!("{} with `{name}` {found} is not supported; {wanted} is", self.op_type)),
        }
    }

    /// Refuses steps between the elements of a kernel.
    pub fn refuse_dilation(&self) -> Result<(), String> {
        match self.ints("dilations")?.unwrap_or_default() {
            steps if steps.iter().all(|&step| step == 1) => Ok(()),
            steps => Err(format!("{} with dilations {steps:?} is not supported", self.op_type)),
        }
    }

    /// An input that has to be there.
    pub fn input(&self, position: usize) -> Result<&OnnxInput, String> {
        let input = self.inputs.get(position).and_then(Option::as_ref);
        input.ok_or_else(|| format!("{} has no input {position}", self.op_type))
    }

    /// Whether an input is there.
    pub fn has(&self, position: usize) -> bool {
        self.inputs.get(position).is_some_and(Option::is_some)
    }

    /// Number of axes of the first input.
    pub fn rank(&self) -> Result<usize, String> {
        Ok(self.input(0)?.shape.len())
    }

    /// The attribute `axis`, counted from the front.
    pub fn axis(&self, default: Option<i64>) -> Result<usize, String> {
        if self.attribute("axis").is_none() && default.is_none() {
            return Err(format!("{} has no `axis`", self.op_type));
        }
        self.from_front(self.int("axis", default.unwrap_or_default())?)
    }

    /// An axis of the first input, counted from the front.
    pub fn from_front(&self, axis: i64) -> Result<usize, String> {
        let rank = self.rank()? as i64;
        let counted = if axis < 0 { axis.checked_add(rank).unwrap_or(-1) } else { axis };
        match usize::try_from(counted) {
            Ok(found) if counted < rank => Ok(found),
            _ => Err(format!("{} has no axis {axis}; its input has {rank} axes", self.op_type)),
        }
    }

    /// Refuses another number of inputs.
    pub fn demand_inputs(&self, wanted: usize) -> Result<(), String> {
        match self.inputs.len() {
            found if found == wanted => Ok(()),
            found => Err(format!("{} of {found} inputs is not supported; {wanted} are wanted", self.op_type)),
        }
    }

    /// The one real number of an input that has to be constant; none where it is left out.
    pub fn real(&self, position: usize) -> Result<Option<f32>, String> {
        if !self.has(position) {
            return Ok(None);
        }
        let refused = |what: &str| Err(format!("input {position} of {} is {what}", self.op_type));
        let input = self.input(position)?;
        match &input.constant {
            Some(constant) if !constant.element_type().is_real() => refused("of integers; a real number is wanted"),
            Some(constant) if input.shape.iter().product::<usize>() != 1 => refused("several numbers; one is wanted"),
            Some(constant) => Ok(constant.to_f32().first().copied()),
            None => refused("computed; a constant is wanted"),
        }
    }

    /// The real numbers of an input that has to be constant; none where it is left out.
    pub fn real_numbers(&self, position: usize) -> Result<Option<Vec<f32>>, String> {
        if !self.has(position) {
            return Ok(None);
        }
        match &self.input(position)?.constant {
            Some(constant) if constant.element_type().is_real() => Ok(Some(constant.to_f32())),
            Some(_) => Err(format!("input {position} of {} is of integers; real numbers are wanted", self.op_type)),
            None => Err(format!("input {position} of {} is computed; a constant is wanted", self.op_type)),
        }
    }

    /// The integers of an input that has to be constant; none where it is left out.
    pub fn integers(&self, position: usize) -> Result<Option<Vec<i64>>, String> {
        if !self.has(position) {
            return Ok(None);
        }
        let input = self.input(position)?;
        match &input.constant {
            Some(constant) if !constant.element_type().is_real() => Ok(Some(constant.to_i64())),
            Some(_) => Err(format!("input {position} of {} is real; integers are wanted", self.op_type)),
            None => Err(format!("input {position} of {} is computed; a constant is wanted", self.op_type)),
        }
    }
}
