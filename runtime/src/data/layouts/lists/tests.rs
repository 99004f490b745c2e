use super::*;
use proptest::prelude::*;

/// Every reader of lists, and of manifests, on the same bytes: none may panic, and every
/// refusal is one line that names the file.
fn all(bytes: &[u8]) {
    let path = Path::new("dir/list");
    let refusals = [
        pairs(path, bytes).err(),
        testing(path, bytes).err(),
        names(path, bytes).err(),
        metadata(path, bytes).err(),
        labels(path, bytes).err(),
        preview(path, bytes).err(),
        targets(path, bytes).err(),
    ];
    for refusal in refusals.into_iter().flatten() {
        assert!(refusal.to_string().starts_with("dir/list: "), "{refusal}");
    }
}

const EXAMPLES: [&str; 6] = [
    "[[\"071\", \"054\"], [\"087\", \"081\"]]",
    "1 YouTube-real/00170.mp4\r\n0 Celeb-synthesis/id1_id0_0007.mp4\r\n",
    "filename,label\naalscayrfi.mp4,1\n",
    "{\"a.mp4\": {\"label\": \"FAKE\", \"original\": \"b.mp4\"}, \"b.mp4\": {\"is_fake\": 0}}",
    "{\"method_A/1/1_A_1.mp4\": {\"label\": \"fake\", \"set\": \"train\", \"target_id\": 7, \"swapped_id\": \"8\"}}",
    "split,label,file,target,donor\ntrain,real,a.jpg,7,\nval,fake,\"swap/b, c.png\",7,8\n",
];

#[test]
fn the_published_forms_are_understood() {
    let path = Path::new("list");
    let of = |at: usize| EXAMPLES[at].as_bytes();
    assert_eq!(pairs(path, of(0)).unwrap()[1], ["087", "081"]);
    let tested = testing(path, of(1)).unwrap();
    assert_eq!((tested[0].label, tested[0].folder.as_str()), (Label::Real, "YouTube-real"));
    assert_eq!((tested[1].label, tested[1].video.as_str()), (Label::Fake, "id1_id0_0007"));
    assert_eq!(labels(path, of(2)).unwrap()[0].label, Label::Fake);
    let videos = metadata(path, of(3)).unwrap();
    assert_eq!((videos[0].original.as_deref(), videos[1].label), (Some("b"), Label::Real));
    assert_eq!(preview(path, of(4)).unwrap()[0].people, ["7", "8"]);
    assert_eq!(targets(path, of(5)).unwrap()[1].donor.as_deref(), Some("8"));
    assert_eq!(names(path, b"./a/b.png\n\nc.png").unwrap(), ["b.png", "c.png"]);
}

#[test]
fn names_that_leave_the_folder_are_refused() {
    for name in ["../x", "a/../../x", "/x", "a\\..\\x", "", "a/..", "a\0b"] {
        assert!(inside(name).is_err(), "{name:?}");
    }
    assert_eq!(inside("./a b/c,d.mp4"), Ok("a b/c,d.mp4"));
}

#[test]
fn huge_lists_are_refused_before_they_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metadata.json");
    std::fs::File::create(&path).unwrap().set_len(LARGEST + 1).unwrap();
    let error = read(&path).unwrap_err().to_string();
    assert!(error.contains("metadata.json: has more than 256 MiB"), "{error}");
    assert!(read(&dir.path().join("absent")).unwrap().is_none());
}

#[test]
fn deep_nesting_ends_in_a_line() {
    for bracket in ["[", "{\"a\":", "[{\"a\":"] {
        all(bracket.repeat(200_000).as_bytes());
    }
    let deep = format!("{{\"a.mp4\": {{\"label\": \"REAL\", \"x\": {}}}}}", "[".repeat(200_000));
    assert!(metadata(Path::new("list"), deep.as_bytes()).is_err());
}

/// An example with some bytes changed, cut or doubled.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..4_u8);
    (0..EXAMPLES.len(), prop::collection::vec(change, 0..8)).prop_map(|(example, changes)| {
        let mut bytes = EXAMPLES[example].as_bytes().to_vec();
        for (place, byte, kind) in changes {
            if bytes.is_empty() {
                break;
            }
            let at = place.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => bytes.truncate(at),
                _ => bytes.extend_from_within(at..),
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn any_bytes_end_in_a_list_or_a_line(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        all(&bytes);
    }

    #[test]
    fn mutated_lists_end_in_a_list_or_a_line(bytes in mutated()) {
        all(&bytes);
    }
}
