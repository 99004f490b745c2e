use super::*;
use crate::random::stream;
use proptest::prelude::*;
use rand::RngExt;

/// A JPEG whose blocks are flat, so that its pixels are known without a decoder.
#[derive(Clone)]
struct Flat {
    size: [usize; 2],
    /// Names and sampling factors of the channels.
    channels: Vec<(u8, [usize; 2])>,
    /// Channels of each scan, by their place.
    scans: Vec<Vec<usize>>,
    progressive: bool,
    /// Blocks or MCUs between restart markers; 0 for none.
    restart: usize,
    jfif: bool,
    adobe: Option<u8>,
    /// A level for each block of each channel, in rows.
    levels: Vec<Vec<u8>>,
}

impl Flat {
    fn new(size: [usize; 2], factors: &[[usize; 2]]) -> Self {
        let mut random = stream(3, &["flat jpeg".into(), (size[0] as u64).into(), (size[1] as u64).into()]);
        let channels: Vec<_> = factors.iter().enumerate().map(|(at, &of)| (at as u8 + 1, of)).collect();
        let mut flat = Self {
            size,
            scans: vec![(0..channels.len()).collect()],
            channels,
            progressive: false,
            restart: 0,
            jfif: true,
            adobe: None,
            levels: Vec::new(),
        };
        flat.levels = (0..factors.len())
            .map(|channel| {
                let [across, down] = flat.padded(channel);
                (0..across * down).map(|_| random.random_range(60..=196)).collect()
            })
            .collect();
        flat
    }

