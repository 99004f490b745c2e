//! What a model takes and gives, read from its ONNX before tract sees it: pictures
//! in, one or two numbers a picture out, operators that tract knows.

use super::reading::Layout;
use std::collections::BTreeMap;
use std::collections::HashSet;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Dimension;
use tract_onnx::pb::type_proto::Value as Type;
use tract_onnx::pb::{GraphProto, ModelProto, ValueInfoProto};
use tract_onnx::prelude::*;

/// Why a model is no detector that can be run here.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// Not one input of pictures.
    #[error(
        "takes {0}; a detector here takes one input of square pictures in 32-bit floats, N x 3 x res x res or N x res x res x 3"
    )]
    Input(String),
    /// Not one or two numbers a picture.
    #[error(
        "gives {0}; a detector here gives one or two numbers a picture, [N], [N, 1] or [N, 2]: logits or probabilities"
    )]
    Output(String),
    /// The file leaves the size open and nobody said it.
    #[error("leaves its input's size open; say with --res how many pixels its pictures have")]
    OpenSize,
    /// The size asked for is not the file's.
    #[error("takes pictures of {file} px, not {asked} px; its metadata or --res is wrong")]
    OtherSize {
        /// The graph's.
        file: usize,
        /// The metadata's or the caller's.
        asked: usize,
    },
    /// tract lacks operators.
    #[error("needs operators that tract does not have: {0}; export it without them")]
    Operators(String),
    /// A tensor cannot be read.
    #[error("tensor {name:?} {reason}; export the model again, with its weights inside")]
    Tensor {
        /// The tensor.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// The shape a plan is made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signature {
    /// The input's name.
    pub input: String,
    /// Its shape as the file has it: "\[?, 3, 224, 224\]".
    pub declared: String,
    /// Pictures a run.
    pub batch: usize,
    /// Side of a picture in pixels.
    pub res: usize,
    /// Where the channels stand.
    pub layout: Layout,
}

impl Signature {
    /// Checks `proto` and fixes what it leaves open: the batch to `batch`, the
    /// size to `res`, the channels' place to `layout`.
    pub fn of(
        proto: &ModelProto,
        batch: usize,
        res: Option<usize>,
        layout: Option<Layout>,
    ) -> Result<Self, SignatureError> {
        let empty = GraphProto::default();
        let graph = proto.graph.as_ref().unwrap_or(&empty);
        check_operators(graph)?;
        check_tensors(graph)?;
        check_wires(graph)?;
        let input = the_input(graph)?;
        let dimensions = input_dimensions(input)?;
        let declared = shape_text(&dimensions);
        let described = || SignatureError::Input(format!("an input of shape {declared}"));
        let as_layout = |layout| SignatureError::Input(format!("an input of shape {declared}, not {layout}"));
        let [images, one, two, three] = dimensions[..] else {
            return Err(described());
        };
        let found = channels_at(one, three).ok_or_else(described)?;
        let layout = layout.unwrap_or(found);
        let (channels, sides) = match layout {
            Layout::Nchw => (one, [two, three]),
            Layout::Nhwc => (three, [one, two]),
        };
        if channels.is_some_and(|count| count != 3) {
            return Err(as_layout(layout));
        }
        let side = match sides {
            [Some(height), Some(width)] if height != width => return Err(described()),
            [height, width] => height.or(width),
        };
        if images == Some(0) || side == Some(0) || res == Some(0) {
            return Err(described());
        }
        let res = match (side, res) {
            (Some(file), Some(asked)) if file != asked => {
                return Err(SignatureError::OtherSize { file, asked });
            }
            (Some(size), _) | (None, Some(size)) => size,
            (None, None) => return Err(SignatureError::OpenSize),
        };
        Ok(Self { input: input.name.clone(), declared, batch: images.unwrap_or(batch), res, layout })
    }

    /// The input's shape.
    pub fn shape(&self) -> [usize; 4] {
        match self.layout {
            Layout::Nchw => [self.batch, 3, self.res, self.res],
            Layout::Nhwc => [self.batch, self.res, self.res, 3],
        }
    }

    /// Checks the output's type and shape, which only the optimised graph knows, and
    /// gives how many numbers it has a picture: 1 or 2.
    pub fn outputs(&self, plan: &TypedSimplePlan) -> Result<usize, SignatureError> {
        let model = plan.model();
        if model.outputs.len() != 1 {
            return Err(SignatureError::Output(format!("{} outputs", model.outputs.len())));
        }
        let unknown = |error: TractError| SignatureError::Output(format!("an unknown output ({error})"));
        let fact = model.output_fact(0).map_err(unknown)?;
        let described = || SignatureError::Output(format!("{fact:?}"));
        let shape = fact.shape.as_concrete().ok_or_else(described)?;
        if fact.datum_type != f32::datum_type() {
            return Err(described());
        }
        // A batch of one picture may have lost its own dimension.
        let of_one = match shape {
            [first, rest @ ..] if *first == self.batch => rest,
            whole if self.batch == 1 => whole,
            _ => return Err(described()),
        };
        match of_one.iter().product() {
            count @ 1..=2 => Ok(count),
            count => Err(SignatureError::Output(format!("{count} numbers a picture ({fact:?})"))),
        }
    }
}

