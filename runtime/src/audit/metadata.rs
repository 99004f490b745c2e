//! Which kinds of metadata a picture's file has; their content is not kept.

/// The kinds of metadata in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Metadata {
    /// JFIF's segment.
    pub jfif: bool,
    /// An EXIF block.
    pub exif: bool,
    /// An EXIF block that names a camera's maker or model.
    pub camera: bool,
    /// An ICC colour profile.
    pub profile: bool,
    /// PNG's gAMA, cHRM or sRGB.
    pub gamma: bool,
    /// PNG's pHYs.
    pub density: bool,
    /// XMP.
    pub xmp: bool,
    /// Photoshop's segment, where IPTC's entries are.
    pub iptc: bool,
    /// Adobe's segment.
    pub adobe: bool,
    /// A comment or text.
    pub text: bool,
    /// Anything else.
    pub other: bool,
}

impl Metadata {
    /// "jfif+exif", or "none".
    pub fn names(&self) -> String {
        let known = [
            (self.jfif, "jfif"),
            (self.exif, "exif"),
            (self.camera, "camera"),
            (self.profile, "profile"),
            (self.gamma, "gamma"),
            (self.density, "density"),
            (self.xmp, "xmp"),
            (self.iptc, "iptc"),
            (self.adobe, "adobe"),
            (self.text, "text"),
            (self.other, "other"),
        ];
        let there: Vec<&str> = known.into_iter().filter_map(|(there, name)| there.then_some(name)).collect();
        if there.is_empty() { "none".to_owned() } else { there.join("+") }
    }
}