    fn finest(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.channels.iter().map(|(_, factors)| factors[axis]).max().unwrap())
    }

    /// MCUs of an interleaved scan.
    fn mcus(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.size[axis].div_ceil(8 * self.finest()[axis]))
    }

    /// Blocks of a channel, those that only fill up MCUs among them.
    fn padded(&self, channel: usize) -> [usize; 2] {
        [0, 1].map(|axis| self.mcus()[axis] * self.channels[channel].1[axis])
    }

    /// Blocks of a channel that hold pixels.
    fn blocks(&self, channel: usize) -> [usize; 2] {
        let factors = self.channels[channel].1;
        [0, 1].map(|axis| (self.size[axis] * factors[axis]).div_ceil(self.finest()[axis]).div_ceil(8))
    }

    /// The blocks of a scan in the order of the file, an MCU an entry.
    fn order(&self, scan: &[usize]) -> Vec<Vec<(usize, usize)>> {
        if let &[channel] = scan {
            let ([across, down], [stride, _]) = (self.blocks(channel), self.padded(channel));
            let places = (0..down).flat_map(|y| (0..across).map(move |x| y * stride + x));
            return places.map(|place| vec![(channel, place)]).collect();
        }
        let [across, down] = self.mcus();
        let mcu = |x: usize, y: usize| {
            let blocks = scan.iter().flat_map(move |&channel| {
                let ([h, v], [stride, _]) = (self.channels[channel].1, self.padded(channel));
                (0..v).flat_map(move |row| {
                    (0..h).map(move |column| (channel, (y * v + row) * stride + x * h + column))
                })
            });
            blocks.collect()
        };
        (0..down).flat_map(|y| (0..across).map(move |x| (x, y))).map(|(x, y)| mcu(x, y)).collect()
    }

    fn file(&self) -> Vec<u8> {
        let mut jpeg = vec![0xff, 0xd8];
        if self.jfif {
            jpeg.extend(b"\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
        }
        if let Some(transform) = self.adobe {
            jpeg.extend(b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0");
            jpeg.push(transform);
        }
        jpeg.extend([0xff, 0xdb, 0, 67, 0]);
        jpeg.extend([8; 64]); // one step of the DC is one level
        let count = self.channels.len() as u8;
        let [width, height] = self.size.map(|side| (side as u16).to_be_bytes());
        jpeg.extend([0xff, if self.progressive { 0xc2 } else { 0xc0 }, 0, 8 + 3 * count, 8]);
        jpeg.extend([height[0], height[1], width[0], width[1], count]);
        for &(name, [across, down]) in &self.channels {
            jpeg.extend([name, (across << 4 | down) as u8, 0]);
        }
        // DC sizes 0 to 8 as four-bit codes; the end of a block as the one-bit code 0.
        jpeg.extend([0xff, 0xc4, 0, 28, 0x00, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        jpeg.extend(0..9);
        jpeg.extend([0xff, 0xc4, 0, 20, 0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        if self.restart > 0 {
            jpeg.extend([0xff, 0xdd, 0, 4, 0, self.restart as u8]);
        }
        for scan in &self.scans {
            self.scan(&mut jpeg, scan, if self.progressive { [0, 0] } else { [0, 63] });
        }
        if self.progressive {
            (0..self.channels.len()).for_each(|channel| self.scan(&mut jpeg, &[channel], [1, 63]));
        }
        jpeg.extend([0xff, 0xd9]);
        jpeg
    }

    /// A scan of the coefficients `[first, last]`.
    fn scan(&self, jpeg: &mut Vec<u8>, scan: &[usize], [first, last]: [u8; 2]) {
        jpeg.extend([0xff, 0xda, 0, 6 + 2 * scan.len() as u8, scan.len() as u8]);
        scan.iter().for_each(|&channel| jpeg.extend([self.channels[channel].0, 0]));
        jpeg.extend([first, last, 0]);
        let mcus = self.order(scan);
        let intervals = mcus.chunks(if self.restart > 0 { self.restart } else { mcus.len() });
        for (number, interval) in intervals.enumerate() {
            if number > 0 {
                jpeg.extend([0xff, 0xd0 + (number - 1) as u8 % 8]);
            }
            let mut bits = String::new();
            let mut before = vec![0; self.channels.len()];
            for &(channel, place) in interval.iter().flatten() {
                if first == 0 {
                    let level = i32::from(self.levels[channel][place]) - 128;
                    let step = level - std::mem::replace(&mut before[channel], level);
                    let size = 32 - step.unsigned_abs().leading_zeros();
                    bits += &format!("{size:04b}");
                    if size > 0 {
                        let code = if step < 0 { step + (1 << size) - 1 } else { step };
                        bits += &format!("{code:0width$b}", width = size as usize);
                    }
                }
                if last > 0 {
                    bits.push('0');
                }
            }
            while !bits.len().is_multiple_of(8) {
                bits.push('1');
            }
            for byte in bits.as_bytes().chunks(8) {
                let byte = u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap();
                jpeg.push(byte);
                if byte == 0xff {
                    jpeg.push(0);
                }
            }
        }
    }

    /// What the channels hold at a pixel; none where a channel's neighbouring block may
    /// have been mixed in when it was scaled up.
    fn at(&self, x: usize, y: usize) -> Option<Vec<f64>> {
        let channels = self.channels.iter().enumerate();
        let value = |(channel, &(_, factors)): (usize, &(u8, [usize; 2]))| {
            let mut block = [0; 2];
            for (axis, pixel) in [x, y].into_iter().enumerate() {
                let ratio = self.finest()[axis] / factors[axis];
                let within = pixel / ratio % 8;
                let last = self.blocks(channel)[axis] - 1;
                block[axis] = pixel / ratio / 8;
                let mixed =
                    ratio > 1 && (within == 0 && block[axis] > 0 || within == 7 && block[axis] < last);
                if mixed {
                    return None;
                }
            }
            Some(f64::from(self.levels[channel][block[1] * self.padded(channel)[0] + block[0]]))
        };
        channels.map(value).collect()
    }

    /// Decodes it and compares every pixel that is known with what `colour` makes of its
    /// channels: how many these are.
    #[track_caller]
    fn compare(&self, colour: impl Fn(&[f64]) -> [f64; 3]) -> usize {
        let file = self.file();
        let layout = Layout::read(&file).unwrap();
        let said = format!("{:?} {:?} {:?} {}", self.size, self.channels, self.scans, self.progressive);
        let picture = layout.decode().unwrap_or_else(|error| panic!("{said}: {error}"));
        assert_eq!(picture.dimensions(), (self.size[0] as u32, self.size[1] as u32));
        let mut known = 0;
        for (x, y, pixel) in picture.enumerate_pixels() {
            let Some(channels) = self.at(x as usize, y as usize) else { continue };
            known += 1;
            let wanted = colour(&channels);
            let off = (0..3).map(|at| (f64::from(pixel.0[at]) - wanted[at].clamp(0.0, 255.0)).abs());
            assert!(off.fold(0.0, f64::max) <= 2.0, "{said}: {pixel:?} at {x}, {y}, not {wanted:?}");
        }
        known
    }
}

/// JFIF's (ITU-T T.871).
fn of_ycbcr(channels: &[f64]) -> [f64; 3] {
    let (y, cb, cr) = (channels[0], channels[1] - 128.0, channels[2] - 128.0);
    [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb]
}

fn as_they_are(channels: &[f64]) -> [f64; 3] {
    [channels[0], channels[1], channels[2]]
}

const SIZES: [[usize; 2]; 6] = [[1, 1], [8, 8], [17, 33], [45, 37], [64, 96], [97, 61]];

#[test]
fn every_sampling_in_every_order_of_scans_has_its_pixels() {
    let samplings: [[[usize; 2]; 3]; 22] = [
        [[1, 1], [1, 1], [1, 1]],
        [[2, 1], [1, 1], [1, 1]],
        [[1, 2], [1, 1], [1, 1]],
        [[2, 2], [1, 1], [1, 1]],
        [[4, 1], [1, 1], [1, 1]],
        [[1, 4], [1, 1], [1, 1]],
        [[4, 2], [1, 1], [1, 1]],
        [[2, 4], [1, 1], [1, 1]],
        [[3, 1], [1, 1], [1, 1]],
        [[1, 3], [1, 1], [1, 1]],
        [[3, 2], [1, 1], [1, 1]],
        [[2, 2], [2, 2], [2, 2]],
        [[2, 1], [2, 1], [2, 1]],
        [[2, 2], [2, 1], [2, 1]],
        [[2, 2], [1, 2], [1, 2]],
        [[2, 2], [2, 1], [1, 2]],
        [[2, 2], [1, 1], [2, 2]],
        // Chrominance finer than luminance.
        [[1, 1], [2, 2], [2, 2]],
        [[1, 1], [2, 1], [2, 1]],
        [[1, 1], [1, 2], [1, 1]],
        [[1, 2], [2, 1], [1, 1]],
        [[1, 1], [1, 1], [2, 2]],
    ];
    let scans: [&[&[usize]]; 5] =
        [&[&[0, 1, 2]], &[&[0], &[1], &[2]], &[&[1], &[2], &[0]], &[&[0], &[1, 2]], &[&[0, 1], &[2]]];
    let mut known = 0;
    for size in SIZES {
        for sampling in &samplings {
            for scans in scans {
                // The standard's limit on the blocks of an MCU.
                let blocks = |scan: &&[usize]| -> usize {
                    scan.iter().map(|&channel: &usize| sampling[channel].iter().product::<usize>()).sum()
                };
                if scans.iter().any(|scan| scan.len() > 1 && blocks(scan) > 10) {
                    continue;
                }
                for (progressive, restart) in [(false, 0), (true, 0), (false, 1), (false, 5), (true, 3)] {
                    let scans = scans.iter().map(|scan| scan.to_vec()).collect();
                    let flat = Flat { scans, progressive, restart, ..Flat::new(size, sampling) };
                    known += flat.compare(of_ycbcr);
                }
            }
        }
    }
    assert!(known > 1_000_000, "{known}");
}

#[test]
fn grey_has_its_pixels_whatever_its_factors() {
    for size in SIZES {
        for factors in [[1, 1], [2, 2], [2, 1], [1, 2], [4, 4], [3, 1]] {
            // A single channel is never interleaved: its factors say nothing.
            let mut flat = Flat::new(size, &[[1, 1]]);
            for progressive in [false, true] {
                flat.progressive = progressive;
                let mut file = flat.file();
                let frame = file.windows(2).position(|two| two == [0xff, 0xc0 + 2 * u8::from(progressive)]);
                file[frame.unwrap() + 11] = factors[0] << 4 | factors[1];
                let picture = Layout::read(&file).unwrap().decode().unwrap();
                for (x, y, pixel) in picture.enumerate_pixels() {
                    let level = flat.at(x as usize, y as usize).unwrap()[0];
                    assert_eq!(pixel.0, [level as u8; 3], "{size:?} {factors:?} at {x}, {y}");
                }
            }
        }
    }
}

#[test]
fn the_markers_and_names_tell_the_colours_as_libjpeg_reads_them() {
    let ycbcr = of_ycbcr as fn(&[f64]) -> [f64; 3];
    let rgb = as_they_are as fn(&[f64]) -> [f64; 3];
    let cases: [(bool, Option<u8>, [u8; 3], _); 12] = [
        (true, None, [1, 2, 3], ycbcr),
        (true, None, *b"RGB", ycbcr),
        (true, Some(0), [1, 2, 3], ycbcr),
        (true, Some(1), [1, 2, 3], ycbcr),
        (false, None, [1, 2, 3], ycbcr),
        (false, None, [0, 1, 2], ycbcr),
        (false, None, [7, 8, 9], ycbcr),
        (false, None, *b"RGB", rgb),
        (false, Some(0), [1, 2, 3], rgb),
        (false, Some(0), *b"RGB", rgb),
        (false, Some(1), *b"RGB", ycbcr),
        (false, Some(2), [1, 2, 3], ycbcr),
    ];
    for (jfif, adobe, names, colour) in cases {
        for sampling in [[[1, 1]; 3], [[2, 2], [1, 1], [1, 1]], [[1, 1], [2, 2], [1, 1]]] {
            for scans in [vec![vec![0, 1, 2]], vec![vec![0], vec![1], vec![2]]] {
                let mut flat = Flat { jfif, adobe, scans, ..Flat::new([45, 37], &sampling) };
                (0..3).for_each(|at| flat.channels[at].0 = names[at]);
                assert!(flat.compare(colour) > 100);
            }
        }
    }
}

#[test]
fn inks_become_rgb_whatever_their_sampling() {
    // Adobe stores what is left of the light: 255 minus the ink.
    let cmyk = |channels: &[f64]| [0, 1, 2].map(|ink| channels[ink] * channels[3] / 255.0);
    let ycck = |channels: &[f64]| {
        of_ycbcr(channels).map(|ink| (255.0 - ink.clamp(0.0, 255.0)) * channels[3] / 255.0)
    };
    let samplings =
        [[[1, 1]; 4], [[2, 2], [1, 1], [1, 1], [2, 2]], [[2, 2], [1, 1], [1, 1], [1, 1]], [[2, 1]; 4]];
    for sampling in samplings {
        for scans in [vec![vec![0, 1, 2, 3]], vec![vec![0], vec![1], vec![2], vec![3]]] {
            for progressive in [false, true] {
                let scans = scans.clone();
                let flat = Flat { jfif: false, scans, progressive, ..Flat::new([45, 37], &sampling) };
                assert!(Flat { adobe: Some(0), ..flat.clone() }.compare(cmyk) > 100);
                assert!(Flat { adobe: Some(2), ..flat }.compare(ycck) > 100);
            }
        }
    }
}

#[test]
fn what_is_not_decoded_rightly_is_refused_by_its_markers() {
    let plain = Flat::new([24, 16], &[[1, 1]; 3]).file();
    let frame = plain.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
    let with = |at: usize, value: u8| {
        let mut file = plain.clone();
        file[frame + at] = value;
        Layout::read(&file).unwrap_err()
    };
    for (marker, words) in [
        (0xc3, "without loss"),
        (0xc5, "hierarchical"),
        (0xc9, "arithmetic"),
        (0xca, "arithmetic"),
        (0xce, "hierarchical"),
    ] {
        assert!(with(1, marker).contains(words), "{}", with(1, marker));
    }
    assert!(with(4, 12).contains("12 bits"));
    assert!(with(6, 0).contains("DNL"));
    assert!(with(8, 0).contains("no pixels"));
    assert!(with(11, 0x01).contains("sampled 0 times") && with(11, 0x51).contains("sampled 5 times"));
    let refused = |flat: Flat| Layout::read(&flat.file()).unwrap_err();
    let fractional = Flat::new([24, 16], &[[3, 1], [2, 1], [1, 1]]);
    assert!(refused(fractional).contains("ratio of 3 to 2"));
    let half = |scans| Flat { scans, ..Flat::new([97, 16], &[[4, 1], [2, 1], [1, 1]]) };
    assert!(refused(half(vec![vec![0], vec![1], vec![2]])).contains("scan of its own"));
    assert!(half(vec![vec![0, 1, 2]]).compare(of_ycbcr) > 0);
    assert!(half(vec![vec![2], vec![0, 1]]).compare(of_ycbcr) > 0);
    assert!(refused(Flat::new([24, 16], &[[1, 1]; 2])).contains("2 channels"));
    let mut wide = Flat::new([24, 16], &[[1, 1]; 3]);
    (0..3).for_each(|at| wide.channels[at].0 = [1, 34, 35][at]);
    assert!(refused(wide).contains("gamut"));
    let dnl = [&plain[..plain.len() - 2], b"\xff\xdc\0\x04\0\x10\xff\xd9"].concat();
    assert!(Layout::read(&dnl).unwrap_err().contains("DNL"));
    let several = [&plain[..plain.len() - 2], &plain[frame..]].concat();
    assert!(Layout::read(&several).unwrap_err().contains("several frames"));
    assert!(Layout::read(b"\xff\xd8\xff\xd9").unwrap_err().contains("no picture"));
    assert!(Layout::read(&plain[..plain.len() - 2]).unwrap_err().contains("truncated"));
}

#[test]
fn bytes_around_the_pixels_do_no_harm() {
    let flat = Flat::new([45, 37], &[[2, 2], [1, 1], [1, 1]]);
    let plain = flat.file();
    let wanted = Layout::read(&plain).unwrap().decode().unwrap();
    let tables = plain.windows(2).position(|two| two == [0xff, 0xdb]).unwrap();
    let with = |between: &[u8]| [&plain[..tables], between, &plain[tables..]].concat();
    let files = [
        with(b"\xff\xff\xff"),
        with(b"eight by"),
        with(b"\xff\xfe\0\x06text"),
        [&plain[..], b"trailing garbage"].concat(),
        [&plain[..], &plain[..]].concat(),
        [&plain[..plain.len() - 2], b"\xff\xd0\xff\xd9"].concat(),
    ];
    for (which, file) in files.iter().enumerate() {
        assert_eq!(Layout::read(file).unwrap().decode().unwrap(), wanted, "{which}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn damage_never_panics(
        kind in 0..4_usize,
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..6),
    ) {
        let flat = Flat::new([33, 19], &[[2, 2], [1, 1 + kind / 2], [1, 1]]);
        let scans = if kind % 2 == 0 { vec![vec![0, 1, 2]] } else { vec![vec![0], vec![2], vec![1]] };
        let mut file = Flat { scans, ..flat }.file();
        let length = file.len();
        for (at, flip) in flips {
            file[at.index(length)] ^= flip;
        }
        if file.starts_with(&[0xff, 0xd8]) {
            let _ = crate::data::picture::decode(&file, std::path::Path::new("damaged.jpg"));
        }
    }
}
