//! Charts as SVG: a frame with axes, lines, bands, markers and labels. The same drawing goes into
//! report.html, where it takes the page's light or dark colours, and into a file of its own. Arms
//! differ by colour, dashes and marker, so that none of these alone has to be seen.

use std::fmt::Write;
use std::ops::Range;

/// The style of the drawings, for the page and for files.
pub const STYLE: &str = include_str!("chart.css");
/// Width of a drawing in its own units, in which text is 15 high: on a narrow telephone it
/// is about 11 px high.
const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 350.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 300.0;
/// Height of a line of labels.
const ROW: f64 = 16.0;
/// About the width of a character.
const CHARACTER: f64 = 8.2;
const COLOURS: usize = 6;
const DASHES: [&str; 5] = ["", "7 4", "2 3", "10 3 2 3", "14 4"];

/// A drawing with its description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Svg {
    name: String,
    title: String,
    description: String,
    body: String,
}

impl Svg {
    /// For a page that holds [`STYLE`].
    pub fn inline(&self) -> String {
        self.written("")
    }

    /// A file by itself.
    pub fn file(&self) -> String {
        let style = format!("<style>\n{STYLE}</style>\n");
        self.written(" xmlns=\"http://www.w3.org/2000/svg\"").replacen("<title", &format!("{style}<title"), 1)
    }

    fn written(&self, namespace: &str) -> String {
        let Self { name, title, description, body } = self;
        format!(
            "<svg{namespace} class=\"chart\" role=\"img\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" aria-labelledby=\"{name}-title \
             {name}-description\">\n<title id=\"{name}-title\">{}</title>\n<desc id=\"{name}-description\">{}</desc>\n\
             <rect class=\"paper\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n{body}</svg>\n",
            escaped(title),
            escaped(description)
        )
    }
}

/// Text with markup escaped, for HTML and XML.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// A chart in the making: what is drawn first lies below.
pub struct Canvas {
    x: Range<f64>,
    y: Range<f64>,
    right: f64,
    body: String,
}

