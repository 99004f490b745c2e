//! What a checkpoint records besides its tensors: timm's `train.py` and many others save the
//! network's name under `arch` and the command line under `args`.

use super::super::pickle::{Id, Pickle, Value};

/// The keys of command lines or settings.
const SETTINGS: [&str; 5] = ["args", "hyper_parameters", "hparams", "config", "cfg"];

/// The longest text that is accepted as the name of a network.
const MAX_LEN: usize = 100;

/// What a file records; none for what it does not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The network's name in its program: "tf_efficientnet_b4_ns".
    pub arch: Option<String>,
    /// Whether that name is next to the state, or among the options of a program.
    pub arch_is_firm: bool,
    /// Whether the settings are the options of a program (argparse's `Namespace`); a dict of settings
    /// is less certain.
    pub options: bool,
    /// Whether the settings have a mean that is None: timm's `train.py` then uses the mean of the
    /// network.
    pub own_mean: bool,
    /// Whether the settings have a deviation that is None.
    pub own_std: bool,
    /// The epsilon of the batch-norms.
    pub bn_eps: Option<f32>,
    /// Channel means that are subtracted from pixels in \[0, 1\].
    pub mean: Option<[f32; 3]>,
    /// Channel deviations that pixels are divided by after that.
    pub std: Option<[f32; 3]>,
    /// Side of the pictures in pixels.
    pub res: Option<usize>,
}

impl Facts {
    /// The facts in the object that was pickled.
    pub(super) fn of(pickle: &Pickle<'_>) -> Self {
        let root = pickle.root();
        let found = SETTINGS.iter().find_map(|key| {
            let id = pickle.entry(root, key)?;
            Some((dict(pickle, id)?, pickle.class_name(id)))
        });
        let options = found.as_ref().is_some_and(|(_, class)| class.as_deref() == Some("argparse.Namespace"));
        let settings = found.map(|(settings, _)| settings);
        let within = |keys: &[&str]| {
            let settings = settings?;
            keys.iter().find_map(|key| pickle.entry(settings, key))
        };
        let next_to_state = pickle.entry(root, "arch");
        let arch = next_to_state.or_else(|| within(&["model", "arch", "model_name", "encoder"]));
        let open = |key: &str| within(&[key]).is_some_and(|id| *pickle.get(id) == Value::None);
        let side = |id| match *pickle.get(id) {
            Value::Int(side) => usize::try_from(side).ok(),
            _ => None,
        };
        // timm writes channels first: (3, 380, 380).
        let last = |id| match pickle.get(id) {
            Value::Tuple(items) | Value::List(items) => side(*items.last()?),
            _ => None,
        };
        Self {
            arch: arch.and_then(|id| match *pickle.get(id) {
                Value::Text(name) if name.len() <= MAX_LEN => Some(name.to_owned()),
                _ => None,
            }),
            arch_is_firm: next_to_state.is_some() || options,
            options,
            own_mean: open("mean"),
            own_std: open("std"),
            bn_eps: within(&["bn_eps"]).and_then(|id| real(pickle, id)),
            mean: within(&["mean"]).and_then(|id| triple(pickle, id)).filter(of_unit_pixels),
            std: within(&["std"]).and_then(|id| triple(pickle, id)).filter(of_unit_pixels),
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

/// Whether the numbers can be those of pixels in \[0, 1\]; larger ones may be those of bytes.
fn of_unit_pixels(values: &[f32; 3]) -> bool {
    values.iter().all(|value| (0.0..=1.0).contains(value))
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
