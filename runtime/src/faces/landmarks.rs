//! Reads the landmarks of pictures from files: `landmarks.json`, webmorph's `.tem` files and
//! `boxes.csv`. It does not detect faces.

use super::face::{FaceBox, Landmarks};
use crate::data::manifest::ManifestError;
use crate::data::table;
use crate::faces::hull::hull_of;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The name of the file that holds the landmarks of many pictures: `{"outline": [index, …],
/// "points": {"file": [[x, y], …], …}}`. File names are relative to its folder, with forward
/// slashes; points are in pixels; `outline` holds the indices of points in order around the face.
pub const LANDMARKS: &str = "landmarks.json";
/// The name of the file that holds boxes: `file,left,top,right,bottom`, in pixels.
pub const BOXES: &str = "boxes.csv";

/// The largest file that is read, in bytes: enough for 468 points of 40,000 pictures.
pub const MAX_FILE_BYTES: u64 = 256 << 20;
/// The most points that a face may have.
pub const MAX_POINTS: usize = 10_000;
/// How many folders above a picture's own are searched for its landmarks: enough for
/// `{split}/{label}/{method}/`.
const FOLDERS_UP: usize = 4;

/// Why landmarks cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LandmarkError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {reason}; check its permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's message.
        reason: String,
    },
    /// The file is too large for a file of landmarks.
    #[error("{}: is over {} MiB, which no file of landmarks is; split the pictures into folders", path.display(), MAX_FILE_BYTES >> 20)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The content is not valid.
    #[error("{}: {reason}; correct it or remove the file", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where in the file.
        reason: String,
    },
    /// A line of boxes.csv is wrong.
    #[error(transparent)]
    Boxes(#[from] ManifestError),
}

/// The face in a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The landmarks.
    pub landmarks: Landmarks,
    /// Whether only a box is known; the landmarks are then an ellipse.
    pub box_only: bool,
}

/// Finds the landmarks of pictures; every `landmarks.json` and `boxes.csv` is read only once.
#[derive(Debug, Default)]
pub struct LandmarkFiles {
    folders: HashMap<PathBuf, Arc<Folder>>,
}

/// The files of landmarks in one folder.
#[derive(Debug, Default)]
struct Folder {
    landmarks: Option<Listing>,
    boxes: HashMap<String, FaceBox>,
}

/// The content of landmarks.json.
#[derive(Debug, Serialize, Deserialize)]
struct Listing {
    outline: Vec<usize>,
    points: BTreeMap<String, Vec<[f32; 2]>>,
}

impl LandmarkFiles {
    /// The face in `picture`: from the `.tem` file next to it, else from `landmarks.json`, else
    /// from `boxes.csv`, in its folder or in one of the folders above it (up to four levels). `None`
    /// where there is none.
    ///
    /// # Errors
    /// A file exists and cannot be used.
    pub fn find(&mut self, picture: &Path) -> Result<Option<Found>, LandmarkError> {
        let tem = picture.with_extension("tem");
        if tem.is_file() {
            return Ok(Some(Found { landmarks: read_tem(&tem)?, box_only: false }));
        }
        for folder in picture.ancestors().skip(1).take(1 + FOLDERS_UP) {
            let below = picture.strip_prefix(folder).unwrap_or(picture);
            let parts: Option<Vec<&str>> = below.iter().map(|part| part.to_str()).collect();
            let Some(name) = parts.map(|parts| parts.join("/")) else { continue };
            let listed = self.folder(folder)?;
            if let Some(Listing { outline, points }) = &listed.landmarks
                && let Some(points) = points.get(&name)
            {
                let landmarks = Landmarks { points: points.clone(), outline: outline.clone() };
                return Ok(Some(Found { landmarks, box_only: false }));
            }
            if let Some(&face) = listed.boxes.get(&name) {
                return Ok(Some(Found { landmarks: Landmarks::of_box(face), box_only: true }));
            }
        }
        Ok(None)
    }

    fn folder(&mut self, folder: &Path) -> Result<Arc<Folder>, LandmarkError> {
        if let Some(known) = self.folders.get(folder) {
            return Ok(Arc::clone(known));
        }
        let (landmarks, boxes) = (folder.join(LANDMARKS), folder.join(BOXES));
        let read = Arc::new(Folder {
            landmarks: if landmarks.is_file() { Some(read_listing(&landmarks)?) } else { None },
            boxes: if boxes.is_file() { read_boxes(&boxes)? } else { HashMap::new() },
        });
        self.folders.insert(folder.to_owned(), Arc::clone(&read));
        Ok(read)
    }
}

