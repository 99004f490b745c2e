//! Ops append dispatches to a recording; the engine compiles and runs it. A recording is in
//! single-assignment form: a pooled tensor is written by consecutive dispatches, and only read after
//! that.

use super::kernel::{Access, Kernel, Parameters, groups};

/// Where a tensor's memory comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The pool: lives from its first to its last use.
    Pooled(usize),
    /// A named buffer that outlives the recording.
    External(usize),
}

/// A run of f32 (or u32) values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Its memory.
    pub place: Place,
    /// Index of its first value in that memory; a multiple of 64, so that it can be bound.
    pub offset: usize,
    /// Number of values.
    pub len: usize,
}

/// Values between two tensors that share a buffer start at multiples of this (256 bytes).
pub const ALIGNMENT: usize = 64;

impl Tensor {
    /// `len` values from `offset` (a multiple of [`ALIGNMENT`]) on.
    pub fn slice(self, offset: usize, len: usize) -> Self {
        assert!(offset.is_multiple_of(ALIGNMENT) && offset + len <= self.len, "slice out of range");
        Self { offset: self.offset + offset, len, ..self }
    }
}

/// One dispatch.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// The kernel.
    pub kernel: &'static Kernel,
    /// The parameter block's bytes.
    pub params: Vec<u8>,
    /// The bindings, in the kernel's order.
    pub tensors: Vec<Tensor>,
    /// Workgroups.
    pub groups: [u32; 3],
    /// Kernels that run instead on devices of some kinds.
    pub variants: Vec<(Kind, Variant)>,
}

/// A kind of device that has kernels of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A CPU that runs shaders, and has immediates.
    Software,
    /// A GPU: its shared memory is fast.
    Gpu,
}

/// Another kernel that reads and writes the same tensors as a dispatch.
#[derive(Clone, Debug)]
pub struct Variant {
    /// The kernel.
    pub kernel: &'static Kernel,
    /// The parameter block's bytes.
    pub params: Vec<u8>,
    /// The dispatch's bindings, in this kernel's order.
    pub tensors: Vec<Tensor>,
    /// Workgroups.
    pub groups: [u32; 3],
}

impl Dispatch {
    /// Its bindings and those of its variants.
    pub fn tensors_mut(&mut self) -> impl Iterator<Item = &mut Tensor> {
        let variants = self.variants.iter_mut().flat_map(|(_, variant)| &mut variant.tensors);
        self.tensors.iter_mut().chain(variants)
    }

    /// The variant for devices of that kind; none if the dispatch itself runs.
    pub fn variant(&self, kind: Option<Kind>) -> Option<&Variant> {
        self.variants.iter().find(|(of, _)| Some(*of) == kind).map(|(_, variant)| variant)
    }
}

/// A named buffer that outlives the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External {
    /// Its name: "params", "pixels", …
    pub name: String,
    /// The least number of values that it must hold.
    pub len: usize,
}

/// Dispatches in order.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// The dispatches.
    pub dispatches: Vec<Dispatch>,
    /// Lengths of the pooled tensors.
    pub pooled: Vec<usize>,
    /// The named buffers.
    pub externals: Vec<External>,
}

impl Recording {
    /// A new pooled tensor of `len` values.
    pub fn tensor(&mut self, len: usize) -> Tensor {
        self.pooled.push(len);
        Tensor { place: Place::Pooled(self.pooled.len() - 1), offset: 0, len }
    }

    /// The named buffer, of at least `len` values.
    pub fn external(&mut self, name: &str, len: usize) -> Tensor {
        let index = match self.externals.iter().position(|external| external.name == name) {
            Some(index) => index,
            None => {
                self.externals.push(External { name: name.to_owned(), len: 0 });
                self.externals.len() - 1
            }
        };
        let external = &mut self.externals[index];
        external.len = external.len.max(len);
        Tensor { place: Place::External(index), offset: 0, len }
    }

    /// Appends a dispatch of `invocations` invocations.
    pub fn dispatch<P: Parameters>(
        &mut self,
        kernel: &'static Kernel,
        params: &P,
        tensors: &[Tensor],
        invocations: usize,
    ) {
        assert_eq!(kernel.slots.len(), tensors.len(), "{}: bindings", kernel.name());
        self.dispatches.push(Dispatch {
            kernel,
            params: bytemuck::bytes_of(params).to_vec(),
            tensors: tensors.to_vec(),
            groups: groups(invocations),
            variants: Vec::new(),
        });
    }

    /// Appends a dispatch whose last binding is a new pooled tensor of `len` values.
    pub fn produce<P: Parameters>(
        &mut self,
        kernel: &'static Kernel,
        params: &P,
        inputs: &[Tensor],
        len: usize,
        invocations: usize,
    ) -> Tensor {
        let output = self.tensor(len);
        self.dispatch(kernel, params, &[inputs, &[output]].concat(), invocations);
        output
    }

    /// Gives the last dispatch a variant for devices of a kind, over the same tensors.
    pub fn variant<P: Parameters>(
        &mut self,
        kind: Kind,
        kernel: &'static Kernel,
        params: &P,
        tensors: &[Tensor],
        groups: [u32; 3],
    ) {
        assert_eq!(kernel.slots.len(), tensors.len(), "{}: bindings", kernel.name());
        let dispatch = self.dispatches.last_mut().expect("a variant follows its dispatch");
        let known = |tensor| dispatch.tensors.contains(tensor);
        assert!(tensors.iter().all(known), "{}: a variant has its dispatch's tensors", kernel.name());
        assert!(dispatch.variant(Some(kind)).is_none(), "{}: one variant a kind", kernel.name());
        let params = bytemuck::bytes_of(params).to_vec();
        dispatch.variants.push((kind, Variant { kernel, params, tensors: tensors.to_vec(), groups }));
    }

    /// Index of the first and the last dispatch that touches each pooled tensor.
    pub fn lifetimes(&self) -> Vec<Option<(usize, usize)>> {
        let mut lives: Vec<Option<(usize, usize)>> = vec![None; self.pooled.len()];
        for (time, dispatch) in self.dispatches.iter().enumerate() {
            for tensor in &dispatch.tensors {
                if let Place::Pooled(index) = tensor.place {
                    let life = lives[index].get_or_insert((time, time));
                    life.1 = time;
                }
            }
        }
        lives
    }

    /// Bytes that the dispatches read and write, each binding once a dispatch.
    pub fn traffic(&self) -> u64 {
        let tensors = self.dispatches.iter().flat_map(|dispatch| &dispatch.tensors);
        tensors.map(|tensor| 4 * tensor.len as u64).sum()
    }

    /// The first dispatch that reads a pooled tensor before it is written; none if there is none.
    pub fn unwritten_read(&self) -> Option<String> {
        let mut written = vec![false; self.pooled.len()];
        for dispatch in &self.dispatches {
            for (tensor, slot) in dispatch.tensors.iter().zip(dispatch.kernel.slots) {
                if let Place::Pooled(index) = tensor.place {
                    match slot.1 {
                        Access::Write => written[index] = true,
                        Access::Read if !written[index] => {
                            return Some(format!("{} reads `{}`", dispatch.kernel.name(), slot.0));
                        }
                        Access::Read => {}
                    }
                }
            }
        }
        None
    }
}
