//! Decodes videos with the programs ffmpeg and ffprobe on the PATH. Videos are untrusted: only
//! local files are read, on one thread, with limits on time and size.

use crate::data::picture::{self, PictureError};
use image::RgbImage;
use std::ffi::OsString;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// The time limit of one program for one video.
const PATIENCE: Duration = Duration::from_secs(600);
/// The most pixels of a frame, as an argument of ffmpeg: 8192 x 8192.
const MAX_PIXELS: &str = "67108864";
/// How much of a program's messages is kept, in bytes: a search for damage gives a line for each
/// frame.
const MESSAGE: u64 = 16 << 20;

/// Why a video gives no frames.
#[derive(Debug, thiserror::Error)]
pub enum VideoError {
    /// A program is missing.
    #[error(
        "{program}: not found on the PATH; install ffmpeg (Debian and Ubuntu: apt install ffmpeg, macOS: brew install ffmpeg, Windows: winget install ffmpeg)"
    )]
    NoFfmpeg {
        /// "ffmpeg" or "ffprobe".
        program: &'static str,
    },
    /// A program cannot be started, or its output cannot be read.
    #[error("{program}: {reason}")]
    Program {
        /// "ffmpeg" or "ffprobe".
        program: &'static str,
        /// The system's message.
        reason: String,
    },
    /// The file is no readable video.
    #[error("not a readable video: {reason}")]
    Unreadable {
        /// The program's message.
        reason: String,
    },
    /// Its colours cannot be converted correctly.
    #[error("{0}")]
    Colours(String),
    /// A frame is no valid picture.
    #[error("a frame cannot be used: {0}")]
    Frame(#[from] PictureError),
    /// It took too long.
    #[error("given up after {} s", PATIENCE.as_secs())]
    TooLong,
}

/// The two programs.
#[derive(Clone, Debug)]
pub struct Ffmpeg {
    version: String,
}

impl Ffmpeg {
    /// Finds both on the PATH.
    ///
    /// # Errors
    /// A program is missing or does not run.
    pub fn find() -> Result<Self, VideoError> {
        let [mut probe, mut text] = [String::new(), String::new()];
        run("ffprobe", &["-version".into()], |out| out.read_to_string(&mut probe).map(|_| ()))?;
        run("ffmpeg", &["-version".into()], |out| out.read_to_string(&mut text).map(|_| ()))?;
        Ok(Self { version: text.lines().next().unwrap_or_default().trim().to_owned() })
    }

    /// The first line of `ffmpeg -version`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Runs ffprobe on the first video stream of the file `path`. Returns its output: `entries`,
    /// a line each.
    pub(super) fn probe(&self, path: &Path, entries: &str) -> Result<String, VideoError> {
        let mut arguments: Vec<OsString> =
            ["-v", "error", "-select_streams", "V:0", "-show_entries", entries].map(Into::into).into();
        arguments.extend(["-of", "compact=p=0", "-protocol_whitelist", "file"].map(Into::into));
        arguments.push(local(path));
        let mut text = String::new();
        run("ffprobe", &arguments, |out| out.read_to_string(&mut text).map(|_| ()))?;
        Ok(text)
    }

    /// Runs ffmpeg on the first video stream of the file `path`: `before` are options of the
    /// input, `after` of the output, and `read` gets its output. The frames keep the stream's
    /// timestamps. Returns its messages, each line with its level.
    pub(super) fn decode(
        &self,
        path: &Path,
        before: &[&str],
        after: &[&str],
        read: impl FnOnce(&mut dyn Read) -> io::Result<()>,
    ) -> Result<Vec<String>, VideoError> {
        let mut arguments: Vec<OsString> =
            ["-nostdin", "-hide_banner", "-nostats", "-threads", "1", "-copyts"].map(Into::into).into();
        // The decoder refuses larger frames before it allocates memory.
        arguments.extend(["-protocol_whitelist", "file,pipe", "-max_pixels", MAX_PIXELS].map(Into::into));
        arguments.extend(before.iter().map(Into::into));
        arguments.push("-i".into());
        arguments.push(local(path));
        arguments.extend(["-map", "0:V:0", "-an", "-sn", self.every_frame(), "passthrough"].map(Into::into));
        arguments.extend(after.iter().map(Into::into));
        run("ffmpeg", &arguments, read)
    }

    /// The option with which ffmpeg neither drops nor duplicates frames: `-vsync` up to 5.0,
    /// `-fps_mode` since.
    fn every_frame(&self) -> &'static str {
        let number = self.version.split_whitespace().nth(2).unwrap_or_default();
        let mut parts = number.trim_start_matches('n').split(|at: char| !at.is_ascii_digit());
        let mut part = || parts.next().and_then(|part| part.parse::<u32>().ok());
        match (part(), part()) {
            (Some(major), minor) if (major, minor.unwrap_or(0)) < (5, 1) => "-vsync",
            _ => "-fps_mode",
        }
    }
}

