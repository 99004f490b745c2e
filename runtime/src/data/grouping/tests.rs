use super::*;
use Label::{Fake, Real};

/// `folders/file` below a class's folder.
fn place(label: Label, below: &str) -> Place {
    let (folders, file) = below.rsplit_once('/').unwrap_or(("", below));
    Place { label, above: String::new(), folders: folders.to_owned(), file: file.to_owned() }
}

fn grouped(places: &[Place], grouping: Grouping) -> Grouped {
    group(Path::new("set"), places, grouping, Media::Pictures).unwrap()
}

fn auto(places: &[Place]) -> Vec<String> {
    grouped(places, Grouping::Auto).groups
}

/// `count` numbered pictures called by `name` of their number.
fn numbered(label: Label, count: usize, name: impl Fn(usize) -> String) -> Vec<Place> {
    (0..count).map(|number| place(label, &name(number))).collect()
}

#[test]
fn frames_in_a_folder_are_of_its_video() {
    let mut places = Vec::new();
    for video in 0..3 {
        places.extend(numbered(Real, 8, |frame| format!("video_{video:03}/{frame:04}.jpg")));
        places.extend(numbered(Fake, 8, |frame| format!("swap/video_{video:03}/{frame:04}.jpg")));
    }
    let grouped = grouped(&places, Grouping::Auto);
    let distinct: BTreeSet<&String> = grouped.groups.iter().collect();
    assert_eq!(distinct.len(), 6, "{distinct:?}");
    assert_eq!((grouped.groups[0].as_str(), grouped.groups[8].as_str()), ("video_000", "swap/video_000"));
    assert_eq!(
        (grouped.subset(0, &places[0]), grouped.subset(8, &places[8])),
        ("real".into(), "swap".into())
    );
    assert_eq!(grouped.rules.len(), 1);
    assert!(grouped.rules[0].starts_with("48 pictures in 6 groups by the folder"), "{:?}", grouped.rules);
}

#[test]
fn a_word_for_frames_names_the_film() {
    let places =
        ["x_frame10.jpg", "x_frame11.jpg", "y-frame-0001.png", "z.jpg"].map(|name| place(Fake, name));
    assert_eq!(auto(&places), ["x", "x", "y", "z"]);
    // A folder named like the video adds nothing.
    let places = ["x/x_frame10.jpg", "x/x_frame11.jpg"].map(|name| place(Fake, name));
    assert_eq!(auto(&places), ["x", "x"]);
}

/// Asserts that the error on `places` contains the words `expected`.
#[track_caller]
fn asks(places: &[Place], expected: &[&str]) {
    let message =
        group(Path::new("my set"), places, Grouping::Auto, Media::Pictures).unwrap_err().to_string();
    expected.iter().for_each(|word| assert!(message.contains(word), "{word:?} is not in {message}"));
    assert!(
        message.contains("--group file") && message.contains("`dfrt data index 'my set' --out"),
        "{message}"
    );
}

#[test]
fn frames_in_one_folder_are_of_their_videos() {
    let names = [
        "clip1frame10.png",
        "clip1frame11.png",
        "clip2_frame1.png",
        "clip3_f7.png",
        "clip3_f8.png",
        "000_003_12.png",
        "000_003_13.png",
        "clip4_12_0.png",
        "clip4_13_0.png",
        "p0002_0.png",
        "p0002_1.png",
    ];
    assert_eq!(
        auto(&names.map(|name| place(Fake, name))),
        [
            "clip1", "clip1", "clip2", "clip3", "clip3", "000_003", "000_003", "clip4", "clip4", "p0002",
            "p0002"
        ]
    );
}

#[test]
fn names_before_numbers_are_ambiguous() {
    let alone = ["a_1.png", "b_2.png", "c_3.png", "d4.png", "e_5_0.png"].map(|name| place(Real, name));
    assert_eq!(auto(&alone), ["a_1", "b_2", "c_3", "d4", "e_5_0"]);
    let empty = ["img_1.png", "img_2.png", "real_1.png", "real_2.png", "seed1.png", "seed2.png"];
    assert_eq!(auto(&empty.map(|name| place(Real, name)))[5], "seed2");
    let unclear = [
        &["a_1.png", "a_2.png", "b_1.png", "b_2.png"][..],
        &["face_a_1.png", "face_a_2.png"],
        // Most of them are called otherwise.
        &["x_001.png", "x_002.png", "p.png", "q.png", "r.png", "s.png"],
        // 12 may be a video or a frame.
        &["name_12_0.png", "name_13_0.png"],
        &["real_12_0.png", "real_12_1.png"],
        &["alice1.png", "alice2.png"],
        &["n01440764_1.png", "n01440764_2.png"],
    ];
    for names in unclear {
        let places: Vec<Place> = names.iter().map(|name| place(Real, name)).collect();
        asks(&places, &["have a number after a name", "--group stem"]);
    }
    let places = ["alice1.png", "alice2.png", "bob_1.png"].map(|name| place(Real, name));
    assert_eq!(grouped(&places, Grouping::Stem).groups, ["alice", "alice", "bob"]);
    asks(
        &["frame1.png", "frame2.png"].map(|name| place(Fake, name)),
        &["2 pictures of 1 class", "no video is named (fake: frame1.png)"],
    );
}

