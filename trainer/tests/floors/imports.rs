//! What the files of a crate import, in any spelling. The sources are parsed from the root on
//! along their `mod` declarations, and each path is followed to the file that defines what it
//! names; what is compiled for tests alone is left out. A name that reaches its file through more
//! than [`MOST_STEPS`] `use` or [`TO_A_GLOB`] globs is not followed, as globs may lead in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use syn::buffer::{Cursor, TokenBuffer};
use syn::visit::{self, Visit};
use syn::{
    Attribute, File, ImplItem, Item, ItemExternCrate, ItemMod, ItemUse, Macro, MetaList, UseTree, Visibility,
};

/// The names of a path, from left to right.
type Names = Vec<String>;

/// How many `use` may stand between a name and what it means.
const MOST_STEPS: usize = 6;
/// How many may stand between a glob and its module.
const TO_A_GLOB: usize = 2;

/// A crate of the workspace, its modules by their paths.
pub struct Crate {
    name: String,
    modules: BTreeMap<Names, Module>,
    /// Where the macros are defined that `#[macro_export]` puts at the root.
    exported: BTreeMap<String, Names>,
}

/// What a module declares and what it mentions.
#[derive(Default)]
struct Module {
    /// The module that its file is: itself, but for one that stands inside another's file.
    file: Names,
    items: BTreeSet<String>,
    /// What `use` brings in, by the name that it has here.
    uses: BTreeMap<String, Vec<Names>>,
    globs: Vec<Names>,
    /// The paths in it, and whether a `pub use` has them.
    mentions: BTreeSet<(Names, bool)>,
}

/// A file that names what another one defines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    /// The importing file by its module: `data/manifest`; empty for the crate's root.
    pub from: String,
    /// The file that defines what is imported.
    pub to: String,
    /// The longest spelling of it.
    pub path: String,
}

impl fmt::Display for Import {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = |name: &str| if name.is_empty() { "the root".to_owned() } else { name.to_owned() };
        write!(out, "{} imports {} ({})", file(&self.from), file(&self.to), self.path)
    }
}

impl Crate {
    /// The crate called `name` whose root is the file `root`; `source` gives the text of a file.
    pub fn of(name: &str, root: &Path, source: &dyn Fn(&Path) -> Option<String>) -> Self {
        let folder = root.parent().expect("a file lies in a folder").to_owned();
        let own = Self { name: name.to_owned(), modules: BTreeMap::new(), exported: BTreeMap::new() };
        let (at, file, beside) = (Names::new(), Names::new(), folder.clone());
        let mut reader = Reader { found: own, source, at, file, folder, beside };
        reader.read(root);
        reader.found
    }

    /// The files and folders at its root.
    pub fn tops(&self) -> BTreeSet<&str> {
        self.modules.keys().filter_map(|path| path.first()).map(String::as_str).collect()
    }

    /// Every file with the first names of the paths in it.
    pub fn first_names(&self) -> impl Iterator<Item = (String, &str)> {
        self.modules.values().flat_map(|module| {
            module.mentions.iter().map(|(path, _)| (module.file.join("/"), path[0].as_str()))
        })
    }

    /// Every pair of files of which the first imports the second, once. A module that exports
    /// what a module below it defines does not import it.
    pub fn imports(&self) -> Vec<Import> {
        let mut found = BTreeMap::new();
        for (at, module) in &self.modules {
            for (path, exports) in &module.mentions {
                let Some(of) = self.defined(at, path, MOST_STEPS) else { continue };
                // A name alone that is also a module's is a variable or field of that name.
                if path.len() == 1 && of == [at.as_slice(), path].concat() {
                    continue;
                }
                let to = &self.modules[&of].file;
                if *to != module.file && !(*exports && to.starts_with(&module.file)) {
                    let told = found.entry((&module.file, to)).or_insert(path);
                    *told = if path.len() > told.len() { path } else { told };
                }
            }
        }
        let import = |((from, to), path): ((&Names, &Names), &Names)| Import {
            from: from.join("/"),
            to: to.join("/"),
            path: path.join("::"),
        };
        found.into_iter().map(import).collect()
    }

