//! Items as text on one line.

use syn::{
    File, Generics, Item, ItemStruct, Signature, Token, TraitItem, Type, Variant, parse_quote,
};

/// An item as rustfmt would write it, were its lines long enough.
pub fn one_line(item: Item) -> String {
    let text = prettyplease::unparse(&File {
        shebang: None,
        frontmatter: None,
        attrs: Vec::new(),
        items: vec![item],
    });
    let mut line = String::new();
    for part in text.lines().map(str::trim) {
        let closes = part.starts_with([')', ']', '>']);
        if closes && line.ends_with(',') {
            line.pop();
        }
        if !closes && !line.is_empty() && !line.ends_with(['(', '[', '<']) {
            line.push(' ');
        }
        line.push_str(part);
    }
    line.replace(", {", " {").replace(", }", " }")
}

/// `<…>` and ` where …`, which follow a type's name.
pub fn generics(generics: &Generics) -> String {
    let mut item: ItemStruct = parse_quote!(
        struct X;
    );
    item.generics = generics.clone();
    let line = one_line(Item::Struct(item));
    let line = line.strip_prefix("struct X").expect("this is a struct");
    line.trim_end_matches([',', ';', ' ']).to_owned()
}

/// A type.
pub fn type_(type_: &Type) -> String {
    let line = one_line(parse_quote!(type X = #type_;));
    let line = line.strip_prefix("type X = ").and_then(|line| line.strip_suffix(';'));
    line.expect("this is an alias").to_owned()
}

/// A function, with `path` in place of its name.
pub fn function(signature: &Signature, path: &str) -> String {
    let line = one_line(parse_quote!(#signature {}));
    let line = line.strip_suffix("{}").expect("its body is empty");
    let name = format!("fn {}", signature.ident);
    line.trim_end_matches([',', ' ']).replacen(&name, &format!("fn {path}"), 1)
}

/// An item of a trait, with `path` in place of its name.
pub fn trait_item(mut item: TraitItem, name: &str, path: &str) -> String {
    let kind = match &mut item {
        TraitItem::Const(item) => {
            item.default = None;
            "const"
        }
        TraitItem::Fn(item) => {
            item.default = None;
            item.semi_token = Some(<Token![;]>::default());
            "fn"
        }
        _ => "type",
    };
    let line = one_line(parse_quote!(trait X { #item }));
    let line = line.strip_prefix("trait X { ").and_then(|line| line.strip_suffix(" }"));
    let line = line.expect("this is a trait").trim_end_matches([',', ';', ' ']);
    line.replacen(&format!("{kind} {name}"), &format!("{kind} {path}"), 1)
}

/// A variant without attributes.
pub fn variant(variant: &Variant) -> String {
    let line = one_line(parse_quote!(enum X { #variant }));
    let line = line.strip_prefix("enum X { ").and_then(|line| line.strip_suffix(" }"));
    line.expect("this is an enum").trim_end_matches(',').to_owned()
}
