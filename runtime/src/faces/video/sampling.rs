//! Samples frames of a video: equally spaced among those that a player shows, upright, with
//! square pixels, and none that the decoder concealed.

use super::colour::{self, Colours, Untagged};
use super::ffmpeg::{self, Ffmpeg, VideoError};
use crate::data::picture::PictureError;
use image::RgbImage;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// The largest ratio of a pixel's sides.
const MOST_ASPECT: f64 = 4.0;

/// The result of [`Ffmpeg::sample`].
#[derive(Debug)]
pub struct Sampled {
    /// The frames in display order.
    pub frames: Vec<Frame>,
    /// Chosen frames that are damaged or missing.
    pub lost: usize,
    /// Whether the video names no colour matrix.
    pub untagged: bool,
}

/// A frame of a video.
#[derive(Debug)]
pub struct Frame {
    /// Its index in display order, from 0.
    pub number: usize,
    /// Its time in seconds, from the video's own origin; `None` where the file has none.
    pub seconds: Option<f64>,
    /// The picture, upright, with square pixels.
    pub picture: RgbImage,
}

/// The packets of a video stream, in the order of the file.
#[derive(Clone, Debug, PartialEq)]
struct Packets {
    /// For each packet its time in ticks (`None` where the file has none), whether it is a key
    /// frame, and whether it is shown.
    list: Vec<(Option<i64>, bool, bool)>,
    /// Seconds a tick.
    tick: Option<f64>,
    /// Width of a pixel divided by its height.
    aspect: f64,
    colours: Colours,
}

impl Packets {
    /// Parses ffprobe's output: a line for each packet and one or several for the stream.
    fn parse(text: &str) -> Self {
        let ratio = |text: &str, sign| {
            let (over, under) = text.split_once(sign)?;
            let (over, under) = (over.parse::<f64>().ok()?, under.parse::<f64>().ok()?);
            (over > 0.0 && under > 0.0).then_some(over / under)
        };
        let mut packets = Self { list: Vec::new(), tick: None, aspect: 1.0, colours: Colours::default() };
        for line in text.lines() {
            let fields: HashMap<&str, &str> =
                line.split('|').filter_map(|field| field.split_once('=')).collect();
            if let Some(flags) = fields.get("flags") {
                let time = fields.get("pts").and_then(|time| time.parse().ok());
                packets.list.push((time, flags.contains('K'), !flags.contains('D')));
            }
            packets.tick = fields.get("time_base").and_then(|of| ratio(of, '/')).or(packets.tick);
            let aspect = fields.get("sample_aspect_ratio").and_then(|of| ratio(of, ':'));
            packets.aspect = aspect.unwrap_or(packets.aspect);
            packets.colours.read(&fields);
        }
        packets
    }

    /// The times of the frames that are shown, ascending, without those outside an edit list or
    /// before the first key frame, which cannot be decoded. `None` where a time is missing or two
    /// are equal, so that packets are not frames.
    fn display_times(&self) -> Option<Vec<i64>> {
        let first = self.list.iter().position(|&(_, key, _)| key).unwrap_or(0);
        let start = self.list.get(first).and_then(|&(time, ..)| time);
        let kept = self.list[first..].iter().filter(|&&(_, _, shown)| shown);
        let mut times = kept.map(|&(time, ..)| time).collect::<Option<Vec<i64>>>()?;
        times.retain(|&time| Some(time) >= start);
        times.sort_unstable();
        let distinct = times.windows(2).all(|pair| pair[0] < pair[1]);
        (distinct && !times.is_empty()).then_some(times)
    }

