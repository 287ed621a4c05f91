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
    &[
        "alg",
        "clock",
        "digest",
        "expiring",
        "few",
        "http_url",
        "json",
        "maybe_ready",
        "misses",
        "request_head",
        "runtime",
        "scope_hierarchy",
        "secret",
        "shadow_rule",
        "shown",
        "token_cache",
    ],
    &["attack", "claims", "error", "report"],
    &["csrf", "observe", "random", "response", "rules", "token"],
    &["keys", "refresh", "revocation", "source"],
    &["issue", "proof"],
    &["verifier"],
    &["authorize", "resource", "validity"],
    &["extract", "layer"],
    &["guides", "mcp", "openapi", "redis", "sessions", "settings", "testing"],
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

/// The file that defines what a path names, as seen from a file of `src/`. `files` has the texts.
fn file_of(from: &Path, path: &str, files: &BTreeMap<PathBuf, String>) -> Option<PathBuf> {
    let is_mod = from.file_stem().is_some_and(|stem| stem == "mod" || stem == "lib");
    // The module of the file itself.
    let mut module = if is_mod { from.parent()?.to_owned() } else { from.with_extension("") };
    let mut words = path.split("::").peekable();
    match words.next()? {
        "crate" => module = PathBuf::new(),
        "self" => {}
        "super" => {
            module.pop();
            while words.next_if_eq(&"super").is_some() {
                module.pop();
            }
        }
        _ => return None,
    }
    let at = |module: &Path| {
        let candidates = [module.join("mod.rs"), module.with_extension("rs")];
        candidates.into_iter().find(|file| files.contains_key(file))
    };
    let mut file = at(&module);
    for word in words {
        module.push(word);
        match at(&module) {
            Some(deeper) => file = Some(deeper),
            None => {
                // What a module re-exports is defined elsewhere.
                let here = file?;
                let exports = paths(&files[&here], &EXPORTS);
                let ends = format!("::{word}");
                let export = exports.iter().find(|export| export.ends_with(&ends));
                return export.map_or(Some(here.clone()), |export| file_of(&here, export, files));
            }
        }
    }
    file
}

/// The paths of the statements that begin with one of these words, without tests.
fn paths(text: &str, begins: &[&str]) -> Vec<String> {
    fn spread(prefix: &str, tree: &str, found: &mut Vec<String>) {
        let Some(open) = tree.find('{') else {
            found.push(format!("{prefix}{}", tree.trim()));
            return;
        };
        let prefix = format!("{prefix}{}", tree[..open].trim());
        let inside = &tree[open + 1..tree.rfind('}').unwrap()];
        let (mut depth, mut start) = (0, 0);
        for (at, c) in inside.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    spread(&prefix, &inside[start..at], found);
                    start = at + 1;
                }
                _ => {}
            }
        }
        if !inside[start..].trim().is_empty() {
            spread(&prefix, &inside[start..], found);
        }
    }
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let mut found = Vec::new();
    for begin in begins {
        for statement in code.split(begin).skip(1) {
            spread("", statement.split(';').next().unwrap(), &mut found);
        }
    }
    found
}

#[test]
fn no_files_import_each_other() {
    let files: BTreeMap<_, _> =
        files().into_keys().map(|file| (file.clone(), text(&file))).collect();
    let is_test =
        |file: &&PathBuf| file.ends_with("tests.rs") || file.iter().any(|part| part == "vectors");
    let mut arrows: BTreeMap<&Path, Vec<PathBuf>> = BTreeMap::new();
    for file in files.keys().filter(|file| !is_test(file)) {
        let imported = paths(&files[file], &["\nuse "]);
        let targets = imported.iter().filter_map(|path| file_of(file, path, &files));
        arrows.insert(file, targets.filter(|target| target != file).collect());
    }
    // What nothing is left to import goes, until there is nothing or only circles.
    loop {
        let left: Vec<PathBuf> = arrows.keys().map(|file| file.to_path_buf()).collect();
        arrows.retain(|_, targets| {
            targets.retain(|target| left.contains(target));
            !targets.is_empty()
        });
        if arrows.len() == left.len() {
            break;
        }
    }
    assert!(arrows.is_empty(), "circles, and what leads to them: {arrows:#?}");
}

#[test]
fn paths_are_spread_and_found() {
    let text = "\nuse std::fmt;\n\nuse super::{\n    a::{B, c::D},\n    E,\n};\nuse crate::x;\npub use self::y::Z;\n";
    assert_eq!(
        paths(text, &["\nuse "]),
        ["std::fmt", "super::a::B", "super::a::c::D", "super::E", "crate::x"]
    );
    let files: BTreeMap<_, _> = [
        ("m/mod.rs", "\npub use self::{b::D, a::E};"),
        ("m/a.rs", ""),
        ("m/b/mod.rs", "\npub use self::c::D;"),
        ("m/b/c.rs", ""),
        ("x.rs", ""),
    ]
    .map(|(file, text)| (PathBuf::from(file), text.to_owned()))
    .into();
    let of = |path| file_of(Path::new("m/a.rs"), path, &files);
    assert_eq!(of("super::b::C"), Some("m/b/mod.rs".into()));
    assert_eq!(of("super::C"), Some("m/mod.rs".into()));
    assert_eq!(of("super::D"), Some("m/b/c.rs".into()));
    assert_eq!(of("crate::x::Y"), Some("x.rs".into()));
    assert_eq!(of("std::fmt"), None);
}

const EXPORTS: [&str; 3] = ["\npub use ", "\npub(crate) use ", "\npub(super) use "];

/// A line break without `\\` in a message becomes a run of blanks when the line is joined.
#[test]
fn no_message_has_a_run_of_blanks() {
    let mut wrong = Vec::new();
    for (file, _) in files() {
        let text = text(&file);
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_start();
            let has_run = line.contains('"') && line.contains("      ");
            if has_run && !line.starts_with("//") {
                wrong.push(format!("{}:{}", file.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "runs of blanks in string literals: {wrong:#?}");
}
