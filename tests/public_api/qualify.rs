//! Writes the names in a signature as paths that do not depend on imports.

use std::collections::BTreeSet;

use syn::{
    FnArg, GenericParam, Generics, Ident, Item, Pat, PatIdent, Path, PathArguments, PathSegment,
    Receiver, Signature, Token, parse_quote, punctuated::Punctuated, visit_mut::VisitMut,
};

use crate::{
    names::Target,
    routes::Routes,
    tree::{Crate, ItemId, ModuleId},
};

pub struct Qualify<'a> {
    krate: &'a Crate,
    routes: &'a Routes,
    module: ModuleId,
    /// Names that no import has a say in.
    generics: BTreeSet<String>,
    /// The types and traits of the crate that were named, in their order.
    pub named: Vec<ItemId>,
}

impl<'a> Qualify<'a> {
    pub fn new(krate: &'a Crate, routes: &'a Routes, module: ModuleId) -> Self {
        let generics = BTreeSet::from(["Self".to_owned()]);
        Self { krate, routes, module, generics, named: Vec::new() }
    }

    pub fn with(mut self, generics: &Generics) -> Self {
        self.add(generics);
        self
    }

    fn add(&mut self, generics: &Generics) {
        self.generics.extend(generics.params.iter().filter_map(|parameter| match parameter {
            GenericParam::Type(parameter) => Some(parameter.ident.to_string()),
            GenericParam::Const(parameter) => Some(parameter.ident.to_string()),
            _ => None,
        }));
    }

    /// The type or trait of the crate that a path names.
    pub fn item(&self, path: &Path) -> Option<ItemId> {
        match self.target(path)? {
            Target::Item(id) => Some(id),
            _ => None,
        }
    }

    /// Finds the item that a path names, or the path from the crate that it is from.
    fn target(&self, path: &Path) -> Option<Target> {
        let names: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let is_primitive = names.len() == 1 && PRIMITIVES.contains(&names[0].as_str());
        if path.leading_colon.is_some() || is_primitive || self.generics.contains(&names[0]) {
            return None;
        }
        let mut targets = self.krate.resolve(self.module, &names);
        targets.retain(|target| match target {
            Target::Item(id) => !matches!(self.krate.item(*id), Item::Fn(_) | Item::Macro(_)),
            Target::Foreign(_) => true,
            Target::Module(_) => false,
        });
        (!targets.is_empty()).then(|| targets.remove(0))
    }

    /// Whether one of its own modules has the name of another crate.
    fn is_ambiguous(&self, foreign: &str) -> bool {
        self.krate.modules[0].entries.iter().any(|entry| entry.public && entry.name == foreign)
    }
}

impl VisitMut for Qualify<'_> {
    fn visit_path_mut(&mut self, path: &mut Path) {
        let target = self.target(path);
        if let Some(Target::Item(id)) = target
            && !matches!(self.krate.item(id), Item::Const(_) | Item::Static(_))
        {
            self.named.push(id);
        }
        syn::visit_mut::visit_path_mut(self, path);
        match target {
            Some(Target::Item(id)) => {
                if let Some(route) = self.routes.main(id) {
                    replace(path, &route.path);
                }
            }
            Some(Target::Foreign(names)) if names.len() > path.segments.len() => {
                replace(path, &names);
                if self.is_ambiguous(&names[0]) {
                    path.leading_colon = Some(<Token![::]>::default());
                }
            }
            _ => {}
        }
    }

    fn visit_signature_mut(&mut self, signature: &mut Signature) {
        self.add(&signature.generics);
        syn::visit_mut::visit_signature_mut(self, signature);
    }

    // How a function binds its arguments is its own business.

    fn visit_fn_arg_mut(&mut self, argument: &mut FnArg) {
        if let FnArg::Typed(argument) = argument {
            *argument.pat = match &*argument.pat {
                Pat::Ident(PatIdent { ident, .. }) => parse_quote!(#ident),
                _ => parse_quote!(_),
            };
        }
        syn::visit_mut::visit_fn_arg_mut(self, argument);
    }

    fn visit_receiver_mut(&mut self, receiver: &mut Receiver) {
        receiver.mutability = None;
        syn::visit_mut::visit_receiver_mut(self, receiver);
    }
}

/// Puts other names in place of those of a path, and keeps the arguments of the last.
fn replace(path: &mut Path, names: &[String]) {
    let arguments = path.segments.pop().map_or(PathArguments::None, |last| last.arguments);
    let mut segments: Punctuated<PathSegment, Token![::]> = names
        .iter()
        .map(|name| {
            let ident: Ident = syn::parse_str(name).expect("a name in a path is an identifier");
            PathSegment::from(ident)
        })
        .collect();
    if let Some(last) = segments.last_mut() {
        last.arguments = arguments;
    }
    path.segments = segments;
}

/// Types that modules of the standard library have the names of.
const PRIMITIVES: [&str; 17] = [
    "bool", "char", "f32", "f64", "i128", "i16", "i32", "i64", "i8", "isize", "str", "u128", "u16",
    "u32", "u64", "u8", "usize",
];
