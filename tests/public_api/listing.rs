//! The lines of the listing.

use syn::{Fields, Generics, Item, ItemTrait, TraitItem, Type, Variant, visit_mut::VisitMut};

use crate::{
    attributes::{derives, is_hidden, marks},
    qualify::Qualify,
    routes::{Route, Routes},
    text,
    tree::{Crate, ItemId, ModuleId, attributes, is_public},
};

/// Lists the public API of a crate: sorted, one item a line.
pub fn listing(krate: &Crate) -> String {
    let routes = Routes::of(krate);
    let mut list = List { krate, routes: &routes, lines: Vec::new() };
    list.add_paths();
    for (&id, paths) in &routes.items {
        list.add_item(id, &paths[0]);
    }
    for (module, content) in krate.modules.iter().enumerate() {
        for (item, conditions) in &content.impls {
            list.add_impl(module, item.clone(), conditions);
        }
    }
    list.lines.sort();
    list.lines.dedup();

    let mut text = String::new();
    let mut module = None;
    for line in &list.lines {
        if module.is_some() && module != Some(line.module()) {
            text.push('\n');
        }
        module = Some(line.module());
        text.push_str(&line.text);
        text.push('\n');
    }
    text
}

/// Where a line is among those of its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Module,
    Item,
    Field(usize),
    Variant,
    Associated,
    Function,
    Impl,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    /// The path of the type, trait, function, … that it belongs to.
    owner: Vec<String>,
    place: Place,
    /// What it is sorted by: its name, or a trait.
    name: String,
    text: String,
}

impl Line {
    fn module(&self) -> &[String] {
        match self.place {
            Place::Module => &self.owner,
            _ => &self.owner[..self.owner.len() - 1],
        }
    }
}

pub struct List<'a> {
    pub krate: &'a Crate,
    pub routes: &'a Routes,
    lines: Vec<Line>,
}

impl<'a> List<'a> {
    pub fn add(&mut self, at: &Route, place: Place, name: &str, text: String) {
        let text = text + &at.conditions.suffix();
        let (owner, name) = (at.path.clone(), name.to_owned());
        self.lines.push(Line { owner, place, name, text });
    }

