use super::*;
use image::{GrayAlphaImage, ImageFormat, Luma, LumaA, Rgb, Rgba};
use proptest::prelude::*;

fn ramp(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([(x * 7 % 256) as u8, (y * 5 % 256) as u8, ((x * y) % 256) as u8])
    })
}

fn png_of(picture: impl Into<DynamicImage>) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn decoded(bytes: &[u8]) -> Result<RgbImage, PictureError> {
    decode(bytes, Path::new("some.png"))
}

/// A one-block JPEG of `values.len()` flat channels: 8 x 8 pixels whose channel c
/// holds `values[c]`, with Adobe's marker and its colour transform where given.
fn flat_jpeg(values: &[u8], adobe_transform: Option<u8>) -> Vec<u8> {
    let mut jpeg = vec![0xff, 0xd8];
    if let Some(transform) = adobe_transform {
        jpeg.extend([0xff, 0xee, 0, 14]);
        jpeg.extend(b"Adobe\0\x64\0\0\0\0");
        jpeg.push(transform);
    }
    jpeg.extend([0xff, 0xdb, 0, 67, 0]);
    jpeg.extend([8; 64]); // one DC step is one level
    let channels = values.len() as u8;
    jpeg.extend([0xff, 0xc0, 0, 8 + 3 * channels, 8, 0, 8, 0, 8, channels]);
    (1..=channels).for_each(|id| jpeg.extend([id, 0x11, 0]));
    // DC sizes 0 to 8 as four-bit codes; the end of a block as the one-bit code 0.
    jpeg.extend([0xff, 0xc4, 0, 28, 0x00, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    jpeg.extend(0..9);
    jpeg.extend([0xff, 0xc4, 0, 20, 0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    jpeg.extend([0xff, 0xda, 0, 6 + 2 * channels, channels]);
    (1..=channels).for_each(|id| jpeg.extend([id, 0]));
    jpeg.extend([0, 63, 0]);
    let mut bits = String::new();
    for &value in values {
        let level = i32::from(value) - 128;
        let size = 32 - level.unsigned_abs().leading_zeros();
        let code = if level < 0 { level + (1 << size) - 1 } else { level };
        bits += &format!("{size:04b}");
        if size > 0 {
            bits += &format!("{code:0width$b}", width = size as usize);
        }
        bits.push('0');
    }
    while !bits.len().is_multiple_of(8) {
        bits.push('1');
    }
    for chunk in bits.as_bytes().chunks(8) {
        let byte = u8::from_str_radix(std::str::from_utf8(chunk).unwrap(), 2).unwrap();
        jpeg.push(byte);
        if byte == 0xff {
            jpeg.push(0);
        }
    }
    jpeg.extend([0xff, 0xd9]);
    jpeg
}

#[test]
fn png_comes_back_bit_for_bit() {
    let picture = ramp(33, 17);
    assert_eq!(decoded(&encode_png(&picture)).unwrap(), picture);
}

#[test]
fn jpeg_comes_back_close_and_higher_quality_closer() {
    let picture = RgbImage::from_fn(64, 64, |x, y| Rgb([(x * 3) as u8, (y * 3) as u8, 90]));
    let error = |quality| {
        let back = decoded(&encode_jpeg(&picture, quality)).unwrap();
        let pairs = back.as_raw().iter().zip(picture.as_raw());
        pairs.map(|(&a, &b)| f64::from(a.abs_diff(b))).sum::<f64>() / picture.as_raw().len() as f64
    };
    assert!(error(95) < 1.5, "{}", error(95));
    assert!(error(95) < error(20));
}

#[test]
fn every_kind_of_png_becomes_rgb() {
    let grey = image::GrayImage::from_pixel(4, 4, Luma([77]));
    assert_eq!(decoded(&png_of(grey)).unwrap().get_pixel(1, 1).0, [77; 3]);
    let deep = image::ImageBuffer::<Rgb<u16>, _>::from_pixel(4, 4, Rgb([65535, 257 * 9, 0]));
    assert_eq!(decoded(&png_of(deep)).unwrap().get_pixel(0, 3).0, [255, 9, 0]);
    let deep_grey = image::ImageBuffer::<Luma<u16>, _>::from_pixel(4, 4, Luma([257 * 40]));
    assert_eq!(decoded(&png_of(deep_grey)).unwrap().get_pixel(0, 3).0, [40; 3]);
    let half = image::RgbaImage::from_pixel(4, 4, Rgba([200, 100, 50, 128]));
    assert_eq!(decoded(&png_of(half)).unwrap().get_pixel(2, 2).0, [100, 50, 25]);
    let clear = GrayAlphaImage::from_pixel(4, 4, LumaA([200, 0]));
    assert_eq!(decoded(&png_of(clear)).unwrap().get_pixel(2, 2).0, [0; 3]);
}

#[test]
fn the_content_decides_not_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("really a png.jpg");
    std::fs::write(&path, encode_png(&ramp(8, 8))).unwrap();
    assert_eq!(open(&path).unwrap(), ramp(8, 8));
    let mut bmp = Cursor::new(Vec::new());
    ramp(8, 8).write_to(&mut bmp, ImageFormat::Bmp).unwrap();
    assert_eq!(decoded(&bmp.into_inner()).unwrap(), ramp(8, 8));
    let mut webp = Cursor::new(Vec::new());
    ramp(8, 8).write_to(&mut webp, ImageFormat::WebP).unwrap();
    assert_eq!(decoded(&webp.into_inner()).unwrap(), ramp(8, 8));
}

#[test]
fn the_first_picture_of_a_gif_or_tiff() {
    let mut gif = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut gif);
    for colour in [[10, 200, 60, 255], [250, 0, 0, 255]] {
        encoder.encode_frame(image::Frame::new(image::RgbaImage::from_pixel(6, 5, Rgba(colour)))).unwrap();
    }
    drop(encoder);
    let first = decoded(&gif).unwrap();
    assert_eq!(first.dimensions(), (6, 5));
    assert!(first.pixels().all(|pixel| pixel.0 == [10, 200, 60]), "{:?}", first.get_pixel(0, 0));
    assert!(decoded(&gif[..gif.len() / 3]).is_err());
    let tiff_of = |picture: DynamicImage| {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Tiff).unwrap();
        bytes.into_inner()
    };
    assert_eq!(decoded(&tiff_of(ramp(8, 8).into())).unwrap(), ramp(8, 8));
    let deep = image::ImageBuffer::<Rgb<u16>, _>::from_pixel(4, 4, Rgb([65535, 257 * 9, 0]));
    assert_eq!(decoded(&tiff_of(deep.into())).unwrap().get_pixel(0, 3).0, [255, 9, 0]);
    let float = image::Rgb32FImage::from_pixel(4, 4, Rgb([0.5, 200.0, -3.0]));
    let error = decoded(&tiff_of(float.into())).unwrap_err();
    assert!(error.to_string().contains("floating-point"), "{error}");
    let whole = tiff_of(ramp(64, 64).into());
    assert!(decoded(&whole[..whole.len() / 2]).is_err());
}

#[test]
fn adobe_cmyk_and_ycck_have_their_colours() {
    // Adobe stores 255 minus the ink: no black, no cyan, full magenta and yellow is red.
    let red = decoded(&flat_jpeg(&[255, 0, 0, 255], Some(0))).unwrap();
    let [r, g, b] = red.get_pixel(3, 3).0;
    assert!(r > 250 && g < 5 && b < 5, "{:?}", red.get_pixel(3, 3));
    let dark = decoded(&flat_jpeg(&[255, 255, 255, 100], Some(0))).unwrap();
    assert!(dark.get_pixel(3, 3).0.iter().all(|value| value.abs_diff(100) < 4));
    // YCCK: the luma of the *inked* picture is 0, so the inverted channels are all 255.
    let white = decoded(&flat_jpeg(&[0, 128, 128, 255], Some(2))).unwrap();
    assert!(white.get_pixel(3, 3).0.iter().all(|&value| value > 250));
    let error = decoded(&flat_jpeg(&[255, 0, 0, 255], None)).unwrap_err();
    assert!(error.to_string().contains("Adobe"), "{error}");
    let grey = decoded(&flat_jpeg(&[200], None)).unwrap();
    assert_eq!(grey.get_pixel(0, 0).0, [200; 3]);
}

#[test]
fn exif_orientation_is_applied() {
    let picture = RgbImage::from_fn(16, 8, |x, _| Rgb(if x < 8 { [250; 3] } else { [5; 3] }));
    let mut jpeg = encode_jpeg(&picture, 95);
    // APP1 with one TIFF entry: orientation (0x0112) = 6, to be turned by 90 degrees.
    let exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let mut segment = vec![0xff, 0xe1];
    segment.extend((exif.len() as u16 + 2).to_be_bytes());
    segment.extend(exif);
    jpeg.splice(2..2, segment);
    let turned = decoded(&jpeg).unwrap();
    assert_eq!(turned.dimensions(), (8, 16));
    assert!(turned.get_pixel(4, 2).0[0] > 200 && turned.get_pixel(4, 14).0[0] < 50);
}

#[test]
fn a_bomb_is_refused_before_it_is_decoded() {
    let mut png = encode_png(&ramp(8, 8));
    png[16..24].copy_from_slice(&[0, 0, 0x7f, 0xff, 0, 0, 0x7f, 0xff]);
    let crc = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    let error = decoded(&png).unwrap_err();
    assert!(matches!(error, PictureError::TooLarge { .. }), "{error}");
    assert!(error.to_string().contains("32767 x 32767"), "{error}");
    let mut jpeg = encode_jpeg(&ramp(8, 8), 80);
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff; 4]);
    assert!(matches!(decoded(&jpeg), Err(PictureError::TooLarge { .. })));
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |mut crc, &byte| {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
        crc
    })
}

