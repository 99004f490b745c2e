//! Both JPEG decoders against libjpeg: fixtures/jpeg, made by tools/jpegs.py.

use super::*;
use std::path::{Path, PathBuf};

/// How far a channel of a pixel may be from libjpeg's, in levels: at most, and in the mean of
/// a picture. The documentation (docs/datasets.md) promises the same.
const MOST: u8 = 4;
const MEAN: f64 = 0.5;

/// `PICTURE.KIND.jpg` of fixtures/jpeg, in the order of their names.
fn jpegs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/jpeg");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut jpegs: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|ending| ending == "jpg")).collect();
    jpegs.sort();
    jpegs
}

/// What the file is called, and its picture's name.
fn names(jpeg: &Path) -> (&str, &str) {
    let name = jpeg.file_name().unwrap().to_str().unwrap();
    (name, name.split('.').next().unwrap())
}

/// The largest difference between two pictures and the mean one, in levels.
fn apart(found: &RgbImage, wanted: &RgbImage) -> (u8, f64) {
    assert_eq!(found.dimensions(), wanted.dimensions());
    let off = found.as_raw().iter().zip(wanted.as_raw()).map(|(found, wanted)| found.abs_diff(*wanted));
    let sum: f64 = off.clone().map(f64::from).sum();
    (off.max().unwrap(), sum / wanted.as_raw().len() as f64)
}

/// Decodes all files: whether the fast decoder was used, and the distance from libjpeg's pixels.
fn decoded() -> Vec<(String, bool, u8, f64)> {
    let one = |path: &PathBuf| {
        let (name, picture) = names(path);
        let wanted = image::open(path.with_file_name(format!("{picture}.png"))).unwrap().into_rgb8();
        let bytes = std::fs::read(path).unwrap();
        let layout = Layout::read(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let fast = layout.is_usual() && layout.fast_colours() == layout.colours().unwrap();
        let (most, mean) = apart(&layout.decode().unwrap_or_else(|error| panic!("{name}: {error}")), &wanted);
        (name.to_owned(), fast, most, mean)
    };
    jpegs().iter().map(one).collect()
}

#[test]
fn pixels_are_those_of_libjpeg() {
    let decoded = decoded();
    let table: Vec<String> = decoded
        .iter()
        .map(|(name, fast, most, mean)| {
            format!("{name:30} {} {most:3} {mean:.3}", if *fast { "fast    " } else { "thorough" })
        })
        .collect();
    let table = table.join("\n");
    assert!(decoded.iter().all(|&(_, _, most, mean)| most <= MOST && mean <= MEAN), "\n{table}");
    // Both decoders were tested on baseline, progressive, restarted and CMYK files.
    for (fast, pictures) in [
        (
            true,
            &[
                "444.baseline",
                "420.progressive",
                "420.restart",
                "grey.baseline",
                "rgb.baseline",
                "cmyk.baseline",
                "ycck.progressive",
            ][..],
        ),
        (
            false,
            &[
                "444.alone",
                "420.restart_alone",
                "420.in_two",
                "fine_chroma.baseline",
                "fine_chroma.progressive",
                "cmyk_420.baseline",
                "ycck_420.progressive",
            ][..],
        ),
    ] {
        for picture in pictures {
            let there =
                decoded.iter().any(|(name, way, ..)| *name == format!("{picture}.jpg") && *way == fast);
            assert!(there, "{picture}: fast is not {fast}\n{table}");
        }
    }
}
