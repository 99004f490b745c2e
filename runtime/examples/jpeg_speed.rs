//! What reading a JPEG's markers, its limits and its orientation cost beside decoding it by
//! zune-jpeg alone, both in turns:
//! `cargo run --release -p dfrt-runtime --example jpeg_speed -- [ROUNDS]`.

use dfrt_runtime::data::picture;
use dfrt_runtime::forgery::synth::portrait::{Person, Shot, photograph};
use dfrt_runtime::random::stream;
use image::imageops::{self, FilterType};
use std::error::Error;
use std::path::Path;
use std::time::Instant;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Sides of the pictures, in pixels, and how many of them a round decodes.
const SIDES: [(u32, usize); 3] = [(224, 400), (512, 100), (1024, 25)];
const PICTURES: u64 = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let rounds = std::env::args().nth(1).map_or(Ok(5), |rounds| rounds.parse::<usize>())?;
    println!("JPEGs of quality 90, one thread; pictures/s");
    println!("round  side  zune-jpeg     dfrt  ratio");
    for (side, count) in SIDES {
        let files: Vec<Vec<u8>> = (0..PICTURES).map(|person| drawn(person, side)).collect();
        let files = || files.iter().cycle().take(count);
        for round in 1..=rounds {
            let start = Instant::now();
            for file in files() {
                let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::RGB);
                let pixels = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(file), options).decode();
                assert_eq!(pixels.map_err(|error| format!("{error:?}"))?.len(), 3 * (side * side) as usize);
            }
            let alone = count as f64 / start.elapsed().as_secs_f64();
            let start = Instant::now();
            for file in files() {
                assert_eq!(picture::decode(file, Path::new("drawn.jpg"))?.width(), side);
            }
            let whole = count as f64 / start.elapsed().as_secs_f64();
            println!("{round:5}  {side:4}  {alone:9.0}  {whole:7.0}  {:5.2}", whole / alone);
        }
    }
    Ok(())
}

/// A portrait as a JPEG.
fn drawn(person: u64, side: u32) -> Vec<u8> {
    let who = Person::draw(&mut stream(5, &["person".into(), person.into()]));
    let how = Shot::draw(&mut stream(5, &["shot".into(), person.into()]));
    let portrait = photograph(&who, &how, 256, &mut stream(5, &["noise".into(), person.into()])).picture;
    picture::encode_jpeg(&imageops::resize(&portrait, side, side, FilterType::CatmullRom), 90)
}
