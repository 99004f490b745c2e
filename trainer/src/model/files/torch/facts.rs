//! What a checkpoint says beside its tensors: timm's `train.py` and many others keep the
//! network's name under `arch` and the command line under `args`.

use super::super::pickle::{Id, Pickle, Value};

/// The keys under which a command line or settings lie.
const SETTINGS: [&str; 5] = ["args", "hyper_parameters", "hparams", "config", "cfg"];

/// The longest name of a network that is taken for one.
const MAX_LEN: usize = 100;

/// What a file says; none where it does not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The network's name as its maker has it: "tf_efficientnet_b4_ns".
    pub arch: Option<String>,
    /// Whether the settings of the training are there at all.
    pub settings: bool,
    /// The epsilon of the batch-norms that was asked for.
    pub bn_eps: Option<f32>,
    /// Channel means that pixels in \[0, 1\] lost.
    pub mean: Option<[f32; 3]>,
    /// Channel deviations that divided them then.
    pub std: Option<[f32; 3]>,
    /// Side of the pictures in pixels.
    pub res: Option<usize>,
}

impl Facts {
    /// Those of the object that was pickled.
    pub(super) fn of(pickle: &Pickle<'_>) -> Self {
        let root = pickle.root();
        let settings = SETTINGS.iter().find_map(|key| dict(pickle, pickle.entry(root, key)?));
        let within = |keys: &[&str]| {
            let settings = settings?;
            keys.iter().find_map(|key| pickle.entry(settings, key))
        };
        let arch = pickle.entry(root, "arch").or_else(|| within(&["model", "arch", "model_name", "encoder"]));
        let side = |id| match *pickle.get(id) {
            Value::Int(side) => usize::try_from(side).ok(),
            _ => None,
        };
        // timm has channels first: (3, 380, 380).
        let last = |id| match pickle.get(id) {
            Value::Tuple(items) | Value::List(items) => side(*items.last()?),
            _ => None,
        };
        Self {
            arch: arch.and_then(|id| match *pickle.get(id) {
                Value::Text(name) if name.len() <= MAX_LEN => Some(name.to_owned()),
                _ => None,
            }),
            settings: settings.is_some(),
            bn_eps: within(&["bn_eps"]).and_then(|id| real(pickle, id)),
            mean: within(&["mean"]).and_then(|id| triple(pickle, id)),
            std: within(&["std"]).and_then(|id| triple(pickle, id)),
            res: within(&["img_size", "image_size"])
                .and_then(side)
                .or_else(|| within(&["input_size"]).and_then(last)),
        }
    }
}

/// A dict, or the attributes of an object such as argparse's `Namespace`.
fn dict(pickle: &Pickle<'_>, id: Id) -> Option<Id> {
    match *pickle.get(id) {
        Value::Dict(_) => Some(id),
        Value::Made { state: Some(state), .. } => {
            matches!(pickle.get(state), Value::Dict(_)).then_some(state)
        }
        _ => None,
    }
}

fn real(pickle: &Pickle<'_>, id: Id) -> Option<f32> {
    match *pickle.get(id) {
        Value::Float(value) => Some(value as f32),
        Value::Int(value) => Some(value as f32),
        _ => None,
    }
}

fn triple(pickle: &Pickle<'_>, id: Id) -> Option<[f32; 3]> {
    let (Value::Tuple(items) | Value::List(items)) = pickle.get(id) else { return None };
    match items[..] {
        [red, green, blue] => Some([real(pickle, red)?, real(pickle, green)?, real(pickle, blue)?]),
        [all] => real(pickle, all).map(|value| [value; 3]),
        _ => None,
    }
}
