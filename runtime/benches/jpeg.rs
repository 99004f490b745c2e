//! What reading a JPEG's markers, its limits and its orientation cost beside decoding it by
//! zune-jpeg alone, both in turns and on one thread:
//!
//! ```sh
//! cargo bench --bench jpeg
//! ```

mod in_turns;

use criterion::{Criterion, Throughput};
use dfrt_runtime::data::picture;
use dfrt_runtime::forgery::synth::portrait::{Person, Shot, photograph};
use dfrt_runtime::random::stream;
use image::imageops::{self, FilterType};
use in_turns::in_turns;
use std::path::Path;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Sides of the pictures, in pixels.
const SIDES: [u32; 3] = [224, 512, 1024];
const PICTURES: u64 = 5;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("jpeg");
    group.throughput(Throughput::Elements(PICTURES));
    for side in SIDES {
        let files: Vec<Vec<u8>> = (0..PICTURES).map(|person| drawn(person, side)).collect();
        in_turns(
            &mut group,
            &format!("{side} px beside zune-jpeg"),
            || files.iter().for_each(|file| zune_jpeg_alone(file, side)),
            || {
                for file in &files {
                    let picture = picture::decode(file, Path::new("drawn.jpg")).expect("a picture");
                    assert_eq!(picture.width(), side);
                }
            },
        );
    }
    group.finish();
    criterion.final_summary();
}

fn zune_jpeg_alone(file: &[u8], side: u32) {
    let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::RGB);
    let pixels = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(file), options).decode();
    assert_eq!(pixels.expect("a picture").len(), 3 * (side * side) as usize);
}

/// A portrait as a JPEG of quality 90.
fn drawn(person: u64, side: u32) -> Vec<u8> {
    let who = Person::draw(&mut stream(5, &["person".into(), person.into()]));
    let how = Shot::draw(&mut stream(5, &["shot".into(), person.into()]));
    let portrait = photograph(&who, &how, 256, &mut stream(5, &["noise".into(), person.into()])).picture;
    picture::encode_jpeg(&imageops::resize(&portrait, side, side, FilterType::CatmullRom), 90)
}
