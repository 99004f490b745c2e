use super::*;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn find(folder: &tempfile::TempDir, picture: &str) -> Result<Option<Found>, LandmarkError> {
    LandmarkFiles::default().find(&folder.path().join(picture))
}

const SQUARE: &str = r#"{"outline":[0,1,3],"points":{"a.jpg":[[1,2],[3.5,4],[5,6],[7,8]],"train/real/b.png":[[1,1],[2,1],[2,2],[1,2]]}}"#;

#[test]
fn a_listing_names_files_from_its_folder_on() {
    let folder = folder(&[("landmarks.json", SQUARE)]);
    let found = find(&folder, "a.jpg").unwrap().unwrap();
    assert_eq!(found.landmarks.points[1], [3.5, 4.0]);
    assert_eq!((found.landmarks.outline, found.box_only), (vec![0, 1, 3], false));
    assert_eq!(find(&folder, "train/real/b.png").unwrap().unwrap().landmarks.points[2], [2.0, 2.0]);
    assert_eq!(find(&folder, "b.png").unwrap(), None);
    assert_eq!(find(&folder, "train/real/a.jpg").unwrap(), None);
}

#[test]
fn what_is_written_is_read() {
    let points = vec![[1.25_f32, 2.0], [30.04, 4.0], [5.0, 60.0]];
    let text = listing(&[0, 1, 2], BTreeMap::from([("x/y.jpg".to_owned(), points)]));
    let folder = folder(&[("landmarks.json", &text)]);
    let found = find(&folder, "x/y.jpg").unwrap().unwrap();
    assert_eq!(found.landmarks.points, [[1.3, 2.0], [30.0, 4.0], [5.0, 60.0]]);
}

#[test]
fn a_template_next_to_the_picture_comes_first() {
    let tem = "5\n10\t10\n90 10\n90.5\t80\n10\t80\n50\t40\n1\n0\n2\n0 1\n";
    let folder =
        folder(&[("landmarks.json", SQUARE), ("a.tem", tem), ("boxes.csv", "file,left,top,right,bottom\n")]);
    let landmarks = find(&folder, "a.jpg").unwrap().unwrap().landmarks;
    assert_eq!(landmarks.points.len(), 5);
    let mut outline = landmarks.outline;
    outline.sort_unstable();
    assert_eq!(outline, [0, 1, 2, 3], "the point inside is no part of the hull");
}

#[test]
fn the_known_template_has_a_closed_outline_of_the_face() {
    let outline = frl_outline();
    let mut each = outline.clone();
    each.sort_unstable();
    each.dedup();
    assert_eq!((each.len(), outline.len()), (30, 30));
    let points: String = (0..FRL_POINTS).map(|index| format!("{index} {}\n", index % 7)).collect();
    let folder = folder(&[("a.tem", &format!("189\n{points}44\n0\n2\n0 0\n"))]);
    assert_eq!(find(&folder, "a.jpg").unwrap().unwrap().landmarks.outline, outline);
}

#[test]
fn a_box_gives_an_ellipse() {
    let folder = folder(&[("boxes.csv", "file,left,top,right,bottom\nreal/a.jpg,10,20,50,80\n")]);
    let found = find(&folder, "real/a.jpg").unwrap().unwrap();
    assert!(found.box_only);
    assert!((found.landmarks.bounds().right - 50.0).abs() < 1e-3);
}

#[test]
fn errors_name_the_place_in_the_file() {
    let says = |name: &str, text: &str, words: &str| {
        let folder = folder(&[(name, text)]);
        let message = find(&folder, "a.jpg").unwrap_err().to_string();
        assert!(message.contains(words) && message.contains(name), "{message}");
        assert!(!message.contains('\n'));
    };
    says("landmarks.json", "{", "line 1");
    says("landmarks.json", r#"{"points":{}}"#, "outline");
    says("landmarks.json", r#"{"outline":[0,1],"points":{}}"#, "three points");
    says("landmarks.json", r#"{"outline":[0,1,5],"points":{"a.jpg":[[1,2]]}}"#, "a.jpg has 1 points");
    says("landmarks.json", r#"{"outline":[0,1,2],"points":{"a.jpg":[[1,2],[3,4],[5]]}}"#, "line 1");
    says("a.tem", "many\n", "first line");
    says("a.tem", "9999999999\n", "first line");
    says("a.tem", "3\n1 2\n3 x\n5 6\n", "line 3");
    says("a.tem", "3\n1 2\n\n3 4\n", "announces 3 points and holds 2");
    says("a.tem", "3\n1 1\n2 2\n3 3\n", "no area");
    says("boxes.csv", "file,left,top,right,bottom\na.jpg,1,2,x,4\n", "right = \"x\"");
    says("boxes.csv", "file,left,top,right,bottom\na.jpg,5,2,1,4\n", "line 2");
    says("boxes.csv", "file,left\na.jpg,5\n", "\"top\" is missing");
}
