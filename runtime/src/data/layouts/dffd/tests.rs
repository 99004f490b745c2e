use super::super::trees::{error, lines, pictures, put, tree};
use super::*;
use crate::data::layouts;

const FILES: [&str; 12] = [
    "ffhq/train/R_FFHQ_00000.png",
    "ffhq/train/R_FFHQ_01256.png",
    "ffhq/validation/R_FFHQ_10000.png",
    "ffhq/test/R_FFHQ_19468.png",
    "faceapp/train/F_FAP0_01256-3.png",
    "faceapp/test/F_FAP1_00003-1.png",
    "stargan/test/F_STGN_1715-19.png",
    "stargan/test/F_STGN_1715-20.png",
    "pggan_v1/test/F_PGN1_13620.png",
    "stylegan_ffhq/validation/F_SyFQ_10001.png",
    "Deepfakes/test/000_003_0012.png",
    "youtube/test/003_0012.png",
];

#[test]
fn folders_say_label_and_split_and_names_whom_they_show() {
    let dir = tree(FILES);
    for mask in ["faceapp/train_mask/F_FAP0_01256-3.png", "faceapp/train_mask/F_FAP0_01256-2.png"] {
        put(dir.path(), mask, "");
    }
    let manifest = pictures(&dir, "dffd");
    let expected = [
        "Deepfakes/test/000_003_0012.png: fake Deepfakes Deepfakes/000_003 test 000+003",
        "faceapp/test/F_FAP1_00003-1.png: fake faceapp FFHQ_00003 test FFHQ_00003",
        "faceapp/train/F_FAP0_01256-3.png: fake faceapp FFHQ_01256 train FFHQ_01256",
        "ffhq/test/R_FFHQ_19468.png: real ffhq FFHQ_19468 test FFHQ_19468",
        "ffhq/train/R_FFHQ_00000.png: real ffhq FFHQ_00000 train FFHQ_00000",
        "ffhq/train/R_FFHQ_01256.png: real ffhq FFHQ_01256 train FFHQ_01256",
        "ffhq/validation/R_FFHQ_10000.png: real ffhq FFHQ_10000 val FFHQ_10000",
        "pggan_v1/test/F_PGN1_13620.png: fake pggan_v1 F_PGN1_13620 test ",
        "stargan/test/F_STGN_1715-19.png: fake stargan F_STGN_1715 test ",
        "stargan/test/F_STGN_1715-20.png: fake stargan F_STGN_1715 test ",
        "stylegan_ffhq/validation/F_SyFQ_10001.png: fake stylegan_ffhq F_SyFQ_10001 val ",
        "youtube/test/003_0012.png: real youtube youtube/003 test 003",
    ];
    assert_eq!(lines(&dir, &manifest), expected);
    assert_eq!(manifest.skipped, ["faceapp/train_mask: 2 files, masks, no pictures of the data set"]);
}

#[test]
fn lists_are_compared_with_what_is_there() {
    let dir = tree(FILES);
    let lists = "scripts/data_lists";
    let stargan =
        "\u{feff}F_STGN_1715-19.png\r\nF_STGN_1715-21.png\r\nF_STGN_1716-01.png\r\n\r\nF_PGN1_13620.png\r\n";
    put(dir.path(), &format!("{lists}/test_fake.txt"), stargan);
    put(dir.path(), &format!("{lists}/test_real.txt"), "R_CELA_1.png\nR_CELA_2.png\nR_FFHQ_19468.png\n");
    let manifest = pictures(&dir, "dffd");
    let expected = [
        "R_CELA/test: 2 pictures in scripts/data_lists/test_real.txt, none of them here",
        "stargan/test/F_STGN_1715-20.png: in no list of scripts/data_lists",
        "stargan/test/F_STGN_1715-21.png: in scripts/data_lists/test_fake.txt, but missing",
        "stargan/test/F_STGN_1716-01.png: in scripts/data_lists/test_fake.txt, but missing",
    ];
    assert_eq!(manifest.skipped, expected);
    assert_eq!(
        manifest.samples.len(),
        FILES.len() - 1,
        "a folder of which the lists are silent is taken whole"
    );

    put(dir.path(), &format!("{lists}/test_real.txt"), "R_FFHQ_19468.png\nF_PGN1_13620.png\n");
    let error = error(&dir);
    assert!(error.contains("F_PGN1_13620.png is in test_real.txt too"), "{error}");
    put(dir.path(), &format!("{lists}/test_fake.txt"), "R_FFHQ_19468.png\n");
    put(dir.path(), &format!("{lists}/test_real.txt"), "");
    let skipped = pictures(&dir, "dffd").skipped;
    assert!(skipped.contains(&"ffhq/test/R_FFHQ_19468.png: listed as fake".to_owned()), "{skipped:?}");
    put(dir.path(), &format!("{lists}/train_real.txt"), "R_FFHQ_00000.png\n../../etc/x.png\n");
    let error = self::error(&dir);
    assert!(error.contains("train_real.txt: line 2: the name \"../../etc/x.png\""), "{error}");
}

#[test]
fn what_is_no_part_of_it_is_listed() {
    let mut files = FILES.to_vec();
    files.extend([
        "notes.md",
        "mine/train/a.png",
        "ffhq/extra/a.png",
        "ffhq/test/a.txt",
        "ffhq/test/deep/a.png",
    ]);
    let dir = tree(files);
    let names: Vec<_> = pictures(&dir, "dffd")
        .skipped
        .iter()
        .map(|line| line.split_once(": ").unwrap().0.to_owned())
        .collect();
    assert_eq!(names, ["ffhq/extra", "ffhq/test/a.txt", "ffhq/test/deep", "mine", "notes.md"]);
    let empty = tree(["ffhq/train/a.txt"]);
    assert!(error(&empty).contains("holds no picture (1 entries passed over)"));
    assert!(layouts::read(empty.path(), "dffd", Media::Videos).is_err());
}
