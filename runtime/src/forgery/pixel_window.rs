//! A rectangle of pixels in a picture.

/// A rectangle of pixels; `right` and `bottom` are exclusive.
#[derive(Clone, Copy, Debug)]
pub(super) struct PixelWindow {
    pub left: u32,
    pub top: u32,
    pub right: u32,
    pub bottom: u32,
}

impl PixelWindow {
    pub fn grown(self, by: u32, (width, height): (u32, u32)) -> Self {
        Self {
            left: self.left.saturating_sub(by),
            top: self.top.saturating_sub(by),
            right: (self.right + by).min(width),
            bottom: (self.bottom + by).min(height),
        }
    }

    pub fn aligned(self, to: u32) -> Self {
        Self { left: self.left / to * to, top: self.top / to * to, ..self }
    }
}
