//! The calls into tract: reading a file, making a plan, running it. Whatever goes wrong inside
//! becomes one line.

use super::signature::{Element, Signature};
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Once};
use tract_onnx::pb::{ModelProto, NodeProto};
use tract_onnx::prelude::*;

/// The model in `bytes`.
pub(super) fn read(bytes: &[u8]) -> Result<ModelProto, String> {
    contained(|| tract_onnx::onnx().proto_model_for_read(&mut &bytes[..]))
}

/// The plan of `proto` for the shape that `signature` fixes.
pub(super) fn plan(proto: &ModelProto, signature: &Signature) -> Result<Arc<TypedSimplePlan>, String> {
    contained(|| optimise(proto, signature)).map_err(|reason| with_operator(proto, reason))
}

fn optimise(proto: &ModelProto, signature: &Signature) -> TractResult<Arc<TypedSimplePlan>> {
    let shape = signature.shape();
    let fact = match signature.element {
        Element::Float => f32::fact(shape),
        Element::Byte => u8::fact(shape),
    };
    // Declared shapes of inner values name the file's own symbolic batch, which
    // is fixed here: tract infers them again.
    let onnx = tract_onnx::onnx().with_ignore_value_info(true);
    onnx.model_for_proto_model(proto)?.with_input_fact(0, fact.into())?.into_optimized()?.into_runnable()
}

/// What tract said with the operator of the node that it names.
fn with_operator(proto: &ModelProto, reason: String) -> String {
    // tract calls a node without a name after its first output, and what it makes of
    // a node by longer names.
    let called = |node: &NodeProto| match node.name.as_str() {
        "" => node.output.first().cloned().unwrap_or_default(),
        name => name.to_owned(),
    };
    let nodes = proto.graph.iter().flat_map(|graph| &graph.node);
    let named = nodes.map(|node| (called(node), &node.op_type)).filter(|(name, _)| {
        !name.is_empty()
            && (reason.contains(&format!("\"{name}")) || reason.contains(&format!("node {name}")))
    });
    match named.max_by_key(|(name, _)| name.len()) {
        Some((name, operator)) => format!("operator {operator} (node {name:?}): {reason}"),
        None => reason,
    }
}

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` inside tract; an error's chain, or a panic, becomes one line.
///
/// tract indexes and asserts while it reads a graph, so a damaged or unusual
/// file can make it panic. This is the one place where that is caught: nothing
/// of ours is borrowed mutably across it but a session that is then dropped.
pub(super) fn contained<T>(work: impl FnOnce() -> TractResult<T>) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !CONTAINED.get() {
                report(info);
            }
        }));
    });
    let outer = CONTAINED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    CONTAINED.set(outer);
    match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(one_line(&format!("{error:#}"))),
        Err(payload) => {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
            Err(one_line(text.unwrap_or("it stopped without a reason")))
        }
    }
}

/// The first 300 characters of `text` with every white space a blank.
fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").chars().take(300).collect()
}
