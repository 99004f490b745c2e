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
    // A folder called like the film says no more.
    let places = ["x/x_frame10.jpg", "x/x_frame11.jpg"].map(|name| place(Fake, name));
    assert_eq!(auto(&places), ["x", "x"]);
}

#[test]
fn names_before_numbers_are_films_where_there_are_several() {
    let films = ["a_1.png", "a_2.png", "b_1.png", "b_2.png"].map(|name| place(Fake, name));
    assert_eq!(auto(&films), ["a", "a", "b", "b"]);
    let one = ["img_1.png", "img_2.png", "img_3.png"].map(|name| place(Real, name));
    assert_eq!(auto(&one), ["img_1", "img_2", "img_3"]);
    let prefix = ["face_a_1.png", "face_a_2.png", "face_a_3.png"].map(|name| place(Real, name));
    assert_eq!(auto(&prefix), ["face_a_1", "face_a_2", "face_a_3"]);
    let alone = ["a_1.png", "b_2.png", "c_3.png"].map(|name| place(Real, name));
    assert_eq!(auto(&alone), ["a_1", "b_2", "c_3"]);
}

#[test]
fn one_name_under_two_endings_is_two_things() {
    let places = ["a.jpg", "a.png", "b.jpg"].map(|name| place(Real, name));
    assert_eq!(auto(&places), ["a.jpg", "a.png", "b"]);
    // What was made of each of them stays with it.
    let places = [place(Real, "a.jpg"), place(Real, "a.png"), place(Fake, "swap/a.png")];
    assert_eq!(auto(&places), ["a.jpg", "a.png", "a.png"]);
}

#[test]
fn what_may_be_films_or_single_pictures_is_asked() {
    let generators = ["stylegan", "diffusion"];
    let of = |folder: &'static str, count| {
        numbered(Fake, count, move |number| format!("{folder}/{number:05}.png"))
    };
    let large: Vec<Place> = generators.iter().flat_map(|folder| of(folder, 500)).collect();
    let asks = |places: &[Place], expected: &[&str]| {
        let message =
            group(Path::new("my set"), places, Grouping::Auto, Media::Pictures).unwrap_err().to_string();
        expected.iter().for_each(|word| assert!(message.contains(word), "{word:?} is not in {message}"));
    };
    asks(
        &large,
        &["fake: the 1000 pictures", "--group folder", "--group file", "`dfrt data index 'my set' --out"],
    );
    let flat =
        ["a", "b"].iter().flat_map(|name| numbered(Real, 500, move |number| format!("{name}_{number}.png")));
    asks(
        &flat.collect::<Vec<_>>(),
        &["real: its 1000 pictures called \"a\" and 1 more like it", "--group stem"],
    );
    let files = grouped(&large, Grouping::File);
    assert_eq!(files.groups.iter().collect::<BTreeSet<_>>().len(), 1000);
    assert_eq!(files.subset(0, &large[0]), "stylegan");
    assert_eq!(grouped(&large, Grouping::Folder).groups.iter().collect::<BTreeSet<_>>().len(), 2);
    // Films are many, and long ones too.
    let films =
        (0..20).flat_map(|film| numbered(Fake, 500, move |number| format!("f{film:03}/{number:05}.png")));
    assert_eq!(auto(&films.collect::<Vec<_>>()).iter().collect::<BTreeSet<_>>().len(), 20);
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
fn a_rule_that_is_asked_for_is_kept() {
    let places = ["p/a_1.png", "p/a_2.png", "q/b.png", "c.png"].map(|name| place(Real, name));
    assert_eq!(grouped(&places, Grouping::Folder).groups, ["p", "p", "q", "c"]);
    assert_eq!(grouped(&places, Grouping::Stem).groups, ["a", "a", "b", "c"]);
    assert_eq!(grouped(&places, Grouping::File).groups, ["real/p/a_1", "real/p/a_2", "real/q/b", "real/c"]);
    assert!("person".parse::<Grouping>().unwrap_err().contains("folder, stem, file"));
}