/// The pictures in a stream of BMP files.
pub(super) fn pictures(
    out: &mut dyn Read,
    frames: &mut Vec<Result<RgbImage, PictureError>>,
) -> io::Result<()> {
    while let Some(file) = next_bmp(out)? {
        frames.push(picture::decode(&file, Path::new("frame")));
    }
    Ok(())
}

/// A path that no program reads as an option, a pattern or a URL.
fn local(path: &Path) -> OsString {
    let mut argument = OsString::from("file:");
    argument.push(path);
    argument
}

/// The next file in a stream of BMP files; `None` at its end.
fn next_bmp(out: &mut dyn Read) -> io::Result<Option<Vec<u8>>> {
    let mut head = [0; 6];
    let mut got = 0;
    while got < head.len() {
        match out.read(&mut head[got..])? {
            0 if got == 0 => return Ok(None),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => got += count,
        }
    }
    let size = u64::from(u32::from_le_bytes([head[2], head[3], head[4], head[5]]));
    if &head[..2] != b"BM" || !(6..=picture::MAX_DECODED_BYTES).contains(&size) {
        return Err(io::Error::other("a frame is too large or no BMP"));
    }
    let mut file = head.to_vec();
    if out.take(size - 6).read_to_end(&mut file)? as u64 != size - 6 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(file))
}

/// Runs a program to its end and passes its output to `read`. Returns its messages, line by line.
fn run(
    program: &'static str,
    arguments: &[OsString],
    read: impl FnOnce(&mut dyn Read) -> io::Result<()>,
) -> Result<Vec<String>, VideoError> {
    let failed = |error: io::Error| VideoError::Program { program, reason: error.to_string() };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => VideoError::NoFfmpeg { program },
        _ => failed(error),
    })?;
    let out = child.stdout.take().expect("it is piped");
    let mut complaints = child.stderr.take().expect("it is piped");
    let (done, over) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let message = scope.spawn(move || {
            let mut text = Vec::new();
            // If this is not read, the program stops when the pipe is full.
            let _ = complaints.by_ref().take(MESSAGE).read_to_end(&mut text);
            let _ = io::copy(&mut complaints, &mut io::sink());
            String::from_utf8_lossy(&text).into_owned()
        });
        let watch = scope.spawn(move || wait_or_kill(child, &over));
        let result = read(&mut BufReader::new(out));
        drop(done);
        let (ended, too_long) = watch.join().expect("the watch does not panic");
        let message = message.join().expect("the reader does not panic");
        if too_long {
            return Err(VideoError::TooLong);
        }
        let lines: Vec<String> =
            message.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
        let unreadable = |reason: String| VideoError::Unreadable { reason };
        if !ended.map_err(failed)? {
            let failed = || format!("{program} failed");
            return Err(unreadable(
                lines.iter().find(|line| is_error(line)).map_or_else(failed, |line| without_level(line)),
            ));
        }
        result.map_err(|error| unreadable(error.to_string()))?;
        Ok(lines)
    })
}

/// Whether a message has the level error, fatal or panic.
pub(super) fn is_error(line: &str) -> bool {
    !["[warning]", "[info]"].iter().any(|level| line.contains(level))
}

/// A message without its level.
fn without_level(line: &str) -> String {
    ["[error] ", "[fatal] ", "[panic] "].iter().fold(line.to_owned(), |line, level| line.replace(level, ""))
}

/// Waits until all output is read, or kills the program after [`PATIENCE`]. Returns whether it
/// succeeded, and whether it was killed.
fn wait_or_kill(mut child: Child, over: &mpsc::Receiver<()>) -> (io::Result<bool>, bool) {
    let too_long = over.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout);
    if too_long {
        let _ = child.kill();
    }
    (child.wait().map(|status| status.success()), too_long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_fits_the_version() {
        let of =
            |version: &str| Ffmpeg { version: format!("ffmpeg version {version} Copyright") }.every_frame();
        for old in ["4.2.7-0ubuntu0.1", "4.4", "5.0.1", "n4.3.1"] {
            assert_eq!(of(old), "-vsync", "{old}");
        }
        for new in
            ["5.1.9-0+deb12u1", "6.0", "n7.1", "7.0.2-static", "N-118000-g1234", "2024-05-01-git-x", ""]
        {
            assert_eq!(of(new), "-fps_mode", "{new}");
        }
    }

    #[test]
    fn a_stream_of_bmps_is_taken_apart() {
        let file = |size: u8| [&b"BM"[..], &[size, 0, 0, 0], &vec![7; usize::from(size) - 6]].concat();
        let stream = [file(10), file(6), file(9)].concat();
        let mut rest = stream.as_slice();
        let sizes: Vec<usize> =
            std::iter::from_fn(|| next_bmp(&mut rest).unwrap()).map(|file| file.len()).collect();
        assert_eq!(sizes, [10, 6, 9]);
        assert!(next_bmp(&mut &stream[..8]).is_err() && next_bmp(&mut &stream[..3]).is_err());
        assert!(next_bmp(&mut &b"PNG\0\0\0\0"[..]).is_err());
        assert!(next_bmp(&mut &b"BM\xff\xff\xff\xff"[..]).is_err(), "a huge frame is refused unread");
    }
}
