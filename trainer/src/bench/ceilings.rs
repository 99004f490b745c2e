//! What a device can do at most: the rate of a large copy, and of the engine's own
//! matrix product at large shapes. Kernels are held against these, not against what a
//! data sheet says.

use super::{BenchError, MB};
use crate::gpu::device::{DeviceInfo, GpuError};
use crate::gpu::engine::{Buffer, Engine, Executable};
use crate::gpu::recording::Recording;
use crate::ops::{copy, pointwise};
use dfrt_runtime::random;
use rand::RngExt;
use serde::Serialize;
use std::collections::HashMap;
use std::time::Instant;

/// The ceilings of a device.
#[derive(Clone, Debug, Serialize)]
pub struct Ceilings {
    /// Memory.
    pub copy: CopyCeiling,
    /// Arithmetic.
    pub product: ProductCeiling,
    /// Where they were measured.
    pub device: DeviceInfo,
}

/// The fastest copy from one buffer to another.
#[derive(Clone, Debug, Serialize)]
pub struct CopyCeiling {
    /// Bytes read and bytes written, in 10^9 a second.
    pub gb_s: f64,
    /// Who was fastest: the copy kernel, or the device's own copy command.
    pub by: String,
    /// The same of the copy kernel, whoever was fastest.
    pub kernel_gb_s: f64,
    /// Size of each buffer in MB of 2^20 bytes.
    pub mb: f64,
}

/// The fastest matrix product, [M, K] by [K, N].
#[derive(Clone, Debug, Serialize)]
pub struct ProductCeiling {
    /// 10^9 floating-point operations a second, two for each multiply-add.
    pub gflops: f64,
    /// The kernel that this device runs.
    pub kernel: String,
    /// Rows of the left side.
    pub m: usize,
    /// Columns of the left side.
    pub k: usize,
    /// Columns of the right side.
    pub n: usize,
}

/// A measurement lasts at least this long: what takes less is repeated.
const SECONDS: f64 = 0.03;
/// The best of this many counts: whatever else runs can only make it slower.
const TRIES: usize = 5;
/// A copy's buffers: larger than any cache, two of them small beside any memory.
const COPY_BYTES: u64 = 256 << 20;
/// Sizes K = N of the products.
const WIDTHS: [usize; 4] = [256, 512, 1024, 2048];
/// M * K * N that a product begins with: no dispatch is long on a slow device.
const FIRST_PRODUCT: usize = 1 << 28;
/// Bytes of a product's tensors at most.
const PRODUCT_BYTES: u64 = 256 << 20;

/// Measures the device of `engine`; takes a few seconds.
pub fn measure(engine: &Engine) -> Result<Ceilings, BenchError> {
    Ok(Ceilings { copy: copy(engine)?, product: product(engine)?, device: engine.info().clone() })
}

/// The best seconds of one of what `submit` submits.
fn best(engine: &Engine, submit: &dyn Fn() -> Result<(), GpuError>) -> Result<f64, GpuError> {
    let timed = |repeats: usize| -> Result<f64, GpuError> {
        let start = Instant::now();
        for _ in 0..repeats {
            submit()?;
        }
        engine.wait()?;
        Ok(start.elapsed().as_secs_f64())
    };
    // The first brings memory and pipelines in.
    timed(1)?;
    let mut repeats = 1;
    let mut least = timed(repeats)?;
    while least < SECONDS && repeats < 1 << 12 {
        repeats *= 2;
        least = timed(repeats)?;
    }
    for _ in 1..TRIES {
        least = least.min(timed(repeats)?);
    }
    Ok(least / repeats as f64)
}

/// Values that are neither zero nor all the same, `len` of them.
fn values(len: usize) -> Vec<f32> {
    let mut random = random::stream(0, &["bench".into(), "ceilings".into()]);
    let few: Vec<f32> = (0..len.min(1 << 16)).map(|_| random.random_range(-1.0..1.0)).collect();
    few.iter().cycle().take(len).copied().collect()
}

