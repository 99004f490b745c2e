//! Measures one model: its gradients, its losses under moved statistics, its radii, the attack's
//! perturbation, and what is shown of a few pictures.

use super::error::ExplainError;
use super::options::{Options, SHIFT};
use super::probe::{Probe, Slopes, Tap, TapSlopes};
use super::radius::{self, Plan, Reached, Start};
use super::subject::{Picture, Progress, Subject, name};
use super::{pictures, spectrum, surface};
use crate::attack::pgd::Pgd;
use crate::gpu::device::GpuError;
use dfrt_runtime::attack::gradient::steps::StepSettings;
use dfrt_runtime::attack::query::Query;
use dfrt_runtime::attack::{Attack, Target};
use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::detector::oracle::Oracle;
use dfrt_runtime::metrics::probabilities::negative_log_likelihood;
use dfrt_runtime::report::explanation::images::View;
use dfrt_runtime::results::explanation::{
    Along, Measured, Measurement, Surface, TapMeasurement, TapStatistics,
};
use dfrt_runtime::sample::{Label, is_right};
use image::RgbImage;
use std::ops::Range;

/// Measures `subject`, called `name` in file names and progress, on `pictures`, and gives the shown
/// ones of them under it.
///
/// # Errors
/// A logit that is not finite, or a device that fails.
pub fn measure(
    subject: &Subject,
    name: &str,
    pictures: &[Picture],
    options: &Options,
    progress: Progress<'_>,
) -> Result<(Measured, Vec<View>), ExplainError> {
    let batch = options.batch.min(pictures.len()).max(1);
    let probe = Probe::new(&subject.network, batch, &options.taps)?;
    let work = Work { subject, name, pictures, options, probe: &probe, progress };
    let adversarial = work.attack()?;
    let mut found = work.gradients(&adversarial)?;
    work.radii(&mut found.pictures)?;
    let shown = work.shown(&adversarial)?;
    found.surfaces = shown.surfaces;
    Ok((found, shown.views))
}

/// What is shown of a few pictures.
#[derive(Default)]
struct Shown {
    views: Vec<View>,
    surfaces: Vec<Surface>,
}

struct Work<'a> {
    subject: &'a Subject,
    name: &'a str,
    pictures: &'a [Picture],
    options: &'a Options,
    probe: &'a Probe,
    progress: Progress<'a>,
}

/// -s z and its like need the sign in f64.
fn sign(label: Label) -> f64 {
    f64::from(label.sign())
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn l1(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(value.abs())).sum()
}

fn l2(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt()
}

/// |dL/dz| = 1 / (1 + e^(s z)), which f64 holds down to logits of 745.
fn loss_slope(logit: f64, label: Label) -> f64 {
    1.0 / (1.0 + (sign(label) * logit).exp())
}

