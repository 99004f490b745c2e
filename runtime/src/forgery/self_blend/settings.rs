//! The settings of self-blended images.

/// How strongly a photograph is changed before it is blended with itself. The defaults are those
/// of the authors' public code (`mapooon/SelfBlendedImages`, `src/utils/sbi.py` and `blend.py`);
/// of these the paper gives only the ratios.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SelfBlendSettings {
    /// The largest shift of a channel, in 8-bit levels: 20.
    pub shift: f32,
    /// The probability that the channels are shifted: 0.3.
    pub shift_chance: f64,
    /// The largest shift of hue (in 2°), saturation and value (in 8-bit levels): 0.3 each. They
    /// are rounded down to integers, as in the public code's tables of 8-bit values, so the shift
    /// is one level down or none.
    pub hue_saturation_value: f32,
    /// The largest change of brightness, as a share of white: 0.1.
    pub brightness: f32,
    /// The largest relative change of contrast, about black: 0.1.
    pub contrast: f32,
    /// The factor by which the picture is shrunk before it is enlarged again, with equal
    /// probability: 2 or 4. In the other half of the cases it is sharpened.
    pub downscale: [u32; 2],
    /// The share of the sharpened picture: 0.2 to 0.5.
    pub sharpness: [f32; 2],
    /// The brightness of the sharpened picture: 0.5 to 1.
    pub lightness: [f32; 2],
    /// The probability that the target is retouched instead of the source: 0.5. Everything around
    /// the face is then changed, so the network must be trained on
    /// [`SelfBlend::real`](super::SelfBlend::real) as its real counterpart.
    pub on_target: f64,
    /// The largest shift of the source, in widths and heights of the face: 0.06 and 0.036. The
    /// published values are 3 % and 1.5 % of a crop that is 2 faces wide and 2.4 high.
    pub motion: [f32; 2],
    /// The smallest scale of the source along either axis, and the inverse of the largest:
    /// 0.95.
    pub scale: f32,
    /// How far the mask is deformed: 50 times a noise of deviation 7 cells, 1.2 cells on average
    /// (a crop has 192 to 256).
    pub bend: f32,
    /// The shares of the source that may be blended in, with equal probability: 0.25, 0.5, 0.75
    /// and three times 1.
    pub ratios: [f32; 6],
}

impl Default for SelfBlendSettings {
    fn default() -> Self {
        Self {
            shift: 20.0,
            shift_chance: 0.3,
            hue_saturation_value: 0.3,
            brightness: 0.1,
            contrast: 0.1,
            downscale: [2, 4],
            sharpness: [0.2, 0.5],
            lightness: [0.5, 1.0],
            on_target: 0.5,
            motion: [0.06, 0.036],
            scale: 0.95,
            bend: 50.0,
            ratios: [0.25, 0.5, 0.75, 1.0, 1.0, 1.0],
        }
    }
}

impl SelfBlendSettings {
    /// The defaults, but only the source is retouched: for data sets whose real photographs are
    /// not changed.
    pub fn source_only() -> Self {
        Self { on_target: 0.0, ..Self::default() }
    }
}
