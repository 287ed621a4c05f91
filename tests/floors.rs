//! The floors of the house: a module imports only from floors below its own
//! (`docs/design.md`). Reads `src/` and fails on an import that goes sideways
//! or up.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The modules of `src/`, lowest floor first.
const FLOORS: [&[&str]; 9] = [
    &["alg", "clock", "expiring", "few", "json", "maybe_ready", "runtime", "secret", "token_cache"],
    &["claims", "error"],
    &["csrf", "observe", "random", "response", "rules", "token"],
    &["keys", "refresh", "revocation", "source"],
    &["issue"],
    &["verifier"],
    &["authorize"],
    &["extract", "layer"],
    &["redis", "sessions", "settings"],
];

fn floor(module: &str) -> usize {
    FLOORS
        .iter()
        .position(|floor| floor.contains(&module))
        .unwrap_or_else(|| panic!("`{module}` stands on no floor: give it one in this file"))
}

/// The files below `src/`, with the module each belongs to.
fn files() -> BTreeMap<PathBuf, String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&src, &mut found);
    found
        .into_iter()
        .map(|path| {
            let inside = path.strip_prefix(&src).unwrap().to_owned();
            let first = inside.components().next().unwrap();
            let module = Path::new(first.as_os_str()).with_extension("");
            (inside, module.to_str().unwrap().to_owned())
        })
        .collect()
}

fn text(file: &Path) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file)).unwrap()
}

/// The modules that a text names behind `crate::`, in `use` groups too; doc
/// comments are not imports.
fn imports(text: &str) -> Vec<String> {
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let word = |text: &str| -> String {
        text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.push(word(rest));
            continue;
        };
        let (mut depth, mut start) = (0, true);
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => start = true,
                c if start && c.is_alphabetic() => {
                    found.push(word(&group[at..]));
                    start = false;
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn imports_go_down() {
    let mut wrong = Vec::new();
    for (file, module) in files() {
        if module == "lib" {
            continue;
        }
        for import in imports(&text(&file)) {
            if import != module && floor(&import) >= floor(&module) {
                wrong.push(format!("{} imports `{import}`", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "sideways or up:\n{}", wrong.join("\n"));
}

#[test]
fn groups_and_paths_are_both_seen() {
    let text =
        "use crate::{\n    a::{B, c::D},\n    e,\n};\n// crate::no\nfn f() { crate::g::h() }";
    assert_eq!(imports(text), ["a", "e", "g"]);
}
