//! The modules of a crate, read from its source files.

use syn::{Attribute, Expr, ExprLit, Item, ItemImpl, ItemMod, Lit, Meta, UseTree, Visibility};

use crate::{attributes::is_hidden, conditions::Conditions};

/// Gives the text of a source file, by its path below `src/`.
pub type Read<'a> = &'a dyn Fn(&str) -> Option<String>;

/// An index into [`Crate::modules`]. The root is 0.
pub type ModuleId = usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ItemId {
    pub module: ModuleId,
    /// An index into [`Module::entries`].
    pub entry: usize,
}

#[derive(Default)]
pub struct Crate {
    pub modules: Vec<Module>,
}

#[derive(Default)]
pub struct Module {
    /// Where the source has it, below the root.
    pub path: Vec<String>,
    pub parent: Option<ModuleId>,
    pub conditions: Conditions,
    pub entries: Vec<Entry>,
    pub globs: Vec<Glob>,
    pub impls: Vec<(ItemImpl, Conditions)>,
}

/// A name in a module.
pub struct Entry {
    pub name: String,
    pub public: bool,
    /// Whether it is `#[doc(hidden)]`.
    pub hidden: bool,
    /// Those of the modules around it, too.
    pub conditions: Conditions,
    pub kind: Kind,
}

pub enum Kind {
    Module(ModuleId),
    Item(Box<Item>),
    /// An import of this path.
    Use(Vec<String>),
}

/// `use path::*`
pub struct Glob {
    pub path: Vec<String>,
    pub public: bool,
    pub conditions: Conditions,
}

/// Where a module's code is, and where the files of its submodules are.
struct Place<'a> {
    file: &'a str,
    folder: &'a str,
}

impl Crate {
    /// Reads `lib.rs` and all modules that it declares, except for those of tests.
    pub fn read(read: Read<'_>) -> Self {
        let mut krate = Self { modules: vec![Module::default()] };
        let text = read("lib.rs").expect("there is a `lib.rs`");
        krate.add_all(read, 0, parse("lib.rs", &text), &Place { file: "lib.rs", folder: "" });
        krate
    }

    pub fn entry(&self, id: ItemId) -> &Entry {
        &self.modules[id.module].entries[id.entry]
    }

    /// The item of an entry that [`names`](crate::names) calls one.
    pub fn item(&self, id: ItemId) -> &Item {
        match &self.entry(id).kind {
            Kind::Item(item) => item,
            _ => panic!("{id:?} is no item"),
        }
    }

    fn add_all(&mut self, read: Read<'_>, module: ModuleId, items: Vec<Item>, at: &Place<'_>) {
        for item in items {
            self.add(read, module, item, at);
        }
    }

    fn add(&mut self, read: Read<'_>, module: ModuleId, item: Item, at: &Place<'_>) {
        let attributes = attributes(&item);
        let Some(conditions) = self.modules[module].conditions.with(attributes) else { return };
        let hidden = is_hidden(attributes);
        let (name, visibility) = match &item {
            Item::Const(item) => (item.ident.to_string(), &item.vis),
            Item::Enum(item) => (item.ident.to_string(), &item.vis),
            Item::Fn(item) => (item.sig.ident.to_string(), &item.vis),
            Item::Static(item) => (item.ident.to_string(), &item.vis),
            Item::Struct(item) => (item.ident.to_string(), &item.vis),
            Item::Trait(item) => (item.ident.to_string(), &item.vis),
            Item::Type(item) => (item.ident.to_string(), &item.vis),
            Item::Union(item) => (item.ident.to_string(), &item.vis),
            Item::Impl(item) => {
                if !hidden {
                    self.modules[module].impls.push((item.clone(), conditions));
                }
                return;
            }
            Item::Mod(item) => return self.add_module(read, module, item, conditions, at),
            Item::Use(item) => {
                let public = is_public(&item.vis);
                let mut leaves = Vec::new();
                flatten(&item.tree, Vec::new(), &mut leaves);
                for (path, name) in leaves {
                    let conditions = conditions.clone();
                    let Some(name) = name else {
                        let public = public && !hidden;
                        self.modules[module].globs.push(Glob { path, public, conditions });
                        continue;
                    };
                    let kind = Kind::Use(path);
                    let entry = Entry { name, public, hidden, conditions, kind };
                    self.modules[module].entries.push(entry);
                }
                return;
            }
            Item::Macro(item) if item.mac.path.is_ident("pin_project") => {
                let body: syn::File = item.mac.parse_body().expect("`pin_project!` has an item");
                return self.add_all(read, module, body.items, at);
            }
            Item::Macro(item) if item.mac.path.is_ident("compile_error") => return,
            // Private statics; with a public one, it would have to look inside.
            Item::Macro(item)
                if item.mac.path.is_ident("thread_local")
                    && !item.mac.tokens.to_string().contains("pub ") =>
            {
                return;
            }
            Item::Macro(item) if item.mac.path.is_ident("macro_rules") => {
                if !attributes.iter().any(|attribute| attribute.path().is_ident("macro_export")) {
                    return;
                }
                let name = item.ident.as_ref().expect("`macro_rules!` has a name").to_string();
                let kind = Kind::Item(Box::new(Item::Macro(item.clone())));
                let entry = Entry { name, public: true, hidden, conditions, kind };
                return self.modules[0].entries.push(entry);
            }
            _ => panic!(
                "`src/{}` has an item that tests/public_api cannot see into: {}",
                at.file,
                quote::ToTokens::to_token_stream(&item)
            ),
        };
        let public = is_public(visibility);
        let kind = Kind::Item(Box::new(item));
        self.modules[module].entries.push(Entry { name, public, hidden, conditions, kind });
    }

