//! Contact sheets to look at; written only when the test is run by name.

use dfrt_runtime::data::picture::encode_png;
use dfrt_runtime::forgery::synth::portrait::{Person, Shot, photograph};
use dfrt_runtime::random::stream;
use image::{RgbImage, imageops};

#[test]
#[ignore = "draws pictures for a person to look at, in the folder DFRT_SHEETS"]
fn portraits() {
    let folder = std::env::var("DFRT_SHEETS").expect("DFRT_SHEETS names a folder");
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
    let path = std::path::Path::new(&folder).join("portraits.png");
    dfrt_runtime::storage::write(&path, &encode_png(&sheet)).unwrap();
}

/// Reals above the fakes made from them, at the demo's resolution and enlarged twice.
#[test]
#[ignore = "draws pictures for a person to look at, in the folder DFRT_SHEETS"]
fn pairs() {
    use dfrt_runtime::data::manifest::Manifest;
    use dfrt_runtime::data::picture;
    use dfrt_runtime::forgery::synth;
    use dfrt_runtime::sample::{Label, Split};
    let folder = std::env::var("DFRT_SHEETS").expect("DFRT_SHEETS names a folder");
    let out = std::path::Path::new(&folder).join("set");
    if !out.exists() {
        let start = std::time::Instant::now();
        let summary = synth::draw(&out, 1000, 128, 0, &|_, _| {}).unwrap();
        println!("{summary}drawn in {:.1} s", start.elapsed().as_secs_f64());
    }
    let test = Manifest::of(&out).unwrap().split(Split::Test);
    let start = std::time::Instant::now();
    for sample in &test {
        picture::load(&sample.path, 64).unwrap();
    }
    println!("{:.2} ms a picture loaded", start.elapsed().as_secs_f64() * 1e3 / test.len() as f64);
    let (cell, columns) = (128, 12);
    let mut sheet = RgbImage::new(cell * columns, cell * 6);
    let fakes: Vec<_> = test.iter().filter(|sample| sample.label == Label::Fake).collect();
    let name = |sample: &dfrt_runtime::sample::Sample| {
        sample.path.file_stem().unwrap().to_string_lossy()[..7].to_owned()
    };
    // Sorted by path, so self-blended ones come first and swaps last.
    let chosen = fakes.iter().take(18).chain(fakes.iter().rev().take(18));
    for (index, fake) in chosen.enumerate() {
        let same = |sample: &&_| name(sample) == name(fake);
        let mut reals = test.iter().filter(|sample| sample.label == Label::Real);
        let real = reals.find(same).expect("a fake is made of a real");
        let (column, row) = (index as u32 % columns, 2 * (index as u32 / columns));
        for (sample, row) in [(real, row), (*fake, row + 1)] {
            let small = picture::load(&sample.path, 64).unwrap();
            let large = imageops::resize(&small, cell, cell, imageops::FilterType::Nearest);
            imageops::replace(&mut sheet, &large, (column * cell).into(), (row * cell).into());
        }
    }
    let path = std::path::Path::new(&folder).join("pairs.png");
    dfrt_runtime::storage::write(&path, &encode_png(&sheet)).unwrap();
}
