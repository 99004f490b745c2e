//! Runs a recording on the GPU, twice, over poisoned memory, and holds what comes
//! out against an f64 reference.
//!
//! Every tensor is bound with a margin behind it: behind an input it holds NaN, so
//! that a read past the end is seen in the result, behind an output a mark that a
//! write past the end destroys.

use dfrt_runtime::random::stream;
use dfrt_trainer::gpu::device::Device;
use dfrt_trainer::gpu::engine::{Buffer, Engine, Executable};
use dfrt_trainer::gpu::recording::{Dispatch, Kind, Place, Recording, Tensor};
use dfrt_trainer::ops::step::Step;
use dfrt_trainer::ops::{reduce, residual};
use libtest_mimic::Trial;
use rand::RngExt;
use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};

/// The largest error allowed by default, relative to the expected values' root mean square.
pub const TOLERANCE: f64 = 1e-5;

/// Values bound behind the end of every tensor.
const MARGIN: usize = 16;

/// What stands in an output's margin.
const MARK: u32 = 0xC0DE_57A7;

const NAN: u32 = f32::NAN.to_bits();

/// The engines of all tests, their shaders checked: one with the portable kernels and,
/// of those that the device can run, one for each kind of device that has its own.
fn engines() -> Result<&'static [Engine], String> {
    static ENGINES: OnceLock<Result<Vec<Engine>, String>> = OnceLock::new();
    let open = |kind| -> Result<Option<Engine>, String> {
        let device = Device::open(None).map_err(|error| error.to_string())?;
        Ok(Engine::new(device, true).with_kernels_for(kind))
    };
    let open = || {
        let engines: Result<Vec<_>, String> =
            [None, Some(Kind::Gpu), Some(Kind::Software)].into_iter().map(open).collect();
        Ok(engines?.into_iter().flatten().collect())
    };
    ENGINES.get_or_init(open).as_deref().map_err(Clone::clone)
}

/// One test for each case of a table: `check` records the op and says what it expects.
pub fn table<C: Copy + Send + 'static>(
    op: &'static str,
    cases: &[(&'static str, C)],
    check: fn(&mut Bench, C),
) -> Vec<Trial> {
    let trial = |&(name, case): &(&'static str, C)| {
        let name = format!("{op}/{name}");
        let title = name.clone();
        Trial::test(name, move || {
            let mut bench = Bench::new(title);
            check(&mut bench, case);
            Ok(bench.run()?)
        })
    };
    cases.iter().map(trial).collect()
}

/// `len` numbers around `mean`, at most `spread` away, the same ones for the same
/// name, each exact in f32.
pub fn draw(name: &str, len: usize, mean: f64, spread: f64) -> Vec<f64> {
    let mut random = stream(0, &["gpu tests".into(), name.into()]);
    let draw = |_| f64::from((mean + spread * random.random_range(-1.0..1.0)) as f32);
    (0..len).map(draw).collect()
}

/// The keys of `count` pictures.
pub fn draw_keys(count: usize) -> Vec<u64> {
    let mut random = stream(0, &["gpu tests".into(), "keys".into()]);
    (0..count).map(|_| random.random()).collect()
}

/// Channels laid `to` apart instead of `from`, zeros between: [P, from] -> [P, to].
pub fn spaced(values: &[f64], from: usize, to: usize) -> Vec<f64> {
    let pixel = |pixel: &[f64]| [pixel, &vec![0.0; to - from][..]].concat();
    values.chunks(from).flat_map(pixel).collect()
}

/// How near is near enough.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// Every error at most this share of the expected values' root mean square.
    Norm(f64),
    /// Every error at most this.
    Absolute(f64),
    /// Every error at most this share of its own value, or the least normal f32.
    Relative(f64),
    /// At most so many f32 away from the expected value rounded to f32.
    Ulps(u32),
}

/// What a buffer holds before each run.
enum Role {
    /// Read only.
    Input,
    /// Read and written.
    State,
    /// Written only: NaN before.
    Output,
}

struct External {
    role: Role,
    bits: Vec<u32>,
}

struct Expectation {
    name: String,
    tensor: Tensor,
    values: Vec<f64>,
    rule: Rule,
}

