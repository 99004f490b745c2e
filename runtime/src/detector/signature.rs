//! The inputs, outputs and operators of an ONNX model, checked before tract gets it: pictures in,
//! and for each one number, or one number a class, out.

use super::graph::Wires;
use super::pixels;
use crate::reading::Layout;
use std::collections::BTreeMap;
use std::collections::HashSet;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Dimension;
use tract_onnx::pb::type_proto::Value as Type;
use tract_onnx::pb::{GraphProto, ModelProto, ValueInfoProto};
use tract_onnx::prelude::*;

/// Why a model cannot be run as a detector.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// Not one input of pictures.
    #[error(
        "takes {0}; a detector here takes one input of square pictures in floats or 8-bit numbers, N x 3 x res x res or N x res x res x 3"
    )]
    Input(String),
    /// Not one number a picture, or one a class.
    #[error(
        "gives {0}; a detector here gives one number a picture or one a class, [N], [N, 1] or [N, K]: logits or probabilities"
    )]
    Output(String),
    /// Several outputs; the user must name one.
    #[error("has {} outputs: {}; name the one to read with --output-name", .0.len(), .0.join(", "))]
    Outputs(Vec<String>),
    /// The user named an output that does not exist.
    #[error("has no output {name:?}; --output-name may be one of {}", .outputs.join(", "))]
    NoOutput {
        /// The name given.
        name: String,
        /// The outputs that exist.
        outputs: Vec<String>,
    },
    /// Weights that no trained network has.
    #[error("tensor {name:?} {reason}: the file is damaged, or the training failed; take another checkpoint")]
    Weights {
        /// The tensor.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A batch-norm in training mode.
    #[error(
        "is in training mode: its batch-norm {0:?} normalises each batch by itself, so that a picture's score would depend on the others; export it in evaluation mode (PyTorch: model.eval())"
    )]
    TrainingMode(String),
    /// The file fixes a batch of several pictures and quantises it as a whole.
    #[error(
        "quantises each batch of {0} as a whole, so that a picture's score would depend on the others; export it with an open batch, or one of 1"
    )]
    FixedBatchQuantized(usize),
    /// The file quantises each batch as a whole, and the caller asked for several pictures a run.
    #[error(
        "quantises each batch as a whole, so that a picture's score would depend on the others; run it with one picture at a time instead of {0}"
    )]
    BatchQuantized(usize),
    /// Neither the input's shape nor the graph shows the axis of the channels.
    #[error(
        "does not show on which axis its input's channels are ({0}); pass --layout nchw (PyTorch) or --layout nhwc (Keras)"
    )]
    UnknownLayout(String),
    /// The file does not fix the size of its input, and no option gives it.
    #[error(
        "does not fix the size of its input; pass --res with the side of its pictures in pixels, such as --res 224"
    )]
    UnknownSize,
    /// The requested size is not the file's.
    #[error("takes pictures of {file} px, not {requested} px; its metadata or --res is wrong")]
    OtherSize {
        /// The graph's.
        file: usize,
        /// The metadata's or the caller's.
        requested: usize,
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

/// The type of the input's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    /// 32-bit floats.
    Float,
    /// Integers from 0 to 255.
    Byte,
}

/// The input that a plan is made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signature {
    /// The input's name.
    pub input: String,
    /// The type of its numbers.
    pub element: Element,
    /// Its shape in the file: "\[?, 3, 224, 224\]".
    pub declared: String,
    /// Pictures a run.
    pub batch: usize,
    /// Whether the file fixes the batch.
    pub fixed: bool,
    /// Side of a picture in pixels.
    pub res: usize,
    /// The axis of the channels.
    pub layout: Layout,
}

/// Checks that tensors are as long as their shapes say, and that every output is computed by a
/// node.
///
/// # Errors
/// A tensor or output is not.
pub(super) fn check_complete(graph: &GraphProto) -> Result<(), SignatureError> {
    check_tensors(graph)?;
    check_wires(graph)
}

