use super::super::pickle::assembler::Assembler;
use super::save::{Saved, Storage, archive, archive_of, contiguous, floats, header, state, stream};
use super::{Checkpoint, Facts, MAX_SHARED, StateDict, TorchFileError, is_torch};
use crate::model::weights::Tensor;
use half::{bf16, f16};
use proptest::prelude::*;
use std::path::Path;

fn checkpoint(bytes: &[u8]) -> Result<Checkpoint<'_>, TorchFileError> {
    Checkpoint::open(Path::new("net.pt"), bytes)
}

/// The last state of a file.
fn open(bytes: &[u8]) -> Result<StateDict, TorchFileError> {
    let file = checkpoint(bytes)?;
    let last = file.states().pop().expect("an open file has states");
    file.read(&last.key)
}

/// The error's message, which is one line that names the file.
fn refused(bytes: &[u8]) -> String {
    let message = open(bytes).unwrap_err().to_string();
    assert!(message.starts_with("net.pt: ") && !message.contains('\n'), "{message}");
    message
}

/// Both formats of one object.
fn both(pickle: &[u8], storages: &[Storage]) -> [Vec<u8>; 2] {
    let files = [archive(pickle, storages), stream(pickle, storages)];
    assert!(files.iter().all(|file| is_torch(file)));
    files
}

fn tensor(shape: &[usize], values: &[f32]) -> Tensor {
    Tensor { shape: shape.to_vec(), values: values.to_vec() }
}

/// A state of a weight [2, 3] and a counter.
fn sample() -> (Vec<Saved>, Vec<Storage>) {
    let counter = ("count", 1, 7_i64.to_le_bytes().to_vec());
    let storages = vec![floats("weight", &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), counter];
    (vec![contiguous("weight", "FloatStorage", &[2, 3]), contiguous("count", "LongStorage", &[])], storages)
}