impl Work<'_> {
    fn threshold(&self) -> f32 {
        self.subject.threshold as f32
    }

    fn res(&self) -> usize {
        self.subject.network.graph.res
    }

    fn report(&self, what: &str, done: usize, total: usize) {
        (self.progress)(&format!("{}: {what}", self.name), done, total);
    }

    /// The pictures, as many at once as the device takes.
    fn chunks(&self) -> impl Iterator<Item = Range<usize>> {
        let (n, size) = (self.pictures.len(), self.probe.batch());
        (0..n).step_by(size).map(move |start| start..(start + size).min(n))
    }

    fn batch(&self, range: Range<usize>) -> Batch {
        Batch::of(self.res(), self.pictures[range].iter().map(|picture| &picture.pixels))
    }

    /// PGD's 8-bit picture of every picture.
    fn attack(&self) -> Result<Vec<RgbImage>, ExplainError> {
        let (options, threat) = (self.options, self.options.threat()?);
        let settings = StepSettings::pgd(options.attack_steps, 1, options.seed);
        let pgd = Pgd::new("pgd", &self.subject.network, self.probe.batch(), settings)?;
        let mut adversarial = Vec::with_capacity(self.pictures.len());
        for range in self.chunks() {
            let target = |picture: &Picture| Target {
                id: picture.id,
                label: picture.label,
                picture: picture.pixels.clone(),
            };
            let targets: Vec<Target> = self.pictures[range].iter().map(target).collect();
            let oracle: &dyn Oracle = self.probe;
            let queries: Vec<Query<'_>> =
                targets.iter().map(|target| Query::new(target, oracle, self.threshold())).collect();
            let proposals = pgd.propose(&queries, threat)?;
            let rounded = targets.iter().zip(&proposals);
            adversarial.extend(rounded.map(|(target, it)| threat.round(&target.picture, &it.values)));
            self.report("attack", adversarial.len(), self.pictures.len());
        }
        Ok(adversarial)
    }

    /// Everything but the radii and the surfaces.
    fn gradients(&self, adversarial: &[RgbImage]) -> Result<Measured, ExplainError> {
        let mut found = Vec::with_capacity(self.pictures.len());
        let statistics =
            |tap: &Tap| TapStatistics { tap: tap.index, channels: tap.channels, values: Vec::new() };
        let mut taps: Vec<TapStatistics> = self.probe.taps.iter().map(statistics).collect();
        for range in self.chunks() {
            let batch = self.batch(range.clone());
            let attacked = Batch::of(self.res(), &adversarial[range.clone()]);
            let slopes = self.probe.slopes(&batch)?;
            let moved = self.moved(range.clone(), &batch, &slopes)?;
            let after = self.probe.logits(&attacked)?;
            for (tap, slopes) in taps.iter_mut().zip(&slopes.taps) {
                tap.values.extend(&slopes.statistics);
            }
            for (place, index) in range.enumerate() {
                let difference: Vec<f32> = attacked
                    .picture(place)
                    .iter()
                    .zip(batch.picture(place))
                    .map(|(after, before)| after - before)
                    .collect();
                found.push(self.measurement(index, place, &slopes, &moved, (after[place], &difference))?);
            }
            self.report("gradients", found.len(), self.pictures.len());
        }
        Ok(Measured {
            arm: self.subject.arm.clone(),
            model: self.subject.info.clone(),
            threshold: self.subject.threshold,
            pictures: found,
            taps,
            surfaces: Vec::new(),
        })
    }

    /// The logits of the pictures `range`, which are `batch`, under moved statistics.
    fn moved(&self, range: Range<usize>, batch: &Batch, slopes: &Slopes) -> Result<Moved, GpuError> {
        let along = |&length: &f64| self.probe.perturbed(batch, &self.along(range.clone(), slopes, length));
        let shifted = |place: usize| {
            let mut deltas = self.probe.no_deltas(batch.len());
            deltas[place] = shift(&slopes.taps[place].statistics, self.probe.taps[place].channels);
            self.probe.perturbed(batch, &deltas)
        };
        Ok(Moved {
            plain: self.probe.perturbed(batch, &self.probe.no_deltas(batch.len()))?,
            shifted: (0..self.probe.taps.len()).map(shifted).collect::<Result<_, _>>()?,
            along: self.options.lengths.iter().map(along).collect::<Result<_, _>>()?,
        })
    }

    /// The deltas of `length` along the gradient of the loss, of each picture by itself and over all
    /// taps together; zero where the gradient is.
    fn along(&self, range: Range<usize>, slopes: &Slopes, length: f64) -> Vec<Vec<f32>> {
        let scale = |(place, picture): (usize, &Picture)| {
            let norm = self.joint_norm(slopes, place);
            // dL/dz has the sign -s.
            let scale = -sign(picture.label) * length / norm;
            if norm > 0.0 && scale.is_finite() { scale } else { 0.0 }
        };
        let scales: Vec<f64> = self.pictures[range].iter().enumerate().map(scale).collect();
        let of = |(tap, found): (&Tap, &TapSlopes)| {
            let rows = found.slopes.chunks(2 * tap.channels).zip(&scales);
            rows.flat_map(|(row, scale)| row.iter().map(move |slope| (scale * f64::from(*slope)) as f32))
                .collect()
        };
        self.probe.taps.iter().zip(&slopes.taps).map(of).collect()
    }

    /// ||grad_{mu,sigma} z|| of a picture of the batch over all taps.
    fn joint_norm(&self, slopes: &Slopes, place: usize) -> f64 {
        let taps = self.probe.taps.iter().zip(&slopes.taps);
        taps.map(|(tap, found)| l2(row(&found.slopes, tap, place)).powi(2)).sum::<f64>().sqrt()
    }

    fn measurement(
        &self,
        index: usize,
        place: usize,
        slopes: &Slopes,
        moved: &Moved,
        (after, difference): (f32, &[f32]),
    ) -> Result<Measurement, ExplainError> {
        let picture = &self.pictures[index];
        let (label, plain) = (picture.label, moved.plain[place]);
        let told = [plain, after].into_iter().chain(moved.logits(place));
        if told.into_iter().any(|logit| !logit.is_finite()) {
            return Err(ExplainError::NotFinite { model: self.subject.info.path.clone(), id: picture.id });
        }
        let logit = f64::from(plain);
        let (margin, slope) = (sign(label) * (logit - self.subject.threshold), loss_slope(logit, label));
        let right = is_right(plain, label, self.threshold());
        let pixels = slopes.pixels.picture(place);
        let (input_l1, input_l2) = (l1(pixels), l2(pixels));
        let joint = self.joint_norm(slopes, place);
        let loss = negative_log_likelihood(plain, label);
        let tap = |(at, tap): (usize, &Tap)| {
            let norm = l2(row(&slopes.taps[at].slopes, tap, place));
            let shifted = moved.shifted[at][place];
            TapMeasurement {
                tap: tap.index,
                statistics_margin: finite(norm),
                statistics_loss: finite(slope * norm),
                shifted_logit: f64::from(shifted),
                shifted_loss: negative_log_likelihood(shifted, label),
            }
        };
        let along = |(&length, logits): (&f64, &Vec<f32>)| {
            let first_order = length * joint;
            let rise = negative_log_likelihood(logits[place], label) - loss;
            let fall = sign(label) * (logit - f64::from(logits[place]));
            let defined = first_order > 0.0 && first_order.is_finite();
            Along {
                length,
                loss: defined.then(|| rise / (slope * first_order)).and_then(finite),
                margin: defined.then(|| fall / first_order).and_then(finite),
            }
        };
        let power = spectrum::of(difference, self.res());
        Ok(Measurement {
            id: picture.id,
            label,
            group: picture.group.clone(),
            logit,
            margin,
            right,
            loss,
            input_margin_l1: finite(input_l1),
            input_margin_l2: finite(input_l2),
            input_loss_l1: finite(slope * input_l1),
            input_loss_l2: finite(slope * input_l2),
            statistics_margin: finite(joint),
            statistics_loss: finite(slope * joint),
            first_order_255: (right && input_l1 > 0.0).then(|| 255.0 * margin / input_l1).and_then(finite),
            pgd_255: None,
            pgd_held_255: None,
            attacked_logit: f64::from(after),
            high_frequency_share: power.as_ref().map(|power| power.high),
            spectrum: power.map_or_else(Vec::new, |power| power.bands),
            taps: self.probe.taps.iter().enumerate().map(tap).collect(),
            along: self.options.lengths.iter().zip(&moved.along).map(along).collect(),
        })
    }

    /// Adds the radii at which PGD succeeds.
    fn radii(&self, found: &mut [Measurement]) -> Result<(), GpuError> {
        let plan = Plan {
            res: self.res(),
            batch: self.probe.batch(),
            steps: self.options.radius_steps,
            threshold: self.threshold(),
        };
        let start = |picture: &Picture| Start {
            values: Batch::of(self.res(), [&picture.pixels]).values,
            label: picture.label,
        };
        let starts: Vec<Start> = self.pictures.iter().map(start).collect();
        let reached = radius::search(
            &starts,
            plan,
            |batch| self.probe.pixel_slopes(batch),
            |done| self.report("radii", done, starts.len()),
        )?;
        for (picture, reached) in found.iter_mut().zip(reached) {
            if let Reached::At { found, held } = reached {
                (picture.pgd_255, picture.pgd_held_255) = (Some(found), Some(held));
            }
        }
        Ok(())
    }

    /// The shown pictures: the same ones under every model, fakes and reals in turn.
    fn shown(&self, adversarial: &[RgbImage]) -> Result<Shown, ExplainError> {
        let mut shown = Shown::default();
        let chosen = chosen(self.pictures, self.options.shown);
        for (done, &index) in chosen.iter().enumerate() {
            let picture = &self.pictures[index];
            let [clean, attacked] =
                [&picture.pixels, &adversarial[index]].map(|pixels| Batch::of(self.res(), [pixels]));
            let before = self.probe.slopes(&clean)?;
            let after = self.probe.slopes(&attacked)?;
            let place = surface::Place {
                id: picture.id,
                label: picture.label,
                values: clean.picture(0),
                slopes: before.pixels.picture(0),
            };
            let score = |batch: &Batch| self.probe.logits(batch);
            let around = surface::around(place, self.res(), self.options.seed, score);
            shown.surfaces.push(around?);
            shown.views.push(self.view(picture, &adversarial[index], Some(picture.label), (&before, &after)));
            self.report("surfaces", done + 1, chosen.len());
        }
        Ok(shown)
    }

    /// A picture as this model sees it, before and after the attack.
    fn view(
        &self,
        picture: &Picture,
        adversarial: &RgbImage,
        label: Option<Label>,
        (before, after): (&Slopes, &Slopes),
    ) -> View {
        // What speaks for the class that the model calls.
        let cam = |slopes: &Slopes| {
            let called = Label::decided(slopes.logits[0], self.threshold());
            pictures::cam(&slopes.features, &slopes.feature_slopes, self.probe.features(), called.sign())
        };
        View {
            id: picture.id,
            label,
            model: self.name.to_owned(),
            logits: [before.logits[0], after.logits[0]].map(f64::from),
            threshold: self.subject.threshold,
            clean: picture.pixels.clone(),
            adversarial: adversarial.clone(),
            cam_clean: cam(before),
            cam_adversarial: cam(after),
            gradient: pictures::gradient(before.pixels.picture(0), self.res()),
        }
    }
}

