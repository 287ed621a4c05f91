//! The public paths on which items are reached from outside.

use std::{cmp::Reverse, collections::BTreeMap};

use crate::{
    conditions::Conditions,
    names::Target,
    tree::{Crate, ItemId, Kind, ModuleId},
};

/// A public path. The name of the crate is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub path: Vec<String>,
    pub conditions: Conditions,
}

/// All that is public.
#[derive(Default)]
pub struct Routes {
    pub modules: Vec<Route>,
    /// The first is the item's main path, nearest to where the source has it.
    pub items: BTreeMap<ItemId, Vec<Route>>,
    /// Items of other crates, by their own paths.
    pub foreign: Vec<(Vec<String>, Route)>,
}

impl Routes {
    pub fn of(krate: &Crate) -> Self {
        let mut routes = Self::default();
        let root = Route { path: Vec::new(), conditions: Conditions::default() };
        routes.visit(krate, 0, &root, &mut Vec::new());
        for (id, routes) in &mut routes.items {
            let home = &krate.modules[id.module].path;
            routes.sort_by_key(|Route { path, conditions }| {
                let near = home.iter().zip(path).take_while(|(a, b)| a == b).count();
                (Reverse(near), path.len(), path.clone(), conditions.clone())
            });
            routes.dedup();
        }
        routes
    }

    /// The main path of an item, if it is public.
    pub fn main(&self, id: ItemId) -> Option<&Route> {
        self.items.get(&id)?.first()
    }

    /// Adds what is public in a module, whose own names are at `route`.
    fn visit(
        &mut self,
        krate: &Crate,
        module: ModuleId,
        route: &Route,
        around: &mut Vec<(ModuleId, Vec<String>)>,
    ) {
        if around.iter().any(|(outer, path)| *outer == module && route.path.starts_with(path)) {
            return;
        }
        around.push((module, route.path.clone()));
        for (entry, candidate) in krate.modules[module].entries.iter().enumerate() {
            if !candidate.public || candidate.hidden {
                continue;
            }
            let mut path = route.path.clone();
            path.push(candidate.name.clone());
            let route = Route { path, conditions: route.conditions.and(&candidate.conditions) };
            match &candidate.kind {
                Kind::Module(id) => self.add(krate, Target::Module(*id), route, around),
                Kind::Item(_) => {
                    self.add(krate, Target::Item(ItemId { module, entry }), route, around);
                }
                Kind::Use(path) => {
                    let targets = krate.resolve(module, path);
                    assert!(
                        !targets.is_empty(),
                        "tests/public_api does not find `{}`, which is public as `{}`",
                        path.join("::"),
                        route.path.join("::")
                    );
                    for target in targets {
                        self.add(krate, target, route.clone(), around);
                    }
                }
            }
        }
        for glob in krate.modules[module].globs.iter().filter(|glob| glob.public) {
            let conditions = route.conditions.and(&glob.conditions);
            for target in krate.resolve(module, &glob.path) {
                let mut route = Route { path: route.path.clone(), conditions: conditions.clone() };
                match target {
                    Target::Module(module) => self.visit(krate, module, &route, around),
                    Target::Foreign(mut path) => {
                        path.push("*".to_owned());
                        route.path.push("*".to_owned());
                        self.foreign.push((path, route));
                    }
                    Target::Item(_) => panic!(
                        "tests/public_api does not know `pub use {}::*`",
                        glob.path.join("::")
                    ),
                }
            }
        }
        around.pop();
    }

    fn add(
        &mut self,
        krate: &Crate,
        target: Target,
        route: Route,
        around: &mut Vec<(ModuleId, Vec<String>)>,
    ) {
        match target {
            Target::Module(id) => {
                let route = Route {
                    conditions: route.conditions.and(&krate.modules[id].conditions),
                    ..route
                };
                self.modules.push(route.clone());
                self.visit(krate, id, &route, around);
            }
            Target::Item(id) => {
                let entry = krate.entry(id);
                // The compiler refuses to export what is not public, unless the name is also
                // that of something which is.
                if entry.public && !entry.hidden {
                    let conditions = route.conditions.and(&entry.conditions);
                    self.items.entry(id).or_default().push(Route { conditions, ..route });
                }
            }
            Target::Foreign(path) => self.foreign.push((path, route)),
        }
    }
}
