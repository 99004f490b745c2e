use super::super::trees::{error, lines, pictures, put, tree, videos};
use crate::data::layouts::{self, Media};
use tempfile::TempDir;

const METHODS: [&str; 4] = ["Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures"];

fn splits(dir: &TempDir, place: &str) {
    put(
        dir.path(),
        &format!("{place}train.json"),
        "\u{feff}[[\"000\", \"003\"],\r\n [\"001\", \"870\"]]\r\n",
    );
    put(dir.path(), &format!("{place}val.json"), "[[\"720\", \"672\"]]");
    put(dir.path(), &format!("{place}test.json"), "[[\"953\", \"974\"]]");
}

/// 000_003 under four methods, its originals and a test video, pictures of them in `inside`.
fn set(inside: &str) -> TempDir {
    let methods = METHODS.iter().flat_map(|method| {
        ["000_003", "953_974"].map(|video| format!("manipulated_sequences/{method}/c23/{inside}/{video}"))
    });
    let originals = ["000", "003", "953", "974"];
    let originals = originals.iter().map(|video| format!("original_sequences/youtube/c23/{inside}/{video}"));
    let files = methods.chain(originals);
    let dir = if inside == "videos" {
        tree(files.map(|video| video + ".mp4"))
    } else {
        tree(files.flat_map(|video| ["000.png", "017.png"].map(|picture| format!("{video}/{picture}"))))
    };
    splits(&dir, "splits/");
    dir
}

#[test]
fn the_target_decides_the_split_and_the_group_names_the_method() {
    let dir = set("frames");
    let manifest = pictures(&dir, "faceforensics");
    assert_eq!(manifest.samples.len(), 2 * (4 * 2 + 4));
    let lines = lines(&dir, &manifest);
    assert_eq!(
        lines[0],
        "manipulated_sequences/Deepfakes/c23/frames/000_003/000.png: \
         fake Deepfakes/c23 Deepfakes/c23/000_003 train 000+003"
    );
    assert_eq!(
        lines.last().unwrap(),
        "original_sequences/youtube/c23/frames/974/017.png: real youtube/c23 youtube/c23/974 test 974"
    );
    let groups: std::collections::BTreeSet<_> = manifest.samples.iter().map(|s| &s.group).collect();
    assert_eq!(groups.len(), 4 * 2 + 4, "000_003 is a video of its own under every method");
    let missing = "manipulated_sequences/Deepfakes/c23/003_000: in the list of train, but missing";
    assert!(manifest.skipped.iter().any(|line| line == missing), "{:?}", manifest.skipped);
    assert_eq!(manifest.skipped.len(), 4 * (8 - 2) + (8 - 4));
}

#[test]
fn videos_are_listed_as_their_pictures_would_be() {
    let dir = set("videos");
    let manifest = videos(&dir, "faceforensics");
    assert_eq!(manifest.samples.len(), 12);
    assert_eq!(
        lines(&dir, &manifest)[0],
        "manipulated_sequences/Deepfakes/c23/videos/000_003.mp4: \
         fake Deepfakes/c23 Deepfakes/c23/000_003 train 000+003"
    );
    let error = error(&dir);
    let command = format!("`dfrt data extract {} --out faces`", dir.path().display());
    assert!(error.contains("12 videos and no pictures") && error.contains(&command), "{error}");
}

#[test]
fn frames_are_read_next_to_videos_and_videos_without_frames_are_counted() {
    let dir = set("videos");
    put(dir.path(), "original_sequences/youtube/c23/frames/000/000.png", "");
    put(dir.path(), "original_sequences/youtube/c23/masks/000/000.png", "");
    put(dir.path(), "original_sequences/youtube/c23/images/000/0000.png", "");
    put(dir.path(), "original_sequences/youtube/c23/frames/loose.png", "");
    std::fs::create_dir_all(dir.path().join("original_sequences/youtube/c23/frames/003")).unwrap();
    let manifest = pictures(&dir, "faceforensics");
    assert_eq!(manifest.samples.len(), 1);
    for line in [
        "original_sequences/youtube/c23: no pictures of 3 of 4 videos",
        "original_sequences/youtube/c23: no picture of the video 003",
        "original_sequences/youtube/c23/masks: 1 files, masks, no pictures of the data set",
        "original_sequences/youtube/c23/images: 1 files, those of frames are read",
        "original_sequences/youtube/c23/frames/loose.png: not in a folder with its video's name",
        "manipulated_sequences/FaceSwap/c23: no pictures of 2 of 2 videos",
    ] {
        assert!(manifest.skipped.iter().any(|found| found == line), "{line}: {:#?}", manifest.skipped);
    }
    assert_eq!(videos(&dir, "faceforensics").samples.len(), 12, "pictures beside them change no videos");
}