#[test]
fn folders_that_only_say_what_lies_in_them_are_no_videos() {
    let mut places = Vec::new();
    for below in ["swap/video_1/frames", "swap/video_1/faces", "swap/video_2/frames", "faces/video_3"] {
        places.extend(numbered(Fake, 2, move |frame| format!("{below}/{frame:03}.png")));
    }
    let grouped = grouped(&places, Grouping::Auto);
    let groups: BTreeSet<&str> = grouped.groups.iter().map(String::as_str).collect();
    assert_eq!(groups.into_iter().collect::<Vec<_>>(), ["swap/video_1", "swap/video_2", "video_3"]);
    assert_eq!(
        (grouped.subset(0, &places[0]), grouped.subset(6, &places[6])),
        ("swap".into(), "fake".into())
    );
    // A file as its own group has all of its folders in its name.
    let files = self::grouped(&places, Grouping::File).groups;
    assert_eq!(files.iter().collect::<BTreeSet<_>>().len(), places.len());
}

#[test]
fn a_number_is_a_video_next_to_swaps_of_it() {
    let mut places = numbered(Real, 2, |frame| format!("000/{frame:04}.png"));
    asks(&places, &["2 pictures of 1 folder have only numbers for names (real: 000/0000.png)"]);
    places.extend(numbered(Fake, 2, |frame| format!("Deepfakes/000_003/{frame:04}.png")));
    assert_eq!(auto(&places), ["000", "000", "Deepfakes/000_003", "Deepfakes/000_003"]);
}

#[test]
fn one_name_under_two_endings_is_two_things() {
    let places = ["a.jpg", "a.png", "b.jpg"].map(|name| place(Real, name));
    assert_eq!(auto(&places), ["a.jpg", "a.png", "b"]);
    // Forgeries of each of them stay in its group.
    let places = [place(Real, "a.jpg"), place(Real, "a.png"), place(Fake, "swap/a.png")];
    assert_eq!(auto(&places), ["a.jpg", "a.png", "a.png"]);
}

#[test]
fn what_may_be_videos_or_single_pictures_is_ambiguous() {
    let generators = ["stylegan", "diffusion"];
    let of = |folder: &'static str, count| {
        numbered(Fake, count, move |number| format!("{folder}/{number:05}.png"))
    };
    let large: Vec<Place> = generators.iter().flat_map(|folder| of(folder, 500)).collect();
    asks(&large, &["1000 pictures of 2 folders", "(fake: diffusion/00000.png)", "--group folder"]);
    // Neither their number nor that of the folders proves anything.
    let few: Vec<Place> = generators.iter().flat_map(|folder| of(folder, 2)).collect();
    asks(&few, &["4 pictures of 2 folders"]);
    let films =
        (0..20).flat_map(|film| numbered(Fake, 9, move |number| format!("f{film:03}/{number:05}.png")));
    asks(&films.collect::<Vec<_>>(), &["180 pictures of 20 folders"]);
    let files = grouped(&large, Grouping::File);
    assert_eq!(files.groups.iter().collect::<BTreeSet<_>>().len(), 1000);
    assert_eq!(files.subset(0, &large[0]), "stylegan");
    assert_eq!(grouped(&large, Grouping::Folder).groups.iter().collect::<BTreeSet<_>>().len(), 2);
    // Names that are no numbers are no frames.
    let named =
        generators.iter().flat_map(|folder| numbered(Fake, 500, move |n| format!("{folder}/seed{n}x.png")));
    assert_eq!(auto(&named.collect::<Vec<_>>())[0], "seed0x");
}

#[test]
fn videos_are_not_frames() {
    let places = ["a_1.mp4", "a_2.mp4", "b_1.mp4", "x_frame1.mp4"].map(|name| place(Real, name));
    let grouped = group(Path::new("set"), &places, Grouping::Auto, Media::Videos).unwrap();
    assert_eq!(grouped.groups, ["a_1", "a_2", "b_1", "x_frame1"]);
}

#[test]
fn a_rule_that_the_user_chose_is_used() {
    let places = ["p/a_1.png", "p/a_2.png", "q/b.png", "c.png"].map(|name| place(Real, name));
    assert_eq!(grouped(&places, Grouping::Folder).groups, ["p", "p", "q", "c"]);
    assert_eq!(grouped(&places, Grouping::Stem).groups, ["a", "a", "b", "c"]);
    assert_eq!(grouped(&places, Grouping::File).groups, ["real/p/a_1", "real/p/a_2", "real/q/b", "real/c"]);
    assert!("person".parse::<Grouping>().unwrap_err().contains("folder, stem, file"));
}