impl Signature {
    /// Checks the input of `proto` and fixes what the file does not: the batch to `batch`, the
    /// side to `res`, the axis of the channels to `layout`.
    pub fn of(
        proto: &ModelProto,
        batch: usize,
        res: Option<usize>,
        layout: Option<Layout>,
    ) -> Result<Self, SignatureError> {
        let empty = GraphProto::default();
        let graph = proto.graph.as_ref().unwrap_or(&empty);
        check_operators(graph)?;
        let input = picture_input(graph)?;
        let (element, dimensions) = input_type(input)?;
        let declared = shape_text(&dimensions);
        let described = || SignatureError::Input(format!("an input of shape {declared}"));
        let as_layout = |layout| SignatureError::Input(format!("an input of shape {declared}, not {layout}"));
        // A file without a shape: four unknown sizes.
        let sizes = dimensions.as_deref().map_or(Some([None; 4]), |sizes| sizes.try_into().ok());
        let [images, one, two, three] = sizes.ok_or_else(described)?;
        if !channels_possible_at(one, three) {
            return Err(described());
        }
        let layout = layout
            .or_else(|| layout_by_shape(one, three))
            .or_else(|| layout_by_graph(&Wires::of(graph), &input.name))
            .ok_or_else(|| SignatureError::UnknownLayout(declared.clone()))?;
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
        if res == Some(0) {
            return Err(described());
        }
        let res = match (side, res) {
            (Some(file), Some(requested)) if file != requested => {
                return Err(SignatureError::OtherSize { file, requested });
            }
            (Some(size), _) | (None, Some(size)) => size,
            (None, None) => return Err(SignatureError::UnknownSize),
        };
        let (fixed, batch) = (images.is_some(), images.unwrap_or(batch));
        Ok(Self { input: input.name.clone(), element, declared, batch, fixed, res, layout })
    }

    /// The input's shape.
    pub fn shape(&self) -> [usize; 4] {
        match self.layout {
            Layout::Nchw => [self.batch, 3, self.res, self.res],
            Layout::Nhwc => [self.batch, self.res, self.res, 3],
        }
    }

    /// Checks the output's type and shape, which only the optimised graph knows. Returns how many
    /// numbers it has for a picture: one, or one for each class.
    pub fn outputs(&self, plan: &TypedSimplePlan) -> Result<usize, SignatureError> {
        let model = plan.model();
        if model.outputs.len() != 1 {
            return Err(SignatureError::Output(format!("{} outputs", model.outputs.len())));
        }
        let unknown = |error: TractError| SignatureError::Output(format!("an unknown output ({error})"));
        let fact = model.output_fact(0).map_err(unknown)?;
        let described = || SignatureError::Output(format!("{fact:?}"));
        let shape = fact.shape.as_concrete().ok_or_else(described)?;
        if fact.datum_type.is_integer() || fact.datum_type == bool::datum_type() {
            let labels =
                format!("{fact:?}, which are labels; its scores can be read where they are an output");
            return Err(SignatureError::Output(labels));
        }
        if fact.datum_type != f32::datum_type() {
            return Err(described());
        }
        // The dimension of a batch of one picture may be missing.
        let of_one = match shape {
            [first, rest @ ..] if *first == self.batch => rest,
            whole if self.batch == 1 => whole,
            _ => return Err(described()),
        };
        let count = of_one.iter().product();
        let maps = of_one.iter().filter(|&&size| size != 1).count() > 1;
        if maps || count == 0 {
            return Err(SignatureError::Output(format!("{count} numbers a picture ({fact:?})")));
        }
        Ok(count)
    }
}

/// Whether the three channels can be on the second or the last axis.
fn channels_possible_at(second: Option<usize>, last: Option<usize>) -> bool {
    [second, last].iter().any(|size| size.is_none_or(|size| size == 3))
}