#[test]
fn what_is_no_picture_is_named_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.jpg");
    std::fs::write(&empty, b"").unwrap();
    let text = folder.path().join("notes.png");
    std::fs::write(&text, "dear diary").unwrap();
    let half = folder.path().join("half.jpg");
    let whole = encode_jpeg(&ramp(64, 64), 90);
    std::fs::write(&half, &whole[..whole.len() / 2]).unwrap();
    let half_png = folder.path().join("half.png");
    let whole = encode_png(&ramp(64, 64));
    std::fs::write(&half_png, &whole[..whole.len() / 2]).unwrap();
    let missing = folder.path().join("missing.png");
    let cases = [&empty, &text, &half, &half_png, &missing, &folder.path().to_owned()];
    for path in cases {
        let message = load(path, 32).unwrap_err().to_string();
        assert!(message.starts_with(&path.display().to_string()), "{message}");
        assert!(message.contains("; ") && !message.contains('\n'), "{message}");
    }
    assert!(load(&half, 32).unwrap_err().to_string().contains("truncated"));
    assert!(load(&empty, 32).unwrap_err().to_string().contains("empty"));
    assert!(matches!(load(&empty, 0), Err(PictureError::NoResolution { .. })));
}

#[test]
fn a_picture_of_the_right_size_passes_through() {
    let picture = ramp(48, 48);
    assert_eq!(prepare(&picture, 48), picture);
}

