//! Frames out of a video, by the programs ffmpeg and ffprobe on the PATH. They read files
//! that nobody vouches for: local files only, one thread, a limit on time and on size.

use crate::data::picture::{self, PictureError};
use image::RgbImage;
use std::ffi::OsString;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// How long one program may take over one video.
const PATIENCE: Duration = Duration::from_secs(600);
/// The most pixels a frame may have, as ffmpeg takes the number: 8192 x 8192.
const MAX_PIXELS: &str = "67108864";
/// The longest message of theirs that is kept, in bytes.
const MESSAGE: u64 = 4096;

/// Why a video gives no frames.
#[derive(Debug, thiserror::Error)]
pub enum VideoError {
    /// One of the programs is not there.
    #[error(
        "{program}: not found on the PATH; install ffmpeg (Debian and Ubuntu: apt install ffmpeg, macOS: brew install ffmpeg, Windows: winget install ffmpeg)"
    )]
    NoFfmpeg {
        /// "ffmpeg" or "ffprobe".
        program: &'static str,
    },
    /// One of them cannot be started or read from.
    #[error("{program}: {reason}")]
    Program {
        /// "ffmpeg" or "ffprobe".
        program: &'static str,
        /// What the system said.
        reason: String,
    },
    /// The file is no video that can be read.
    #[error("not a readable video: {reason}")]
    Unreadable {
        /// What the program said.
        reason: String,
    },
    /// A frame is no picture that is accepted.
    #[error("a frame cannot be used: {0}")]
    Frame(#[from] PictureError),
    /// It takes too long.
    #[error("given up after {} s", PATIENCE.as_secs())]
    TooLong,
}

/// The two programs, found.
#[derive(Clone, Debug)]
pub struct Ffmpeg {
    version: String,
}

impl Ffmpeg {
    /// Looks for both on the PATH.
    ///
    /// # Errors
    /// One is missing or does not run.
    pub fn find() -> Result<Self, VideoError> {
        let [mut probe, mut text] = [String::new(), String::new()];
        run("ffprobe", &["-version".into()], |out| out.read_to_string(&mut probe).map(|_| ()))?;
        run("ffmpeg", &["-version".into()], |out| out.read_to_string(&mut text).map(|_| ()))?;
        Ok(Self { version: text.lines().next().unwrap_or_default().trim().to_owned() })
    }

    /// The first line of what `ffmpeg -version` says.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// How many frames the first video stream of the file `path` has, counted without
    /// decoding them.
    ///
    /// # Errors
    /// No video, a damaged one, or one that takes too long.
    pub fn frame_count(&self, path: &Path) -> Result<usize, VideoError> {
        let mut arguments: Vec<OsString> =
            ["-v", "error", "-select_streams", "V:0", "-count_packets", "-show_entries"]
                .map(Into::into)
                .into();
        arguments.extend(["stream=nb_read_packets", "-of", "csv=p=0"].map(Into::into));
        arguments.extend(["-protocol_whitelist", "file"].map(Into::into));
        arguments.push(local(path));
        let mut text = String::new();
        run("ffprobe", &arguments, |out| out.read_to_string(&mut text).map(|_| ()))?;
        let count = text.trim().trim_end_matches(',').parse::<usize>().ok().filter(|&count| count > 0);
        count.ok_or_else(|| VideoError::Unreadable { reason: "it has no frames".to_owned() })
    }

