//! Tests of the listing, with small crates given as text.

use crate::{difference, listing::listing, tree::Crate};

fn api(files: &[(&str, &str)]) -> String {
    listing(&Crate::read(&|file| {
        files.iter().find(|(name, _)| *name == file).map(|(_, text)| (*text).to_owned())
    }))
}

/// The API of a crate of one file.
fn lib(text: &str) -> String {
    api(&[("lib.rs", text)])
}

/// The difference that the test prints after a change of the source.
fn change(before: &str, after: &str) -> String {
    difference(&lib(before), &lib(after))
}

#[test]
fn a_removed_method_is_seen() {
    let before = "pub struct A; impl A { pub fn one(&self) {} pub fn two(&self) {} }";
    let after = "pub struct A; impl A { pub fn one(&self) {} fn two(&self) {} }";
    assert_eq!(change(before, after), "- pub fn A::two(&self)");
}

#[test]
fn an_added_variant_is_seen() {
    let before = "pub enum E { A }";
    let after = "pub enum E { A, B { at: u8 } }";
    assert_eq!(change(before, after), "+ variant E::B { at: u8 }");
    let after = "#[non_exhaustive] pub enum E { A }";
    assert_eq!(change(before, after), "- pub enum E\n+ #[non_exhaustive] pub enum E");
}

#[test]
fn a_changed_signature_is_seen() {
    let before = "pub fn f<T: Clone>(a: &T) -> u8 { 1 }";
    let after = "pub fn f<T>(a: &T) -> Option<u8> where T: Clone + Send { None }";
    assert_eq!(
        change(before, after),
        "- pub fn f<T: Clone>(a: &T) -> u8\n\
         + pub fn f<T>(a: &T) -> Option<u8> where T: Clone + Send"
    );
}

#[test]
fn another_type_of_the_same_name_is_seen() {
    let before = "use std::time::Instant; pub fn f(at: Instant) {}";
    let after = "use tokio::time::{self, Instant}; pub fn f(at: Instant) {}";
    assert_eq!(
        change(before, after),
        "- pub fn f(at: std::time::Instant)\n+ pub fn f(at: tokio::time::Instant)"
    );
}

#[test]
fn private_changes_are_not_seen() {
    let before = "
        use std::fmt;
        pub struct A { a: u8 }
        impl A { pub fn f(mut self, mut a: u8) {} }
        impl fmt::Debug for A { fn fmt(&self) {} }
    ";
    let after = "
        impl std::fmt::Debug for A { fn fmt(&self) { other() } }
        impl A { pub fn f(self, a: u8) {} }
        /// Documented.
        pub struct A { b: u16, c: u8 }
    ";
    assert_eq!(lib(before), lib(after));
}

#[test]
fn a_type_with_two_paths_is_listed_in_its_module() {
    let files = [
        ("lib.rs", "pub mod a; pub mod z; pub use crate::z::Name;"),
        ("a.rs", "pub use crate::z::Name as Other;"),
        ("z/mod.rs", "mod inner; pub use self::inner::Name;"),
        ("z/inner.rs", "pub struct Name(u8); impl Name { pub fn new() -> Self { Self(1) } }"),
    ];
    let all = "pub use z::Name as Name\n\
               \n\
               pub mod a\n\
               pub use z::Name as a::Other\n\
               \n\
               pub mod z\n\
               pub struct z::Name(..)\n\
               pub fn z::Name::new() -> Self\n";
    assert_eq!(api(&files), all);
    let fewer = [("lib.rs", "pub mod a; pub mod z;"), files[1], files[2], files[3]];
    assert_eq!(difference(&api(&files), &api(&fewer)), "- pub use z::Name as Name");
}

#[test]
fn groups_globs_and_renames_are_followed() {
    let text = "
        mod a { pub struct One; pub(crate) struct Two; mod b { pub struct Three; } pub use b::*; }
        pub mod c { pub use super::a::*; }
        pub use self::c::{One as Uno, Three};
        pub use http::{StatusCode as Status};
    ";
    assert_eq!(
        lib(text),
        "pub use http::StatusCode as Status\n\
         pub struct Three\n\
         pub struct Uno\n\
         \n\
         pub mod c\n\
         pub use Uno as c::One\n\
         pub use Three as c::Three\n"
    );
}

