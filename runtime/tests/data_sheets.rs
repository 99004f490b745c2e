//! Contact sheets for the eye, written only where asked for by name.

use dfrt_runtime::data::picture::encode_png;
use dfrt_runtime::data::portrait::{Person, Shot, photograph};
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