    /// The module that defines what `path` means in the module `at`; none outside of the crate.
    fn defined(&self, at: &[String], path: &[String], steps: usize) -> Option<Names> {
        let (mut base, mut rest) = (at.to_vec(), path);
        while let Some((first, below)) = rest.split_first() {
            match first.as_str() {
                "self" => {}
                "super" => drop(base.pop()),
                name if name == "crate" || name == self.name => base.clear(),
                _ => break,
            }
            rest = below;
        }
        self.within(base, rest, rest.len() < path.len(), steps)
    }

    /// The same for names that are looked up in the module `base`: what it does not know is one
    /// of its own where a path `led` there, and else none of the crate.
    fn within(&self, mut base: Names, mut rest: &[String], mut led: bool, steps: usize) -> Option<Names> {
        let steps = steps.checked_sub(1)?;
        loop {
            let module = self.modules.get(&base)?;
            let Some((name, below)) = rest.split_first() else { return Some(base) };
            let child = [base.as_slice(), std::slice::from_ref(name)].concat();
            let is_module = self.modules.contains_key(&child);
            if is_module && !below.is_empty() {
                (base, rest, led) = (child, below, true);
                continue;
            }
            if module.items.contains(name) {
                return Some(base);
            }
            let used = module.uses.get(name).into_iter().flatten();
            let used = used.map(|path| self.defined(&base, &[path, below].concat(), steps));
            let globbed =
                module.globs.iter().filter_map(|path| self.defined(&base, path, steps.min(TO_A_GLOB)));
            let globbed = globbed.map(|from| self.within(from, rest, false, steps));
            let exported = self.exported.get(name).filter(|_| base.is_empty()).cloned();
            return match used.chain(globbed).flatten().next().or(exported) {
                Some(found) => Some(found),
                None if is_module => Some(child),
                None => led.then_some(base),
            };
        }
    }
}

/// Reads a module, and the files of those below it.
struct Reader<'a> {
    found: Crate,
    source: &'a dyn Fn(&Path) -> Option<String>,
    /// The module that is being read.
    at: Names,
    /// The one that its file is.
    file: Names,
    /// Where files of modules below it lie.
    folder: PathBuf,
    /// Where its own file lies.
    beside: PathBuf,
}

