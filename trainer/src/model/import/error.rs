//! Why weights cannot be had from a file.

use super::super::files::onnx_import;
use super::super::files::torch::TorchFileError;
use super::super::weights::WeightsError;
use dfrt_runtime::storage::StorageError;
use std::path::PathBuf;

/// Why weights cannot be had from a file.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A PyTorch file that cannot be understood.
    #[error(transparent)]
    Torch(#[from] TorchFileError),
    /// A safetensors file that cannot be understood, or tensors that do not fit.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// An ONNX file that is not ours.
    #[error(transparent)]
    Onnx(onnx_import::ImportError),
    /// No file of any kind that is read.
    #[error("{}: neither safetensors, a PyTorch file nor ONNX: the file is of another kind or was cut short; copy it again, or convert it", .0.display())]
    Kind(PathBuf),
    /// A folder that is no RUN.
    #[error("{}: a folder without best.safetensors; give a RUN or a file of weights", .0.display())]
    NoRun(PathBuf),
    /// What git leaves in the place of a file that was not fetched.
    #[error("{}: is a Git LFS pointer, not the file that it stands for; fetch that with `git lfs pull`, or download it anew", .0.display())]
    LfsPointer(PathBuf),
    /// A key was asked for of a file that has none.
    #[error("{}: has no keys, its tensors stand under none; leave --key out (--prefix chooses among networks)", .0.display())]
    Keyless(PathBuf),
    /// No network where one was asked for.
    #[error("{}: no network there; the file has {known}", path.display())]
    NotThere {
        /// The file.
        path: PathBuf,
        /// The networks that there are.
        known: String,
    },
    /// Several networks.
    #[error("{}: holds several networks: {networks}; pass one of these", path.display())]
    Several {
        /// The file.
        path: PathBuf,
        /// How each is chosen, and what it is.
        networks: String,
    },
    /// The command line and the file say different things.
    #[error("{}: {what}; leave the option out, or give another file", path.display())]
    Contradicts {
        /// The file.
        path: PathBuf,
        /// What.
        what: String,
    },
    /// A convention that nothing tells.
    #[error("{}: {question}", path.display())]
    Conventions {
        /// The file.
        path: PathBuf,
        /// What is open, and what may be said.
        question: String,
    },
    /// No last layer of that name.
    #[error("{}: has no last layer `{asked}`; --head may be {known}", path.display())]
    NoHead {
        /// The file.
        path: PathBuf,
        /// The name that was asked for.
        asked: String,
        /// Those that there are.
        known: String,
    },
    /// Several layers could be the last one.
    #[error("{}: several layers could be the last: {layers}; name one with --head", path.display())]
    Heads {
        /// The file.
        path: PathBuf,
        /// Which.
        layers: String,
    },
    /// No last layer can be kept, and no fresh one was asked for.
    #[error("{}: {found}, a detector has one logit or two; pass --new-head to put a fresh one there, which has to be trained", path.display())]
    NeedsNewHead {
        /// The file.
        path: PathBuf,
        /// What there is instead.
        found: String,
    },
    /// A class that the last layer has not.
    #[error("{}: --fake-index {fake}: its last layer has {outputs} outputs; give 0 or 1", path.display())]
    FakeIndex {
        /// The file.
        path: PathBuf,
        /// The class that was asked for.
        fake: usize,
        /// Outputs in the file.
        outputs: usize,
    },
    /// Tensors that a detector's program may use, and an EfficientNet does not.
    #[error("{}: holds {names} beside the network, and its program may give other logits for it; pass --leave-out NAME if it does not, or --new-head to take the network alone", path.display())]
    Strangers {
        /// The file.
        path: PathBuf,
        /// Their names and shapes.
        names: String,
    },
    /// Names of no known scheme.
    #[error("{}: none of its {count} tensors has a name of EfficientNet's as torchvision, timm or EfficientNet-PyTorch give it (it begins with {begins}); save the state_dict of such a model", path.display())]
    Names {
        /// The file.
        path: PathBuf,
        /// Tensors in the file.
        count: usize,
        /// The first names.
        begins: String,
    },
}
