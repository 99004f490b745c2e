//! Errors of importing weights from a file.

use super::super::files::onnx_import;
use super::super::files::torch::TorchFileError;
use super::super::weights::WeightsError;
use dfrt_runtime::storage::StorageError;
use std::path::PathBuf;

/// Why weights cannot be imported from a file.
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
    /// An ONNX file that dfrt did not export.
    #[error(transparent)]
    Onnx(onnx_import::ImportError),
    /// The format is none of those that are read.
    #[error("{}: neither safetensors, a PyTorch file nor ONNX: the file is of another kind or was cut short; copy it again, or convert it", .0.display())]
    UnknownFormat(PathBuf),
    /// A folder that is no RUN.
    #[error("{}: a folder without best.safetensors; give a RUN or a file of weights", .0.display())]
    NotARun(PathBuf),
    /// A Git LFS pointer instead of the file.
    #[error("{}: is a Git LFS pointer, not the file itself; fetch the file with `git lfs pull`, or download it again", .0.display())]
    LfsPointer(PathBuf),
    /// `--key` for a file without keys.
    #[error("{}: has no keys; leave --key out (--prefix chooses among networks)", .0.display())]
    NoKeys(PathBuf),
    /// No network with the chosen key and prefix.
    #[error("{}: no network there; the file has {known}", path.display())]
    NoSuchNetwork {
        /// The file.
        path: PathBuf,
        /// The networks that there are.
        known: String,
    },
    /// Several networks.
    #[error("{}: holds several networks: {networks}; pass one of these", path.display())]
    SeveralNetworks {
        /// The file.
        path: PathBuf,
        /// The options that choose each, and what it is.
        networks: String,
    },
    /// An option contradicts the file.
    #[error("{}: {what}; leave the option out, or give another file", path.display())]
    Contradiction {
        /// The file.
        path: PathBuf,
        /// The contradiction.
        what: String,
    },
    /// A convention is unknown.
    #[error("{}: {question}", path.display())]
    Conventions {
        /// The file.
        path: PathBuf,
        /// Which one, and the options to pass.
        question: String,
    },
    /// No last layer of that name.
    #[error("{}: has no last layer `{requested}`; --head may be {known}", path.display())]
    NoHead {
        /// The file.
        path: PathBuf,
        /// The requested name.
        requested: String,
        /// The layers of the file.
        known: String,
    },
    /// Several layers could be the last one.
    #[error("{}: several layers could be the last: {layers}; name one with --head", path.display())]
    SeveralHeads {
        /// The file.
        path: PathBuf,
        /// Their names.
        layers: String,
    },
    /// The last layer of the file cannot be used, and no new one was chosen.
    #[error("{}: {found}, a detector has one logit or two; pass --new-head for a new last layer, which has to be trained", path.display())]
    NeedsNewHead {
        /// The file.
        path: PathBuf,
        /// What the file has instead.
        found: String,
    },
    /// A class index that the last layer does not have.
    #[error("{}: --fake-index {fake}: its last layer has {outputs} outputs; give 0 or 1", path.display())]
    FakeIndex {
        /// The file.
        path: PathBuf,
        /// The requested index.
        fake: usize,
        /// Outputs in the file.
        outputs: usize,
    },
    /// Tensors that an EfficientNet does not use, but the detector's program may.
    #[error("{}: holds {names} beside the network; if no logit depends on them, pass --leave-out NAME, else --new-head to import the network only", path.display())]
    UnusedTensors {
        /// The file.
        path: PathBuf,
        /// Their names and shapes.
        names: String,
    },
    /// Tensor names of no known scheme.
    #[error("{}: none of its {count} tensors has a name of EfficientNet's as torchvision, timm or EfficientNet-PyTorch give it (it begins with {begins}); save the state_dict of such a model", path.display())]
    UnknownNames {
        /// The file.
        path: PathBuf,
        /// Tensors in the file.
        count: usize,
        /// The first names.
        begins: String,
    },
}
