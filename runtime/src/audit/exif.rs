//! Reads whether an EXIF block names a camera. Everything else in it is ignored.

/// The tags `Make` and `Model` of the first directory (EXIF 2.3, table 4).
const CAMERA: [u16; 2] = [0x010f, 0x0110];

/// Whether the TIFF structure `bytes` (with or without JPEG's `Exif\0\0` before it) names a
/// camera's maker or model. Never panics, whatever the bytes.
pub fn names_camera(bytes: &[u8]) -> bool {
    let tiff = bytes.strip_prefix(b"Exif\0\0").unwrap_or(bytes);
    directory(tiff).is_some_and(|mut tags| tags.any(|tag| CAMERA.contains(&tag)))
}

/// The tags of the first directory.
fn directory(tiff: &[u8]) -> Option<impl Iterator<Item = u16> + '_> {
    let little = match tiff.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = move |at: usize| -> Option<u16> {
        let two = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if little { u16::from_le_bytes(two) } else { u16::from_be_bytes(two) })
    };
    let offset = tiff.get(4..8)?.try_into().ok()?;
    let offset = if little { u32::from_le_bytes(offset) } else { u32::from_be_bytes(offset) } as usize;
    let entries = usize::from(short(offset)?);
    // Twelve bytes an entry, its tag first.
    Some((0..entries).map_while(move |entry| short(offset.checked_add(2 + 12 * entry)?)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An EXIF block whose first directory has the entries `tags`, all empty.
    pub fn block(tags: &[u16]) -> Vec<u8> {
        let mut bytes = b"Exif\0\0MM\0*\0\0\0\x08".to_vec();
        bytes.extend((tags.len() as u16).to_be_bytes());
        for tag in tags {
            bytes.extend(tag.to_be_bytes());
            bytes.extend([0; 10]);
        }
        bytes
    }

    #[test]
    fn a_camera_is_a_maker_or_a_model() {
        assert!(names_camera(&block(&[0x0100, 0x0110])));
        assert!(names_camera(&block(&[0x010f])[6..]));
        assert!(!names_camera(&block(&[0x0112])), "an orientation alone is no camera");
        assert!(names_camera(b"II*\0\x08\0\0\0\x01\0\x0f\x01"));
        assert!(!names_camera(b"II*\0\xff\xff\xff\xff"));
        assert!(!names_camera(b""));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            names_camera(&bytes);
            names_camera(&[b"MM\0*\0\0\0\x08".as_slice(), &bytes].concat());
        }
    }
}
