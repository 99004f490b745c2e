//! Weights of small networks as other programs would save them.

use super::*;
use crate::model::arch::{EFFICIENTNET_B0, EFFICIENTNET_LITE0, EFFICIENTNET_TINY};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

/// Weights of `architecture` as another program would save them.
struct Foreign {
    graph: Graph,
    weights: Weights,
    folder: tempfile::TempDir,
    tensors: BTreeMap<String, Tensor>,
    counters: BTreeMap<String, i64>,
}

impl Foreign {
    fn new(architecture: &Architecture, scheme: Scheme, outputs: usize) -> Self {
        let graph = Graph::with_outputs(architecture, 32, outputs).unwrap();
        let mut weights = Weights::initial(&graph, 9);
        weights.running[3].mean[1] = 0.75;
        weights.batches_tracked = 77;
        let ours = weights.to_tensors(&graph);
        let (mut tensors, mut counters) = (BTreeMap::new(), BTreeMap::new());
        for (entry, own) in names::state_in(&graph, scheme).into_iter().zip(names::state(&graph)) {
            match ours.get(&own.name) {
                Some(tensor) => drop(tensors.insert(entry.name, tensor.clone())),
                None => drop(counters.insert(entry.name, 77)),
            }
        }
        Self { graph, weights, folder: tempfile::tempdir().unwrap(), tensors, counters }
    }

    fn opened(&self) -> Result<Source, ImportError> {
        let path = self.folder.path().join("foreign.safetensors");
        let bytes = |tensor: &Tensor| tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let data: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = self
            .tensors
            .iter()
            .map(|(name, tensor)| (name.clone(), Dtype::F32, tensor.shape.clone(), bytes(tensor)))
            .chain(
                self.counters
                    .iter()
                    .map(|(name, count)| (name.clone(), Dtype::I64, vec![], count.to_le_bytes().to_vec())),
            )
            .collect();
        let views = data.iter().map(|(name, number, shape, bytes)| {
            (name.as_str(), TensorView::new(*number, shape.clone(), bytes).unwrap())
        });
        storage::write(&path, &safetensors::serialize(views, None).unwrap()).unwrap();
        Source::open(&path)
    }

    fn refused(&self, graph: &Graph) -> String {
        let error = self.opened().and_then(|source| source.weights(graph, 0)).unwrap_err().to_string();
        assert!(error.contains("foreign.safetensors") && !error.contains('\n'), "{error}");
        error
    }

    fn renamed(mut self, change: impl Fn(&str) -> String) -> Self {
        self.tensors = self.tensors.into_iter().map(|(name, tensor)| (change(&name), tensor)).collect();
        self.counters = self.counters.into_iter().map(|(name, count)| (change(&name), count)).collect();
        self
    }
}

fn single(architecture: &Architecture) -> Graph {
    Graph::new(architecture, 32).unwrap()
}

#[test]
fn every_scheme_accounts_for_every_entry() {
    for architecture in ARCHITECTURES {
        for scheme in Scheme::ALL {
            let foreign = Foreign::new(architecture, scheme, 1);
            let source = foreign.opened().unwrap();
            assert_eq!((source.scheme, source.prefix.as_str()), (scheme, ""));
            assert_eq!(source.recognise().unwrap().name, architecture.name);
            let imported = source.weights(&single(architecture), 0).unwrap();
            assert_eq!(imported.weights, foreign.weights);
            assert_eq!((imported.found, imported.head), (imported.entries, Head::Kept));
            assert!(imported.left_out.is_empty());
        }
    }
    let b0 = Foreign::new(&EFFICIENTNET_B0, Scheme::Timm, 1).opened().unwrap();
    assert_eq!(b0.weights(&single(&EFFICIENTNET_B0), 0).unwrap().found, 360);
}

#[test]
fn what_we_write_for_others_comes_back() {
    let graph = single(&Family::named("tf").unwrap().conventions().applied(&EFFICIENTNET_TINY));
    let weights = Weights::initial(&graph, 2);
    let folder = tempfile::tempdir().unwrap();
    for scheme in Scheme::ALL {
        let path = folder.path().join(scheme.name());
        let none = BTreeMap::new();
        weights_file::save_in(&path, &graph, scheme, &weights, &BTreeMap::new(), &none).unwrap();
        let source = Source::open(&path).unwrap();
        assert_eq!(source.scheme, scheme);
        assert_eq!(source.conventions.applied(&EFFICIENTNET_TINY), graph.architecture);
        assert_eq!(source.arch.as_deref(), Some("efficientnet-tiny"));
        assert_eq!(source.weights(&graph, 0).unwrap().weights, weights);
    }
}

