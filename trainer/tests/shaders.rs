//! Every shader, with its pieces, against what Rust declares and against the other
//! shading languages. Needs no GPU.

mod planted_shaders;

use dfrt_trainer::gpu::kernel::{Parameters, check};
use dfrt_trainer::gpu::shader::{PIECES, Shader};
use dfrt_trainer::ops::{self, step::Step};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Every shader once.
fn shaders() -> impl Iterator<Item = Shader> {
    let shaders = ops::kernels().into_iter().map(|kernel| (kernel.shader.name, *kernel.shader));
    shaders.collect::<BTreeMap<_, _>>().into_values()
}

/// The names, without it, of the files with this extension in a folder.
fn stems(folder: &str, extension: &str) -> BTreeSet<String> {
    let files = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
    let files = files.map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|found| found == extension));
    files.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn one_stem_names_an_op_its_shader_its_reference_and_its_test() {
    // The scalars of a step have no kernel, and `kernels` is the list of all.
    let ops = &stems("src/ops", "rs") - &set(&["mod", "step", "kernels"]);
    // The same products for some kinds of device.
    let variants = set(&["pointwise_software", "pointwise_tiled"]);
    assert_eq!(stems("../wgsl", "wgsl"), &ops | &variants);
    // The tests compare a copy with its input, add up what `reduce` adds up, and have folding's one
    // formula themselves.
    assert_eq!(&ops - &stems("src/reference", "rs"), set(&["copy", "folding", "reduce"]));
    assert_eq!(&stems("tests/gpu/ops", "rs") - &set(&["mod"]), ops);
}

#[test]
fn every_file_is_a_shader_or_a_piece_of_several() {
    let names: BTreeSet<_> = stems("../wgsl", "wgsl").iter().map(|stem| format!("{stem}.wgsl")).collect();
    assert_eq!(shaders().map(|shader| shader.name.to_owned()).collect::<BTreeSet<_>>(), names);
    let pieces = stems("../wgsl/shared", "wgsl");
    let pieces: BTreeSet<_> = pieces.iter().map(|stem| format!("shared/{stem}.wgsl")).collect();
    assert_eq!(PIECES.iter().map(|piece| piece.name.to_owned()).collect::<BTreeSet<_>>(), pieces);
    for piece in PIECES {
        let users = shaders().filter(|shader| shader.pieces().any(|used| used == *piece)).count();
        assert!(users > 1, "{}: used by {users} shaders", piece.name);
        assert_eq!(piece.pieces().count(), 0, "{}: a piece uses no others", piece.name);
    }
}

#[test]
fn an_error_is_where_it_stands_in_its_own_file() {
    for (shader, place) in planted_shaders::places() {
        let error = shader.parse().unwrap_err();
        assert!(error.starts_with(&place), "{error}");
    }
    let error = planted_shaders::IN_A_PIECE.parse().unwrap_err();
    assert!(error.contains("rows_per_chunk"), "{error}");
    let source = "//!use smallest, invocation\n\nfn half() -> f32 {\n    return 0.5 +;\n}\n";
    let syntax = Shader { name: "planted.wgsl", source }.parse().unwrap_err();
    assert!(syntax.starts_with("planted.wgsl:4:"), "{syntax}");
}

#[test]
#[should_panic(expected = "planted.wgsl: no piece is called `chunks`")]
fn a_piece_that_is_not_there_is_named() {
    Shader { name: "planted.wgsl", source: "//!use chunks\n" }.joined();
}

