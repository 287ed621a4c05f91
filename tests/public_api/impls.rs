//! The lines of an `impl`.

use std::mem;

use syn::{
    GenericArgument, GenericParam, Generics, ImplItem, Item, ItemImpl, Path, PathArguments, Type,
    visit_mut::VisitMut,
};

use crate::{
    attributes::{is_hidden, marks},
    conditions::Conditions,
    listing::{List, Place},
    routes::Route,
    text,
    tree::{ItemId, ModuleId, is_public},
};

impl List<'_> {
    /// Adds the public methods and constants of a type, or a trait that it has.
    pub fn add_impl(&mut self, module: ModuleId, mut item: ItemImpl, conditions: &Conditions) {
        let mut qualify = self.qualify(module).with(&item.generics);
        let of_type = head(&item.self_ty).and_then(|path| qualify.item(path));
        let of_trait = item.trait_.as_ref().and_then(|(path, _)| qualify.item(path));
        qualify.visit_type_mut(&mut item.self_ty);
        if let Some((path, _)) = &mut item.trait_ {
            qualify.visit_path_mut(path);
        }
        // For `impl Trait for T` it is with the trait, and for `impl From<Type> for String` with
        // the type.
        let named = mem::take(&mut qualify.named);
        let Some(owner) = of_type.or(of_trait).or_else(|| named.first().copied()) else { return };
        // Nobody outside can name what is private.
        if named.iter().any(|id| self.routes.main(*id).is_none()) {
            return;
        }
        qualify.visit_generics_mut(&mut item.generics);
        item.attrs.clear();

        let at = self.at(owner, conditions);
        let items = mem::take(&mut item.items);
        let Some((trait_, _)) = &item.trait_ else {
            for member in items {
                self.add_member(module, &item, member, owner, &at);
            }
            return;
        };
        let name = trait_.segments.last().map(|segment| segment.ident.to_string());
        for mut associated in items {
            if let ImplItem::Type(associated) = &mut associated {
                associated.attrs.clear();
                qualify.visit_type_mut(&mut associated.ty);
            } else {
                continue;
            }
            item.items.push(associated);
        }
        self.add(&at, Place::Impl, &name.unwrap_or_default(), header(item));
    }

    fn at(&self, owner: ItemId, conditions: &Conditions) -> Route {
        let main = self.routes.main(owner).expect("the owner is public");
        Route { path: main.path.clone(), conditions: main.conditions.and(conditions) }
    }

    fn add_member(
        &mut self,
        module: ModuleId,
        around: &ItemImpl,
        member: ImplItem,
        owner: ItemId,
        at: &Route,
    ) {
        let path = at.path.join("::");
        let (attributes, visibility) = match &member {
            ImplItem::Const(member) => (&member.attrs, &member.vis),
            ImplItem::Fn(member) => (&member.attrs, &member.vis),
            _ => panic!("tests/public_api does not know all that an `impl` of `{path}` has"),
        };
        let Some(conditions) = at.conditions.with(attributes) else { return };
        if !is_public(visibility) || is_hidden(attributes) {
            return;
        }
        let marks = marks(attributes);
        let within = if is_plain(around, self.krate.item(owner)) {
            String::new()
        } else {
            format!(" in {}", header(around.clone()))
        };
        let (place, name, text) = match member {
            ImplItem::Const(member) => {
                let type_ = self.type_(module, &around.generics, member.ty);
                let text = format!("const {path}::{}: {type_}", member.ident);
                (Place::Associated, member.ident, text)
            }
            ImplItem::Fn(mut member) => {
                let mut qualify = self.qualify(module).with(&around.generics);
                qualify.visit_signature_mut(&mut member.sig);
                let text = text::function(&member.sig, &format!("{path}::{}", member.sig.ident));
                (Place::Function, member.sig.ident, text)
            }
            _ => return,
        };
        let line = format!("{marks}pub {text}{within}");
        self.add(&Route { conditions, ..at.clone() }, place, &name.to_string(), line);
    }
}

/// The path of a type, or of what it is a reference to.
fn head(type_: &Type) -> Option<&Path> {
    match type_ {
        Type::Path(type_) => Some(&type_.path),
        Type::Reference(type_) => head(&type_.elem),
        _ => None,
    }
}

/// `impl<…> Trait for Type where …`, with the associated types.
fn header(item: ItemImpl) -> String {
    let line = text::one_line(Item::Impl(item));
    line.strip_suffix("{}").unwrap_or(&line).trim_end_matches([',', ' ']).to_owned()
}

/// Whether an `impl` is for all that the type can be, so that its own line says it all.
fn is_plain(item: &ItemImpl, type_: &Item) -> bool {
    let declared = match type_ {
        Item::Enum(type_) => &type_.generics,
        Item::Struct(type_) => &type_.generics,
        Item::Union(type_) => &type_.generics,
        _ => return false,
    };
    let parameters = names(&item.generics);
    let bound = item.generics.where_clause.is_some()
        || item.generics.params.iter().any(|parameter| match parameter {
            GenericParam::Lifetime(parameter) => !parameter.bounds.is_empty(),
            GenericParam::Type(parameter) => !parameter.bounds.is_empty(),
            _ => false,
        });
    let count = names(declared).len();
    !bound && parameters.len() == count && arguments(&item.self_ty) == Some(parameters)
}

/// The parameters, without lifetimes.
fn names(generics: &Generics) -> Vec<String> {
    let name = |parameter: &GenericParam| match parameter {
        GenericParam::Type(parameter) => Some(parameter.ident.to_string()),
        GenericParam::Const(parameter) => Some(parameter.ident.to_string()),
        _ => None,
    };
    generics.params.iter().filter_map(name).collect()
}

/// The arguments of a type, without lifetimes, if each is one name.
fn arguments(type_: &Type) -> Option<Vec<String>> {
    let Type::Path(path) = type_ else { return None };
    let PathArguments::AngleBracketed(list) = &path.path.segments.last()?.arguments else {
        return Some(Vec::new());
    };
    let mut names = Vec::new();
    for argument in &list.args {
        match argument {
            GenericArgument::Lifetime(_) => {}
            GenericArgument::Type(Type::Path(path)) => {
                names.push(path.path.get_ident()?.to_string())
            }
            _ => return None,
        }
    }
    Some(names)
}