    /// Of the frames at the times `undamaged`, which were decoded without damage, those that do not
    /// depend on a missing one: after a frame that is not `present`, all up to the next key frame
    /// are dropped.
    fn intact(&self, present: &HashSet<i64>, undamaged: &HashSet<i64>) -> HashSet<i64> {
        let (mut broken, mut before, mut key_time) = (false, false, i64::MIN);
        let mut intact = HashSet::new();
        for &(time, key, shown) in &self.list {
            let Some(time) = time else { continue };
            if key {
                (before, broken, key_time) = (broken, false, time);
            }
            broken |= shown && !present.contains(&time);
            // Frames that come after a key frame in the file and before it in display order also
            // depend on frames before it.
            let decodable = !(broken || before && time < key_time);
            if decodable && shown && undamaged.contains(&time) {
                intact.insert(time);
            }
        }
        intact
    }

    fn seconds(&self, time: i64) -> Option<f64> {
        self.tick.map(|tick| time as f64 * tick)
    }
}

/// A decoded frame: its time in ticks and a checksum of its pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Decoded {
    time: Option<i64>,
    checksum: String,
}

impl Decoded {
    /// Parses a line of ffmpeg's filter `showinfo`.
    fn parse(line: &str) -> Option<Self> {
        let word = |name: &str| {
            let (_, after) = line.split_once(name)?;
            after.split_whitespace().next()
        };
        let checksum = word(" checksum:").filter(|_| line.contains("showinfo"))?.to_owned();
        Some(Self { time: word(" pts:")?.parse().ok(), checksum })
    }
}

impl Ffmpeg {
    /// `n` equally spaced frames of the video `path`: the middle ones of `n` equal parts, so that
    /// the first and the last frame are not used where there are more than twice `n`; all frames
    /// where there are no more than `n`. Frames are counted, not timed: where the frame rate
    /// changes, more are taken from the faster part. Colours are converted as the stream says, or
    /// by `untagged`.
    ///
    /// # Errors
    /// The file is no video, is damaged or takes too long; it is HDR or has a colour matrix that
    /// ffmpeg does not convert; or frames exceed the limits of [`picture`](crate::data::picture).
    pub fn sample(&self, path: &Path, n: usize, untagged: Untagged) -> Result<Sampled, VideoError> {
        let entries = format!("packet=pts,flags:stream=time_base,sample_aspect_ratio,{}", colour::ENTRIES);
        let packets = Packets::parse(&self.probe(path, &entries)?);
        if packets.list.is_empty() {
            return Err(VideoError::Unreadable { reason: "it has no frames".to_owned() });
        }
        if !(1.0 / MOST_ASPECT..=MOST_ASPECT).contains(&packets.aspect) {
            let reason = format!("its tags say that a pixel is {:.3} times as wide as high", packets.aspect);
            return Err(VideoError::Unreadable { reason });
        }
        let matrix = packets.colours.matrix(untagged).map_err(VideoError::Colours)?;
        let (frames, lost) = self.chosen(path, n, &packets, matrix)?;
        Ok(Sampled { frames, lost, untagged: packets.colours.is_untagged() })
    }

    /// The frames of [`Ffmpeg::sample`], and how many of the chosen ones are lost.
    fn chosen(
        &self,
        path: &Path,
        n: usize,
        packets: &Packets,
        matrix: Option<&str>,
    ) -> Result<(Vec<Frame>, usize), VideoError> {
        let Some(shown) = packets.display_times() else {
            return self.by_number(path, n, packets, matrix, self.listed(path)?);
        };
        let numbers = spaced(shown.len(), n);
        let times: Vec<i64> = numbers.iter().map(|&number| shown[number]).collect();
        let (pictures, complaints) = self.pictures(path, matrix, "pts", &times)?;
        if pictures.len() == times.len() && !complaints.iter().any(|line| reports_damage(line)) {
            let frames = numbers.into_iter().zip(times).zip(pictures);
            let frames = frames.map(|((number, time), picture)| Frame {
                number,
                seconds: packets.seconds(time),
                picture,
            });
            return Ok((frames.collect(), 0));
        }
        let (listed, damaged) = self.listed(path)?;
        let present: HashSet<i64> = listed.iter().filter_map(|frame| frame.time).collect();
        let known = shown.iter().filter(|time| present.contains(time)).count();
        // Packets are not frames (two fields of a picture, or one that is never shown), or ffmpeg
        // changes the times.
        if !damaged || 2 * known < listed.len() {
            return self.by_number(path, n, packets, matrix, (listed, damaged));
        }
        let undamaged = listed.iter().zip(self.undamaged(path, &listed)?);
        let undamaged = undamaged.filter_map(|(frame, undamaged)| frame.time.filter(|_| undamaged)).collect();
        let intact = packets.intact(&present, &undamaged);
        let chosen: Vec<usize> =
            numbers.iter().copied().filter(|&number| intact.contains(&shown[number])).collect();
        let times: Vec<i64> = chosen.iter().map(|&number| shown[number]).collect();
        let (pictures, _) = self.pictures(path, matrix, "pts", &times)?;
        let seconds = times.iter().map(|&time| packets.seconds(time)).collect();
        sampled(numbers.len(), chosen, seconds, pictures)
    }