#[test]
fn private_hidden_and_test_items_are_left_out() {
    let text = "
        pub(crate) struct A;
        mod private { pub struct B; impl B { pub fn f() {} } impl Clone for B {} }
        #[doc(hidden)] pub mod hidden { pub struct C; }
        #[cfg(test)] mod tests;
        #[cfg(test)] pub fn for_tests() {}
        trait Sealed {}
        pub struct D { pub a: u8, #[doc(hidden)] pub b: u8, c: u8 }
        impl Sealed for D {}
        impl From<A> for D {}
        impl D {
            #[doc(hidden)] pub fn e(&self) {}
            #[cfg(any(test))] pub fn g(&self) {}
            pub(super) fn h(&self) {}
        }
    ";
    assert_eq!(lib(text), "pub struct D { .. }\npub field D::a: u8\n");
}

#[test]
fn a_feature_is_at_the_end_of_the_line() {
    let text = r#"
        #[cfg(feature = "a")]
        pub mod m {
            pub struct A;
            #[cfg(all(feature = "a", not(feature = "b")))]
            impl A { #[cfg(any(test, feature = "c"))] pub fn f() {} }
        }
        #[cfg(feature = "d")]
        pub use m::A;
    "#;
    assert_eq!(
        lib(text),
        "pub use m::A as A [cfg(feature = \"a\", feature = \"d\")]\n\
         \n\
         pub mod m [cfg(feature = \"a\")]\n\
         pub struct m::A [cfg(feature = \"a\")]\n\
         pub fn m::A::f() [cfg(feature = \"a\", feature = \"c\", not(feature = \"b\"))]\n"
    );
}

#[test]
fn an_impl_is_listed_with_its_type_or_its_trait() {
    let text = "
        use std::{fmt, sync::Arc};
        #[derive(Debug, Clone)] pub struct A<T>(pub T);
        pub trait Tr { type Out: Send; const N: u8 = 1; fn f(&self) -> Self::Out; fn g(&self) {} }
        impl<T: Tr> Tr for Arc<T> { type Out = T::Out; fn f(&self) -> T::Out {} }
        impl<F: Fn(&A<u8>)> Tr for F { type Out = (); fn f(&self) {} }
        impl<T> fmt::Display for A<T> where T: fmt::Display {}
        impl From<A<u8>> for String {}
        impl<T> A<T> { pub const MAX: usize = 1; pub fn plain(self) -> T {} }
        impl A<u8> { pub fn of_u8() {} }
        impl<T: Tr> A<T> { pub fn of_tr() {} }
    ";
    assert_eq!(
        lib(text),
        "pub struct A<T>() #[derive(Clone, Debug)]\n\
         pub field A::0: T\n\
         pub const A::MAX: usize\n\
         pub fn A::of_tr() in impl<T: Tr> A<T>\n\
         pub fn A::of_u8() in impl A<u8>\n\
         pub fn A::plain(self) -> T\n\
         impl<T> std::fmt::Display for A<T> where T: std::fmt::Display\n\
         impl From<A<u8>> for String\n\
         pub trait Tr\n\
         const Tr::N: u8 { .. }\n\
         type Tr::Out: Send\n\
         fn Tr::f(&self) -> Self::Out\n\
         fn Tr::g(&self) { .. }\n\
         impl<F: Fn(&A<u8>)> Tr for F { type Out = (); }\n\
         impl<T: Tr> Tr for std::sync::Arc<T> { type Out = T::Out; }\n"
    );
}

#[test]
fn a_long_line_is_one_line() {
    let text = "pub fn a_name_of_some_length(first: &'static [u8; 32], second: impl \
                Into<Option<std::time::Duration>>, third: (u8, Vec<std::time::SystemTime>)) -> \
                Result<std::collections::BTreeMap<String, String>, Box<dyn std::error::Error>>";
    assert_eq!(lib(&format!("{text} {{ todo!() }}")), format!("{text}\n"));
}

#[test]
fn items_in_pin_project_are_listed() {
    let text = "pin_project! { #[must_use = \"why\"] pub struct F<T> { #[pin] future: T } }";
    assert_eq!(lib(text), "#[must_use] pub struct F<T> { .. }\n");
}

#[test]
#[should_panic(expected = "cannot see into")]
fn another_macro_fails() {
    lib("make_types! { A, B }");
}

#[test]
#[should_panic(expected = "does not find `crate::a::B`")]
fn an_export_of_an_unknown_name_fails() {
    lib("mod a {} pub use crate::a::B;");
}