/// A recording under test.
pub struct Bench {
    title: String,
    /// Where the ops go.
    pub recording: Recording,
    externals: Vec<(String, External)>,
    expectations: Vec<Expectation>,
}

impl Bench {
    /// An empty recording.
    pub fn new(title: String) -> Self {
        Self { title, recording: Recording::default(), externals: Vec::new(), expectations: Vec::new() }
    }

    /// A tensor that the recording reads. The values must be exact in f32.
    pub fn input(&mut self, name: &str, values: &[f64]) -> Tensor {
        self.external(name, Role::Input, bits(values))
    }

    /// A tensor of integers that the recording reads.
    pub fn integers(&mut self, name: &str, values: &[u32]) -> Tensor {
        self.external(name, Role::Input, values.to_vec())
    }

    /// The scalars of a step.
    pub fn step(&mut self, name: &str, step: Step) -> Tensor {
        self.integers(name, bytemuck::cast_slice(&[step]))
    }

    /// A tensor that the recording reads and writes, with its values before.
    pub fn state(&mut self, name: &str, values: &[f64]) -> Tensor {
        self.external(name, Role::State, bits(values))
    }

    /// A tensor outside the pool that the recording writes.
    pub fn output(&mut self, name: &str, len: usize) -> Tensor {
        self.external(name, Role::Output, vec![NAN; len])
    }

    fn external(&mut self, name: &str, role: Role, bits: Vec<u32>) -> Tensor {
        let tensor = self.recording.external(name, bits.len());
        assert_eq!(tensor.place, Place::External(self.externals.len()), "`{name}` is named twice");
        self.externals.push((name.to_owned(), External { role, bits }));
        tensor
    }

    /// Expects `values` in `tensor`, pooled or not, after the run.
    pub fn expect(&mut self, name: &str, tensor: Tensor, values: &[f64]) {
        self.expect_by(Rule::Norm(TOLERANCE), name, tensor, values);
    }

    /// The same under another rule.
    pub fn expect_by(&mut self, rule: Rule, name: &str, tensor: Tensor, values: &[f64]) {
        assert_eq!(tensor.len, values.len(), "{}: the length of `{name}`", self.title);
        let (name, values) = (name.to_owned(), values.to_vec());
        self.expectations.push(Expectation { name, tensor, values, rule });
    }

    /// Runs the recording twice over poisoned memory: both runs must give what is
    /// expected, bit for bit the same. Where dispatches have variants, these are run
    /// the same way.
    pub fn run(mut self) -> Result<(), String> {
        assert!(!self.expectations.is_empty(), "{}: nothing is expected", self.title);
        self.take_expected_out_of_the_pool();
        self.widen();
        let dispatches = &self.recording.dispatches;
        let varied = |kind| dispatches.iter().any(|dispatch| dispatch.variant(kind).is_some());
        for engine in engines()? {
            let kind = engine.kernels_for();
            if kind.is_none() || varied(kind) {
                let kernels = kind.map_or("portable".to_owned(), |kind| format!("{kind:?}"));
                self.run_on(engine).map_err(|error| format!("{kernels} kernels: {error}"))?;
            }
        }
        Ok(())
    }

    fn run_on(&self, engine: &Engine) -> Result<(), String> {
        let fail = |error: dfrt_trainer::gpu::device::GpuError| error.to_string();
        let buffers = self.buffers(engine)?;
        let executable = engine.compile(&self.recording, &buffers).map_err(fail)?;
        let first = self.replay(engine, &executable, &buffers)?;
        let second = self.replay(engine, &executable, &buffers)?;
        for (expectation, (first, second)) in self.expectations.iter().zip(first.iter().zip(&second)) {
            expectation.judge(&self.title, first)?;
            let differs = first.iter().zip(second).position(|(a, b)| a.to_bits() != b.to_bits());
            if let Some(at) = differs {
                let (name, a, b) = (&expectation.name, first[at], second[at]);
                return Err(format!("{name}[{at}] is {a} in the first run and {b} in the second"));
            }
        }
        Ok(())
    }

