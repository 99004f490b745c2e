//! All calls into tract: reading a file, making a plan, running it. Every failure becomes a
//! one-line message.

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
    // Declared shapes of inner values use the file's symbolic batch, which is fixed here; tract
    // infers them again.
    let onnx = tract_onnx::onnx().with_ignore_value_info(true);
    onnx.model_for_proto_model(proto)?.with_input_fact(0, fact.into())?.into_optimized()?.into_runnable()
}

/// tract's message, with the operator of the node that it names.
fn with_operator(proto: &ModelProto, reason: String) -> String {
    // tract names a node without a name after its first output, and the nodes derived from it by
    // longer names.
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

/// Runs `work`; an error's chain, or a panic, becomes a one-line message.
///
/// tract can panic on a damaged or unusual file. Panics are caught here only: the only state that
/// is borrowed mutably across it is a session, which is then dropped.
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

/// The first 300 characters of `text` with every run of white space as one space.
fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").chars().take(300).collect()
}
