//! The names of the pictures' files.

/// The file of the picture `id`.
pub fn original(id: u64) -> String {
    format!("{id}-original.png")
}

/// The file of a part ([`PARTS`]) of what is shown of the picture `id` under `model`.
pub fn part(id: u64, model: &str, part: &str) -> String {
    format!("{id}-{model}-{part}.png")
}

/// What is shown of a picture under a model.
pub const PARTS: [&str; 5] = ["adversarial", "difference", "cam", "cam-adversarial", "gradient"];