/// The content of a landmarks.json with `faces` by file name, all with the same outline; points
/// are rounded to a tenth of a pixel.
pub fn listing(outline: &[usize], faces: BTreeMap<String, Vec<[f32; 2]>>) -> String {
    let tenths = |points: Vec<[f32; 2]>| -> Vec<[f64; 2]> {
        points.into_iter().map(|point| point.map(|value| (f64::from(value) * 10.0).round() / 10.0)).collect()
    };
    let points: BTreeMap<String, Vec<[f64; 2]>> =
        faces.into_iter().map(|(file, points)| (file, tenths(points))).collect();
    serde_json::json!({ "outline": outline, "points": points }).to_string()
}

/// The complete text of a file of landmarks.
fn text(path: &Path) -> Result<String, LandmarkError> {
    let unreadable = |reason: String| LandmarkError::Unreadable { path: path.to_owned(), reason };
    let file = std::fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let mut bytes = Vec::new();
    // One byte more than allowed shows a file that grows while it is read.
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(LandmarkError::TooLarge { path: path.to_owned() });
    }
    String::from_utf8(bytes).map_err(|_| malformed(path, "it is not UTF-8 text"))
}

fn malformed(path: &Path, reason: impl Into<String>) -> LandmarkError {
    LandmarkError::Malformed { path: path.to_owned(), reason: reason.into() }
}

fn read_listing(path: &Path) -> Result<Listing, LandmarkError> {
    let text = text(path)?;
    let listing: Listing = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| malformed(path, format!("not {{\"outline\": …, \"points\": …}}: {error}")))?;
    if listing.outline.len() < 3 {
        return Err(malformed(path, "the outline needs three points or more"));
    }
    let last = listing.outline.iter().max().copied().unwrap_or(0);
    for (file, points) in &listing.points {
        if points.len() <= last || points.len() > MAX_POINTS {
            return Err(malformed(
                path,
                format!(
                    "{file} has {} points; the outline's indices need {} to {MAX_POINTS}",
                    points.len(),
                    last.saturating_add(1)
                ),
            ));
        }
        // 1e99 is valid JSON, but no finite 32-bit float.
        if points.iter().flatten().any(|value| !value.is_finite()) {
            return Err(malformed(path, format!("{file} has a point that is not a number")));
        }
    }
    Ok(listing)
}

fn read_boxes(path: &Path) -> Result<HashMap<String, FaceBox>, LandmarkError> {
    let text = text(path)?;
    let columns = ["file", "left", "top", "right", "bottom"];
    let mut boxes = HashMap::new();
    table::each_row(path, text.as_bytes(), &columns, &[], |_, fields| {
        let mut edges = [0.0_f32; 4];
        for (place, column) in columns.iter().enumerate().skip(1) {
            let field = fields[place];
            let value = field.trim().parse::<f32>().ok().filter(|value| value.is_finite());
            edges[place - 1] = value.ok_or_else(|| format!("{column} = {field:?} is no number"))?;
        }
        let [left, top, right, bottom] = edges;
        if right <= left || bottom <= top {
            return Err("the box has no area".to_owned());
        }
        boxes.insert(fields[0].to_owned(), FaceBox { left, top, right, bottom });
        Ok(())
    })?;
    Ok(boxes)
}

/// The face's outline in the Face Research Lab template of 189 points (webmorph's `frl`):
/// down the left cheek, along the jaw, up the right cheek, back along the hairline.
fn frl_outline() -> Vec<usize> {
    let cheek = [109, 185, 110, 186, 111];
    let other = [114, 188, 113, 187, 112];
    cheek.into_iter().chain(125..=133).chain(other).chain((134..=144).rev()).collect()
}

/// Points of the Face Research Lab template.
const FRL_POINTS: usize = 189;

/// Reads a webmorph (Psychomorph) template: a line with the number of points, a line `x y` for
/// each, then the lines that connect them, which are ignored. The outline is known for the 189
/// points of the Face Research Lab; of any other template it is the convex hull of all points.
fn read_tem(path: &Path) -> Result<Landmarks, LandmarkError> {
    let text = text(path)?;
    let mut lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    let count = lines.next().and_then(|(line, _)| line.trim().parse::<usize>().ok());
    let count = count.filter(|count| (3..=MAX_POINTS).contains(count));
    let count = count.ok_or_else(|| {
        malformed(path, format!("its first line is no number of points from 3 to {MAX_POINTS}"))
    })?;
    let mut points = Vec::with_capacity(count);
    for (line, number) in lines.by_ref().take(count) {
        let values: Vec<Option<f32>> = line.split_whitespace().map(|value| value.parse().ok()).collect();
        match values[..] {
            [Some(x), Some(y)] if x.is_finite() && y.is_finite() => points.push([x, y]),
            _ => return Err(malformed(path, format!("line {number} is no point (x y)"))),
        }
    }
    if points.len() < count {
        return Err(malformed(path, format!("announces {count} points and holds {}", points.len())));
    }
    let outline = if count == FRL_POINTS { frl_outline() } else { hull_of(&points) };
    if outline.len() < 3 {
        return Err(malformed(path, "its points enclose no area"));
    }
    Ok(Landmarks { points, outline })
}

#[cfg(test)]
mod tests;
