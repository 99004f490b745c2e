//! Every shader against what Rust declares and against the other shading languages.
//! Needs no GPU.

use dfrt_trainer::gpu::kernel::{check, validate};
use dfrt_trainer::ops;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../wgsl")
}

fn shaders() -> Vec<(String, String)> {
    let mut files: Vec<_> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let text = |path: std::path::PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    files.into_iter().map(text).collect()
}

#[test]
fn declarations_agree_with_the_shaders() {
    let failures: Vec<_> = ops::kernels().into_iter().filter_map(|kernel| check(kernel).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_entry_point_is_declared() {
    let declared: BTreeSet<_> = ops::kernels().into_iter().map(|kernel| kernel.name()).collect();
    for (name, source) in shaders() {
        let module = naga::front::wgsl::parse_str(&source).unwrap();
        for entry in &module.entry_points {
            let full = format!("{name}:{}", entry.name);
            assert!(declared.contains(&full), "{full} is declared nowhere");
        }
    }
}

#[test]
fn every_shader_translates_to_the_other_languages() {
    for (name, source) in shaders() {
        let module = naga::front::wgsl::parse_str(&source).unwrap();
        let info = validate(&module).unwrap_or_else(|error| panic!("{name}: {error}"));
        spirv(&name, &module, &info);
        metal(&name, &module, &info);
        hlsl(&name, &module, &info);
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
}

/// naga lets barriers in non-uniform flow through, tint does not. The kernels for
/// software devices have an array of immediates, which is naga's own.
#[test]
fn tint_accepts_every_shader() {
    if Command::new("tint").arg("--help").output().is_err() {
        println!("tint is not on the PATH: its check was passed over");
        return;
    }
    let portable = |(name, _): &(String, String)| !name.ends_with("_software.wgsl");
    for (name, _) in shaders().into_iter().filter(portable) {
        let run = Command::new("tint").args(["--format", "wgsl"]).arg(folder().join(&name)).output().unwrap();
        assert!(run.status.success(), "{name}: {}", String::from_utf8_lossy(&run.stderr));
    }
}