#[test]
fn the_central_square_is_what_remains() {
    for (width, height) in [(96, 32), (32, 96)] {
        let picture = RgbImage::from_fn(width, height, |x, y| {
            let inside = (width.abs_diff(32) / 2..).contains(&x)
                && (height.abs_diff(32) / 2..).contains(&y)
                && x < width.div_ceil(2) + 16
                && y < height.div_ceil(2) + 16;
            Rgb(if inside { [200, 10, 60] } else { [0; 3] })
        });
        let square = prepare(&picture, 16);
        assert!(square.pixels().all(|pixel| pixel.0 == [200, 10, 60]), "{width} x {height}");
    }
}

#[test]
fn shrinking_does_not_alias() {
    let stripes = RgbImage::from_fn(256, 256, |x, _| Rgb(if x % 2 == 0 { [0; 3] } else { [200; 3] }));
    let small = prepare(&stripes, 32);
    assert!(small.pixels().all(|pixel| pixel.0[0].abs_diff(100) <= 4));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn damage_never_panics(
        kind in 0..4_usize,
        flips in proptest::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 0..6),
        keep in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let picture = ramp(24, 20);
        let mut bytes = match kind {
            0 => encode_png(&picture),
            1 => encode_jpeg(&picture, 60),
            2 => flat_jpeg(&[9, 200, 130, 77], Some(2)),
            _ => {
                let mut webp = Cursor::new(Vec::new());
                picture.write_to(&mut webp, ImageFormat::WebP).unwrap();
                webp.into_inner()
            }
        };
        let whole = bytes.len();
        for (at, flip) in &flips {
            let at = at.index(whole);
            bytes[at] ^= flip;
        }
        if let Some(keep) = keep {
            bytes.truncate(keep.index(whole));
            if flips.is_empty() && kind < 3 {
                // Of a PNG only the end marker, which holds no picture data, may go missing.
                let decodable = kind == 0 && bytes.len() + 16 >= whole;
                prop_assert!(decodable || decoded(&bytes).is_err());
                return Ok(());
            }
        }
        if let Ok(back) = decoded(&bytes) {
            prop_assert!(back.width() > 0 && back.height() > 0);
        }
    }

    #[test]
    fn any_shape_becomes_the_square(width in 1..80_u32, height in 1..80_u32, res in 1..70_usize) {
        let flat = RgbImage::from_pixel(width, height, Rgb([13, 140, 255]));
        let square = prepare(&flat, res);
        prop_assert_eq!(square.dimensions(), (res as u32, res as u32));
        prop_assert!(square.pixels().all(|pixel| pixel.0 == [13, 140, 255]));
    }
}