impl Canvas {
    /// An empty chart over `x` and `y` with room at the right for the longest of `labels`.
    pub fn new<'a>(x: Range<f64>, y: Range<f64>, labels: impl Iterator<Item = &'a str>) -> Self {
        let longest = labels.map(|label| label.chars().count()).max().unwrap_or(0);
        let room = (CHARACTER * longest as f64 + 30.0).clamp(20.0, 190.0);
        Self { x, y, right: WIDTH - room, body: String::new() }
    }

    fn px(&self, x: f64) -> f64 {
        LEFT + (x - self.x.start) / (self.x.end - self.x.start) * (self.right - LEFT)
    }

    fn py(&self, y: f64) -> f64 {
        let share = ((y - self.y.start) / (self.y.end - self.y.start)).clamp(0.0, 1.0);
        BOTTOM - share * (BOTTOM - TOP)
    }

    /// Grid, ticks and descriptions of both axes. Tick labels that would touch the one before
    /// them are left out.
    pub fn axes(&mut self, x: (&str, &[(f64, String)]), y: (&str, &[(f64, String)])) {
        let (left, right) = (LEFT, self.right);
        let mut free = f64::NEG_INFINITY;
        for (value, label) in x.1 {
            let at = self.px(*value);
            let half = 0.5 * CHARACTER * label.chars().count() as f64;
            let _ = writeln!(self.body, "<path class=\"grid\" d=\"M{at:.1} {TOP}V{BOTTOM}\"/>");
            if at - half > free {
                self.text(at, BOTTOM + 18.0, "middle", "", label);
                free = at + half + 4.0;
            }
        }
        for (value, label) in y.1 {
            let at = self.py(*value);
            let _ = writeln!(self.body, "<path class=\"grid\" d=\"M{left} {at:.1}H{right:.1}\"/>");
            self.text(LEFT - 7.0, at + 4.5, "end", "", label);
        }
        let _ = writeln!(self.body, "<path class=\"axis\" d=\"M{left} {TOP}V{BOTTOM}H{right:.1}\"/>");
        self.text(0.5 * (left + right), BOTTOM + 40.0, "middle", "soft-text", x.0);
        let middle = 0.5 * (TOP + BOTTOM);
        let _ = writeln!(
            self.body,
            "<text class=\"soft-text\" text-anchor=\"middle\" transform=\"translate(13 {middle}) rotate(-90)\">{}</text>",
            escaped(y.0)
        );
    }

    fn text(&mut self, x: f64, y: f64, anchor: &str, class: &str, words: &str) {
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        let words = escaped(words);
        let _ = writeln!(
            self.body,
            "<text{class} x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>"
        );
    }

    /// A level at `y` across the chart, with its name above it.
    pub fn level(&mut self, y: f64, name: &str) {
        let (at, right) = (self.py(y), self.right);
        let _ = writeln!(self.body, "<path class=\"guess\" d=\"M{LEFT} {at:.1}H{right:.1}\"/>");
        self.text(self.right - 4.0, at - 5.0, "end", "soft-text", name);
    }

    /// A line from corner to corner of the values that both axes have.
    pub fn diagonal(&mut self) {
        let (low, high) = (self.x.start.max(self.y.start), self.x.end.min(self.y.end));
        if low < high {
            let [x0, y0, x1, y1] = [self.px(low), self.py(low), self.px(high), self.py(high)];
            let _ = writeln!(self.body, "<path class=\"guess\" d=\"M{x0:.1} {y0:.1}L{x1:.1} {y1:.1}\"/>");
        }
    }

    fn path(&self, points: impl Iterator<Item = (f64, f64)>) -> String {
        let mut path = String::new();
        for (place, (x, y)) in points.enumerate() {
            let step = if place == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{step}{:.1} {:.1}", self.px(x), self.py(y));
        }
        path
    }

    /// The area between two lines over the same x: (x, low, high).
    pub fn band(&mut self, arm: usize, points: &[(f64, f64, f64)]) {
        let there = points.iter().map(|&(x, low, _)| (x, low));
        let back = points.iter().rev().map(|&(x, _, high)| (x, high));
        let path = self.path(there.chain(back));
        let _ = writeln!(self.body, "<path class=\"band\" style=\"{}\" d=\"{path}Z\"/>", colour(arm));
    }

    /// A line through (x, y).
    pub fn line(&mut self, arm: usize, points: &[(f64, f64)]) {
        let path = self.path(points.iter().copied());
        let dashes = match DASHES[arm % DASHES.len()] {
            "" => String::new(),
            dashes => format!(" stroke-dasharray=\"{dashes}\""),
        };
        let _ = writeln!(self.body, "<path class=\"line\" style=\"{}\"{dashes} d=\"{path}\"/>", colour(arm));
    }

    /// A thin line, for the end of an interval to its other.
    pub fn whisker(&mut self, arm: usize, from: (f64, f64), to: (f64, f64)) {
        let path = self.path([from, to].into_iter());
        let _ = writeln!(self.body, "<path class=\"thin\" style=\"{}\" d=\"{path}\"/>", colour(arm));
    }

    /// The arm's marker, hollow where its figure is unreliable, with a text that a pointer shows.
    pub fn marker(&mut self, arm: usize, (x, y): (f64, f64), hollow: bool, words: &str) {
        let (x, y) = (self.px(x), self.py(y));
        let class = if hollow { "hollow" } else { "marker" };
        let shape = match arm % COLOURS {
            0 => format!("M{:.1} {y:.1}a4.6 4.6 0 1 0 9.2 0a4.6 4.6 0 1 0 -9.2 0Z", x - 4.6),
            1 => format!("M{:.1} {:.1}h8.4v8.4h-8.4Z", x - 4.2, y - 4.2),
            2 => format!("M{x:.1} {:.1}l5.4 9.6h-10.8Z", y - 6.0),
            3 => format!("M{x:.1} {:.1}l5.8 5.8l-5.8 5.8l-5.8 -5.8Z", y - 5.8),
            4 => format!("M{x:.1} {:.1}l5.4 -9.6h-10.8Z", y + 6.0),
            _ => format!("M{:.1} {:.1}h4v-4h4v4h4v4h-4v4h-4v-4h-4Z", x - 6.0, y - 2.0),
        };
        let _ = writeln!(
            self.body,
            "<path class=\"{class}\" style=\"{}\" d=\"{shape}\"><title>{}</title></path>",
            colour(arm),
            escaped(words)
        );
    }

    /// The arms' names at the right of their points (name, x, y), moved up or down until none
    /// covers another.
    pub fn labels(&mut self, points: &[(usize, &str, f64, f64)]) {
        let mut order: Vec<&(usize, &str, f64, f64)> = points.iter().collect();
        order.sort_by(|one, other| self.py(one.3).total_cmp(&self.py(other.3)));
        let wanted: Vec<f64> = order.iter().map(|point| self.py(point.3)).collect();
        let at = self.right + 22.0;
        for (&&(_, name, x, y), place) in order.iter().zip(spread(&wanted)) {
            let (from, level) = (self.px(x) + 7.0, self.py(y));
            let _ = writeln!(
                self.body,
                "<path class=\"lead\" d=\"M{from:.1} {level:.1}L{:.1} {place:.1}\"/>",
                at - 3.0
            );
            self.text(at, place + 4.5, "start", "", name);
        }
    }

    /// The drawing under `name`, which is unique on its page.
    pub fn finish(self, name: &str, title: &str, description: &str) -> Svg {
        let [name, title, description] = [name, title, description].map(str::to_owned);
        Svg { name, title, description, body: self.body }
    }
}