fn sample_state() -> StateDict {
    let mut state = StateDict::default();
    state.tensors.insert("weight".to_owned(), tensor(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    state.integers.insert("count".to_owned(), vec![7]);
    state
}

#[test]
fn both_formats_hold_the_same() {
    let (tensors, storages) = sample();
    for file in both(&state(&tensors), &storages) {
        assert_eq!(open(&file).unwrap(), sample_state());
    }
}

#[test]
fn views_are_followed() {
    let numbers: Vec<f32> = (0..12).map(|value| value as f32).collect();
    let view = |name, offset, shape: &[i64], strides: &[i64]| Saved {
        storage: ("base", 12),
        offset,
        shape: shape.to_vec(),
        strides: strides.to_vec(),
        ..contiguous(name, "FloatStorage", &[])
    };
    let tensors = [
        view("base", 0, &[3, 4], &[4, 1]),
        view("transposed", 0, &[4, 3], &[1, 4]),
        view("slice", 5, &[2, 2], &[4, 2]),
        view("expanded", 2, &[2, 3], &[0, 0]),
        view("channels_last", 0, &[1, 2, 2, 3], &[12, 1, 6, 2]),
        view("scalar", 11, &[], &[]),
        view("empty", 12, &[0, 3], &[3, 1]),
        view("ones", 3, &[1, 1, 2], &[99, 77, 1]),
        Saved { part: Some((4, 3)), ..view("part", 1, &[2], &[1]) },
    ];
    let expected: [(&str, &[usize], &[f32]); 9] = [
        ("base", &[3, 4], &numbers),
        ("transposed", &[4, 3], &[0., 4., 8., 1., 5., 9., 2., 6., 10., 3., 7., 11.]),
        ("slice", &[2, 2], &[5., 7., 9., 11.]),
        ("expanded", &[2, 3], &[2.; 6]),
        ("channels_last", &[1, 2, 2, 3], &[0., 2., 4., 6., 8., 10., 1., 3., 5., 7., 9., 11.]),
        ("scalar", &[], &[11.]),
        ("empty", &[0, 3], &[]),
        ("ones", &[1, 1, 2], &[3., 4.]),
        ("part", &[2], &[5., 6.]),
    ];
    for file in both(&state(&tensors), &[floats("base", &numbers)]) {
        let found = open(&file).unwrap().tensors;
        assert_eq!(found.len(), expected.len());
        for (name, shape, values) in expected {
            assert_eq!(found[name], tensor(shape, values), "{name}");
        }
    }
}

#[test]
fn numbers_of_every_type() {
    let real: [(Saved, Vec<u8>, f32); 4] = [
        (contiguous("f32", "FloatStorage", &[]), (-1.5_f32).to_le_bytes().to_vec(), -1.5),
        (contiguous("f64", "DoubleStorage", &[]), 0.1_f64.to_le_bytes().to_vec(), 0.1),
        (contiguous("f16", "HalfStorage", &[]), f16::from_f32(0.25).to_le_bytes().to_vec(), 0.25),
        (contiguous("bf16", "BFloat16Storage", &[]), bf16::from_f32(-3.0).to_le_bytes().to_vec(), -3.0),
    ];
    let integers: [(Saved, Vec<u8>, i64); 6] = [
        (contiguous("i64", "LongStorage", &[]), (-1_i64 << 40).to_le_bytes().to_vec(), -1 << 40),
        (contiguous("i32", "IntStorage", &[]), (-70_000_i32).to_le_bytes().to_vec(), -70_000),
        (contiguous("i16", "ShortStorage", &[]), (-300_i16).to_le_bytes().to_vec(), -300),
        (contiguous("i8", "CharStorage", &[]), vec![0xff], -1),
        (contiguous("u8", "ByteStorage", &[]), vec![0xff], 255),
        (contiguous("bool", "BoolStorage", &[]), vec![1], 1),
    ];
    let mut tensors: Vec<Saved> = real.iter().map(|(tensor, ..)| tensor.clone()).collect();
    tensors.extend(integers.iter().map(|(tensor, ..)| tensor.clone()));
    let mut storages: Vec<Storage> =
        real.iter().map(|(tensor, bytes, _)| (tensor.name, 1, bytes.clone())).collect();
    storages.extend(integers.iter().map(|(tensor, bytes, _)| (tensor.name, 1, bytes.clone())));
    for file in both(&state(&tensors), &storages) {
        let found = open(&file).unwrap();
        for (saved, _, value) in &real {
            assert_eq!(found.tensors[saved.name], tensor(&[], &[*value]), "{}", saved.name);
        }
        for (saved, _, value) in &integers {
            assert_eq!(found.integers[saved.name], [*value], "{}", saved.name);
        }
    }
}

/// An archive of a dict with a state under each key.
fn wrapped(keys: &[&str]) -> Vec<u8> {
    let (tensors, storages) = sample();
    let mut object = Assembler::new();
    object.raw(b"}(").text("epoch").int(3);
    for key in keys {
        object.text(key).state(&tensors);
    }
    archive(&object.raw(b"u").finish(), &storages)
}

#[test]
fn every_state_is_listed_with_its_key() {
    let (tensors, storages) = sample();
    let listed = |file: &[u8]| -> Vec<String> {
        checkpoint(file).unwrap().states().into_iter().map(|state| state.key).collect()
    };
    assert_eq!(listed(&wrapped(&["weights", "state_dict_ema"])), ["weights", "state_dict_ema"]);
    let mut nested = Assembler::new();
    nested.raw(b"}").text("model").raw(b"}(").text("width").int(1);
    nested.text("state_dict").state(&tensors).raw(b"us");
    let nested = archive(&nested.finish(), &storages);
    assert_eq!(listed(&nested), ["model.state_dict"]);
    let shapes = &checkpoint(&nested).unwrap().states()[0].shapes;
    assert_eq!((&shapes["weight"], &shapes["count"]), (&vec![2, 3], &vec![]));
    let flat = archive(&state(&tensors), &storages);
    assert_eq!(listed(&flat), [""]);
}

#[test]
fn a_state_is_read_by_its_key() {
    let file = wrapped(&["net", "ema"]);
    for key in ["net", "ema"] {
        let expected = StateDict { found_in: Some(key.to_owned()), ..sample_state() };
        assert_eq!(checkpoint(&file).unwrap().read(key).unwrap(), expected);
    }
    let message = checkpoint(&file).unwrap().read("model").unwrap_err().to_string();
    assert!(message.ends_with("no tensors under the key `model`; --key may be `net` or `ema`"), "{message}");
}

#[test]
fn arch_and_args_are_told() {
    let (tensors, storages) = sample();
    let mut object = Assembler::new();
    object.raw(b"}(").text("arch").text("tf_efficientnet_b4_ns");
    object.text("args").global("argparse", "Namespace").raw(b")\x81}(");
    object.text("model").text("another").text("img_size").int(380).text("bn_eps").raw(b"G");
    object.raw(&0.002_f64.to_be_bytes()).text("mean").raw(b"](").raw(b"G").raw(&0.5_f64.to_be_bytes());
    object.raw(b"K\x01K\x00e").text("std").raw(b"Nub").text("state_dict").state(&tensors).raw(b"u");
    let file = archive(&object.finish(), &storages);
    let expected = Facts {
        arch: Some("tf_efficientnet_b4_ns".to_owned()),
        arch_is_firm: true,
        options: true,
        own_mean: false,
        own_std: true,
        bn_eps: Some(0.002),
        mean: Some([0.5, 1.0, 0.0]),
        std: None,
        res: Some(380),
    };
    assert_eq!(checkpoint(&file).unwrap().facts(), expected);
    assert_eq!(checkpoint(&wrapped(&["model"])).unwrap().facts(), Facts::default());
    // A dict of a program's own, and a mean of bytes.
    let mut object = Assembler::new();
    object.raw(b"}(").text("config").raw(b"}(").text("model").text("efficientnet_b0");
    object
        .text("mean")
        .raw(b"](")
        .int(124)
        .int(117)
        .int(104)
        .raw(b"eu")
        .text("net")
        .state(&tensors)
        .raw(b"u");
    let expected = Facts { arch: Some("efficientnet_b0".to_owned()), ..Facts::default() };
    assert_eq!(checkpoint(&archive(&object.finish(), &storages)).unwrap().facts(), expected);
}

#[test]
fn a_checkpoint_opens_whatever_lies_beside_the_state() {
    let (tensors, storages) = sample();
    let mut object = Assembler::new();
    object.raw(b"}(").text("args").global("argparse", "Namespace").raw(b")\x81}").text("lr").int(1);
    object.raw(b"sb").text("hook").global("os", "system").raw(b"(").text("rm -rf /").raw(b"tR");
    // The optimiser's storage is not in the file, and nobody asks for it.
    object.text("optimizer").state(&[contiguous("gone", "FloatStorage", &[4])]);
    object.text("state_dict").state(&tensors).raw(b"u");
    let expected = StateDict { found_in: Some("state_dict".to_owned()), ..sample_state() };
    assert_eq!(open(&archive(&object.finish(), &storages)).unwrap(), expected);
}

#[test]
fn parameters_and_tensors_with_attributes_are_tensors() {
    let (tensors, storages) = sample();
    let mut object = Assembler::new();
    object.raw(b"}").text("weight").global("torch._utils", "_rebuild_parameter").raw(b"(");
    object.tensor(&tensors[0]).raw(b"\x88NtRs");
    object.text("count").global("torch._tensor", "_rebuild_from_type_v2").raw(b"(");
    object.global("torch._utils", "_rebuild_parameter_with_state").global("torch", "Tensor").raw(b"(");
    object.tensor(&tensors[1]).raw(b"\x89NNt}tRs");
    for file in both(&object.finish(), &storages) {
        assert_eq!(open(&file).unwrap(), sample_state());
    }
}

#[test]
fn plain_data_in_a_state_is_ignored_and_said_so() {
    let (tensors, storages) = sample();
    let mut object = Assembler::new();
    object.raw(b"}(").text("weight").int(0).text("step").int(5).text("note").raw(b"N");
    object.text("weight").tensor(&tensors[0]).text("count").tensor(&tensors[1]).raw(b"u");
    let expected = StateDict { ignored: vec!["note".to_owned(), "step".to_owned()], ..sample_state() };
    assert_eq!(open(&archive(&object.finish(), &storages)).unwrap(), expected);
}

#[test]
fn what_is_no_tensor_among_tensors_is_named() {
    let (tensors, storages) = sample();
    let with_entry = |opcodes: &dyn Fn(&mut Assembler)| {
        let mut object = Assembler::new();
        object.raw(b"}(").text("weight").tensor(&tensors[0]).text("odd");
        opcodes(&mut object);
        refused(&archive(&object.raw(b"u").finish(), &storages))
    };
    let system = with_entry(&|object| {
        object.global("os", "system").raw(b"(").text("ls").raw(b"tR");
    });
    assert!(system.contains("entry `odd` is `os.system`, neither"), "{system}");
    let array = with_entry(&|object| {
        object.global("numpy", "array").raw(b")R");
    });
    assert!(array.contains("entry `odd` is `numpy.array`"), "{array}");
    let complex = with_entry(&|object| {
        object.tensor(&contiguous("odd", "ComplexFloatStorage", &[1]));
    });
    assert!(complex.contains("tensor `odd` holds complex64 numbers"), "{complex}");
    let foreign = with_entry(&|object| {
        object.tensor(&contiguous("odd", "UserStorage", &[1]));
    });
    assert!(foreign.contains("tensor `odd` holds torch.UserStorage numbers"), "{foreign}");
    let negated = with_entry(&|object| {
        object.global("torch._utils", "_rebuild_tensor_v2").raw(b"(NNNNNN}").text("neg").raw(b"\x88stR");
    });
    assert!(negated.contains("entry `odd` is a tensor yet to be conjugated"), "{negated}");
    let empty = with_entry(&|object| {
        object.global("torch._utils", "_rebuild_tensor_v2").raw(b")R");
    });
    assert!(empty.contains("tensor `odd` is damaged: its description is malformed"), "{empty}");
}

#[test]
fn whole_modules_and_programs_are_refused() {
    let module = |object: &mut Assembler| {
        object.raw(b"(").text("module").global("nets", "Net").raw(b"NNtQ)\x81}").text("_modules");
        object.raw(b"}sb");
    };
    let mut bare = Assembler::new();
    module(&mut bare);
    let mut wrapped = Assembler::new();
    wrapped.raw(b"}").text("model");
    module(wrapped.raw(b""));
    for object in [bare.finish(), wrapped.raw(b"s").finish()] {
        for file in both(&object, &[]) {
            let message = refused(&file);
            assert!(message.contains("holds a whole module (`nets.Net`)"), "{message}");
            assert!(message.contains("model.state_dict()"), "{message}");
        }
    }
    let (tensors, _) = sample();
    let pickle = state(&tensors);
    let script =
        archive_of(&[("data.pkl".to_owned(), &pickle), ("constants.pkl".to_owned(), b")."[..].as_ref())]);
    assert!(refused(&script).contains("is a TorchScript program"));
}

#[test]
fn other_files_are_refused() {
    for (bytes, what) in [
        (archive_of(&[("notes.txt".to_owned(), b"x")]), "a zip archive without data.pkl"),
        (b"hello".to_vec(), "neither a zip archive nor a pickle"),
        (Vec::new(), "neither a zip archive nor a pickle"),
        (Assembler::new().raw(b"]").finish(), "a pickle of a list of 0"),
        (archive(&Assembler::new().raw(b"]").finish(), &[]), "holds a list of 0"),
        (
            archive(&Assembler::new().tensor(&contiguous("x", "FloatStorage", &[1])).finish(), &[]),
            "without a name",
        ),
    ] {
        let message = refused(&bytes);
        assert!(message.contains(what), "{message}");
    }
    assert!(!is_torch(b"\x80\x03\0\0\0\0\0\0{\"a\":"), "a safetensors file with a header of 0x380 bytes");
    assert!(!is_torch(b"\x89PNG"));
    assert!(is_torch(b"L119547037146038801333356L\n."));
}

#[test]
fn big_endian_files_are_refused() {
    let (tensors, storages) = sample();
    let pickle = state(&tensors);
    let zip = archive_of(&[("data.pkl".to_owned(), &pickle), ("byteorder".to_owned(), b"big")]);
    let old = [header(false).as_slice(), &stream(&pickle, &storages)[header(true).len()..]].concat();
    for file in [zip, old] {
        assert!(refused(&file).contains("big-endian"));
    }
    // Archives from before there was the record are little-endian.
    let storage = &storages[0].2;
    let pickle = state(&tensors[..1]);
    let older = archive_of(&[("data.pkl".to_owned(), &pickle), ("data/weight".to_owned(), storage)]);
    assert_eq!(open(&older).unwrap().tensors, sample_state().tensors);
}

#[test]
fn views_beyond_their_storage_are_refused() {
    let max = i64::MAX;
    for (offset, shape, strides) in [
        (0, vec![7], vec![1]),
        (1, vec![2, 3], vec![3, 1]),
        (6, vec![], vec![]),
        (0, vec![2, 3], vec![4, 1]),
        (0, vec![max, max, max], vec![0, 0, 0]),
        (0, vec![3, 3], vec![max, max]),
        (max, vec![2], vec![max]),
        (max, vec![1], vec![1]),
        (-1, vec![1], vec![1]),
        (5, vec![2], vec![-1]),
        (0, vec![-2, -3], vec![3, 1]),
        (0, vec![2, 3], vec![1]),
        (0, vec![1; 65], vec![1; 65]),
    ] {
        let (mut tensors, storages) = sample();
        tensors[0] = Saved { offset, shape, strides, ..tensors[0].clone() };
        for file in both(&state(&tensors), &storages) {
            let message = refused(&file);
            assert!(message.contains("tensor `weight` is damaged"), "{message}");
        }
    }
}

#[test]
fn storages_that_are_too_short_are_refused() {
    let with = |storage, part| {
        let (mut tensors, storages) = sample();
        tensors[0] = Saved { storage, part, ..tensors[0].clone() };
        refused(&archive(&state(&tensors), &storages))
    };
    for (storage, part, reason) in [
        (("weight", 7), None, "its storage of 7 numbers of 4 bytes has 24 bytes in the file"),
        (("weight", i64::MAX), None, "numbers of 4 bytes has 24 bytes"),
        (("weight", 5), None, "reach beyond the storage's 5 numbers"),
        (("weight", -1), None, "its description is malformed"),
        (("gone", 6), None, "its storage `gone` is missing"),
        (("../../etc/passwd", 6), None, "its storage `../../etc/passwd` is missing"),
        (("weight", 6), Some((1, 6)), "numbers 1 and 6 more are no part of its 6"),
        (("weight", 6), Some((i64::MAX, i64::MAX)), "are no part of its 6"),
        (("weight", 6), Some((2, 4)), "reach beyond the storage's 4 numbers"),
    ] {
        let message = with(storage, part);
        assert!(message.contains(reason), "{message}");
    }
}

#[test]
fn one_number_shown_often_is_bounded_over_all_tensors() {
    let half = (MAX_SHARED / 2) as i64;
    let names = ["a", "b", "c"];
    let expanded = |count: i64| {
        let show = |name| Saved {
            storage: ("weight", 6),
            shape: vec![count],
            strides: vec![0],
            ..contiguous(name, "FloatStorage", &[])
        };
        archive(&state(&names.map(show)), &sample().1)
    };
    assert!(refused(&expanded(half)).contains("tensor `c` [8388608] takes the file over"));
    assert!(refused(&expanded(1 << 50)).contains("tensor `a` [1125899906842624] takes the file over"));
    assert_eq!(open(&expanded(1000)).unwrap().tensors["c"].values, [1.0; 1000]);
}

#[test]
fn names_are_bounded() {
    let (_, storages) = sample();
    let mut object = Assembler::new();
    object.raw(b"}").text(&"n".repeat(5000)).tensor(&sample().0[0]).raw(b"s");
    assert!(refused(&archive(&object.finish(), &storages)).contains("longer than 1024 bytes"));
}

#[test]
fn streams_with_other_storages_than_the_object_are_refused() {
    let (tensors, storages) = sample();
    let pickle = state(&tensors);
    let surplus = stream(&pickle, &[storages[0].clone(), floats("more", &[1.0])]);
    assert!(refused(&surplus).contains("the storage `more` is damaged: the object has no tensor of it"));
    let negative = stream(&pickle, &[("weight", -1, Vec::new())]);
    assert!(refused(&negative).contains("of its -1 elements, 0 bytes are left"));
    let huge = stream(&pickle, &[("weight", i64::MAX, Vec::new())]);
    assert!(refused(&huge).contains("elements, 0 bytes are left"));
    let lacking = stream(&pickle, &storages[..1]);
    assert!(refused(&lacking).contains("tensor `count` is damaged: its storage `count` is missing"));
}

/// Overwrites a field of every entry of an archive's directory.
fn with_field(mut file: Vec<u8>, field: usize, value: &[u8]) -> Vec<u8> {
    let starts: Vec<usize> =
        (0..file.len()).filter(|&at| file[at..].starts_with(b"PK\x01\x02")).map(|at| at + field).collect();
    for at in starts {
        file[at..at + value.len()].copy_from_slice(value);
    }
    file
}

#[test]
fn records_are_stored_and_have_their_checksums() {
    let (tensors, storages) = sample();
    let file = archive(&state(&tensors), &storages);
    let (method, checksum) = (10, 16);
    let deflated = with_field(file.clone(), method, &[8, 0]);
    assert!(refused(&deflated).contains("the record `byteorder` is compressed"));
    let wrong = with_field(file.clone(), checksum, &[1, 2, 3, 4]);
    assert!(refused(&wrong).contains("the record `byteorder` is damaged"));
    // torch can be told to compute none.
    let none = with_field(file, checksum, &[0; 4]);
    assert_eq!(open(&none).unwrap(), sample_state());
}

#[test]
fn every_cut_is_refused() {
    let (tensors, storages) = sample();
    for file in both(&state(&tensors), &storages) {
        for length in 0..file.len() {
            refused(&file[..length]);
        }
    }
}

#[test]
fn a_changed_bit_of_an_archive_is_noticed_or_means_nothing() {
    let (tensors, storages) = sample();
    let mut file = archive(&state(&tensors), &storages);
    for bit in 0..8 * file.len() {
        file[bit / 8] ^= 1 << (bit % 8);
        if let Ok(found) = open(&file) {
            assert_eq!(found, sample_state(), "bit {bit}");
        }
        file[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn a_changed_bit_of_a_stream_does_no_harm() {
    let (tensors, storages) = sample();
    let mut file = stream(&state(&tensors), &storages);
    for bit in 0..8 * file.len() {
        file[bit / 8] ^= 1 << (bit % 8);
        drop(open(&file));
        file[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn objects_that_hold_themselves_do_no_harm() {
    let cyclic: [&[u8]; 4] = [
        b"}q\0Vmodel\nh\0s.",
        b"]q\0h\0a.",
        b"}Vx\nctorch._utils\n_rebuild_parameter\n](q\0ctorch._utils\n_rebuild_parameter\nh\0etRs.",
        b"}Vstate_dict\n}q\0Vstate_dict\nh\0sVema\nh\0ss.",
    ];
    for pickle in cyclic {
        for file in both(&[b"\x80\x02", pickle].concat(), &[]) {
            refused(&file);
        }
    }
}

#[test]
fn a_parameter_wrapped_very_often_does_no_harm() {
    let mut object = Assembler::new();
    object.raw(b"}").text("x").global("torch._utils", "_rebuild_parameter").raw(b"q\0");
    object.raw(&b"h\0".repeat(99_999)).tensor(&sample().0[0]).raw(&b"\x85R".repeat(100_000)).raw(b"s");
    let message = refused(&archive(&object.finish(), &[]));
    assert!(message.contains("entry `x` is `torch._utils._rebuild_parameter`"), "{message}");
}

/// A change to a file: bytes overwritten, cut out, or put in.
#[derive(Clone, Debug)]
enum Change {
    Overwrite(Vec<u8>),
    Cut(usize),
    Insert(Vec<u8>),
}

fn change() -> impl Strategy<Value = (prop::sample::Index, Change)> {
    let bytes = || proptest::collection::vec(prop_oneof![Just(0), Just(0xff), any::<u8>()], 1..9);
    let change = prop_oneof![
        bytes().prop_map(Change::Overwrite),
        (1_usize..40).prop_map(Change::Cut),
        bytes().prop_map(Change::Insert),
    ];
    (any::<prop::sample::Index>(), change)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn changed_files_are_read_or_refused(
        old in any::<bool>(),
        changes in proptest::collection::vec(change(), 1..6),
    ) {
        let (tensors, storages) = sample();
        let pickle = state(&tensors);
        let mut file = if old { stream(&pickle, &storages) } else { archive(&pickle, &storages) };
        for (place, change) in changes {
            let at = place.index(file.len());
            match change {
                Change::Overwrite(bytes) => {
                    file.iter_mut().skip(at).zip(bytes).for_each(|(byte, new)| *byte = new);
                }
                Change::Cut(length) => drop(file.drain(at..(at + length).min(file.len()))),
                Change::Insert(bytes) => drop(file.splice(at..at, bytes)),
            }
        }
        if let Err(error) = open(&file) {
            prop_assert!(!error.to_string().contains('\n'), "{error}");
        }
    }

    #[test]
    fn changed_pickles_in_sound_archives_are_read_or_refused(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let (tensors, storages) = sample();
        let mut pickle = state(&tensors);
        for (place, byte) in changes {
            let at = place.index(pickle.len());
            pickle[at] = byte;
        }
        drop(open(&archive(&pickle, &storages)));
    }
}