    /// [`Ffmpeg::chosen`] for a video whose packets are not its frames or have no times: decodes
    /// all frames to count them and chooses by number.
    fn by_number(
        &self,
        path: &Path,
        n: usize,
        packets: &Packets,
        matrix: Option<&str>,
        (listed, damaged): (Vec<Decoded>, bool),
    ) -> Result<(Vec<Frame>, usize), VideoError> {
        let numbers = spaced(listed.len(), n);
        let undamaged = if damaged { self.undamaged(path, &listed)? } else { vec![true; listed.len()] };
        let chosen: Vec<usize> = numbers.iter().copied().filter(|&number| undamaged[number]).collect();
        let places: Vec<i64> = chosen.iter().map(|&number| number as i64).collect();
        let (pictures, _) = self.pictures(path, matrix, "n", &places)?;
        let time = |&number: &usize| listed[number].time.and_then(|time| packets.seconds(time));
        let seconds = chosen.iter().map(time).collect();
        sampled(numbers.len(), chosen, seconds, pictures)
    }

    /// The frames whose filter variable `key` has one of the `values`, ascending, converted by
    /// `matrix`; and the messages of ffmpeg.
    fn pictures(
        &self,
        path: &Path,
        matrix: Option<&str>,
        key: &str,
        values: &[i64],
    ) -> Result<(Vec<RgbImage>, Vec<String>), VideoError> {
        if values.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let each: Vec<String> = values.iter().map(|value| format!("eq({key}\\,{value})")).collect();
        // ffmpeg refuses a sum of more than a hundred terms, but takes a sum of sums.
        let sums: Vec<String> = each.chunks(32).map(|terms| format!("({})", terms.join("+"))).collect();
        // Enlarged, never shrunk, to make pixels square.
        let square =
            format!("w=round(iw*clip(sar\\,1\\,{MOST_ASPECT})):h=round(ih/clip(sar\\,1/{MOST_ASPECT}\\,1))");
        // Always given: ffmpeg's default for a frame without a matrix depends on its version.
        let matrix = matrix.map(|name| format!(":in_color_matrix={name}")).unwrap_or_default();
        let filters = format!("select={},scale={square}:flags=bicubic{matrix},setsar=1", sums.join("+"));
        // Without the count ffmpeg would decode to the end.
        let count = values.len().to_string();
        let bmp = ["-c:v", "bmp", "-pix_fmt", "bgr24", "-f", "image2pipe", "pipe:1"];
        let after = [&["-vf", &filters, "-frames:v", &count], &bmp[..]].concat();
        let mut frames: Vec<Result<RgbImage, PictureError>> = Vec::new();
        let complaints =
            self.decode(path, &["-v", "level+warning"], &after, |out| ffmpeg::pictures(out, &mut frames))?;
        Ok((frames.into_iter().collect::<Result<_, _>>()?, complaints))
    }