    pub fn qualify(&self, module: ModuleId) -> Qualify<'a> {
        Qualify::new(self.krate, self.routes, module)
    }

    /// Adds modules, and the other paths of items.
    fn add_paths(&mut self) {
        let routes = self.routes;
        for route in &routes.modules {
            self.add(route, Place::Module, "", format!("pub mod {}", route.path.join("::")));
        }
        for paths in routes.items.values() {
            for other in paths.iter().filter(|other| other.path != paths[0].path) {
                self.add_use(&paths[0].path, other);
            }
        }
        for (path, route) in &routes.foreign {
            self.add_use(path, route);
        }
    }

    fn add_use(&mut self, path: &[String], route: &Route) {
        let text = format!("pub use {} as {}", path.join("::"), route.path.join("::"));
        self.add(route, Place::Item, "", text);
    }

    fn add_item(&mut self, id: ItemId, at: &Route) {
        let path = at.path.join("::");
        let module = id.module;
        let attributes = attributes(self.krate.item(id));
        let (marks, derives) = (marks(attributes), derives(attributes));
        let line = match self.krate.item(id).clone() {
            Item::Const(item) => {
                format!("pub const {path}: {}", self.type_(module, &item.generics, *item.ty))
            }
            Item::Enum(item) => {
                let line = format!("pub enum {path}{}", self.generics(module, &item.generics));
                for variant in item.variants {
                    self.add_variant(module, &item.generics, variant, at);
                }
                line
            }
            Item::Fn(mut item) => {
                self.qualify(module).visit_signature_mut(&mut item.sig);
                format!("pub {}", text::function(&item.sig, &path))
            }
            Item::Static(item) => {
                format!("pub static {path}: {}", self.type_(module, &Generics::default(), *item.ty))
            }
            Item::Struct(item) => {
                let generics = self.generics(module, &item.generics);
                let rest = self.add_fields(module, &item.generics, item.fields, at);
                format!("pub struct {path}{generics}{rest}")
            }
            Item::Trait(item) => self.add_trait(module, item, at),
            Item::Type(item) => {
                let generics = self.generics(module, &item.generics);
                let type_ = self.type_(module, &item.generics, *item.ty);
                format!("pub type {path}{generics} = {type_}")
            }
            Item::Union(item) => {
                let generics = self.generics(module, &item.generics);
                let fields = Fields::Named(item.fields);
                let rest = self.add_fields(module, &item.generics, fields, at);
                format!("pub union {path}{generics}{rest}")
            }
            Item::Macro(_) => format!("macro_rules! {path}"),
            _ => panic!("tests/public_api does not know what `{path}` is"),
        };
        self.add(at, Place::Item, "", marks + &line + &derives);
    }

    /// Adds the public fields, and gives what the type's line says about the others.
    fn add_fields(
        &mut self,
        module: ModuleId,
        generics: &Generics,
        fields: Fields,
        at: &Route,
    ) -> &'static str {
        let (all, some) = match &fields {
            Fields::Named(_) => (" {}", " { .. }"),
            Fields::Unnamed(_) => ("()", "(..)"),
            Fields::Unit => return "",
        };
        let mut rest = all;
        for (index, field) in fields.into_iter().enumerate() {
            let Some(conditions) = at.conditions.with(&field.attrs) else { continue };
            if !is_public(&field.vis) || is_hidden(&field.attrs) {
                rest = some;
                continue;
            }
            let name = field.ident.map_or_else(|| index.to_string(), |name| name.to_string());
            let type_ = self.type_(module, generics, field.ty);
            let line = format!("pub field {}::{name}: {type_}", at.path.join("::"));
            // Names are sorted, positions are not.
            let place = Place::Field(if all == "()" { index } else { 0 });
            self.add(&Route { conditions, ..at.clone() }, place, &name, line);
        }
        rest
    }

    fn add_variant(
        &mut self,
        module: ModuleId,
        generics: &Generics,
        mut variant: Variant,
        at: &Route,
    ) {
        let Some(conditions) = at.conditions.with(&variant.attrs) else { return };
        if is_hidden(&variant.attrs) {
            return;
        }
        let marks = marks(&variant.attrs);
        variant.attrs.clear();
        for field in &mut variant.fields {
            field.attrs.clear();
        }
        self.qualify(module).with(generics).visit_variant_mut(&mut variant);
        let path = at.path.join("::");
        let line = format!("{marks}variant {path}::{}", text::variant(&variant));
        let at = Route { conditions, ..at.clone() };
        self.add(&at, Place::Variant, &variant.ident.to_string(), line);
    }

    /// Adds the items of a trait, and gives the line of the trait.
    fn add_trait(&mut self, module: ModuleId, mut trait_: ItemTrait, at: &Route) -> String {
        let path = at.path.join("::");
        let mut qualify = self.qualify(module).with(&trait_.generics);
        for mut item in std::mem::take(&mut trait_.items) {
            let (attributes, place, name, provided) = match &mut item {
                TraitItem::Const(item) => {
                    let provided = item.default.take().is_some();
                    (&mut item.attrs, Place::Associated, &item.ident, provided)
                }
                TraitItem::Fn(item) => {
                    let provided = item.default.take().is_some();
                    (&mut item.attrs, Place::Function, &item.sig.ident, provided)
                }
                TraitItem::Type(item) => (&mut item.attrs, Place::Associated, &item.ident, false),
                _ => panic!("tests/public_api does not know all items of `{path}`"),
            };
            let attributes = std::mem::take(attributes);
            let Some(conditions) = at.conditions.with(&attributes) else { continue };
            if is_hidden(&attributes) {
                continue;
            }
            let name = name.to_string();
            qualify.visit_trait_item_mut(&mut item);
            let text = text::trait_item(item, &name, &format!("{path}::{name}"));
            let provided = if provided { " { .. }" } else { "" };
            let line = format!("{}{text}{provided}", marks(&attributes));
            self.add(&Route { conditions, ..at.clone() }, place, &name, line);
        }
        trait_.attrs.clear();
        qualify.visit_item_trait_mut(&mut trait_);
        let name = format!("trait {}", trait_.ident);
        let line = text::one_line(Item::Trait(trait_)).replacen(&name, &format!("trait {path}"), 1);
        line.trim_end_matches([',', '{', '}', ' ']).to_owned()
    }

    pub fn type_(&self, module: ModuleId, generics: &Generics, mut type_: Type) -> String {
        self.qualify(module).with(generics).visit_type_mut(&mut type_);
        text::type_(&type_)
    }

    fn generics(&self, module: ModuleId, generics: &Generics) -> String {
        let mut generics = generics.clone();
        self.qualify(module).with(&generics.clone()).visit_generics_mut(&mut generics);
        text::generics(&generics)
    }
}
