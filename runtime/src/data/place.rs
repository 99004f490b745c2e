//! Arithmetic on paths without the disk: absolute paths, paths that leave a folder, the common
//! folder of paths.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

/// The working folder, read once for many paths; empty where there is none.
pub(super) fn working_folder() -> PathBuf {
    std::env::current_dir().unwrap_or_default()
}

/// `path` as an absolute path, relative to `here`; `.` and `..` are resolved without the disk.
pub(super) fn absolute<'a>(here: &Path, path: &'a Path) -> Cow<'a, Path> {
    if path.is_absolute() && is_plain(path) {
        return Cow::Borrowed(path);
    }
    let mut plain = PathBuf::new();
    for part in here.join(path).components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            _ => plain.push(part),
        }
    }
    Cow::Owned(plain)
}

/// Whether no part of `path` is empty, `.` or `..`. Also false where a name begins with a dot,
/// which is quicker to check.
fn is_plain(path: &Path) -> bool {
    let separator = |byte: u8| std::path::is_separator(byte.into());
    let bytes = path.as_os_str().as_encoded_bytes();
    let odd = |pair: &[u8]| separator(pair[0]) && (separator(pair[1]) || pair[1] == b'.');
    !bytes.windows(2).any(odd) && !bytes.last().is_some_and(|&byte| separator(byte))
}

/// Whether the relative `path` leaves the folder that it starts from.
pub(super) fn climbs_out(path: &Path) -> bool {
    let mut depth = 0_usize;
    for part in path.components() {
        match part {
            Component::ParentDir if depth == 0 => return true,
            Component::ParentDir => depth -= 1,
            Component::Normal(_) => depth += 1,
            _ => {}
        }
    }
    false
}

/// `path` with forward slashes on every system; `None` where it is not UTF-8.
pub(super) fn slashed(path: &Path) -> Option<Cow<'_, str>> {
    let text = path.to_str()?;
    if path.is_absolute() || std::path::MAIN_SEPARATOR == '/' && (text.is_empty() || is_plain(path)) {
        return Some(Cow::Borrowed(text));
    }
    let parts = path.components().map(|part| part.as_os_str().to_str());
    Some(Cow::Owned(parts.collect::<Option<Vec<_>>>()?.join("/")))
}

/// `path` quoted as one word of a shell.
pub(super) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    if text.chars().all(|letter| letter.is_alphanumeric() || "/._-+:@%,=".contains(letter)) {
        return text;
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The deepest folder that contains all of `paths`; relative ones start from `here`.
pub(super) fn common_folder<'a>(here: &Path, paths: impl Iterator<Item = &'a Path>) -> PathBuf {
    let mut common: Option<PathBuf> = None;
    for path in paths {
        let whole = absolute(here, path);
        let folder = whole.parent().unwrap_or(Path::new(""));
        common = Some(match common {
            None => folder.to_owned(),
            Some(common) if folder.starts_with(&common) => common,
            Some(common) => {
                let shared = common.components().zip(folder.components()).take_while(|(a, b)| a == b);
                shared.map(|(part, _)| part).collect()
            }
        });
    }
    common.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_resolved_and_plain_paths_are_left() {
        let here = Path::new("/work");
        let resolved = ["/a/b.png", "a/./b", "../c", "/a//b/", "/a/../../b", "/a/.b"]
            .map(|path| absolute(here, Path::new(path)));
        let expected = ["/a/b.png", "/work/a/b", "/c", "/a/b", "/b", "/a/.b"];
        assert_eq!(resolved.each_ref().map(|path| path.to_str().unwrap()), expected);
        assert!(matches!(resolved[0], Cow::Borrowed(_)));
    }

    #[test]
    fn odd_names_are_one_word() {
        let words = ["/data/FaceForensics++", "my set", "it's"].map(|path| quoted(Path::new(path)));
        assert_eq!(words, ["/data/FaceForensics++", "'my set'", "'it'\\''s'"]);
    }

    #[test]
    fn the_common_folder_holds_all() {
        let of = |paths: &[&str]| common_folder(Path::new("/w"), paths.iter().map(Path::new));
        assert_eq!(of(&["/a/b/c/1", "/a/b/2", "/a/b/c/d/3"]), Path::new("/a/b"));
        assert_eq!(of(&["x/1", "/w/y/2"]), Path::new("/w"));
        assert_eq!(of(&[]), Path::new(""));
    }
}
