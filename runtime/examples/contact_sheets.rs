//! Contact sheets of the drawn faces and of the demo set, to be looked at:
//!
//! ```sh
//! cargo run --release -p dfrt-runtime --example contact_sheets sheets
//! ```

use dfrt_runtime::data::manifest::Manifest;
use dfrt_runtime::data::picture::{self, encode_png};
use dfrt_runtime::forgery::synth;
use dfrt_runtime::forgery::synth::portrait::{Person, Shot, photograph};
use dfrt_runtime::random::stream;
use dfrt_runtime::sample::{Label, Sample, Split};
use dfrt_runtime::storage;
use image::{RgbImage, imageops};
use std::error::Error;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let folder: PathBuf = std::env::args_os().nth(1).ok_or("name a folder for the sheets")?.into();
    portraits(&folder)?;
    pairs(&folder)
}

/// Twenty drawn people, two shots of each.
fn portraits(folder: &Path) -> Result<(), Box<dyn Error>> {
    let (size, columns, rows) = (160, 8, 5);
    let mut sheet = RgbImage::new(size * columns, size * rows);
    for index in 0..columns * rows {
        let person = u64::from(index / 2);
        let who = Person::draw(&mut stream(0, &["person".into(), person.into()]));
        let how = Shot::draw(&mut stream(0, &["shot".into(), u64::from(index).into()]));
        let mut noise = stream(0, &["noise".into(), u64::from(index).into()]);
        let portrait = photograph(&who, &how, size, &mut noise);
        let at = ((index % columns) * size, (index / columns) * size);
        imageops::replace(&mut sheet, &portrait.picture, at.0.into(), at.1.into());
    }
    Ok(storage::write(&folder.join("portraits.png"), &encode_png(&sheet))?)
}

/// Reals above the fakes made of them, at the demo's resolution and twice enlarged.
fn pairs(folder: &Path) -> Result<(), Box<dyn Error>> {
    let out = folder.join("set");
    if !out.exists() {
        synth::draw(&out, 1000, 128, 0, &|_, _| {})?;
    }
    let test = Manifest::of(&out)?.split(Split::Test);
    let (cell, columns) = (128, 12);
    let mut sheet = RgbImage::new(cell * columns, cell * 6);
    let fakes: Vec<_> = test.iter().filter(|sample| sample.label == Label::Fake).collect();
    let name = |sample: &Sample| sample.path.file_stem().unwrap().to_string_lossy()[..7].to_owned();
    // Sorted by path, so self-blended ones come first and swaps last.
    let chosen = fakes.iter().take(18).chain(fakes.iter().rev().take(18));
    for (index, fake) in chosen.enumerate() {
        let same = |sample: &&_| name(sample) == name(fake);
        let mut reals = test.iter().filter(|sample| sample.label == Label::Real);
        let real = reals.find(same).expect("a fake is made of a real");
        let (column, row) = (index as u32 % columns, 2 * (index as u32 / columns));
        for (sample, row) in [(real, row), (*fake, row + 1)] {
            let small = picture::load(&sample.path, 64)?;
            let large = imageops::resize(&small, cell, cell, imageops::FilterType::Nearest);
            imageops::replace(&mut sheet, &large, (column * cell).into(), (row * cell).into());
        }
    }
    Ok(storage::write(&folder.join("pairs.png"), &encode_png(&sheet))?)
}