/// The layout that the shape proves: the channels are on the axis of size 3, and not on one of
/// another size.
fn layout_by_shape(second: Option<usize>, last: Option<usize>) -> Option<Layout> {
    match (second, last) {
        (Some(3), Some(3)) | (None, None) => None,
        (Some(3), _) => Some(Layout::Nchw),
        (_, Some(3)) => Some(Layout::Nhwc),
        (None, Some(_)) => Some(Layout::Nchw),
        (Some(_), None) => Some(Layout::Nhwc),
        (Some(_), Some(_)) => None,
    }
}

/// The layout with which convolutions find the channels on the second axis; `None` where both or
/// neither do.
fn layout_by_graph(wires: &Wires<'_>, input: &str) -> Option<Layout> {
    let second =
        |axis| pixels::walk(wires, input, axis).is_some_and(|found| found.convolves && found.channels_second);
    match (second(1), second(3)) {
        (true, false) => Some(Layout::Nchw),
        (false, true) => Some(Layout::Nhwc),
        _ => None,
    }
}

/// The only input that is no initializer.
fn picture_input(graph: &GraphProto) -> Result<&ValueInfoProto, SignatureError> {
    let constants: HashSet<&str> = graph.initializer.iter().map(|it| it.name.as_str()).collect();
    let inputs: Vec<_> =
        graph.input.iter().filter(|input| !constants.contains(input.name.as_str())).collect();
    match inputs[..] {
        [input] => Ok(input),
        [] => Err(SignatureError::Input("no input".to_owned())),
        _ => Err(SignatureError::Input(format!("{} inputs", inputs.len()))),
    }
}

/// Sizes, `None` for an unknown one; `None` as a whole where there is no shape.
type Sizes = Option<Vec<Option<usize>>>;

/// The element type and the sizes of an input. Some exporters write unknown sizes as 0 or below.
fn input_type(input: &ValueInfoProto) -> Result<(Element, Sizes), SignatureError> {
    let wrong = |what: &str| SignatureError::Input(format!("{:?}, {what}", input.name));
    let Some(Type::TensorType(tensor)) = input.r#type.as_ref().and_then(|it| it.value.as_ref()) else {
        return Err(wrong("which has no type"));
    };
    let element = match DataType::try_from(tensor.elem_type) {
        Ok(DataType::Float) => Element::Float,
        Ok(DataType::Uint8) => Element::Byte,
        Ok(other) => return Err(wrong(&format!("which is of {}", other.as_str_name()))),
        Err(_) => return Err(wrong("which is of an unknown type")),
    };
    let dimension = |value: &Option<Dimension>| match value {
        Some(Dimension::DimValue(size)) => usize::try_from(*size).ok().filter(|&size| size > 0),
        Some(Dimension::DimParam(_)) | None => None,
    };
    let sizes =
        tensor.shape.as_ref().map(|shape| shape.dim.iter().map(|dim| dimension(&dim.value)).collect());
    // Tools that remove shapes leave an empty one.
    Ok((element, sizes.filter(|sizes: &Vec<_>| !sizes.is_empty())))
}

fn shape_text(dimensions: &Sizes) -> String {
    let Some(dimensions) = dimensions else { return "unknown".to_owned() };
    let sizes: Vec<_> =
        dimensions.iter().map(|size| size.map_or_else(|| "?".to_owned(), |size| size.to_string())).collect();
    format!("[{}]", sizes.join(", "))
}

/// Checks that tract has every operator of the graph and its branches.
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

/// Checks that every tensor is as long as its shape says.
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

/// Checks that the outputs are values that the graph computes.
fn check_wires(graph: &GraphProto) -> Result<(), SignatureError> {
    let inputs = graph.input.iter().map(|input| &input.name);
    let constants = graph.initializer.iter().map(|tensor| &tensor.name);
    let made = graph.node.iter().flat_map(|node| &node.output);
    let known: HashSet<&String> = inputs.chain(constants).chain(made).collect();
    match graph.output.iter().find(|output| !known.contains(&output.name)) {
        Some(output) => Err(SignatureError::Output(format!("{:?}, which no node computes", output.name))),
        None if graph.output.is_empty() => Err(SignatureError::Output("no output".to_owned())),
        None => Ok(()),
    }
}