    /// Gives what is expected a buffer of its own, so that it can be read.
    fn take_expected_out_of_the_pool(&mut self) {
        for expectation in 0..self.expectations.len() {
            let place = self.expectations[expectation].tensor.place;
            let Place::Pooled(index) = place else { continue };
            let name = format!("pooled {index}");
            let len = self.recording.pooled[index];
            let outside = self.output(&name, len).place;
            let bound = self.recording.dispatches.iter_mut().flat_map(Dispatch::tensors_mut);
            let expected = self.expectations.iter_mut().map(|expectation| &mut expectation.tensor);
            for tensor in bound.chain(expected).filter(|tensor| tensor.place == place) {
                tensor.place = outside;
            }
        }
    }

    /// Binds every tensor that ends where its memory ends with its margin.
    fn widen(&mut self) {
        let whole = |place: Place| match place {
            Place::Pooled(index) => self.recording.pooled[index],
            Place::External(index) => self.externals[index].1.bits.len(),
        };
        for tensor in self.recording.dispatches.iter_mut().flat_map(Dispatch::tensors_mut) {
            if tensor.offset + tensor.len == whole(tensor.place) {
                tensor.len += MARGIN;
            }
        }
        for len in &mut self.recording.pooled {
            *len += MARGIN;
        }
    }

    fn buffers(&self, engine: &Engine) -> Result<HashMap<String, Buffer>, String> {
        let buffer = |(name, external): &(String, External)| {
            let made = engine.buffer(name, external.filled().len()).map_err(|error| error.to_string())?;
            Ok((name.clone(), made))
        };
        self.externals.iter().map(buffer).collect()
    }

    /// Fills every buffer as it must be before, runs, and reads what is expected.
    fn replay(
        &self,
        engine: &Engine,
        executable: &Executable,
        buffers: &HashMap<String, Buffer>,
    ) -> Result<Vec<Vec<f32>>, String> {
        for (name, external) in &self.externals {
            engine.write(&buffers[name], 0, &external.filled());
        }
        engine.poison(executable);
        engine.run(executable).map_err(|error| error.to_string())?;
        let mut after = Vec::new();
        for (name, external) in &self.externals {
            let buffer = &buffers[name];
            let values = engine.read(buffer, 0, buffer.len).map_err(|error| error.to_string())?;
            external.check_margin(name, &values)?;
            after.push(values);
        }
        let read = |expectation: &Expectation| {
            let Tensor { place: Place::External(index), offset, len } = expectation.tensor else {
                unreachable!("taken out of the pool before")
            };
            after[index][offset..offset + len].to_vec()
        };
        Ok(self.expectations.iter().map(read).collect())
    }
}

impl External {
    /// The values, NaN up to a whole vec4, and the margin.
    fn filled(&self) -> Vec<u32> {
        let mut filled = self.bits.clone();
        filled.resize(self.bits.len().next_multiple_of(4), NAN);
        let margin = match self.role {
            Role::Input => NAN,
            Role::State | Role::Output => MARK,
        };
        filled.resize(filled.len() + MARGIN, margin);
        filled
    }

    fn check_margin(&self, name: &str, after: &[f32]) -> Result<(), String> {
        let before = self.filled();
        let start = before.len() - MARGIN;
        let touched = (start..before.len()).find(|&at| after[at].to_bits() != before[at]);
        match touched {
            Some(at) => {
                Err(format!("`{name}` has {} values, and [{at}] is written: {}", self.bits.len(), after[at]))
            }
            None => Ok(()),
        }
    }
}

impl Expectation {
    /// Compares, and says which entry is worst and by how much.
    fn judge(&self, title: &str, actual: &[f32]) -> Result<(), String> {
        let size = root_mean_square(&self.values);
        let mut worst = (0, 0.0);
        for (at, (&actual, &expected)) in actual.iter().zip(&self.values).enumerate() {
            let error = self.rule.error(actual, expected, size);
            if error > worst.1 {
                worst = (at, error);
            }
        }
        let (at, reached) = worst;
        let (name, rule, actual, expected) = (&self.name, self.rule, actual[at], self.values[at]);
        if reached > 1.0 {
            let text = format!("{reached:.2} times what {rule:?} allows");
            return Err(format!("{name}[{at}] is {actual:e}, expected {expected:e}: {text}"));
        }
        remember(reached, || format!("{title}, {name}: {reached:.2} of {rule:?}"));
        Ok(())
    }
}