    /// All frames that can be decoded, and whether ffmpeg reports damage.
    fn listed(&self, path: &Path) -> Result<(Vec<Decoded>, bool), VideoError> {
        let (listed, damaged) = self.list(path, &[])?;
        if listed.is_empty() {
            return Err(VideoError::Unreadable { reason: NO_FRAME.to_owned() });
        }
        Ok((listed, damaged))
    }

    fn list(&self, path: &Path, options: &[&str]) -> Result<(Vec<Decoded>, bool), VideoError> {
        let before = [&["-v", "level+info"], options].concat();
        let messages = self.decode(path, &before, &["-vf", "showinfo", "-f", "null", "-"], |_| Ok(()))?;
        let damaged = messages.iter().any(|line| reports_damage(line));
        Ok((messages.iter().filter_map(|line| Decoded::parse(line)).collect(), damaged))
    }

    /// Which decoded frames are free of damage: the same whether damage is concealed, left as it
    /// is, or makes the decoder drop the frame. Decoders mark neither the frames that they
    /// conceal nor those that depend on them.
    fn undamaged(&self, path: &Path, listed: &[Decoded]) -> Result<Vec<bool>, VideoError> {
        let mut undamaged = vec![true; listed.len()];
        for options in [["-ec", "0"], ["-err_detect:v", "explode"]] {
            let again = match self.list(path, &options) {
                Ok((again, _)) => again,
                // ffmpeg fails where every frame is damaged.
                Err(VideoError::Unreadable { .. }) => Vec::new(),
                Err(error) => return Err(error),
            };
            let again: HashSet<(Option<i64>, &str)> =
                again.iter().map(|frame| (frame.time, frame.checksum.as_str())).collect();
            for (undamaged, frame) in undamaged.iter_mut().zip(listed) {
                *undamaged &= again.contains(&(frame.time, frame.checksum.as_str()));
            }
        }
        Ok(undamaged)
    }
}

const NO_FRAME: &str = "none of its frames can be decoded";

/// The frames that were decoded out of `asked`, and how many are lost.
fn sampled(
    asked: usize,
    chosen: Vec<usize>,
    seconds: Vec<Option<f64>>,
    pictures: Vec<RgbImage>,
) -> Result<(Vec<Frame>, usize), VideoError> {
    let unreadable = |reason: &str| VideoError::Unreadable { reason: reason.to_owned() };
    if chosen.is_empty() {
        return Err(unreadable(NO_FRAME));
    }
    if pictures.len() != chosen.len() {
        return Err(unreadable("its frames differ each time it is decoded"));
    }
    let lost = asked - chosen.len();
    let frames = chosen.into_iter().zip(seconds).zip(pictures);
    let frames = frames.map(|((number, seconds), picture)| Frame { number, seconds, picture });
    Ok((frames.collect(), lost))
}

/// Whether a message of ffmpeg says that a frame may be damaged.
fn reports_damage(line: &str) -> bool {
    ffmpeg::is_error(line) || line.contains("corrupt decoded frame")
}

