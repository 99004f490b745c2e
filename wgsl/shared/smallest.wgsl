// The smallest normal f32: what 0 is divided by.
const SMALLEST: f32 = 0x1p-126f;
