//! Declarations of kernels: shader file, entry point, bindings by name and parameters. [`check`]
//! compares a declaration with the WGSL.

use super::shader::Shader;
use std::mem::size_of;

/// Whether a binding is read, or written and possibly read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// `var<storage, read>`.
    Read,
    /// `var<storage, read_write>`.
    Write,
}

/// A storage binding: its name in the shader and its access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(pub &'static str, pub Access);

/// A read binding of that name.
pub const fn read(name: &'static str) -> Slot {
    Slot(name, Access::Read)
}

/// A written binding of that name.
pub const fn write(name: &'static str) -> Slot {
    Slot(name, Access::Write)
}

/// A parameter block as Rust declares it.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Name, byte offset and whether it is a float, of each field.
    pub fields: &'static [(&'static str, usize, bool)],
    /// Size in bytes.
    pub size: usize,
}

/// The types that a parameter can have.
pub trait Scalar {
    /// Whether it is an f32 (otherwise a u32).
    const FLOAT: bool;
}

impl Scalar for u32 {
    const FLOAT: bool = false;
}

impl Scalar for f32 {
    const FLOAT: bool = true;
}

/// A `#[repr(C)]` block of u32 and f32 that a shader reads as `params`.
pub trait Parameters: bytemuck::Pod {
    /// Its fields.
    const LAYOUT: Layout;
}