fn colour(arm: usize) -> String {
    format!("--arm: var(--arm-{})", arm % COLOURS)
}

/// Places near the rising `wanted`, at least [`ROW`] apart and within the chart where it has room
/// for all.
fn spread(wanted: &[f64]) -> Vec<f64> {
    let (top, bottom) = (TOP + 4.0, BOTTOM - 2.0);
    let row = ROW.min((bottom - top) / wanted.len().saturating_sub(1).max(1) as f64);
    let mut places = wanted.to_vec();
    let mut least = top;
    for place in &mut places {
        *place = place.max(least);
        least = *place + row;
    }
    let mut most = bottom;
    for place in places.iter_mut().rev() {
        *place = place.min(most);
        most = *place - row;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_do_not_cover_each_other() {
        for wanted in [vec![298.0; 8], vec![14.0; 8], vec![100.0, 101.0, 102.0, 250.0], vec![300.0; 40]] {
            let places = spread(&wanted);
            let row = ROW.min((BOTTOM - 2.0 - TOP - 4.0) / (wanted.len() - 1) as f64);
            assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= row - 1e-6), "{places:?}");
            assert!(places.iter().all(|place| (TOP..=BOTTOM).contains(place)), "{places:?}");
        }
        assert_eq!(spread(&[50.0, 200.0]), [50.0, 200.0]);
    }

    #[test]
    fn data_cannot_become_markup() {
        assert_eq!(escaped("<script>\"&'"), "&lt;script&gt;&quot;&amp;&#39;");
    }

    #[test]
    fn a_file_has_its_namespace_and_style_and_a_page_needs_neither() {
        let mut canvas = Canvas::new(0.0..1.0, 0.0..1.0, ["a<b"].into_iter());
        canvas.labels(&[(0, "a<b", 0.5, 0.5)]);
        let svg = canvas.finish("one", "<Title>", "what it shows");
        let (page, file) = (svg.inline(), svg.file());
        assert!(!page.contains("http") && !page.contains("<style"));
        assert!(file.contains("xmlns=") && file.contains("prefers-color-scheme"));
        for text in [page, file] {
            assert!(text.contains("a&lt;b") && text.contains("&lt;Title&gt;") && !text.contains("a<b"));
        }
    }
}