#[test]
fn a_head_of_another_size_is_replaced() {
    let mut foreign = Foreign::new(&EFFICIENTNET_LITE0, Scheme::EfficientNetPytorch, 10);
    let graph = single(&EFFICIENTNET_LITE0);
    let imported = foreign.opened().unwrap().weights(&graph, 4).unwrap();
    assert_eq!((imported.head, imported.found), (Head::Replaced { outputs: 10 }, imported.entries));
    let head = graph.params.len() - 2;
    assert_eq!(imported.weights.params[head], Weights::initial(&graph, 4).params[head]);
    assert_eq!(imported.weights.params[..head], foreign.weights.params[..head]);
    let classes = foreign.opened().unwrap().weights(&foreign.graph, 4).unwrap();
    assert_eq!((classes.head, &classes.weights), (Head::Kept, &foreign.weights));
    foreign.tensors.retain(|name, _| !name.starts_with("_fc."));
    let headless = foreign.opened().unwrap().weights(&graph, 4).unwrap();
    assert_eq!((headless.head, headless.found + 2), (Head::Absent, headless.entries));
}

#[test]
fn prefixes_are_found_and_strangers_left_out() {
    let mut foreign = Foreign::new(&EFFICIENTNET_B0, Scheme::EfficientNetPytorch, 1)
        .renamed(|name| format!("backbone.{name}"));
    let stranger = Tensor { shape: vec![1], values: vec![0.5] };
    foreign.tensors.insert("head2.weight".to_owned(), stranger);
    let source = foreign.opened().unwrap();
    assert_eq!(source.prefix, "backbone.");
    let imported = source.weights(&single(&EFFICIENTNET_B0), 0).unwrap();
    assert_eq!(imported.weights, foreign.weights);
    assert_eq!(imported.left_out, ["head2.weight"]);
}

#[test]
fn names_of_efficientnet_pytorch_imply_tensorflows_conventions() {
    let of = |architecture| {
        Foreign::new(architecture, Scheme::EfficientNetPytorch, 1).opened().unwrap().conventions
    };
    assert_eq!(of(&EFFICIENTNET_B0), Family::named("tf").unwrap().conventions());
    assert_eq!(of(&EFFICIENTNET_LITE0), Family::named("lite").unwrap().conventions());
    let timm = Foreign::new(&EFFICIENTNET_B0, Scheme::Timm, 1).opened().unwrap();
    assert_eq!(timm.conventions, Conventions::default());
}

#[test]
fn what_does_not_fit_is_named_with_both_shapes() {
    let mut foreign = Foreign::new(&EFFICIENTNET_TINY, Scheme::Timm, 1);
    let graph = single(&EFFICIENTNET_TINY);
    let other = foreign.refused(&single(&EFFICIENTNET_B0));
    assert!(
        other.contains("tensor `conv_stem.weight` has shape [16, 3, 3, 3], the network needs [32, 3, 3, 3]"),
        "{other}"
    );
    assert!(other.ends_with("the file fits --arch efficientnet-tiny"), "{other}");
    let lite = Foreign::new(&EFFICIENTNET_LITE0, Scheme::Timm, 1).refused(&single(&EFFICIENTNET_B0));
    assert!(lite.contains("`blocks.0.0.se.conv_reduce.weight` [8, 32, 1, 1] is missing"), "{lite}");
    assert!(lite.ends_with("--arch efficientnet-lite0"), "{lite}");
    let whole = foreign.tensors.clone();
    foreign.tensors.remove("blocks.1.0.bn3.running_var");
    let missing = foreign.refused(&graph);
    assert!(missing.contains("tensor `blocks.1.0.bn3.running_var` [24] is missing"), "{missing}");
    assert!(missing.contains("fits none of"), "{missing}");
    foreign.tensors = whole;
    foreign
        .tensors
        .insert("blocks.1.1.conv_pw.weight".to_owned(), Tensor { shape: vec![2], values: vec![0.0; 2] });
    let larger = foreign.refused(&graph);
    assert!(larger.contains("`blocks.1.1.conv_pw.weight` [2] is unexpected"), "{larger}");
}

#[test]
fn other_networks_and_files_are_refused() {
    let foreign = Foreign::new(&EFFICIENTNET_TINY, Scheme::Timm, 1).renamed(|name| format!("x{name}"));
    let names = foreign.opened().unwrap_err().to_string();
    assert!(names.contains("tensors has a name of EfficientNet's"), "{names}");
    let path = foreign.folder.path().join("text.pth");
    storage::write(&path, b"not weights at all").unwrap();
    let kind = Source::open(&path).unwrap_err().to_string();
    assert!(kind.contains("text.pth: neither safetensors, a PyTorch file nor ONNX"), "{kind}");
    let folder = Source::open(foreign.folder.path()).unwrap_err().to_string();
    assert!(folder.contains("a folder without best.safetensors"), "{folder}");
}
