//! Writes the access to an operation into a document.

use utoipa::openapi::{
    RefOr,
    header::{Header, HeaderBuilder},
    path::{Operation, PathItem, Paths},
    response::{Response, ResponseBuilder},
    security::SecurityRequirement,
};

/// The access to an operation, as a document describes it. By default, it is public.
#[derive(Default)]
pub(super) struct Access {
    pub(super) security: Vec<SecurityRequirement>,
    /// The scopes in it.
    pub(super) scopes: Vec<String>,
    /// A paragraph for the description, in Markdown.
    pub(super) text: Option<String>,
    pub(super) refusals: Vec<Refusal>,
}

/// A response to a request that is refused.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) status: &'static str,
    pub(super) about: String,
    /// Names of headers and their descriptions.
    pub(super) headers: Vec<(&'static str, &'static str)>,
}

impl Access {
    /// Writes it into an operation. A response that is there keeps its description and its content, and
    /// gets the headers that it lacks.
    pub(super) fn write(&self, operation: &mut Operation) {
        operation.security = Some(self.security.clone());
        if let Some(text) = &self.text {
            let before = operation.description.take().unwrap_or_default();
            let gap = if before.is_empty() { "" } else { "\n\n" };
            operation.description = Some(format!("{before}{gap}{text}"));
        }
        for refusal in &self.refusals {
            let responses = &mut operation.responses.responses;
            let response = responses.entry(refusal.status.into()).or_insert_with(|| {
                RefOr::T(ResponseBuilder::new().description(&*refusal.about).build())
            });
            if let RefOr::T(response) = response {
                refusal.add_headers(response);
            }
        }
    }
}

impl Refusal {
    fn add_headers(&self, response: &mut Response) {
        for (name, about) in &self.headers {
            let is_there = response.headers.keys().any(|known| known.eq_ignore_ascii_case(name));
            if !is_there {
                let header: Header = HeaderBuilder::new().description(Some(*about)).build();
                response.headers.insert((*name).into(), header.into());
            }
        }
    }
}

/// All operations of a document, each with its name, such as `GET /orders`.
pub(super) fn operations(paths: &mut Paths) -> impl Iterator<Item = (String, &mut Operation)> {
    routes(paths).map(|(method, path, operation)| (format!("{method} {path}"), operation))
}

/// All operations of a document, each with its method and its path.
pub(super) fn routes(paths: &mut Paths) -> impl Iterator<Item = (&str, &str, &mut Operation)> {
    paths.paths.iter_mut().flat_map(|(path, item)| {
        of_item(item).map(move |(method, operation)| (method, path.as_str(), operation))
    })
}

fn of_item(item: &mut PathItem) -> impl Iterator<Item = (&str, &mut Operation)> {
    let known = [
        ("GET", &mut item.get),
        ("PUT", &mut item.put),
        ("POST", &mut item.post),
        ("DELETE", &mut item.delete),
        ("OPTIONS", &mut item.options),
        ("HEAD", &mut item.head),
        ("PATCH", &mut item.patch),
        ("TRACE", &mut item.trace),
        ("QUERY", &mut item.query),
    ];
    let others = item.additional_operations.iter_mut();
    let others = others.map(|(method, operation)| (method.as_str(), operation));
    known.into_iter().filter_map(|(method, one)| Some((method, one.as_mut()?))).chain(others)
}

/// A text with the characters escaped that Markdown would read as emphasis, code, a link or HTML. The
/// text between two backticks stays code.
pub(super) fn in_markdown(text: &str) -> String {
    let mut parts = text.split('`');
    let mut written = escaped(parts.next().unwrap_or_default());
    while let Some(part) = parts.next() {
        match parts.next() {
            Some(after) => {
                written.extend(["`", part, "`", &*escaped(after)]);
            }
            // A backtick without another one, such as that of a scope, begins no code.
            None => written.extend(["\\`", &*escaped(part)]),
        }
    }
    written
}

fn escaped(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '*' | '_' | '[' | ']' | '<' | '>' | '#') {
            written.push('\\');
        }
        written.push(c);
    }
    written
}
