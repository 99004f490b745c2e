//! What the bench of training measures with: timed runs give the same bits, spans
//! and kernels are those of the plan.

use dfrt_trainer::bench::ceilings::{Ceilings, CopyCeiling, ProductCeiling};
use dfrt_trainer::bench::profile::{self, Bound};
use dfrt_trainer::bench::step;
use dfrt_trainer::bench::subject::{Prepared, Subject};
use dfrt_trainer::bench::{Settings, Work, products};
use dfrt_trainer::gpu::device::Device;
use dfrt_trainer::gpu::engine::Engine;
use libtest_mimic::{Failed, Trial};
use std::collections::BTreeMap;
use std::sync::Arc;

const WORKS: [&str; 3] = ["baseline", "gr", "input-gradient"];

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for work in WORKS {
        let trial = |name: &str, test: fn(&str) -> Result<(), Failed>| {
            Trial::test(format!("bench/{name}/{work}"), move || test(work))
        };
        trials.push(trial("a_timed_run_gives_the_same_bits", same_bits));
        trials.push(trial("a_profile_is_of_the_whole_plan", whole_plan));
    }
    trials.push(Trial::test("bench/steps_are_counted", counted));
    trials.push(Trial::test("bench/a_loss_that_is_no_number_is_no_result", no_number));
    trials
}

fn settings(work: &str) -> Result<Settings, Failed> {
    let work: Work = work.parse()?;
    let arch = "efficientnet-tiny".to_owned();
    Ok(Settings { arch, res: 32, batch: 3, work, steps: Some(2), profile: false })
}

fn subject(work: &str) -> Result<Subject, Failed> {
    let settings = settings(work)?;
    let engine = Arc::new(Engine::new(Device::open(None)?, true));
    Ok(Subject::plan(engine, Prepared::new(settings)?)?)
}

/// Whether the device has timestamps; where not, a stopwatch says so.
fn timed(subject: &Subject) -> bool {
    let stopwatch = subject.engine.stopwatch(1).map_err(|error| error.to_string());
    match &stopwatch {
        Ok(_) => assert!(subject.engine.has_timestamps()),
        Err(text) => assert!(!subject.engine.has_timestamps() && text.contains("--profile"), "{text}"),
    }
    stopwatch.is_ok()
}

/// All that three steps leave behind, as bits.
fn after(
    mut subject: Subject,
    dispatches_a_span: Option<usize>,
) -> Result<BTreeMap<String, Vec<u32>>, Failed> {
    let engine = Arc::clone(&subject.engine);
    for _ in 0..3 {
        match dispatches_a_span {
            None => subject.submit()?,
            Some(dispatches) => {
                let mut stopwatch = engine.stopwatch(subject.plan.kernels().len())?;
                subject.submit_timed(&mut stopwatch, dispatches)?;
                for span in engine.spans(&mut stopwatch)? {
                    assert!(0.0 <= span.start_s && span.start_s <= span.end_s, "{span:?}");
                }
            }
        }
    }
    subject.check()?;
    let mut left = BTreeMap::new();
    for external in &subject.recording.externals {
        let values = subject.values(&external.name)?.expect("the plan names it");
        left.insert(external.name.clone(), values.iter().map(|value| value.to_bits()).collect());
    }
    Ok(left)
}

fn same_bits(work: &str) -> Result<(), Failed> {
    let untimed = after(subject(work)?, None)?;
    assert!(untimed.len() > 3, "{:?}", untimed.keys());
    let written = if work == "input-gradient" { "pixel_gradient" } else { "history" };
    assert!(untimed[written].iter().any(|&bits| bits != 0), "the steps wrote nothing to {written}");
    for dispatches in [1, 7] {
        let timed_subject = subject(work)?;
        if timed(&timed_subject) {
            let timed = after(timed_subject, Some(dispatches))?;
            let differs = untimed.iter().find(|(name, bits)| timed[*name] != **bits);
            assert!(differs.is_none(), "{}: {dispatches} dispatches a span", differs.unwrap().0);
        }
    }
    Ok(())
}

