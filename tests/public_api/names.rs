//! Finds what a path means in a module.

use std::collections::BTreeSet;

use crate::tree::{Crate, ItemId, Kind, ModuleId};

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Module(ModuleId),
    Item(ItemId),
    /// A path that begins with another crate, or a name of the prelude.
    Foreign(Vec<String>),
}

/// The names that are being looked up, so that imports that go in a circle end.
type Seen = BTreeSet<(ModuleId, String)>;

impl Crate {
    /// All that `path` means in the module `from`: several with the same name in different
    /// namespaces or under different `cfg`s, or nothing if it is no name of a module.
    pub fn resolve(&self, from: ModuleId, path: &[String]) -> Vec<Target> {
        self.follow(from, path, &mut Seen::new())
    }

    fn follow(&self, from: ModuleId, path: &[String], seen: &mut Seen) -> Vec<Target> {
        let Some((first, rest)) = path.split_first() else { return Vec::new() };
        let mut targets = self.step(from, first, seen);
        if targets.is_empty() && !matches!(first.as_str(), "crate" | "self" | "super" | "Self") {
            return vec![Target::Foreign(path.to_vec())];
        }
        for name in rest {
            targets = targets
                .into_iter()
                .flat_map(|target| match target {
                    Target::Module(module) => self.step(module, name, seen),
                    Target::Item(_) => Vec::new(),
                    Target::Foreign(mut path) => {
                        path.push(name.clone());
                        vec![Target::Foreign(path)]
                    }
                })
                .collect();
        }
        targets
    }

    fn step(&self, module: ModuleId, name: &str, seen: &mut Seen) -> Vec<Target> {
        match name {
            "crate" => return vec![Target::Module(0)],
            "self" => return vec![Target::Module(module)],
            "super" => {
                return self.modules[module].parent.map(Target::Module).into_iter().collect();
            }
            _ => {}
        }
        let key = (module, name.to_owned());
        if !seen.insert(key.clone()) {
            return Vec::new();
        }
        let mut found = Vec::new();
        for (entry, candidate) in self.modules[module].entries.iter().enumerate() {
            if candidate.name == name {
                match &candidate.kind {
                    Kind::Module(module) => found.push(Target::Module(*module)),
                    Kind::Item(_) => found.push(Target::Item(ItemId { module, entry })),
                    Kind::Use(path) => found.extend(self.follow(module, path, seen)),
                }
            }
        }
        if found.is_empty() {
            for glob in &self.modules[module].globs {
                for target in self.follow(module, &glob.path, seen) {
                    if let Target::Module(module) = target {
                        found.extend(self.step(module, name, seen));
                    }
                }
            }
        }
        seen.remove(&key);
        found
    }
}