/// The numbers of `n` equally spaced frames of a video of `count`: the middle ones of `n` equal
/// parts. All frames where there are no more than `n`.
fn spaced(count: usize, n: usize) -> Vec<usize> {
    if count <= n {
        return (0..count).collect();
    }
    (0..n).map(|part| (2 * part + 1) * count / (2 * n)).collect()
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

    /// Packets of `time` and flags, as ffprobe says them.
    fn packets(list: &[(&str, &str)]) -> Packets {
        let lines: Vec<String> =
            list.iter().map(|(time, flags)| format!("pts={time}|flags={flags}")).collect();
        Packets::parse(&(lines.join("\n") + "\n\nsample_aspect_ratio=4:3|time_base=1/50\n"))
    }

    #[test]
    fn the_stream_is_understood() {
        let of = packets(&[("0", "K_"), ("2", "__"), ("N/A", "_D")]);
        assert_eq!(of.list, [(Some(0), true, true), (Some(2), false, true), (None, false, false)]);
        assert_eq!((of.seconds(25), of.aspect), (Some(0.5), 4.0 / 3.0));
        let nothing = Packets::parse("sample_aspect_ratio=0:1|time_base=N/A\nsample_aspect_ratio=N/A\n");
        assert_eq!(
            nothing,
            Packets { list: Vec::new(), tick: None, aspect: 1.0, colours: Colours::default() }
        );
        assert_eq!(nothing.seconds(3), None);
    }

    #[test]
    fn the_packets_show_which_frames_are_displayed() {
        // In the order of decoding: sorted. Outside the edit list: not shown.
        let shown =
            packets(&[("0", "KD"), ("2", "_D"), ("8", "__"), ("4", "__"), ("6", "__")]).display_times();
        assert_eq!(shown, Some(vec![4, 6, 8]));
        // Cut in the middle: nothing before the first key frame, nor on the screen before it.
        let shown =
            packets(&[("0", "__"), ("2", "__"), ("8", "K_"), ("6", "__"), ("10", "__")]).display_times();
        assert_eq!(shown, Some(vec![8, 10]));
        // Without any key frame, whatever there is.
        assert_eq!(packets(&[("0", "__"), ("2", "__")]).display_times(), Some(vec![0, 2]));
        // Two packets at one time, or a time that is missing: not told by the packets.
        assert_eq!(packets(&[("0", "K_"), ("0", "__")]).display_times(), None);
        assert_eq!(packets(&[("0", "K_"), ("N/A", "__")]).display_times(), None);
        assert_eq!(packets(&[("0", "KD")]).display_times(), None);
    }

    #[test]
    fn nothing_is_trusted_that_builds_upon_a_missing_frame() {
        let of = packets(&[
            ("0", "K_"),
            ("2", "__"),
            ("4", "__"),
            ("6", "__"),
            ("12", "K_"),
            ("8", "__"),
            ("14", "__"),
            ("20", "K_"),
            ("18", "__"),
        ]);
        let all: HashSet<i64> = of.display_times().unwrap().into_iter().collect();
        let without = |missing: &[i64]| all.iter().copied().filter(|time| !missing.contains(time)).collect();
        let intact = |missing: &[i64], patched: &[i64]| {
            let mut intact: Vec<i64> = of.intact(&without(missing), &without(patched)).into_iter().collect();
            intact.sort_unstable();
            intact
        };
        assert_eq!(intact(&[], &[]), [0, 2, 4, 6, 8, 12, 14, 18, 20]);
        assert_eq!(intact(&[2], &[2]), [0, 12, 14, 18, 20], "8 builds upon what was before 12");
        assert_eq!(intact(&[], &[2]), [0, 4, 6, 8, 12, 14, 18, 20]);
        assert_eq!(intact(&[20], &[20]), [0, 2, 4, 6, 8, 12, 14]);
    }

    #[test]
    fn showinfo_lists_the_frames() {
        let line = "[Parsed_showinfo_0 @ 0x5] [info] n:   1 pts:    512 pts_time:0.04 pos:10771 fmt:yuv420p \
            checksum:88914A5D plane_checksum:[65EE3DD2 124AE607]";
        let decoded = |time| Some(Decoded { time, checksum: "88914A5D".to_owned() });
        assert_eq!(Decoded::parse(line), decoded(Some(512)));
        assert_eq!(Decoded::parse(&line.replace("   512", "NOPTS")), decoded(None));
        assert_eq!(Decoded::parse("[Parsed_showinfo_0 @ 0x5] [info] config in time_base: 1/12800"), None);
        assert!(!reports_damage(line) && reports_damage("[h264 @ 0x5] [error] concealing"));
        assert!(reports_damage("[warning] a.mp4: corrupt decoded frame in stream 0"));
        assert!(!reports_damage("[swscaler @ 0x5] [warning] deprecated pixel format used"));
    }
}
