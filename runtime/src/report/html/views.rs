//! What decided on a few pictures: of each, a row for every arm.

use super::embedded::embedded;
use crate::report::extras::{ModelViews, PictureViews};
use crate::report::numbers::logit;
use crate::report::svg::escaped;
use crate::sample::Label;
use std::fmt::Write;

/// The headings of the parts ([`crate::results::explanation::images::PARTS`]).
const HEADS: [&str; 5] =
    ["adversarial", "difference, amplified", "Grad-CAM before", "Grad-CAM after", "input gradient"];

/// Width and height at which a picture is shown.
const SIDE: u32 = 112;

/// The section; nothing without views. `attack` says by what the pictures were changed.
pub(super) fn section(out: &mut String, models: &[ModelViews], attack: &str) {
    let Some(first) = models.first().filter(|first| !first.pictures.is_empty()) else { return };
    let _ = writeln!(
        out,
        "<h2 id=\"decided\">What decided</h2>\n<p class=\"note\">The same pictures under the first seed of every arm, \
         before and after {attack}. Grad-CAM: the regions that spoke for the class that the model \
         calls, white the most, over the grey picture. Input gradient: the size of the logit's derivative, cut at its \
         99 % quantile.</p>"
    );
    for (place, picture) in first.pictures.iter().enumerate() {
        let _ = write!(
            out,
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"What decided on picture {id}\">\
             <table class=\"views\">\n<thead><tr><th>{label} picture {id}</th>",
            id = picture.of.id,
            label = picture.of.label,
        );
        HEADS.iter().for_each(|head| {
            let _ = write!(out, "<th>{head}</th>");
        });
        out.push_str("</tr></thead>\n<tbody>\n");
        let original = shown(&picture.original, "original");
        let _ = writeln!(out, "<tr><th scope=\"row\">{original}original</th><td colspan=\"5\"></td></tr>");
        for model in models {
            if let Some(views) = model.pictures.get(place).filter(|views| views.of.id == picture.of.id) {
                row(out, model, views);
            }
        }
        out.push_str("</tbody></table></div>\n");
    }
}

fn row(out: &mut String, model: &ModelViews, views: &PictureViews) {
    let [before, after] = [views.of.logit, views.of.attacked_logit];
    let called = |logit: f64| Label::decided(logit as f32, model.threshold as f32);
    let _ = write!(
        out,
        "<tr><th scope=\"row\">{}<small>called {}, then {}<br>logit {} → {}</small></th>",
        escaped(&model.arm),
        called(before),
        called(after),
        logit(before as f32),
        logit(after as f32)
    );
    for (part, head) in views.parts.iter().zip(HEADS) {
        let _ = write!(out, "<td>{}</td>", shown(part, &format!("{head}, {}", model.arm)));
    }
    out.push_str("</tr>\n");
}

fn shown(png: &[u8], alt: &str) -> String {
    embedded(png, alt, (SIDE, SIDE))
}