/// The layout in which the dimension of the channels is 3, or at least open.
fn channels_at(second: Option<usize>, last: Option<usize>) -> Option<Layout> {
    match (second, last) {
        (Some(3), _) => Some(Layout::Nchw),
        (_, Some(3)) => Some(Layout::Nhwc),
        (None, _) => Some(Layout::Nchw),
        (_, None) => Some(Layout::Nhwc),
        _ => None,
    }
}

/// The one input that is no initializer.
fn the_input(graph: &GraphProto) -> Result<&ValueInfoProto, SignatureError> {
    let constants: HashSet<&str> = graph.initializer.iter().map(|it| it.name.as_str()).collect();
    let inputs: Vec<_> =
        graph.input.iter().filter(|input| !constants.contains(input.name.as_str())).collect();
    match inputs[..] {
        [input] => Ok(input),
        _ => Err(SignatureError::Input(format!("{} inputs", inputs.len()))),
    }
}

/// The dimensions of a float tensor, `None` where the file leaves one open.
fn input_dimensions(input: &ValueInfoProto) -> Result<Vec<Option<usize>>, SignatureError> {
    let wrong = |what: &str| SignatureError::Input(format!("{:?}, {what}", input.name));
    let Some(Type::TensorType(tensor)) = input.r#type.as_ref().and_then(|it| it.value.as_ref()) else {
        return Err(wrong("which has no type"));
    };
    if tensor.elem_type != DataType::Float as i32 {
        return Err(wrong("which is not of 32-bit floats"));
    }
    let shape = tensor.shape.as_ref().ok_or_else(|| wrong("which has no shape"))?;
    let dimension = |value: &Option<Dimension>| match value {
        Some(Dimension::DimValue(size)) => {
            usize::try_from(*size).map(Some).map_err(|_| wrong("which has a negative size"))
        }
        Some(Dimension::DimParam(_)) | None => Ok(None),
    };
    shape.dim.iter().map(|dim| dimension(&dim.value)).collect()
}

fn shape_text(dimensions: &[Option<usize>]) -> String {
    let sizes: Vec<_> =
        dimensions.iter().map(|size| size.map_or_else(|| "?".to_owned(), |size| size.to_string())).collect();
    format!("[{}]", sizes.join(", "))
}

/// Every operator of the graph and its branches must be one that tract reads.
fn check_operators(graph: &GraphProto) -> Result<(), SignatureError> {
    let known = tract_onnx::onnx().op_register;
    let mut missing = BTreeMap::new();
    let mut graphs = vec![graph];
    while let Some(graph) = graphs.pop() {
        for node in &graph.node {
            graphs.extend(node.attribute.iter().filter_map(|attribute| attribute.g.as_ref()));
            if !known.0.contains_key(&node.op_type) {
                missing.entry(node.op_type.as_str()).or_insert(node.name.as_str());
            }
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let named: Vec<_> =
        missing.iter().map(|(operator, node)| format!("{operator} (node {node:?})")).collect();
    Err(SignatureError::Operators(named.join(", ")))
}

/// Every tensor must be as long as its shape says.
fn check_tensors(graph: &GraphProto) -> Result<(), SignatureError> {
    for tensor in &graph.initializer {
        let wrong = |reason: &str| {
            Err(SignatureError::Tensor { name: tensor.name.clone(), reason: reason.to_owned() })
        };
        let count = tensor
            .dims
            .iter()
            .try_fold(1usize, |count, &size| count.checked_mul(usize::try_from(size).ok()?));
        let Some(bytes) = count.and_then(|count| count.checked_mul(4)) else {
            return wrong("has an impossible shape");
        };
        let float = tensor.data_type == DataType::Float as i32;
        if float && bytes != tensor.raw_data.len().max(4 * tensor.float_data.len()) {
            return wrong("holds fewer or more numbers than its shape says");
        }
    }
    Ok(())
}

/// The outputs must be values that the graph makes.
fn check_wires(graph: &GraphProto) -> Result<(), SignatureError> {
    let inputs = graph.input.iter().map(|input| &input.name);
    let constants = graph.initializer.iter().map(|tensor| &tensor.name);
    let made = graph.node.iter().flat_map(|node| &node.output);
    let known: HashSet<&String> = inputs.chain(constants).chain(made).collect();
    match graph.output.iter().find(|output| !known.contains(&output.name)) {
        Some(output) => Err(SignatureError::Output(format!("{:?}, which no node computes", output.name))),
        None if graph.output.len() != 1 => {
            Err(SignatureError::Output(format!("{} outputs", graph.output.len())))
        }
        None => Ok(()),
    }
}