impl Reader<'_> {
    fn read(&mut self, path: &Path) {
        let text = (self.source)(path).unwrap_or_else(|| panic!("{}: no such file", path.display()));
        let file: File = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self.beside = path.parent().expect("a file lies in a folder").to_owned();
        self.module();
        self.visit_file(&file);
    }

    fn module(&mut self) -> &mut Module {
        let module = self.found.modules.entry(self.at.clone()).or_default();
        module.file.clone_from(&self.file);
        module
    }

    fn mention(&mut self, path: Names, exports: bool) {
        if !path.is_empty() {
            self.module().mentions.insert((path, exports));
        }
    }

    /// The names that `tree` brings in below `path`.
    fn import(&mut self, path: &Names, tree: &UseTree, exports: bool) {
        let below = |name: &syn::Ident| match name.to_string() {
            own if own == "self" && !path.is_empty() => path.clone(),
            name => [path.as_slice(), &[name]].concat(),
        };
        let (whole, name) = match tree {
            UseTree::Path(tree) => return self.import(&below(&tree.ident), &tree.tree, exports),
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.import(path, tree, exports));
            }
            UseTree::Glob(_) => {
                self.module().globs.push(path.clone());
                return self.mention([path.as_slice(), &["*".to_owned()]].concat(), exports);
            }
            UseTree::Name(tree) => (below(&tree.ident), None),
            UseTree::Rename(tree) => (below(&tree.ident), Some(tree.rename.to_string())),
        };
        let name = name.unwrap_or_else(|| whole[whole.len() - 1].clone());
        self.module().uses.entry(name).or_default().push(whole.clone());
        self.mention(whole, exports);
    }

    /// The paths among the tokens of a macro or an attribute.
    fn tokens(&mut self, mut rest: Cursor<'_>) {
        let mut path = Names::new();
        let (mut colons, mut dots) = (0, 0);
        while !rest.eof() {
            if let Some((name, after)) = rest.ident() {
                if colons != 2 {
                    self.mention(std::mem::take(&mut path), false);
                }
                // Behind a single dot it is a field or a method.
                if dots != 1 {
                    path.push(name.to_string());
                }
                (colons, dots, rest) = (0, 0, after);
            } else if let Some((mark, after)) = rest.punct() {
                (colons, dots) = match mark.as_char() {
                    ':' => (colons + 1, 0),
                    '.' => (0, dots + 1),
                    _ => (0, 0),
                };
                if colons == 0 {
                    self.mention(std::mem::take(&mut path), false);
                }
                rest = after;
            } else if let Some((inside, _, _, after)) = rest.any_group() {
                self.mention(std::mem::take(&mut path), false);
                self.tokens(inside);
                (colons, dots, rest) = (0, 0, after);
            } else {
                let (_, after) = rest.token_tree().expect("not at the end");
                self.mention(std::mem::take(&mut path), false);
                (colons, dots, rest) = (0, 0, after);
            }
        }
        self.mention(path, false);
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let (attributes, name) = declared(item);
        if !for_tests(attributes) {
            let name = name.map(ToString::to_string);
            if attributes.iter().any(|attribute| attribute.path().is_ident("macro_export")) {
                self.found.exported.extend(name.clone().map(|name| (name, self.at.clone())));
            }
            self.module().items.extend(name);
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        if !matches!(item, ImplItem::Fn(function) if for_tests(&function.attrs)) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let name = item.ident.to_string();
        let before = (self.at.clone(), self.file.clone(), self.folder.clone(), self.beside.clone());
        self.at.push(name.clone());
        match &item.content {
            Some((_, items)) => {
                self.folder.push(&name);
                self.module();
                items.iter().for_each(|item| self.visit_item(item));
            }
            None => {
                self.file.clone_from(&self.at);
                let file = match stated_path(&item.attrs) {
                    Some(path) => self.beside.join(path),
                    None => self.folder.join(&name).with_extension("rs"),
                };
                self.folder.push(&name);
                let there = (self.source)(&file).is_some();
                self.read(&if there { file } else { self.folder.join("mod.rs") });
            }
        }
        (self.at, self.file, self.folder, self.beside) = before;
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.import(&Names::new(), &item.tree, !matches!(item.vis, Visibility::Inherited));
    }

    fn visit_item_extern_crate(&mut self, item: &'ast ItemExternCrate) {
        self.mention(vec![item.ident.to_string()], false);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.mention(path.segments.iter().map(|segment| segment.ident.to_string()).collect(), false);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        self.visit_path(&called.path);
        self.tokens(TokenBuffer::new2(called.tokens.clone()).begin());
    }

    fn visit_meta_list(&mut self, list: &'ast MetaList) {
        self.tokens(TokenBuffer::new2(list.tokens.clone()).begin());
    }

    /// The path in `pub(in path)` imports nothing.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

/// The attributes of an item, and the name that paths have for it.
fn declared(item: &Item) -> (&[Attribute], Option<&syn::Ident>) {
    match item {
        Item::Const(item) => (&item.attrs, Some(&item.ident)),
        Item::Enum(item) => (&item.attrs, Some(&item.ident)),
        Item::Fn(item) => (&item.attrs, Some(&item.sig.ident)),
        Item::Macro(item) => (&item.attrs, item.ident.as_ref()),
        Item::Static(item) => (&item.attrs, Some(&item.ident)),
        Item::Struct(item) => (&item.attrs, Some(&item.ident)),
        Item::Trait(item) => (&item.attrs, Some(&item.ident)),
        Item::Type(item) => (&item.attrs, Some(&item.ident)),
        Item::Union(item) => (&item.attrs, Some(&item.ident)),
        Item::Impl(item) => (&item.attrs, None),
        Item::Mod(item) => (&item.attrs, None),
        Item::Use(item) => (&item.attrs, None),
        _ => (&[], None),
    }
}

/// Whether what has these attributes is compiled for tests alone.
fn for_tests(attributes: &[Attribute]) -> bool {
    let test = |attribute: &Attribute| {
        let condition = attribute.parse_args::<syn::Path>();
        attribute.path().is_ident("cfg") && condition.is_ok_and(|condition| condition.is_ident("test"))
    };
    attributes.iter().any(test)
}

/// The file that `#[path = "…"]` names.
fn stated_path(attributes: &[Attribute]) -> Option<String> {
    let stated = attributes.iter().find(|attribute| attribute.path().is_ident("path"))?;
    let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(path), .. }) =
        &stated.meta.require_name_value().ok()?.value
    else {
        return None;
    };
    Some(path.value())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The imports of a crate whose files are these, each as "from > to".
    fn arrows(files: &[(&str, &str)]) -> Vec<String> {
        let files: BTreeMap<PathBuf, &str> = files.iter().map(|(path, text)| (path.into(), *text)).collect();
        let source = |path: &Path| files.get(path).map(|text| (*text).to_owned());
        let read = Crate::of("own", Path::new("lib.rs"), &source);
        read.imports().iter().map(|import| format!("{} > {}", import.from, import.to)).collect()
    }

    /// Whether `b`, which has a function, a type and a macro, is imported by `a` of this text.
    fn imports_b(a: &str) -> bool {
        let b = "pub fn f() {} pub struct T; #[macro_export] macro_rules! m { () => {} }";
        match arrows(&[("lib.rs", "mod a; mod b;"), ("a.rs", a), ("b.rs", b)]).as_slice() {
            [] => false,
            [arrow] => arrow == "a > b",
            more => panic!("{a}: {more:?}"),
        }
    }

    #[test]
    fn every_spelling_is_found() {
        for text in [
            "use crate::b;",
            "use crate::b::T;",
            "use crate::b::{self as other};",
            "use super::b::*;",
            "use super::{b::{f, T}};",
            "use own::b::T;",
            "pub use crate::b::T;",
            "fn g() { use crate::b::f; }",
            "fn g() { crate::b::f() }",
            "fn g() -> super::b::T { loop {} }",
            "fn g(of: &[Option<crate::b::T>]) {}",
            "fn g() { let super::b::T = x; }",
            "impl super::b::T {}",
            "impl From<self::super::b::T> for X {}",
            "fn g() { let x = <crate::b::T as Default>::default(); }",
            "fn g() { vec![1, crate::b::f()]; }",
            "fn g() { assert!(matches!(x, super::b::T), \"{}\", 1); }",
            "macro_rules! n { () => { $crate::b::f() } }",
            "crate::m!();",
            "#[argh(from_str_fn(crate::b::f))] struct X;",
            "mod inner { use super::super::b; }",
            "#[cfg(not(test))] use crate::b;",
        ] {
            assert!(imports_b(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_import_is_not_found() {
        for text in [
            "// use crate::b;",
            "/// [`T`](crate::b::T)\nstruct X;",
            "/* crate::b::f() */",
            "const X: &str = \"use crate::b;\";",
            "fn g() { println!(\"crate::b::f {b}\"); }",
            "use std::b::T;",
            "use self::X; struct X;",
            "fn g() { let b = 1; x.f(b); }",
            "pub(in crate::b) struct X;",
            "#[cfg(test)] use crate::b;",
            "#[cfg(test)] mod tests { use crate::b::T; }",
            "#[cfg(test)] mod tests;",
            "struct X; impl X { #[cfg(test)] fn g() { crate::b::f() } }",
        ] {
            assert!(!imports_b(text), "{text}");
        }
    }

    #[test]
    fn an_exported_name_is_of_the_file_that_defines_it() {
        let files = [
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::b::{Renamed, low}; fn g() { low::h() }"),
            ("b/mod.rs", "pub mod low; mod high; pub use high::*; pub use crate::c::T as Renamed;"),
            ("b/low.rs", "pub fn h() {}"),
            ("b/high.rs", "use super::low; pub struct U;"),
            ("c.rs", "pub struct T; impl T { fn g(_: crate::b::U) {} }"),
        ];
        assert_eq!(arrows(&files), ["a > b/low", "a > c", "b > c", "b/high > b/low", "c > b/high"]);
    }

    #[test]
    fn a_parent_imports_what_it_uses_of_a_child() {
        let of = |parent: &str| {
            let child = "pub fn f() {} pub struct T;";
            arrows(&[("lib.rs", "mod a;"), ("a.rs", parent), ("a/child.rs", child)])
        };
        assert!(of("mod child;").is_empty());
        assert!(of("pub mod child; pub use child::{T, f};").is_empty());
        assert!(of("mod child; pub(super) use self::child::*;").is_empty());
        for parent in ["use child::T;", "fn g() { child::f() }", "pub use child::T; fn g(_: T) {}"] {
            assert_eq!(of(&format!("mod child; {parent}")), ["a > a/child"], "{parent}");
        }
    }

    #[test]
    fn a_stated_path_is_read() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "#[path = \"elsewhere/other.rs\"] mod child;"),
            ("elsewhere/other.rs", "use crate::b::f;"),
            ("b.rs", "pub fn f() {}"),
        ];
        assert_eq!(arrows(&files), ["a/child > b"]);
    }
}