#[test]
fn compressions_are_subsets_that_can_be_chosen() {
    let dir = set("frames");
    put(dir.path(), "manipulated_sequences/Deepfakes/c40/frames/000_003/000.png", "");
    put(dir.path(), "manipulated_sequences/Deepfakes/c99/frames/000_003/000.png", "");
    let manifest = pictures(&dir, "faceforensics");
    let count = |names: &[&str]| manifest.clone().only(names).unwrap().samples.len();
    assert_eq!((count(&["Deepfakes"]), count(&["c40"]), count(&["Deepfakes/c23", "c40"])), (5, 1, 5));
    assert!(manifest.clone().only(&["deepfakes"]).unwrap_err().to_string().contains("youtube/c23"));
    let foreign = "manipulated_sequences/Deepfakes/c99: not a compression (raw, c0, c23, c40)";
    assert!(manifest.skipped.iter().any(|line| line == foreign));
}

#[test]
fn actors_are_split_by_their_numbers() {
    let name = |video: &str| format!("manipulated_sequences/DeepFakeDetection/c23/videos/{video}.mp4");
    let files = ["01_02__walking_outside__A1B2C3D4", "03_07__x__A", "17_19__x__A"].map(name);
    let originals = ["01__walking", "27__kitchen_pan", "28__hugging_happy"];
    let dir = tree(originals.map(|video| format!("original_sequences/actors/c23/videos/{video}.mp4")));
    files.iter().for_each(|file| put(dir.path(), file, ""));
    let manifest = videos(&dir, "faceforensics");
    let found: Vec<_> = manifest.samples.iter().map(|s| (s.split.name(), s.people.join("+"))).collect();
    let expected = [
        ("train", "01+02"),
        ("val", "03+07"),
        ("test", "17+19"),
        ("train", "01"),
        ("val", "27"),
        ("test", "28"),
    ];
    assert_eq!(found, expected.map(|(split, people)| (split, people.to_owned())));
    assert_eq!(manifest.samples[0].group, "DeepFakeDetection/c23/01_02__walking_outside__A1B2C3D4");
    assert!(manifest.skipped.is_empty(), "no lists are needed: {:?}", manifest.skipped);
}

#[test]
fn videos_that_are_in_no_list_or_misnamed_are_passed_over() {
    let dir = set("frames");
    for video in ["999", "000_003", "0001", "walk, outside"] {
        put(dir.path(), &format!("original_sequences/youtube/c23/frames/{video}/000.png"), "");
    }
    let manifest = pictures(&dir, "faceforensics");
    let of = |video: &str| {
        let start = format!("original_sequences/youtube/c23/frames/{video}: 1 files, ");
        manifest.skipped.iter().find_map(|line| line.strip_prefix(&start).map(str::to_owned)).unwrap()
    };
    assert_eq!(of("999"), "its number 999 is in no list of the splits");
    assert_eq!(of("000_003"), "named like a forgery, but among the originals");
    assert!(of("0001").contains("neither of numbers") && of("walk, outside").contains("neither"));
}

#[test]
fn lists_are_found_where_people_keep_them_and_faults_are_named() {
    let dir = set("frames");
    std::fs::remove_dir_all(dir.path().join("splits")).unwrap();
    let absent = error(&dir);
    assert!(absent.contains("splits/train.json: is missing") && absent.contains("github.com"), "{absent}");
    splits(&dir, "");
    assert_eq!(pictures(&dir, "faceforensics").samples.len(), 24, "beside the sequences");
    splits(&dir, "dataset/splits/");
    put(dir.path(), "train.json", "no list");
    assert_eq!(pictures(&dir, "faceforensics").samples.len(), 24, "as the repository has them");

    let says = |text: &str, expected: &[&str]| {
        put(dir.path(), "dataset/splits/val.json", text);
        let error = error(&dir);
        assert!(expected.iter().all(|words| error.contains(words)) && error.contains("val.json"), "{error}");
    };
    says("[[\"720\", \"672\"]", &["is not a list of pairs", "line 1 column 15"]);
    says("[[\"720\"]]", &["is not a list of pairs"]);
    says("[[\"720\", \"../1\"]]", &["\"../1\" is no number of a video"]);
    says("[[\"953\", \"672\"]]", &["953 is in"]);
    says(&"[".repeat(100_000), &["is not a list of pairs"]);
    std::fs::remove_file(dir.path().join("dataset/splits/val.json")).unwrap();
    assert!(error(&dir).contains("dataset/splits/val.json: is missing"));
}

#[test]
fn every_path_of_the_disk_is_named() {
    let dir = set("frames");
    put(dir.path(), "downloaded_videos/a/b.mp4", "");
    put(dir.path(), "notes/readme.txt", "");
    put(dir.path(), "paper.pdf", "");
    put(dir.path(), "manipulated_sequences/Deepfakes/masks/videos/000_003.mp4", "");
    let manifest = pictures(&dir, "faceforensics");
    for line in [
        "downloaded_videos: 1 files, the videos that the originals were cut from",
        "notes: no folder of FaceForensics++",
        "paper.pdf: not in a folder of the data set",
        "manipulated_sequences/Deepfakes/masks: 1 files, masks, no pictures of the data set",
    ] {
        assert!(manifest.skipped.iter().any(|found| found == line), "{line}: {:#?}", manifest.skipped);
    }
    let only = tree(["original_sequences/youtube/c23/frames/000/notes.txt"]);
    splits(&only, "splits/");
    let empty = layouts::read(only.path(), "faceforensics", Media::Pictures).unwrap_err().to_string();
    assert!(empty.contains("holds no picture"), "{empty}");
}
