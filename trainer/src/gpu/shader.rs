//! A shader is a file of `wgsl/`. Code that several shaders use is in the pieces of
//! `wgsl/shared/`: a line `//!use chunk, step` adds `shared/chunk.wgsl` and
//! `shared/step.wgsl` after the shader, which WGSL's order of declarations allows.

/// A WGSL file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shader {
    /// Its file name in `wgsl/`.
    pub name: &'static str,
    /// Its text.
    pub source: &'static str,
}

/// The shader in that file of `wgsl/`.
macro_rules! shader {
    ($name:literal) => {
        $crate::gpu::shader::Shader {
            name: $name,
            source: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../wgsl/", $name)),
        }
    };
}
pub(crate) use shader;

/// The pieces that shaders may use.
pub const PIECES: &[Shader] = &[
    shader!("shared/activate.wgsl"),
    shader!("shared/block.wgsl"),
    shader!("shared/chunk.wgsl"),
    shader!("shared/folded.wgsl"),
    shader!("shared/hash.wgsl"),
    shader!("shared/invocation.wgsl"),
    shader!("shared/smallest.wgsl"),
    shader!("shared/step.wgsl"),
    shader!("shared/workgroup.wgsl"),
];

impl Shader {
    /// The pieces that it uses.
    ///
    /// # Panics
    /// A piece does not exist.
    pub fn pieces(self) -> impl Iterator<Item = Self> {
        let names = self.source.lines().filter_map(|line| line.strip_prefix("//!use "));
        names.flat_map(|names| names.split(", ")).map(move |name| {
            let found = PIECES.iter().find(|piece| piece.name == format!("shared/{name}.wgsl"));
            *found.unwrap_or_else(|| panic!("{}: no piece is called `{name}`", self.name))
        })
    }

    /// Its lines and then those of its pieces, each with its file and line number.
    fn lines(self) -> impl Iterator<Item = (&'static str, usize, &'static str)> {
        let numbered =
            |file: Self| (1..).zip(file.source.lines()).map(move |(at, line)| (file.name, at, line));
        std::iter::once(self).chain(self.pieces()).flat_map(numbered)
    }

    /// The text that a module is made of.
    pub fn joined(self) -> String {
        self.lines().map(|(.., line)| line.to_owned() + "\n").collect()
    }

    /// Its module, valid under the capabilities of plain WebGPU, and immediates, which
    /// [`super::kernel::check`] allows in kernels for software devices only.
    ///
    /// # Errors
    /// The file, the line and what is wrong.
    pub fn parse(self) -> Result<(naga::Module, naga::valid::ModuleInfo), String> {
        let text = self.joined();
        let module = naga::front::wgsl::parse_str(&text)
            .map_err(|error| self.error_at(error.location(&text), error.message()))?;
        let mut validator = naga::valid::Validator::new(
            naga::valid::ValidationFlags::all(),
            naga::valid::Capabilities::IMMEDIATES,
        );
        let info = validator.validate(&module).map_err(|error| {
            let causes =
                std::iter::successors(Some(error.as_inner() as &dyn std::error::Error), |e| e.source());
            let message = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
            // The shortest span is the exact one; others are the surrounding function.
            let spans = error.spans().map(|(span, _)| *span).filter(|span| span.is_defined());
            let place = spans.min_by_key(|span| span.to_range().map(|range| range.len()));
            self.error_at(place.map(|span| span.location(&text)), &message)
        })?;
        Ok((module, info))
    }

    /// "shared/chunk.wgsl:12:5: message", for a place in the joined text.
    fn error_at(self, place: Option<naga::SourceLocation>, message: &str) -> String {
        let found = place.and_then(|place| {
            let (file, line, _) = self.lines().nth(place.line_number.checked_sub(1)? as usize)?;
            Some(format!("{file}:{line}:{}: {message}", place.line_position))
        });
        found.unwrap_or_else(|| format!("{}: {message}", self.name))
    }
}
