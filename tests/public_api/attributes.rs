//! The attributes that are part of an item's line.

use quote::ToTokens;
use syn::{Attribute, Ident, Path, Token, punctuated::Punctuated};

/// What a user of the item notices. The reasons that some have are left out.
const MARKS: [&str; 4] = ["default", "deprecated", "must_use", "non_exhaustive"];

pub fn is_hidden(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("doc")
            && attribute.parse_args::<Ident>().is_ok_and(|argument| argument == "hidden")
    })
}

/// What is at the beginning of a line: `#[must_use] ` and the like.
pub fn marks(attributes: &[Attribute]) -> String {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("cfg_attr")) {
        let text = attribute.to_token_stream().to_string();
        assert!(
            !MARKS.iter().chain(&["derive"]).any(|mark| text.contains(mark)),
            "tests/public_api does not know `{text}`"
        );
    }
    MARKS
        .iter()
        .filter(|mark| attributes.iter().any(|attribute| attribute.path().is_ident(mark)))
        .map(|mark| format!("#[{mark}] "))
        .collect()
}

/// What is at the end of a line: ` #[derive(…)]`, sorted.
pub fn derives(attributes: &[Attribute]) -> String {
    let mut names = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("derive")) {
        let paths = attribute
            .parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated)
            .expect("`derive` has a list of traits");
        names.extend(paths.iter().filter_map(|path| Some(path.segments.last()?.ident.to_string())));
    }
    names.sort();
    if names.is_empty() { String::new() } else { format!(" #[derive({})]", names.join(", ")) }
}
