//! Writes every shader with the pieces that it uses into a folder, for tools that read WGSL:
//!
//!     cargo run --release --example join_shaders -- FOLDER

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: join_shaders FOLDER");
        std::process::exit(2);
    };
    std::fs::create_dir_all(&folder)?;
    for kernel in dfrt_trainer::ops::kernels() {
        std::fs::write(folder.join(kernel.shader.name), kernel.shader.joined())?;
    }
    Ok(())
}