fn ceilings(subject: &Subject) -> Ceilings {
    let kernel = String::new();
    Ceilings {
        copy: CopyCeiling { gb_s: 10.0, by: String::new(), kernel_gb_s: 5.0, mb: 1.0 },
        product: ProductCeiling { gflops: 40.0, kernel, m: 1, k: 1, n: 1 },
        device: subject.engine.info().clone(),
    }
}

fn whole_plan(work: &str) -> Result<(), Failed> {
    let mut subject = subject(work)?;
    if !timed(&subject) {
        return Ok(());
    }
    assert_eq!(profile::spans(&mut subject)?.len(), subject.recording.dispatches.len());
    let ceilings = ceilings(&subject);
    let kernels = profile::measure(&mut subject, &ceilings)?.kernels;
    let mut calls: BTreeMap<String, usize> = BTreeMap::new();
    for kernel in subject.plan.kernels() {
        *calls.entry(kernel.name()).or_default() += 1;
    }
    assert_eq!(
        kernels.iter().map(|kernel| (kernel.name.clone(), kernel.calls)).collect::<BTreeMap<_, _>>(),
        calls
    );
    assert!(kernels.windows(2).all(|pair| pair[0].ms >= pair[1].ms), "the slowest come first");
    assert!((kernels.iter().map(|kernel| kernel.share).sum::<f64>() - 1.0).abs() < 1e-9);
    let bytes = kernels.iter().map(|kernel| kernel.traffic_mb).sum::<f64>() * f64::from(1 << 20);
    assert!((bytes / subject.recording.traffic() as f64 - 1.0).abs() < 1e-9);
    let done: f64 = kernels.iter().map(|kernel| 1e6 * kernel.gflops.unwrap() * kernel.ms).sum();
    let planned: u64 =
        subject.recording.dispatches.iter().map(|dispatch| products::flops(dispatch).unwrap()).sum();
    assert!((done / planned as f64 - 1.0).abs() < 1e-6, "{done} of {planned}");
    for kernel in kernels {
        let (of_product, of_copy) = (kernel.gflops.unwrap() / 40.0, kernel.gb_s / 10.0);
        let bound = if of_product > of_copy { Bound::Product } else { Bound::Copy };
        assert_eq!((kernel.fraction_of_ceiling, kernel.bound), (of_product.max(of_copy), bound));
    }
    Ok(())
}

fn counted() -> Result<(), Failed> {
    let engine = || -> Result<_, Failed> { Ok(Arc::new(Engine::new(Device::open(None)?, true))) };
    let settings = settings("gr")?;
    let bench = step::measure(engine()?, Prepared::new(settings.clone())?)?;
    let subject = subject("gr")?;
    assert_eq!((bench.steps, bench.dispatches), (2, subject.recording.dispatches.len()));
    let named: usize = subject.recording.externals.iter().map(|external| 4 * external.len).sum();
    let bytes = (subject.plan.pool_bytes + named as u64) as f64;
    assert_eq!(bench.peak_gpu_mb, bytes / f64::from(1 << 20));
    assert!(bench.kernels.is_none() && bench.ceilings.is_none());
    let none = Prepared::new(Settings { steps: Some(0), ..settings.clone() })?;
    let text = step::measure(engine()?, none).map(|bench| bench.steps).unwrap_err().to_string();
    assert!(text.contains("--steps is 0"), "{text}");
    let refused = |settings: Settings, word: &str| {
        let text = Prepared::new(settings).map(|prepared| prepared.weights).unwrap_err().to_string();
        assert!(text.contains(word), "{word} is not in {text}");
    };
    refused(Settings { batch: 0, ..settings.clone() }, "batch = 0");
    refused(Settings { res: 33, ..settings }, "resolution 33");
    Ok(())
}

fn no_number() -> Result<(), Failed> {
    for work in WORKS {
        let settings = settings(work)?;
        let mut prepared = Prepared::new(settings)?;
        let bias = prepared.weights.params.last_mut().expect("the classifier has one");
        bias.fill(f32::NAN);
        let engine = Arc::new(Engine::new(Device::open(None)?, true));
        let mut subject = Subject::plan(engine, prepared)?;
        subject.check()?;
        subject.submit()?;
        let text = subject.check().unwrap_err().to_string();
        assert!(text.contains("after 1 steps"), "{work}: {text}");
    }
    Ok(())
}
