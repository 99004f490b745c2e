use super::super::trees::{error, lines, pictures, put, tree, videos};
use tempfile::TempDir;

const LIST: &str = "\u{feff}1 youtube-real/00170.mp4\r\n\r\n1 Celeb-real/id1_0003.mp4\r\n\
                    0 Celeb-synthesis/id1_id0_0007.mp4\r\n0 Celeb-synthesis/id1_id9_0001.mp4";

const VIDEOS: [&str; 9] = [
    "Celeb-real/id1_0003",
    "Celeb-real/id1_0004",
    "Celeb-real/id17_0000",
    "Youtube-Real/00170",
    "Youtube-Real/00007",
    "Celeb-synthesis/id1_id0_0007",
    "Celeb-synthesis/id1_id0_0008",
    "Celeb-synthesis/id1_id17_0001",
    "Celeb-synthesis/id7_id1_0001",
];

fn set(file: impl Fn(&str, &str) -> String) -> TempDir {
    let dir =
        tree(VIDEOS.map(|name| name.split_once('/').unwrap()).map(|(folder, video)| file(folder, video)));
    put(dir.path(), "List_of_testing_videos.txt", LIST);
    dir
}

#[test]
fn the_list_tests_and_held_out_people_validate() {
    let dir = set(|folder, video| format!("{folder}/{video}.mp4"));
    let manifest = videos(&dir, "celeb-df");
    let expected = [
        "Celeb-real/id17_0000.mp4: real Celeb-real Celeb-real/id17_0000 val id17",
        "Celeb-real/id1_0003.mp4: real Celeb-real Celeb-real/id1_0003 test id1",
        "Celeb-real/id1_0004.mp4: real Celeb-real Celeb-real/id1_0004 train id1",
        "Celeb-synthesis/id1_id0_0007.mp4: fake Celeb-synthesis Celeb-synthesis/id1_id0_0007 test id1+id0",
        "Celeb-synthesis/id1_id0_0008.mp4: fake Celeb-synthesis Celeb-synthesis/id1_id0_0008 train id1+id0",
        "Celeb-synthesis/id1_id17_0001.mp4: fake Celeb-synthesis Celeb-synthesis/id1_id17_0001 val id1+id17",
        "Celeb-synthesis/id7_id1_0001.mp4: fake Celeb-synthesis Celeb-synthesis/id7_id1_0001 val id7+id1",
        "Youtube-Real/00007.mp4: real YouTube-real YouTube-real/00007 val ",
        "Youtube-Real/00170.mp4: real YouTube-real YouTube-real/00170 test ",
    ];
    assert_eq!(lines(&dir, &manifest), expected);
    let missing = "Celeb-synthesis/id1_id9_0001: in List_of_testing_videos.txt, but missing";
    assert_eq!(manifest.skipped, [missing]);
    assert!(error(&dir).contains("9 videos and no pictures"));
}

#[test]
fn frames_are_read_under_each_folder() {
    let dir = set(|folder, video| format!("{folder}/frames/{video}/000.png"));
    let manifest = pictures(&dir, "celeb-df");
    let video = |line: &String| line.split_once(": ").unwrap().1.to_owned();
    let as_videos = set(|folder, video| format!("{folder}/videos/{video}.mp4"));
    let expected: Vec<_> = lines(&as_videos, &videos(&as_videos, "celeb-df")).iter().map(video).collect();
    assert_eq!(lines(&dir, &manifest).iter().map(video).collect::<Vec<_>>(), expected);
    assert_eq!(manifest.skipped.len(), 1, "{:?}", manifest.skipped);
}

#[test]
fn misnamed_videos_are_passed_over() {
    let dir = set(|folder, video| format!("{folder}/{video}.mp4"));
    for file in
        ["Celeb-real/id1_id2_0000.mp4", "Celeb-synthesis/id3_0000.mp4", "YouTube-real/a.txt", "x/y.mp4"]
    {
        put(dir.path(), file, "");
    }
    let skipped = videos(&dir, "celeb-df").skipped;
    for line in [
        "Celeb-real/id1_id2_0000.mp4: its name does not name 1 people (id0_0000, id0_id1_0000)",
        "Celeb-synthesis/id3_0000.mp4: its name does not name 2 people (id0_0000, id0_id1_0000)",
        "YouTube-real/a.txt: not a video (mp4, avi, mov, mkv, webm, m4v, wmv, mpg, mpeg, ts, mts, m2ts, 3gp, flv, ogv)",
        "x: no folder of Celeb-DF",
    ] {
        assert!(skipped.iter().any(|found| found == line), "{line}: {skipped:#?}");
    }
}

#[test]
fn faults_of_the_list_are_named_with_their_line() {
    let dir = set(|folder, video| format!("{folder}/{video}.mp4"));
    let says = |list: &[u8], expected: &str| {
        put(dir.path(), "List_of_testing_videos.txt", list);
        let error = error(&dir);
        assert!(error.contains(expected) && error.contains("List_of_testing_videos.txt"), "{error}");
    };
    says(
        b"1 Celeb-real/id1_0003.mp4\n2 Celeb-real/id1_0004.mp4",
        "line 2: label \"2\" is neither 1 (real) nor 0",
    );
    says(b"0 Celeb-real/id1_0003.mp4", "is fake, but Celeb-real holds real videos");
    says(b"1 Celeb-fake/id1_0003.mp4", "\"Celeb-fake\" is no folder of Celeb-DF");
    says(b"1 ../../etc/x.mp4", "line 1: the name \"../../etc/x.mp4\" is empty or leaves the folder");
    says(b"1 /etc/x.mp4", "leaves the folder");
    says(b"1 id1_0003.mp4", "line 1: \"id1_0003.mp4\" is not of the form");
    says(b"1", "line 1: the name \"\" is empty");
    says(b"1 Celeb-real/\xff.mp4", "line 1: is not UTF-8");
    std::fs::remove_file(dir.path().join("List_of_testing_videos.txt")).unwrap();
    assert!(error(&dir).contains("List_of_testing_videos.txt: is missing"));
}