    fn add_module(
        &mut self,
        read: Read<'_>,
        parent: ModuleId,
        item: &ItemMod,
        conditions: Conditions,
        at: &Place<'_>,
    ) {
        let name = item.ident.to_string();
        let id = self.modules.len();
        let mut path = self.modules[parent].path.clone();
        path.push(name.clone());
        self.modules.push(Module {
            path,
            parent: Some(parent),
            conditions: conditions.clone(),
            ..Module::default()
        });
        self.modules[parent].entries.push(Entry {
            name: name.clone(),
            public: is_public(&item.vis),
            hidden: is_hidden(&item.attrs),
            conditions,
            kind: Kind::Module(id),
        });

        let folder = join(at.folder, &name);
        if let Some((_, items)) = &item.content {
            return self.add_all(
                read,
                id,
                items.clone(),
                &Place { file: at.file, folder: &folder },
            );
        }
        let (files, folder) = match path_attribute(&item.attrs) {
            Some(file) => {
                let file = join(parent_folder(at.file), &file);
                let folder = parent_folder(&file).to_owned();
                (vec![file], folder)
            }
            None => (vec![format!("{folder}.rs"), format!("{folder}/mod.rs")], folder),
        };
        let (file, text) = files
            .iter()
            .find_map(|file| Some((file, read(file)?)))
            .unwrap_or_else(|| panic!("`src/{}` declares `{name}`, but no file is there", at.file));
        self.add_all(read, id, parse(file, &text), &Place { file, folder: &folder });
    }
}

pub fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// The paths that a `use` imports, each with the name that it gets, or none for `*`.
fn flatten(tree: &UseTree, mut path: Vec<String>, leaves: &mut Vec<(Vec<String>, Option<String>)>) {
    match tree {
        UseTree::Path(tree) => {
            path.push(tree.ident.to_string());
            flatten(&tree.tree, path, leaves);
        }
        UseTree::Name(tree) if tree.ident == "self" => {
            let name = path.last().cloned();
            leaves.push((path, name));
        }
        UseTree::Name(tree) => {
            path.push(tree.ident.to_string());
            leaves.push((path, Some(tree.ident.to_string())));
        }
        UseTree::Rename(tree) => {
            if tree.ident != "self" {
                path.push(tree.ident.to_string());
            }
            leaves.push((path, Some(tree.rename.to_string())));
        }
        UseTree::Glob(_) => leaves.push((path, None)),
        UseTree::Group(tree) => {
            for tree in &tree.items {
                flatten(tree, path.clone(), leaves);
            }
        }
    }
}

pub fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The file in `#[path = "file"]`.
fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(meta) if meta.path.is_ident("path") => match &meta.value {
            Expr::Lit(ExprLit { lit: Lit::Str(file), .. }) => Some(file.value()),
            _ => None,
        },
        _ => None,
    })
}

fn parse(file: &str, text: &str) -> Vec<Item> {
    syn::parse_file(text).unwrap_or_else(|error| panic!("`src/{file}`: {error}")).items
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn parent_folder(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}