/// Logits of a batch under moved statistics.
struct Moved {
    /// Not moved, by the same plan.
    plain: Vec<f32>,
    /// By tap.
    shifted: Vec<Vec<f32>>,
    /// By length.
    along: Vec<Vec<f32>>,
}

impl Moved {
    /// All of one picture.
    fn logits(&self, place: usize) -> impl Iterator<Item = f32> {
        self.shifted.iter().chain(&self.along).map(move |logits| logits[place])
    }
}

/// The values of one picture of a tap.
fn row<'v>(values: &'v [f32], tap: &Tap, place: usize) -> &'v [f32] {
    &values[2 * place * tap.channels..2 * (place + 1) * tap.channels]
}

/// The deltas of the shift test: 0.2 mu and -0.35 sigma, of statistics [N, 2, C].
fn shift(statistics: &[f32], channels: usize) -> Vec<f32> {
    let [means, deviations] = SHIFT.map(|factor| (factor - 1.0) as f32);
    let scaled = statistics.chunks(channels).enumerate().flat_map(|(row, values)| {
        let factor = if row % 2 == 0 { means } else { deviations };
        values.iter().map(move |value| factor * value)
    });
    scaled.collect()
}

/// Shows `pixels`, a picture of unknown class, under each of `subjects`, attacked away from what each
/// calls it.
///
/// # Errors
/// A logit that is not finite, or a device that fails.
pub fn show(subjects: &[Subject], pixels: &RgbImage, options: &Options) -> Result<Vec<View>, ExplainError> {
    let view = |place: usize| {
        let subject = &subjects[place];
        let probe = Probe::new(&subject.network, 1, &[0])?;
        let before = probe.slopes(&Batch::of(subject.network.graph.res, [pixels]))?;
        let logit = before.logits[0];
        let finite = |logit: f32| match logit.is_finite() {
            true => Ok(()),
            false => Err(ExplainError::NotFinite { model: subject.info.path.clone(), id: 0 }),
        };
        finite(logit)?;
        let label = Label::decided(logit, subject.threshold as f32);
        let pictures = [Picture { id: 0, label, group: String::new(), pixels: pixels.clone() }];
        let name = name(subjects, place);
        let work = Work {
            subject,
            name: &name,
            pictures: &pictures,
            options,
            probe: &probe,
            progress: &|_, _, _| (),
        };
        let adversarial = &work.attack()?[0];
        let after = probe.slopes(&Batch::of(subject.network.graph.res, [adversarial]))?;
        finite(after.logits[0])?;
        Ok(work.view(&pictures[0], adversarial, None, (&before, &after)))
    };
    (0..subjects.len()).map(view).collect()
}

/// Places of at most `count` of `pictures`, fakes and reals in turn, in their order.
fn chosen(pictures: &[Picture], count: usize) -> Vec<usize> {
    let of = |label| (0..pictures.len()).filter(move |&at| pictures[at].label == label);
    let (mut fakes, mut reals) = (of(Label::Fake), of(Label::Real));
    let mut chosen = Vec::new();
    while chosen.len() < count {
        let next = [fakes.next(), reals.next()];
        if next == [None, None] {
            break;
        }
        chosen.extend(next.into_iter().flatten());
    }
    chosen.truncate(count);
    chosen
}