fn copy(engine: &Engine) -> Result<CopyCeiling, GpuError> {
    let bytes = COPY_BYTES.min(engine.tensor_limit());
    let len = (bytes / 16 * 4) as usize;
    let from = engine.upload("from", &values(len))?;
    let to = engine.buffer("to", len)?;
    let mut recording = Recording::default();
    let (x, y) = (recording.external("from", len), recording.external("to", len));
    copy::forward(&mut recording, x, y);
    let buffers = HashMap::from([("from".to_owned(), from.clone()), ("to".to_owned(), to.clone())]);
    let plan = engine.compile(&recording, &buffers)?;
    let rate = |seconds: f64| 1e-9 * 8.0 * len as f64 / seconds;
    let by_kernel = rate(best(engine, &|| engine.run(&plan))?);
    let by_command = rate(best(engine, &|| engine.copy(&from, &to))?);
    let kernel = plan.kernels().map(|kernel| kernel.name()).next().expect("one dispatch was recorded");
    let (gb_s, by) =
        if by_kernel < by_command { (by_command, "copy command".to_owned()) } else { (by_kernel, kernel) };
    Ok(CopyCeiling { gb_s, by, kernel_gb_s: by_kernel, mb: 4.0 * len as f64 / MB })
}

fn product(engine: &Engine) -> Result<ProductCeiling, GpuError> {
    let mut found: Option<ProductCeiling> = None;
    for width in WIDTHS {
        let this = product_of(engine, width)?;
        if found.as_ref().is_none_or(|best| best.gflops < this.gflops) {
            found = Some(this);
        }
    }
    Ok(found.expect("there are widths"))
}

/// The product with K = N = `width`, M as large as it takes to fill the device.
fn product_of(engine: &Engine, width: usize) -> Result<ProductCeiling, GpuError> {
    let limit = PRODUCT_BYTES.min(engine.tensor_limit());
    let fits = |m: usize| 4 * (m * width) as u64 <= limit;
    let mut m = FIRST_PRODUCT / (width * width);
    loop {
        let product = Product::new(engine, m, width)?;
        // The first run brings memory and pipelines in.
        product.once(engine)?;
        if product.once(engine)? >= SECONDS || !fits(2 * m) {
            return product.measured(engine);
        }
        m *= 2;
    }
}

struct Product {
    plan: Executable,
    m: usize,
    width: usize,
}

impl Product {
    fn new(engine: &Engine, m: usize, width: usize) -> Result<Self, GpuError> {
        let mut recording = Recording::default();
        let upload = |name: &str, len: usize| -> Result<(String, Buffer), GpuError> {
            Ok((name.to_owned(), engine.upload(name, &values(len))?))
        };
        let buffers = HashMap::from([upload("x", m * width)?, upload("weight", width * width)?]);
        let x = recording.external("x", m * width);
        let weight = recording.external("weight", width * width);
        pointwise::forward(&mut recording, x, weight, pointwise::Shape { m, k: width, n: width });
        Ok(Self { plan: engine.compile(&recording, &buffers)?, m, width })
    }

    fn once(&self, engine: &Engine) -> Result<f64, GpuError> {
        let start = Instant::now();
        engine.run(&self.plan)?;
        engine.wait()?;
        Ok(start.elapsed().as_secs_f64())
    }

    fn measured(self, engine: &Engine) -> Result<ProductCeiling, GpuError> {
        let seconds = best(engine, &|| engine.run(&self.plan))?;
        let flops = 2.0 * self.m as f64 * (self.width * self.width) as f64;
        let kernel = self.plan.kernels().map(|kernel| kernel.name()).next();
        Ok(ProductCeiling {
            gflops: 1e-9 * flops / seconds,
            kernel: kernel.expect("one dispatch was recorded"),
            m: self.m,
            k: self.width,
            n: self.width,
        })
    }
}
