use super::*;
use crate::data::picture;
use image::{DynamicImage, ImageFormat, Luma, Rgb, RgbImage, Rgba};
use proptest::prelude::*;
use std::io::Cursor;

fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// `png` with one more chunk behind its first one.
fn with_chunk(png: &[u8], kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u32).to_be_bytes();
    [&png[..33], &length, kind, data, &[0; 4], &png[33..]].concat()
}

#[test]
fn every_format_is_known_by_its_content() {
    let picture = || RgbImage::from_pixel(9, 7, Rgb([10, 20, 30]));
    let of = |format| read(&encoded(picture(), format)).unwrap();
    for (format, ours) in [
        (ImageFormat::Jpeg, Format::Jpeg),
        (ImageFormat::Png, Format::Png),
        (ImageFormat::Bmp, Format::Bmp),
        (ImageFormat::WebP, Format::Webp),
        (ImageFormat::Tiff, Format::Tiff),
    ] {
        let header = of(format);
        assert_eq!((header.format, header.alpha), (ours, false));
        assert_eq!(header.colours(), "rgb 8 bit");
        let name = format!("a.{}", format.extensions_str()[0].to_uppercase());
        assert_eq!(Format::promised(Path::new(&name)), Some(ours));
    }
    assert_eq!(of(ImageFormat::WebP).coding, "lossless");
    assert_eq!(of(ImageFormat::Jpeg).coding, "baseline");
    for ending in ["jpe", "JFIF", "jpeg"] {
        assert_eq!(Format::promised(&Path::new("a").with_extension(ending)), Some(Format::Jpeg));
    }
    assert_eq!(Format::promised(Path::new("a.tif")), Some(Format::Tiff));
    let gif = read(&encoded(image::RgbaImage::from_pixel(9, 7, Rgba([10, 20, 30, 255])), ImageFormat::Gif));
    let gif = gif.unwrap();
    assert_eq!((gif.format, gif.channels, gif.bits), (Format::Gif, Channels::Palette, 8));
    assert_eq!(Format::promised(Path::new("a.gif")), Some(Format::Gif));
    assert_eq!(read(b"GIF90a"), None);
    assert_eq!(read(b""), None);
    assert_eq!(Format::promised(Path::new("picture")), None);
}

#[test]
fn unusual_pixels() {
    // A GIF's pixel is there or it is not.
    let rgba = || image::RgbaImage::from_pixel(9, 7, Rgba([10, 20, 30, 0]));
    let formats =
        [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::Gif];
    for format in formats {
        assert!(read(&encoded(rgba(), format)).unwrap().alpha, "{format:?}");
    }
    let grey = image::ImageBuffer::from_pixel(9, 7, Luma([40_000_u16]));
    for format in [ImageFormat::Png, ImageFormat::Tiff] {
        assert_eq!(read(&encoded(grey.clone(), format)).unwrap().colours(), "grey 16 bit");
    }
    let grey = image::GrayImage::from_pixel(9, 7, Luma([40]));
    assert_eq!(read(&encoded(grey.clone(), ImageFormat::Jpeg)).unwrap().colours(), "grey 8 bit");
    assert_eq!(read(&encoded(grey, ImageFormat::Bmp)).unwrap().channels, Channels::Palette);
}

#[test]
fn metadata_of_a_png() {
    let png = picture::encode_png(&RgbImage::new(4, 4));
    let metadata = |kind, data: &[u8]| read(&with_chunk(&png, kind, data)).unwrap().metadata.names();
    assert_eq!(read(&png).unwrap().metadata.names(), "none");
    assert_eq!(metadata(b"iCCP", b"sRGB\0"), "profile");
    assert_eq!(metadata(b"gAMA", &[0; 4]), "gamma");
    assert_eq!(metadata(b"tEXt", b"Software\0"), "text");
    assert_eq!(metadata(b"iTXt", b"XML:com.adobe.xmp\0"), "xmp");
    assert_eq!(metadata(b"eXIf", &exif::tests::block(&[0x010f])), "exif+camera");
    assert_eq!(metadata(b"tIME", &[0; 7]), "other");
    assert!(read(&with_chunk(&png, b"tRNS", &[0; 6])).unwrap().alpha);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for start in [b"".as_slice(), b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"BM", b"\xff\xd8", b"GIF89a", b"II*\0", b"MM\0*"] {
            read(&[start, &bytes].concat());
        }
    }

    #[test]
    fn chunks_of_any_length_end(length in any::<u32>(), at in 0_usize..40) {
        for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Tiff] {
            let mut file = encoded(RgbImage::new(5, 5), format);
            file[at..at + 4].copy_from_slice(&length.to_be_bytes());
            read(&file);
        }
    }
}
