//! The demo set is no trivial task: a linear model separates it poorly.

use dfrt_runtime::data::manifest::Manifest;
use dfrt_runtime::data::picture;
use dfrt_runtime::forgery::synth;
use dfrt_runtime::sample::{Label, Sample, Split};
use image::RgbImage;

/// Channel means and standard deviations.
fn statistics(sample: &Sample) -> Vec<f64> {
    let picture = picture::load(&sample.path, 64).unwrap();
    let channel = |c: usize| picture.as_raw()[c..].iter().step_by(3).map(|&byte| f64::from(byte));
    let measured = |c: usize| {
        let mean = channel(c).sum::<f64>() / 4096.0;
        let variance = channel(c).map(|value| (value - mean).powi(2)).sum::<f64>() / 4096.0;
        [mean, variance.sqrt()]
    };
    (0..3).flat_map(measured).collect()
}

/// How much neighbouring pixels differ: sharpness and noise.
fn roughness(sample: &Sample) -> Vec<f64> {
    let picture = picture::load(&sample.path, 64).unwrap();
    let difference = |picture: &RgbImage, dx: u32, dy: u32| {
        let pairs = (0..62 * 62).map(|i| (i % 62, i / 62));
        let squares = pairs.map(|(x, y)| {
            let (a, b) = (picture.get_pixel(x, y), picture.get_pixel(x + dx, y + dy));
            (f64::from(a.0[1]) - f64::from(b.0[1])).powi(2)
        });
        squares.sum::<f64>().ln()
    };
    [(1, 0), (0, 1), (1, 1), (2, 0), (0, 2)].map(|(dx, dy)| difference(&picture, dx, dy)).to_vec()
}

/// The picture itself, 12 x 12.
fn pixels(sample: &Sample) -> Vec<f64> {
    let picture = picture::load(&sample.path, 12).unwrap();
    picture.as_raw().iter().map(|&byte| f64::from(byte)).collect()
}

/// Test AUC of a logistic regression (ridge 0.01, features standardised).
fn linear_auc(manifest: &Manifest, features: fn(&Sample) -> Vec<f64>) -> f64 {
    let rows = |split| -> (Vec<Vec<f64>>, Vec<f64>) {
        let samples = manifest.split(split).into_iter();
        samples.map(|sample| (features(&sample), f64::from(sample.label.target()))).unzip()
    };
    let ((mut train, labels), (mut test, truth)) = (rows(Split::Train), rows(Split::Test));
    let (count, width) = (train.len() as f64, train[0].len());
    for j in 0..width {
        let mean = train.iter().map(|row| row[j]).sum::<f64>() / count;
        let variance = train.iter().map(|row| (row[j] - mean).powi(2)).sum::<f64>() / count;
        let standard = |row: &mut Vec<f64>| row[j] = (row[j] - mean) / variance.sqrt().max(1e-9);
        train.iter_mut().chain(&mut test).for_each(standard);
    }
    let score = |weights: &[f64], row: &[f64]| weights.iter().zip(row).map(|(w, x)| w * x).sum::<f64>();
    let mut weights = vec![0.0; width];
    for _ in 0..200 {
        let mut slope: Vec<f64> = weights.iter().map(|weight| 0.01 * weight).collect();
        for (row, label) in train.iter().zip(&labels) {
            let error = 1.0 / (1.0 + (-score(&weights, row)).exp()) - label;
            slope.iter_mut().zip(row).for_each(|(slope, x)| *slope += error * x / count);
        }
        let pace = 2.0 / (1.0 + 0.05 * width as f64);
        weights.iter_mut().zip(slope).for_each(|(weight, slope)| *weight -= pace * slope);
    }
    let scores: Vec<f64> = test.iter().map(|row| score(&weights, row)).collect();
    let of = |label: f64| scores.iter().zip(&truth).filter(move |(_, y)| **y == label).map(|(s, _)| *s);
    let wins: usize = of(1.0).map(|fake| of(0.0).filter(|real| fake > *real).count()).sum();
    wins as f64 / (of(1.0).count() * of(0.0).count()) as f64
}

#[test]
fn linear_models_see_little_of_the_demo_set() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("set");
    synth::draw(&out, 600, 64, 0, &|_, _| {}).unwrap();
    let manifest = Manifest::of(&out).unwrap();
    let aucs = [statistics, roughness, pixels].map(|features| linear_auc(&manifest, features));
    println!("linear test AUC on statistics, roughness, pixels: {aucs:.3?}");
    assert!(aucs[0] < 0.7 && aucs[2] < 0.7, "{aucs:.3?}");
    // Blending smooths the face, and warping more so: a trace, but not enough.
    assert!(aucs[1] < 0.8, "{aucs:.3?}");
}

#[test]
fn a_linear_model_does_see_what_is_there() {
    // A check of the probe: fakes that are made darker must be detected.
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("set");
    synth::draw(&out, 120, 32, 0, &|_, _| {}).unwrap();
    let manifest = Manifest::of(&out).unwrap();
    for fake in manifest.samples.iter().filter(|sample| sample.label == Label::Fake) {
        let mut picture = picture::open(&fake.path).unwrap();
        picture.iter_mut().for_each(|value| *value /= 3);
        std::fs::write(&fake.path, picture::encode_png(&picture)).unwrap();
    }
    assert!(linear_auc(&manifest, statistics) > 0.9);
}