    /// The frames of those numbers (ascending, from 0) in the file `path`, upright. A
    /// video whose end cannot be decoded gives fewer.
    ///
    /// # Errors
    /// As [`Ffmpeg::frame_count`], and frames over the limits of [`picture`].
    pub fn frames(&self, path: &Path, numbers: &[usize]) -> Result<Vec<RgbImage>, VideoError> {
        let chosen: Vec<String> = numbers.iter().map(|number| format!("eq(n\\,{number})")).collect();
        let mut arguments: Vec<OsString> =
            ["-nostdin", "-v", "error", "-threads", "1", "-protocol_whitelist", "file,pipe"]
                .map(Into::into)
                .into();
        // Refused by the decoder, before it takes the memory.
        arguments.extend(["-max_pixels", MAX_PIXELS, "-i"].map(Into::into));
        arguments.push(local(path));
        arguments.extend(["-map", "0:V:0", "-an", "-sn", "-vf"].map(Into::into));
        arguments.push(format!("select={}", chosen.join("+")).into());
        // Without the last frame's number ffmpeg would decode to the end.
        let count = numbers.len().to_string();
        arguments.extend(["-vsync", "passthrough", "-frames:v", &count].map(Into::into));
        arguments.extend(["-c:v", "bmp", "-pix_fmt", "bgr24", "-f", "image2pipe", "pipe:1"].map(Into::into));
        let mut frames: Vec<Result<RgbImage, PictureError>> = Vec::new();
        run("ffmpeg", &arguments, |out| {
            while let Some(file) = next_bmp(out)? {
                frames.push(picture::decode(&file, Path::new("frame")));
            }
            Ok(())
        })?;
        if frames.is_empty() {
            return Err(VideoError::Unreadable { reason: "none of its frames can be decoded".to_owned() });
        }
        Ok(frames.into_iter().collect::<Result<_, _>>()?)
    }
}

/// The numbers of `n` frames equally spaced over a video of `count`: the middles of `n`
/// equal parts, so that neither a black first frame nor a missing last one counts. All of
/// them where there are no more than `n`.
pub(super) fn spaced(count: usize, n: usize) -> Vec<usize> {
    if count <= n {
        return (0..count).collect();
    }
    (0..n).map(|part| (2 * part + 1) * count / (2 * n)).collect()
}

/// A path that no program takes for an option, a pattern or an address.
fn local(path: &Path) -> OsString {
    let mut argument = OsString::from("file:");
    argument.push(path);
    argument
}

/// The next file of a stream of BMP files; none at its end.
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

/// Runs a program to its end, what it prints given to `read`.
fn run(
    program: &'static str,
    arguments: &[OsString],
    read: impl FnOnce(&mut dyn Read) -> io::Result<()>,
) -> Result<(), VideoError> {
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
            // What is not read would stop the program once the pipe is full.
            let _ = complaints.by_ref().take(MESSAGE).read_to_end(&mut text);
            let _ = io::copy(&mut complaints, &mut io::sink());
            String::from_utf8_lossy(&text).into_owned()
        });
        let watch = scope.spawn(move || watched(child, &over));
        let result = read(&mut BufReader::new(out));
        drop(done);
        let (ended, too_long) = watch.join().expect("the watch does not panic");
        let message = message.join().expect("the reader does not panic");
        if too_long {
            return Err(VideoError::TooLong);
        }
        let first =
            message.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned();
        let unreadable = |reason: String| VideoError::Unreadable { reason };
        if !ended.map_err(failed)? {
            return Err(unreadable(if first.is_empty() { format!("{program} failed") } else { first }));
        }
        result.map_err(|error| unreadable(error.to_string()))
    })
}

/// Waits until all output is read, or kills the program when patience is over: whether it
/// ended well, and whether it was killed.
fn watched(mut child: Child, over: &mpsc::Receiver<()>) -> (io::Result<bool>, bool) {
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
    fn frames_are_equally_spaced() {
        assert_eq!(spaced(100, 4), [12, 37, 62, 87]);
        assert_eq!(spaced(3, 8), [0, 1, 2]);
        assert_eq!(spaced(8, 8), [0, 1, 2, 3, 4, 5, 6, 7]);
        for (count, n) in [(9, 8), (301, 32), (1000, 7)] {
            let frames = spaced(count, n);
            assert!(frames.len() == n && frames.windows(2).all(|pair| pair[0] < pair[1]));
            assert!(frames[n - 1] < count);
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
