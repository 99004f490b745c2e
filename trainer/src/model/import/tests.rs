//! Weights of small networks as other programs would save them.

use super::*;
use crate::model::arch::{
    Architecture, EFFICIENTNET_B0, EFFICIENTNET_B4, EFFICIENTNET_LITE0, EFFICIENTNET_TINY, Padding,
    SMALL_ARCHITECTURES,
};
use crate::model::conventions::Family;
use crate::model::files::torch::save::{self, Object};
use crate::model::graph::Graph;
use crate::model::names;
use crate::model::weights::Tensor;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use std::collections::BTreeMap;

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
        self.opened_by(&Choices::default())
    }

    fn opened_by(&self, choices: &Choices) -> Result<Source, ImportError> {
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
        Source::open(&path, choices)
    }

    fn imported(&self, choices: &Choices) -> Result<Imported, ImportError> {
        self.opened_by(choices)?.weights(&single_of(&self.graph), 4)
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

fn single_of(graph: &Graph) -> Graph {
    single(&graph.architecture)
}

fn new_head() -> Choices {
    Choices { new_head: true, ..Choices::default() }
}

fn head(name: &str) -> Choices {
    Choices { head: Some(name.to_owned()), ..Choices::default() }
}

fn single(architecture: &Architecture) -> Graph {
    Graph::new(architecture, 32).unwrap()
}

#[test]
fn every_scheme_accounts_for_every_entry() {
    for architecture in SMALL_ARCHITECTURES {
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
    let graph =
        single(&Family::named("tf").unwrap().conventions(&EFFICIENTNET_TINY).applied(&EFFICIENTNET_TINY));
    let weights = Weights::initial(&graph, 2);
    let folder = tempfile::tempdir().unwrap();
    for scheme in Scheme::ALL {
        let path = folder.path().join(scheme.name());
        let none = BTreeMap::new();
        weights_file::save_in(&path, &graph, scheme, &weights, &BTreeMap::new(), &none).unwrap();
        let source = Source::open(&path, &Choices::default()).unwrap();
        assert_eq!(source.scheme, scheme);
        assert_eq!(source.conventions.applied(&EFFICIENTNET_TINY), graph.architecture);
        assert_eq!(source.arch.as_deref(), Some("efficientnet-tiny"));
        assert_eq!(source.weights(&graph, 0).unwrap().weights, weights);
    }
}

#[test]
fn a_head_of_another_size_is_replaced_where_that_is_asked_for() {
    let mut foreign = Foreign::new(&EFFICIENTNET_LITE0, Scheme::EfficientNetPytorch, 10);
    let graph = single(&EFFICIENTNET_LITE0);
    let refused = foreign.refused(&graph);
    assert!(
        refused.contains("its last layer `_fc` has 10 outputs") && refused.contains("--new-head"),
        "{refused}"
    );
    let imported = foreign.imported(&new_head()).unwrap();
    assert_eq!((imported.head, imported.found), (Head::Replaced { outputs: 10 }, imported.entries));
    let head = graph.params.len() - 2;
    assert_eq!(imported.weights.params[head], Weights::initial(&graph, 4).params[head]);
    assert_eq!(imported.weights.params[..head], foreign.weights.params[..head]);
    let classes = foreign.opened().unwrap().weights(&foreign.graph, 4).unwrap();
    assert_eq!((classes.head, &classes.weights), (Head::Kept, &foreign.weights));
    foreign.tensors.retain(|name, _| !name.starts_with("_fc."));
    let refused = foreign.refused(&graph);
    assert!(refused.contains("no layer of it reads the network's 1280 features"), "{refused}");
    let headless = foreign.imported(&new_head()).unwrap();
    assert_eq!((headless.head, headless.found + 2), (Head::Absent, headless.entries));
}

/// A last layer of the tiny network as some program names it.
fn layer(foreign: &mut Foreign, name: &str, outputs: usize, start: f32) -> Vec<f32> {
    let channels = foreign.graph.architecture.head;
    let values: Vec<f32> = (0..outputs * channels).map(|at| start + at as f32 / 7.0).collect();
    let bias: Vec<f32> = (0..outputs).map(|at| start + 3.0 * at as f32).collect();
    let weight = Tensor { shape: vec![outputs, channels], values: values.clone() };
    foreign.tensors.insert(format!("{name}.weight"), weight);
    foreign.tensors.insert(format!("{name}.bias"), Tensor { shape: vec![outputs], values: bias });
    values
}

/// Weight and bias of the last layer that came of it.
fn last(imported: &Imported) -> (&[f32], f32) {
    let [.., weight, bias] = imported.weights.params.as_slice() else { panic!("a network has layers") };
    (weight, bias[0])
}

#[test]
fn two_logits_become_their_difference() {
    let mut foreign = Foreign::new(&EFFICIENTNET_TINY, Scheme::Torchvision, 1);
    let values = layer(&mut foreign, "classifier.1", 2, 0.1);
    let channels = foreign.graph.architecture.head;
    let difference: Vec<f32> = (0..channels).map(|at| values[channels + at] - values[at]).collect();
    let imported = foreign.imported(&Choices::default()).unwrap();
    assert_eq!(imported.head, Head::Merged { outputs: 2, fake_index: 1 });
    assert_eq!(last(&imported), (difference.as_slice(), 3.1 - 0.1));
    let fake_is = |index| Choices { fake_index: Some(index), ..Choices::default() };
    let first = foreign.imported(&fake_is(0)).unwrap();
    let turned: Vec<f32> = difference.iter().map(|value| -value).collect();
    assert_eq!(last(&first), (turned.as_slice(), 0.1 - 3.1));
    let third = foreign.imported(&fake_is(2)).unwrap_err().to_string();
    assert!(third.contains("--fake-index 2: its last layer has 2 outputs"), "{third}");
    // One logit that is high for real.
    let values = layer(&mut foreign, "classifier.1", 1, 0.1);
    let turned = foreign.imported(&fake_is(0)).unwrap();
    assert_eq!(turned.head, Head::Merged { outputs: 1, fake_index: 0 });
    assert_eq!(last(&turned).0, values.iter().map(|value| -value).collect::<Vec<f32>>());
    assert_eq!(foreign.imported(&fake_is(1)).unwrap().head, Head::Kept);
}

/// (prefix of the network's names, the last layer's name, its outputs) as public
/// detectors have them: DeepfakeBench, SelfBlendedImages, ICPR2020DFDC, selimsef's DFDC.
const PUBLIC: &[(Scheme, &str, &str, usize)] = &[
    (Scheme::EfficientNetPytorch, "backbone.efficientnet.", "backbone.last_layer", 2),
    (Scheme::EfficientNetPytorch, "net.", "net._fc", 2),
    (Scheme::EfficientNetPytorch, "efficientnet.", "classifier", 1),
    (Scheme::Timm, "module.encoder.", "module.fc", 1),
    (Scheme::Timm, "model.", "model.classifier", 1),
    (Scheme::Torchvision, "_orig_mod.module.", "_orig_mod.module.classifier.1", 2),
];

#[test]
fn detectors_of_public_programs_keep_their_heads() {
    for &(scheme, prefix, name, outputs) in PUBLIC {
        // The classifier of ImageNet that the network came with is often there still.
        for left_over in [false, true] {
            let mut foreign =
                Foreign::new(&EFFICIENTNET_TINY, scheme, 1000).renamed(|name| format!("{prefix}{name}"));
            if !left_over {
                let channels = foreign.graph.architecture.head;
                foreign
                    .tensors
                    .retain(|_, tensor| tensor.shape != [1000, channels] && tensor.shape != [1000]);
            }
            let values = layer(&mut foreign, name, outputs, 0.25);
            let imported = foreign.imported(&Choices::default()).unwrap();
            assert_eq!(imported.head_name.as_deref(), Some(name));
            let channels = foreign.graph.architecture.head;
            let expected: Vec<f32> = match outputs {
                1 => values,
                _ => (0..channels).map(|at| values[channels + at] - values[at]).collect(),
            };
            assert_eq!(last(&imported).0, expected, "{name}");
            let body = foreign.weights.params.len() - 2;
            assert_eq!(imported.weights.params[..body], foreign.weights.params[..body]);
            assert_eq!(foreign.imported(&head(name)).unwrap().weights, imported.weights);
        }
    }
}

#[test]
fn a_head_is_asked_for_where_several_fit() {
    let mut foreign = Foreign::new(&EFFICIENTNET_TINY, Scheme::Timm, 1);
    let own = foreign.imported(&Choices::default()).unwrap();
    let values = layer(&mut foreign, "aux.fc", 1, 0.5);
    let asked = foreign.refused(&single(&EFFICIENTNET_TINY));
    assert!(asked.contains("`aux.fc` with 1 outputs, `classifier` with 1 outputs"), "{asked}");
    assert!(asked.contains("--head"), "{asked}");
    for name in ["aux.fc", "fc", "aux.fc.weight"] {
        assert_eq!(last(&foreign.imported(&head(name)).unwrap()).0, values);
    }
    let imported = foreign.imported(&head("classifier")).unwrap();
    assert_eq!(imported.weights, own.weights);
    assert_eq!(imported.left_out, ["aux.fc.bias", "aux.fc.weight"]);
    let unknown = foreign.imported(&head("last_layer")).unwrap_err().to_string();
    assert!(unknown.contains("no last layer `last_layer`; --head may be `aux.fc`"), "{unknown}");
    layer(&mut foreign, "aux.fc", 5, 0.5);
    let wide = foreign.imported(&head("fc")).unwrap_err().to_string();
    assert!(wide.contains("`aux.fc` has 5 outputs") && wide.contains("--new-head"), "{wide}");
}

#[test]
fn a_head_without_a_bias_has_one_of_zero() {
    let mut foreign = Foreign::new(&EFFICIENTNET_TINY, Scheme::Timm, 1);
    assert!(!foreign.imported(&Choices::default()).unwrap().no_bias);
    foreign.tensors.remove("classifier.bias");
    assert!(!foreign.imported(&new_head()).unwrap().no_bias);
    let imported = foreign.imported(&Choices::default()).unwrap();
    assert!(imported.no_bias);
    assert_eq!((last(&imported).1, imported.found + 1), (0.0, imported.entries));
}

#[test]
fn prefixes_are_found_and_idle_strangers_left_out() {
    let mut foreign = Foreign::new(&EFFICIENTNET_B0, Scheme::EfficientNetPytorch, 1)
        .renamed(|name| format!("backbone.{name}"));
    let stranger = Tensor { shape: vec![1], values: vec![0.5] };
    foreign.tensors.insert("total_ops".to_owned(), stranger);
    foreign.tensors.insert("criterion.weight".to_owned(), Tensor { shape: vec![2], values: vec![1.0; 2] });
    // The profiler thop leaves one in every module, the network's own among them.
    foreign.tensors.insert(
        "backbone._blocks.0._bn1.total_params".to_owned(),
        Tensor { shape: vec![1], values: vec![0.0] },
    );
    foreign.counters.insert("n_averaged".to_owned(), 9);
    let source = foreign.opened().unwrap();
    assert_eq!(source.prefix, "backbone.");
    assert_eq!(source.recognise().unwrap().name, "efficientnet-b0");
    let imported = source.weights(&single(&EFFICIENTNET_B0), 0).unwrap();
    assert_eq!(imported.weights, foreign.weights);
    let idle = ["backbone._blocks.0._bn1.total_params", "criterion.weight", "n_averaged", "total_ops"];
    assert_eq!(imported.left_out, idle);
}

#[test]
fn a_lone_number_is_asked_about() {
    // The power of a GeM pool, a temperature, a threshold of some layer, a scale.
    for (name, shape) in [
        ("pooling.p", vec![1]),
        ("temperature", vec![]),
        ("parametric.slope", vec![1]),
        ("symmetric.w", vec![2]),
    ] {
        let mut foreign = Foreign::new(&EFFICIENTNET_TINY, Scheme::Timm, 1);
        let values = vec![3.0; shape.iter().product()];
        foreign.tensors.insert(name.to_owned(), Tensor { shape, values });
        let refused = foreign.refused(&single(&EFFICIENTNET_TINY));
        assert!(
            refused.contains(&format!("holds `{name}` [")) && refused.contains("--leave-out"),
            "{refused}"
        );
        let choices = Choices { leave_out: vec![name.to_owned()], ..Choices::default() };
        assert_eq!(foreign.imported(&choices).unwrap().left_out, [name]);
    }
    // Integers, too: a mask of channels.
    let mut foreign = Foreign::new(&EFFICIENTNET_TINY, Scheme::Timm, 1);
    foreign.counters.insert("pruning.mask".to_owned(), 1);
    let refused = foreign.refused(&single(&EFFICIENTNET_TINY));
    assert!(refused.contains("holds `pruning.mask` [1] beside the network"), "{refused}");
}

#[test]
fn what_a_detector_may_use_is_not_left_out_in_silence() {
    let mut foreign = Foreign::new(&EFFICIENTNET_TINY, Scheme::EfficientNetPytorch, 1)
        .renamed(|name| format!("efficientnet.{name}"));
    let attention = Tensor { shape: vec![1, 8, 1, 1], values: vec![0.5; 8] };
    foreign.tensors.insert("efficientnet.attconv.weight".to_owned(), attention);
    let refused = foreign.refused(&single(&EFFICIENTNET_TINY));
    assert!(refused.contains("`efficientnet.attconv.weight` [1, 8, 1, 1]"), "{refused}");
    assert!(refused.contains("--leave-out"), "{refused}");
    for name in ["attconv", "efficientnet.attconv"] {
        let choices = Choices { leave_out: vec![name.to_owned()], ..Choices::default() };
        assert_eq!(foreign.imported(&choices).unwrap().weights, foreign.weights);
    }
    assert_eq!(foreign.imported(&new_head()).unwrap().left_out, ["efficientnet.attconv.weight"]);
}

#[test]
fn what_is_no_weight_is_refused_under_the_files_name() {
    let mut foreign = Foreign::new(&EFFICIENTNET_TINY, Scheme::Timm, 1);
    foreign.tensors.get_mut("bn1.running_var").unwrap().values[2] = -1e-3;
    let negative = foreign.refused(&single(&EFFICIENTNET_TINY));
    assert!(negative.contains("`bn1.running_var` holds a negative variance at 1 of its 16"), "{negative}");
    foreign.tensors.get_mut("bn1.running_var").unwrap().values[2] = 0.5;
    foreign.tensors.get_mut("classifier.weight").unwrap().values[0] = f32::NAN;
    let nan = foreign.refused(&single(&EFFICIENTNET_TINY));
    assert!(nan.contains("`classifier.weight` holds NaN or infinity at 1 of its 192"), "{nan}");
}

#[test]
fn several_networks_are_listed_and_asked_for() {
    let tiny = Foreign::new(&EFFICIENTNET_TINY, Scheme::Timm, 1);
    let twice = |first: &'static str, second: &'static str| {
        let mut all = Foreign::new(&EFFICIENTNET_TINY, Scheme::Timm, 1);
        all.counters.clear();
        all.tensors = tiny
            .tensors
            .iter()
            .flat_map(|(name, tensor)| {
                let mut other = tensor.clone();
                other.values[0] += 1.0;
                [(format!("{first}{name}"), tensor.clone()), (format!("{second}{name}"), other)]
            })
            .collect();
        all
    };
    let both = twice("student.", "teacher.");
    let asked = both.opened().unwrap_err().to_string();
    let each = "--prefix student. (efficientnet-tiny); --prefix teacher. (efficientnet-tiny)";
    assert!(asked.contains(each), "{asked}");
    let prefix = |name: &str| Choices { prefix: Some(name.to_owned()), ..Choices::default() };
    let student = both.imported(&prefix("student")).unwrap();
    assert_eq!(student.weights.params, tiny.weights.params);
    assert!(student.left_out.is_empty());
    assert_ne!(both.imported(&prefix("teacher.")).unwrap().weights.params, tiny.weights.params);
    let unknown = both.opened_by(&prefix("net.")).unwrap_err().to_string();
    assert!(unknown.contains("no network there") && unknown.contains(each), "{unknown}");
    // A moving average is used if it is chosen.
    let average = twice("model.", "model_ema.module.");
    let source = average.opened().unwrap();
    assert_eq!(source.prefix, "model.");
    assert_eq!(source.others, ["--prefix model_ema.module. (efficientnet-tiny, a moving average)"]);
    assert_eq!(average.imported(&Choices::default()).unwrap().weights.params, tiny.weights.params);
    assert!(average.imported(&prefix("model_ema.module")).is_ok());
    // Of one file's networks that are not of dfrt's architectures none is likelier.
    let keyless = Choices { key: Some("model".to_owned()), ..Choices::default() };
    assert!(tiny.opened_by(&keyless).unwrap_err().to_string().contains("has no keys"));
}

/// A file of torch.save with the tiny network, as timm names it, under each key; the first
/// number of each is its place in the list.
fn checkpoint(keys: &[&str], more: impl FnOnce(&mut Object)) -> (tempfile::TempDir, PathBuf) {
    let tiny = Foreign::new(&EFFICIENTNET_TINY, Scheme::Timm, 1);
    let mut object = Object::default();
    more(&mut object);
    for (place, key) in keys.iter().enumerate() {
        let mut tensors = tiny.tensors.clone();
        tensors.values_mut().next().expect("a network has tensors").values[0] = place as f32;
        object.state(key, &tensors);
    }
    let path = tiny.folder.path().join("checkpoint.pth");
    storage::write(&path, &object.file()).unwrap();
    (tiny.folder, path)
}

#[test]
fn a_checkpoints_network_is_found_under_any_key() {
    let keyed = |key: &str| Choices { key: Some(key.to_owned()), ..Choices::default() };
    let (_folder, path) = checkpoint(&["detector_weights"], |_| {});
    let source = Source::open(&path, &Choices::default()).unwrap();
    assert_eq!(source.found_in.as_deref(), Some("detector_weights"));
    let (_folder, path) = checkpoint(&["state_dict_ema", "state_dict"], |_| {});
    let source = Source::open(&path, &Choices::default()).unwrap();
    assert_eq!(source.found_in.as_deref(), Some("state_dict"));
    assert_eq!(source.others, ["--key state_dict_ema (efficientnet-tiny, a moving average)"]);
    let source = Source::open(&path, &keyed("state_dict_ema")).unwrap();
    assert_eq!(source.found_in.as_deref(), Some("state_dict_ema"));
    let (_folder, path) = checkpoint(&["net", "model"], |_| {});
    let asked = Source::open(&path, &Choices::default()).unwrap_err().to_string();
    assert!(asked.contains("several networks: --key net (efficientnet-tiny); --key model"), "{asked}");
    assert!(Source::open(&path, &keyed("model")).is_ok());
    let unknown = Source::open(&path, &keyed("ema")).unwrap_err().to_string();
    assert!(unknown.ends_with("under the key `ema`; --key may be `net` or `model`"), "{unknown}");
}

/// A checkpoint with or without an `arch` next to the state, and `args` as options or a dict.
fn stating(arch: Option<&str>, options: bool, settings: &[(&str, Vec<u8>)]) -> Source {
    let (_folder, path) = checkpoint(&["state_dict"], |object| {
        if let Some(arch) = arch {
            object.text("arch", arch);
        }
        object.settings("args", options, settings);
    });
    Source::open(&path, &Choices::default()).unwrap()
}

const ASKED_NOTHING: Conventions = Conventions { padding: None, bn_eps: None, mean: None, std: None };

/// What is settled, or asked and refused.
fn settled(source: &Source, asked: Conventions) -> Result<Conventions, String> {
    source.resolve_conventions(asked, &EFFICIENTNET_B0).map_err(|error| error.to_string())
}

#[test]
fn a_checkpoints_own_arch_settles_conventions_or_contradicts() {
    let open = [("mean", save::none()), ("std", save::none()), ("img_size", save::integer(260))];
    let b0 = stating(Some("tf_efficientnet_b0_ns"), true, &open);
    assert_eq!(b0.stated.res, Some(260));
    let tf = Family::named("tf").unwrap().conventions(&EFFICIENTNET_B0);
    assert_eq!(settled(&b0, ASKED_NOTHING).unwrap(), tf);
    assert_eq!(settled(&b0, tf).unwrap(), tf);
    let timm = settled(&b0, Family::named("timm").unwrap().conventions(&EFFICIENTNET_B0)).unwrap_err();
    assert!(
        timm.contains("arch `tf_efficientnet_b0_ns` says padding same, but symmetric is asked"),
        "{timm}"
    );
    let half = Conventions { mean: Some([0.5; 3]), ..ASKED_NOTHING };
    let refused = settled(&b0, half).unwrap_err();
    assert!(refused.contains("says mean 0.485,0.456,0.406, but 0.5,0.5,0.5 is asked"), "{refused}");
    let arch = b0.resolve_conventions(ASKED_NOTHING, EFFICIENTNET_B4).unwrap_err().to_string();
    assert!(arch.contains("is efficientnet-b0, but efficientnet-b4 is asked for (--arch)"), "{arch}");
    // Names of other networks determine nothing, and timm's tensor names alone do not either.
    let resnet = stating(Some("resnet50"), true, &open);
    let asked = settled(&resnet, ASKED_NOTHING).unwrap_err();
    assert!(asked.contains("--family timm") && asked.contains("tf_efficientnet_*"), "{asked}");
    assert_eq!(settled(&resnet, tf).unwrap(), tf);
}

#[test]
fn pixels_are_told_by_a_mean_and_a_deviation_alone() {
    let arch = "tf_efficientnet_b0_ns";
    let pixels = "how pixels are normalised: pass --mean";
    let unsaid = [("img_size", save::integer(260))];
    for options in [false, true] {
        let silent = settled(&stating(Some(arch), options, &unsaid), ASKED_NOTHING).unwrap_err();
        assert!(silent.contains(pixels), "{silent}");
        // A mean alone leaves the deviation open, timm's `None` stands for the network's.
        let mean = ("mean", save::channels([0.4, 0.5, 0.6]));
        let half = settled(&stating(Some(arch), options, std::slice::from_ref(&mean)), ASKED_NOTHING);
        assert!(half.unwrap_err().contains(pixels));
        let both = settled(&stating(Some(arch), options, &[mean, ("std", save::none())]), ASKED_NOTHING);
        let both = both.unwrap();
        assert_eq!((both.mean, both.std), (Some([0.4, 0.5, 0.6]), Some([0.229, 0.224, 0.225])));
    }
}

#[test]
fn a_dict_of_settings_gives_way_to_what_is_asked_for() {
    let said = [
        ("model", [b"X\x0f\0\0\0".as_slice(), b"efficientnet_b0"].concat()),
        ("mean", save::channels([0.4, 0.5, 0.6])),
        ("std", save::channels([0.3, 0.3, 0.3])),
    ];
    let source = stating(None, false, &said);
    let alone = settled(&source, ASKED_NOTHING).unwrap();
    assert_eq!((alone.padding, alone.mean), (Some(Padding::Symmetric), Some([0.4, 0.5, 0.6])));
    let tf = Family::named("tf").unwrap().conventions(&EFFICIENTNET_B0);
    assert_eq!(settled(&source, tf).unwrap(), tf);
    // What it says of another network is not taken for this one's.
    let other = source.resolve_conventions(ASKED_NOTHING, &EFFICIENTNET_TINY).unwrap_err().to_string();
    assert!(other.contains("--family timm"), "{other}");
    assert!(settled(&stating(None, true, &said), tf).unwrap_err().contains("says padding symmetric"));
}

#[test]
fn names_of_a_bare_network_imply_its_conventions() {
    let none = Conventions::default();
    let of = |architecture: &'static Architecture, prefix: &str| {
        let foreign = Foreign::new(architecture, Scheme::EfficientNetPytorch, 1)
            .renamed(|name| format!("{prefix}{name}"));
        foreign.opened().unwrap().resolve_conventions(none, architecture).map_err(|error| error.to_string())
    };
    let family = |name, architecture| Family::named(name).unwrap().conventions(architecture);
    assert_eq!(of(&EFFICIENTNET_B0, "module.").unwrap(), family("efficientnet-pytorch", &EFFICIENTNET_B0));
    assert_eq!(of(&EFFICIENTNET_LITE0, "").unwrap(), family("lite", &EFFICIENTNET_LITE0));
    // A program around it may do with pixels what it likes.
    let asked = of(&EFFICIENTNET_TINY, "net.").unwrap_err();
    assert!(
        asked.contains("--mean 0.485,0.456,0.406") && asked.contains("--mean 0,0,0 --std 1,1,1"),
        "{asked}"
    );
    let timm = Foreign::new(&EFFICIENTNET_TINY, Scheme::Timm, 1).opened().unwrap();
    assert!(
        timm.resolve_conventions(none, &EFFICIENTNET_TINY).unwrap_err().to_string().contains("--family timm")
    );
    let torchvision = |prefix: &str| {
        let foreign = Foreign::new(&EFFICIENTNET_TINY, Scheme::Torchvision, 1);
        let source = foreign.renamed(|name| format!("{prefix}{name}")).opened().unwrap();
        source.resolve_conventions(none, &EFFICIENTNET_TINY).map_err(|error| error.to_string())
    };
    for bare in ["", "_orig_mod.module."] {
        assert_eq!(torchvision(bare).unwrap(), family("torchvision", &EFFICIENTNET_TINY));
    }
    let asked = torchvision("module.backbone.").unwrap_err();
    assert!(asked.contains("how pixels are normalised: pass --mean 0.485,0.456,0.406"), "{asked}");
}

#[test]
fn deepfakebench_is_asked_about_its_stem() {
    let mut foreign = Foreign::new(&EFFICIENTNET_TINY, Scheme::EfficientNetPytorch, 1)
        .renamed(|name| format!("backbone.efficientnet.{name}"));
    foreign.tensors.retain(|name, _| !name.contains("._fc."));
    layer(&mut foreign, "backbone.last_layer", 2, 0.5);
    let source = foreign.opened().unwrap();
    let asked =
        source.resolve_conventions(Conventions::default(), &EFFICIENTNET_TINY).unwrap_err().to_string();
    assert!(asked.contains("--family deepfakebench"), "{asked}");
    let family = Family::named("deepfakebench").unwrap().conventions(&EFFICIENTNET_TINY);
    assert_eq!(source.resolve_conventions(family, &EFFICIENTNET_TINY).unwrap(), family);
}

#[test]
fn a_git_lfs_pointer_is_called_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.pth");
    let text = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 70000000\n";
    storage::write(&path, text.as_bytes()).unwrap();
    let message = Source::open(&path, &Choices::default()).unwrap_err().to_string();
    assert!(
        message.contains("weights.pth: is a Git LFS pointer") && message.contains("git lfs pull"),
        "{message}"
    );
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
    let kind = Source::open(&path, &Choices::default()).unwrap_err().to_string();
    assert!(kind.contains("text.pth: neither safetensors, a PyTorch file nor ONNX"), "{kind}");
    let folder = Source::open(foreign.folder.path(), &Choices::default()).unwrap_err().to_string();
    assert!(folder.contains("a folder without best.safetensors"), "{folder}");
}