impl Rule {
    /// The error in units of what is allowed, infinite where `actual` is no number.
    /// `size`: the root mean square of all that is expected.
    fn error(self, actual: f32, expected: f64, size: f64) -> f64 {
        let distance = (f64::from(actual) - expected).abs();
        let (distance, allowed) = match self {
            Self::Norm(share) => (distance, share * size),
            Self::Absolute(most) => (distance, most),
            Self::Relative(share) => (distance, (share * expected.abs()).max(f64::from(f32::MIN_POSITIVE))),
            Self::Ulps(most) => (ordered(actual).abs_diff(ordered(expected as f32)) as f64, f64::from(most)),
        };
        if actual.is_nan() {
            f64::INFINITY
        } else if distance == 0.0 {
            0.0
        } else {
            distance / allowed
        }
    }
}

/// f32 in their order as integers, both zeros equal.
fn ordered(value: f32) -> i64 {
    let magnitude = i64::from(value.to_bits() & 0x7FFF_FFFF);
    if value.is_sign_negative() { -magnitude } else { magnitude }
}

/// What [`Rule::Norm`] measures by.
pub fn root_mean_square(values: &[f64]) -> f64 {
    (values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64).sqrt()
}

fn bits(values: &[f64]) -> Vec<u32> {
    let exact = |&value: &f64| {
        let short = value as f32;
        assert_eq!(f64::from(short), value, "an input is exact in f32");
        short.to_bits()
    };
    values.iter().map(exact).collect()
}

static CLOSEST: Mutex<(f64, String)> = Mutex::new((0.0, String::new()));

fn remember(reached: f64, text: impl Fn() -> String) {
    let mut closest = CLOSEST.lock().expect("no holder panics");
    if reached > closest.0 {
        *closest = (reached, text());
    }
}

/// Says which result came closest to its tolerance, if anything was compared.
pub fn print_closest() {
    let closest = CLOSEST.lock().expect("no holder panics");
    if !closest.1.is_empty() {
        eprintln!("closest to its tolerance: {}", closest.1);
    }
}

/// What records a fault, and a part of what the harness must say to it.
type Fault = (fn(&mut Bench), &'static str);

const FAULTS: &[(&str, Fault)] = &[
    ("a_wrong_value", (a_wrong_value, "y[3] is 8e0, expected 8.001e0")),
    ("a_value_that_nobody_writes", (a_value_that_nobody_writes, "y[0] is NaN")),
    ("a_read_past_the_end", (a_read_past_the_end, "is NaN")),
    ("a_write_past_the_end", (a_write_past_the_end, "`y` has 4 values, and [4] is written")),
];

/// The harness itself: recordings with a fault, which it must notice.
pub fn trials() -> Vec<Trial> {
    let trial = |&(name, (fault, text)): &(&str, Fault)| {
        Trial::test(format!("harness/notices_{name}"), move || {
            let mut bench = Bench::new(String::new());
            fault(&mut bench);
            match bench.run() {
                Err(noticed) if noticed.contains(text) => Ok(()),
                other => Err(format!("`{text}` was to be noticed, not {other:?}").into()),
            }
        })
    };
    FAULTS.iter().map(trial).collect()
}

fn a_wrong_value(bench: &mut Bench) {
    let x = bench.input("x", &[1.0, 2.0, 3.0, 4.0]);
    let y = residual::add(&mut bench.recording, x, x);
    bench.expect("y", y, &[2.0, 4.0, 6.0, 8.001]);
}

fn a_value_that_nobody_writes(bench: &mut Bench) {
    let y = bench.output("y", 1);
    bench.expect("y", y, &[0.0]);
}

/// A row that counts one value more than the tensor has.
fn a_read_past_the_end(bench: &mut Bench) {
    let x = bench.input("x", &[1.0; 4]);
    let rows = reduce::Rows { groups: 1, rows: 5, length: 1 };
    let y = reduce::sum(&mut bench.recording, x, rows, 1.0, None);
    bench.expect("y", y, &[4.0]);
}

/// Five sums into a tensor of four.
fn a_write_past_the_end(bench: &mut Bench) {
    let x = bench.input("x", &[1.0; 5]);
    let y = bench.output("y", 4);
    let rows = reduce::Rows { groups: 5, rows: 1, length: 1 };
    reduce::sum(&mut bench.recording, x, rows, 1.0, Some(y));
    bench.expect("y", y, &[1.0; 4]);
}
