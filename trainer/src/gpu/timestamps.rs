//! Start and end times of dispatches by the clock of the device. Only for measurements: every timed
//! span is a separate compute pass.

use super::device::GpuError;
use super::engine::{DISPATCHES_A_SUBMISSION, Engine, Executable};

/// The time in which the device ran some consecutive dispatches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// The start, when all earlier work was done, in seconds since a time that the device chooses.
    pub start_s: f64,
    /// The end of the last dispatch, in the same unit.
    pub end_s: f64,
}

impl Span {
    /// Its length in seconds.
    pub fn seconds(&self) -> f64 {
        self.end_s - self.start_s
    }
}

/// Storage for the start and end times of spans.
#[derive(Debug)]
pub struct Stopwatch {
    sets: Vec<wgpu::QuerySet>,
    used: usize,
}

/// Spans per query set, which may have at most 4096 queries.
const SPANS_A_SET: usize = wgpu::QUERY_SET_MAX_QUERIES as usize / 2;

/// Bytes of a timestamp.
const SIZE: usize = wgpu::QUERY_SIZE as usize;

impl Stopwatch {
    /// The slots of the next span's start and end.
    fn next(&mut self) -> wgpu::ComputePassTimestampWrites<'_> {
        let (set, at) = (self.used / SPANS_A_SET, 2 * (self.used % SPANS_A_SET) as u32);
        self.used += 1;
        wgpu::ComputePassTimestampWrites {
            query_set: self.sets.get(set).expect("the stopwatch has room for what it times"),
            beginning_of_pass_write_index: Some(at),
            end_of_pass_write_index: Some(at + 1),
        }
    }
}

impl Engine {
    /// Whether the device has timestamps.
    pub fn has_timestamps(&self) -> bool {
        self.device.timestamps
    }

    /// A stopwatch for at least `spans` spans.
    ///
    /// # Errors
    /// A device without timestamps.
    pub fn stopwatch(&self, spans: usize) -> Result<Stopwatch, GpuError> {
        if !self.has_timestamps() {
            return Err(GpuError::NoTimestamps { name: self.info().name.clone() });
        }
        let set = |_| {
            self.device.device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("stopwatch"),
                ty: wgpu::QueryType::Timestamp,
                count: 2 * SPANS_A_SET as u32,
            })
        };
        Ok(Stopwatch { sets: (0..spans.div_ceil(SPANS_A_SET)).map(set).collect(), used: 0 })
    }

    /// Submits the executable as [`Engine::run`] does, with one span for every
    /// `dispatches` of a submission; does not wait.
    ///
    /// # Errors
    /// A device that failed.
    ///
    /// # Panics
    /// The stopwatch has no more spans.
    pub fn run_timed(
        &self,
        executable: &Executable,
        stopwatch: &mut Stopwatch,
        dispatches: usize,
    ) -> Result<(), GpuError> {
        for submission in executable.steps.chunks(DISPATCHES_A_SUBMISSION) {
            let mut encoder = self.device.device.create_command_encoder(&Default::default());
            for span in submission.chunks(dispatches) {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                    label: Some("timed"),
                    timestamp_writes: Some(stopwatch.next()),
                });
                span.iter().for_each(|step| step.encode(&mut pass));
            }
            self.device.queue.submit([encoder.finish()]);
        }
        self.device.check()
    }

    /// Waits, reads all spans in the order of their dispatches, and empties the stopwatch.
    ///
    /// # Errors
    /// A device that fails, or timestamps that cannot be read back.
    pub fn spans(&self, stopwatch: &mut Stopwatch) -> Result<Vec<Span>, GpuError> {
        let mut left = std::mem::take(&mut stopwatch.used);
        let mut ticks: Vec<u64> = Vec::with_capacity(2 * left);
        for set in &stopwatch.sets {
            let count = 2 * left.min(SPANS_A_SET);
            left -= count / 2;
            if count > 0 {
                ticks.extend(self.ticks(set, count)?);
            }
        }
        let seconds_a_tick = f64::from(self.device.queue.get_timestamp_period()) * 1e-9;
        // Relative to the first tick, so that large values keep their precision.
        let first = ticks.iter().copied().min().unwrap_or(0);
        let seconds = |tick: u64| (tick - first) as f64 * seconds_a_tick;
        let span = |pair: &[u64]| Span { start_s: seconds(pair[0]), end_s: seconds(pair[1].max(pair[0])) };
        Ok(ticks.chunks_exact(2).map(span).collect())
    }

    /// The first `count` timestamps of a set.
    fn ticks(&self, set: &wgpu::QuerySet, count: usize) -> Result<Vec<u64>, GpuError> {
        let resolved = self.device.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("timestamps"),
            size: (count * SIZE) as u64,
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.device.create_command_encoder(&Default::default());
        encoder.resolve_query_set(set, 0..count as u32, &resolved, 0);
        self.device.queue.submit([encoder.finish()]);
        self.download(&resolved, 0, count)
    }
}
