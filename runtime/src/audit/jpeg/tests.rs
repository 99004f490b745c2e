use super::*;
use crate::data::picture;
use image::RgbImage;
use proptest::prelude::*;

fn encoded(quality: u8) -> Vec<u8> {
    let picture = RgbImage::from_fn(24, 16, |x, y| image::Rgb([(x * 9) as u8, (y * 11) as u8, 80]));
    picture::encode_jpeg(&picture, quality)
}

/// `jpeg` with one more segment after its first marker.
fn with_segment(jpeg: &[u8], marker: u8, segment: &[u8]) -> Vec<u8> {
    let length = (segment.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xff, marker], &length, segment, &jpeg[2..]].concat()
}

#[test]
fn the_quality_is_the_one_it_was_written_with() {
    let mut numbers = Vec::new();
    for wanted in 1..=100 {
        let header = read(&encoded(wanted)).unwrap();
        assert_eq!(header.quality, Some(wanted));
        assert_eq!((header.subsampling_name().as_str(), header.channels, header.bits), ("4:4:4", 3, 8));
        numbers.push(header.tables);
    }
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 100, "other tables, other number");
    assert_eq!(read(&encoded(80)), read(&encoded(80)));
}

#[test]
fn segments_are_distinguished() {
    let plain = encoded(90);
    let metadata = |marker, segment: &[u8]| read(&with_segment(&plain, marker, segment)).unwrap().metadata;
    assert_eq!(read(&plain).unwrap().metadata, Metadata { jfif: true, ..Metadata::default() });
    assert!(metadata(0xe1, b"Exif\0\0").exif);
    let camera = exif::tests::block(&[0x0110]);
    assert!(metadata(0xe1, &camera).camera && !metadata(0xe1, b"Exif\0\0").camera);
    assert!(metadata(0xe1, b"http://ns.adobe.com/xap/1.0/\0").xmp);
    assert!(metadata(0xe2, b"ICC_PROFILE\0\x01\x01").profile && metadata(0xe2, b"MPF\0").other);
    assert!(metadata(0xed, b"Photoshop 3.0\0").iptc);
    assert!(metadata(0xee, b"Adobe\0").adobe);
    assert!(metadata(0xfe, b"made by hand").text);
}

#[test]
fn frames_of_other_encoders() {
    let frame = |marker: u8, factors: &[u8]| {
        let mut segment = vec![8, 0, 16, 0, 24, factors.len() as u8];
        for (name, &factor) in factors.iter().enumerate() {
            segment.extend([name as u8 + 1, factor, u8::from(name > 0)]);
        }
        let length = (segment.len() as u16 + 2).to_be_bytes();
        let file = [&[0xff, 0xd8, 0xff, marker], &length[..], &segment, &[0xff, 0xd9]].concat();
        read(&file).unwrap()
    };
    let name = |factors: &[u8]| frame(0xc0, factors).subsampling_name();
    assert_eq!(name(&[0x22, 0x11, 0x11]), "4:2:0");
    assert_eq!(name(&[0x21, 0x11, 0x11]), "4:2:2");
    assert_eq!(name(&[0x12, 0x11, 0x11]), "4:4:0");
    assert_eq!(name(&[0x41, 0x11, 0x11]), "4:1:1");
    assert_eq!(name(&[0x22, 0x22, 0x22]), "4:4:4");
    assert_eq!(name(&[0x24, 0x11, 0x11]), "2x4");
    assert_eq!(name(&[0x11, 0x22, 0x22]), "1:2 x 1:2", "chrominance is finer");
    assert_eq!(name(&[0x31, 0x21, 0x21]), "3:2 x 1:1");
    assert_eq!(name(&[0x11]), "none");
    assert_eq!(name(&[0x22, 0x00, 0x00]), "none", "a factor of 0 is no factor");
    assert!(frame(0xc2, &[0x11]).progressive && !frame(0xc1, &[0x11]).progressive);
    assert_eq!(frame(0xc0, &[0x11; 4]).channels, 4);
    assert_eq!(frame(0xc0, &[0x11]).quality, None, "no table, no quality");
}

#[test]
fn tables_of_16_bits_and_cut_ones() {
    let table = |kind: u8, values: &[u8]| {
        let mut file = with_segment(&[0xff, 0xd8], 0xdb, &[&[kind], values].concat());
        file.extend([0xff, 0xd9]);
        read(&file).unwrap().quality
    };
    let wide: Vec<u8> = LUMINANCE.iter().flat_map(|value| value.to_be_bytes()).collect();
    assert_eq!(table(0x10, &wide), Some(50));
    assert_eq!(table(0x00, &[1; 64]), Some(100));
    assert_eq!(table(0x00, &[1; 63]), None);
    assert_eq!(table(0x05, &[1; 64]), None, "there are four places");
    assert_eq!(read(b"\x89PNG"), None);
    assert_eq!(
        read(&[0xff, 0xd8]),
        Some(JpegHeader { tables: Tables::default().number(), ..JpegHeader::default() })
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read(&bytes);
        read(&[&[0xff, 0xd8], bytes.as_slice()].concat());
    }

    #[test]
    fn damaged_files_too(at in 0_usize..1000, byte in any::<u8>(), cut in 0_usize..1000) {
        let mut file = encoded(85);
        let at = at % file.len();
        file[at] = byte;
        read(&file);
        read(&file[..cut % file.len()]);
    }
}