#[test]
fn declarations_agree_with_the_shaders() {
    let failures: Vec<_> = ops::kernels().into_iter().filter_map(|kernel| check(kernel).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_scalars_of_a_step_agree_with_the_shaders() {
    let mut seen = BTreeSet::new();
    for shader in shaders() {
        let (module, _) = shader.parse().unwrap();
        for (_, kind) in module.types.iter().filter(|(_, kind)| kind.name.as_deref() == Some("Step")) {
            let naga::TypeInner::Struct { members, .. } = &kind.inner else { panic!("Step is a struct") };
            Step::LAYOUT.check(&module, members).unwrap();
            seen.insert(shader.name.to_owned());
        }
    }
    let uses = |shader: &Shader| shader.pieces().any(|piece| piece.name == "shared/step.wgsl");
    let users: BTreeSet<_> = shaders().filter(uses).map(|shader| shader.name.to_owned()).collect();
    assert!(users.contains("cross_entropy.wgsl") && users.contains("optimizer.wgsl"), "{users:?}");
    assert_eq!(seen, users);
}

#[test]
fn every_entry_point_is_declared() {
    let declared: BTreeSet<_> = ops::kernels().into_iter().map(|kernel| kernel.name()).collect();
    for shader in shaders() {
        for entry in &shader.parse().unwrap().0.entry_points {
            let full = format!("{}:{}", shader.name, entry.name);
            assert!(declared.contains(&full), "{full} is declared nowhere");
        }
    }
}

/// naga's HLSL reads the number of workgroups rightly from an entry point's arguments
/// alone: in a function that is given the struct it would be the group's own place.
#[test]
fn structs_of_built_ins_stay_in_entry_points() {
    let built_in = |member: &naga::StructMember| matches!(member.binding, Some(naga::Binding::BuiltIn(_)));
    for shader in shaders() {
        let (module, _) = shader.parse().unwrap();
        for (_, function) in module.functions.iter() {
            for argument in &function.arguments {
                if let naga::TypeInner::Struct { members, .. } = &module.types[argument.ty].inner {
                    assert!(!members.iter().any(built_in), "{}: {:?}", shader.name, function.name);
                }
            }
        }
    }
}

#[test]
fn every_shader_translates_to_the_other_languages() {
    for shader in shaders() {
        let name = shader.name;
        let (module, info) = shader.parse().unwrap_or_else(|error| panic!("{error}"));
        spirv(name, &module, &info);
        metal(name, &module, &info);
        hlsl(name, &module, &info);
    }
}

fn spirv(name: &str, module: &naga::Module, info: &naga::valid::ModuleInfo) {
    let options = naga::back::spv::Options::default();
    let words = naga::back::spv::write_vec(module, info, &options, None);
    assert!(!words.unwrap_or_else(|error| panic!("{name}: SPIR-V: {error}")).is_empty());
}

fn metal(name: &str, module: &naga::Module, info: &naga::valid::ModuleInfo) {
    let options = naga::back::msl::Options { fake_missing_bindings: true, ..Default::default() };
    let pipeline = naga::back::msl::PipelineOptions::default();
    let written = naga::back::msl::write_string(module, info, &options, &pipeline);
    let (text, translation) = written.unwrap_or_else(|error| panic!("{name}: MSL: {error}"));
    assert!(text.contains("kernel void"), "{name}");
    for entry in translation.entry_point_names {
        entry.unwrap_or_else(|error| panic!("{name}: MSL: {error}"));
    }
}

fn hlsl(name: &str, module: &naga::Module, info: &naga::valid::ModuleInfo) {
    let mut text = String::new();
    let options = naga::back::hlsl::Options {
        fake_missing_bindings: true,
        special_constants_binding: Some(naga::back::hlsl::BindTarget::default()),
        immediates_target: Some(naga::back::hlsl::BindTarget::default()),
        ..Default::default()
    };
    let pipeline = naga::back::hlsl::PipelineOptions::default();
    let mut writer = naga::back::hlsl::Writer::new(&mut text, &options, &pipeline);
    let reflected = writer.write(module, info, None).unwrap_or_else(|error| panic!("{name}: HLSL: {error}"));
    for entry in reflected.entry_point_names {
        entry.unwrap_or_else(|error| panic!("{name}: HLSL: {error}"));
    }
    assert!(text.contains("numthreads"), "{name}");
    // On DX12 the number of workgroups is in a constant of naga's.
    assert!(text.contains("uint3(_NagaConstants.first_vertex"), "{name}: {text}");
}