/// Declares a parameter block: the struct, its bytes and its layout.
#[macro_export]
macro_rules! parameters {
    ($(#[$meta:meta])* $visibility:vis struct $name:ident { $($(#[$doc:meta])* $field:ident: $kind:ty),* $(,)? }) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
        $visibility struct $name { $($(#[$doc])* $visibility $field: $kind),* }

        impl $crate::gpu::kernel::Parameters for $name {
            const LAYOUT: $crate::gpu::kernel::Layout = $crate::gpu::kernel::Layout {
                fields: &[$((
                    stringify!($field),
                    std::mem::offset_of!($name, $field),
                    <$kind as $crate::gpu::kernel::Scalar>::FLOAT,
                )),*],
                size: std::mem::size_of::<$name>(),
            };
        }
    };
}

/// An entry point of a shader. Binding 0 is the uniform `params`; the slots
/// follow as bindings 1, 2, ….
#[derive(Debug)]
pub struct Kernel {
    /// The file.
    pub shader: &'static Shader,
    /// The entry point.
    pub entry: &'static str,
    /// The storage bindings, in order.
    pub slots: &'static [Slot],
    /// The parameter block.
    pub layout: Layout,
    /// Invocations per workgroup.
    pub workgroup: u32,
    /// Whether it reads [`TABLE`] as `var<immediate>`, which shows a software driver which indices are
    /// the same for all lanes.
    pub table: bool,
}

impl Kernel {
    /// A kernel with the parameter block `P`.
    pub const fn new<P: Parameters>(
        shader: &'static Shader,
        entry: &'static str,
        slots: &'static [Slot],
    ) -> Self {
        assert!(slots.len() <= 8, "WebGPU guarantees 8 storage buffers a stage");
        Self { shader, entry, slots, layout: P::LAYOUT, workgroup: WORKGROUP, table: false }
    }

    /// A kernel for software devices only, with workgroups of one vector register and the table.
    pub const fn software<P: Parameters>(
        shader: &'static Shader,
        entry: &'static str,
        slots: &'static [Slot],
    ) -> Self {
        Self { workgroup: SOFTWARE_WORKGROUP, table: true, ..Self::new::<P>(shader, entry, slots) }
    }

    /// "batch_norm.wgsl:forward".
    pub fn name(&self) -> String {
        format!("{}:{}", self.shader.name, self.entry)
    }
}

/// Invocations per workgroup in every portable kernel.
pub const WORKGROUP: u32 = 64;

/// Invocations per workgroup in the kernels for software devices.
pub const SOFTWARE_WORKGROUP: u32 = 8;

/// Immediates of the kernels for software devices: entry i is i.
pub const TABLE: [u32; 32] = {
    let mut table = [0; 32];
    let mut i = 0;
    while i < table.len() {
        table[i] = i as u32;
        i += 1;
    }
    table
};

/// Workgroups for `invocations`: at most 65,535 in the first dimension, the rest in the second.
/// Shaders recover the index as
/// `id.x + id.y * groups.x * 64`.
pub fn groups(invocations: usize) -> [u32; 3] {
    let groups = invocations.div_ceil(WORKGROUP as usize).max(1) as u32;
    let rows = groups.div_ceil(65_535);
    [groups.div_ceil(rows), rows, 1]
}

/// Compares the declaration with the parsed shader: entry point, workgroup size, bindings (name,
/// order, access), and name, type and offset of every parameter.
///
/// # Errors
/// What differs.
pub fn check(kernel: &Kernel) -> Result<(), String> {
    let (module, info) = kernel.shader.parse()?;
    let found = module.entry_points.iter().position(|entry| entry.name == kernel.entry);
    let index = found.ok_or_else(|| format!("{}: no such entry point", kernel.name()))?;
    if module.entry_points[index].workgroup_size != [kernel.workgroup, 1, 1] {
        return Err(format!("{}: the workgroup is not {} x 1 x 1", kernel.name(), kernel.workgroup));
    }
    let used = info.get_entry_point(index);
    let mut bound = Vec::new();
    for (handle, variable) in module.global_variables.iter() {
        if used[handle].is_empty() {
            continue;
        }
        if variable.space == naga::AddressSpace::Immediate && !kernel.table {
            return Err(format!("{}: only kernels for software devices read immediates", kernel.name()));
        }
        let Some(binding) = variable.binding else { continue };
        let name = variable.name.clone().unwrap_or_default();
        if binding.binding == 0 {
            check_fields(kernel, &module, variable)?;
            continue;
        }
        let naga::AddressSpace::Storage { access } = variable.space else {
            return Err(format!("{}: `{name}` is not a storage buffer", kernel.name()));
        };
        let access = if access.contains(naga::StorageAccess::STORE) { Access::Write } else { Access::Read };
        bound.push((binding.binding, name, access));
    }
    bound.sort_by_key(|entry| entry.0);
    let expected: Vec<_> = (1..)
        .zip(kernel.slots)
        .map(|(binding, Slot(name, access))| (binding, (*name).to_owned(), *access))
        .collect();
    if bound == expected {
        Ok(())
    } else {
        Err(format!("{}: the shader binds {bound:?}, Rust declares {expected:?}", kernel.name()))
    }
}

fn check_fields(
    kernel: &Kernel,
    module: &naga::Module,
    variable: &naga::GlobalVariable,
) -> Result<(), String> {
    let naga::TypeInner::Struct { members, .. } = &module.types[variable.ty].inner else {
        return Err(format!("{}: params is not a struct", kernel.name()));
    };
    kernel.layout.check(module, members).map_err(|error| format!("{}: params are {error}", kernel.name()))
}

impl Layout {
    /// Compares the block with a struct of a parsed shader.
    ///
    /// # Errors
    /// The fields of both, if they differ.
    pub fn check(&self, module: &naga::Module, members: &[naga::StructMember]) -> Result<(), String> {
        let field = |member: &naga::StructMember| {
            let float = matches!(
                module.types[member.ty].inner,
                naga::TypeInner::Scalar(naga::Scalar { kind: naga::ScalarKind::Float, .. })
            );
            (member.name.clone().unwrap_or_default(), member.offset as usize, float)
        };
        let shader: Vec<_> = members.iter().map(field).collect();
        let rust: Vec<_> =
            self.fields.iter().map(|&(name, offset, float)| (name.to_owned(), offset, float)).collect();
        if shader == rust && self.size == rust.len() * size_of::<u32>() {
            Ok(())
        } else {
            Err(format!("{shader:?} in WGSL, {rust:?} in Rust"))
        }
    }
}
