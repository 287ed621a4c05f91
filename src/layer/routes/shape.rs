//! The shape of a path: the requests that it matches, whatever the names of its parameters are.

/// A path as the router reads it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shape(Vec<Piece>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Char(char),
    /// `{id}`, at the end of a segment.
    Parameter,
    /// `{*rest}`, at the end of the path.
    CatchAll,
}

impl Shape {
    /// The shape of a path that the router accepts.
    pub(super) fn parse(path: &str) -> Self {
        let (mut pieces, mut chars) = (Vec::new(), path.chars().peekable());
        while let Some(one) = chars.next() {
            let is_doubled = matches!(one, '{' | '}') && chars.next_if_eq(&one).is_some();
            if one != '{' || is_doubled {
                pieces.push(Piece::Char(one));
                continue;
            }
            let is_catch_all = chars.next_if_eq(&'*').is_some();
            pieces.push(if is_catch_all { Piece::CatchAll } else { Piece::Parameter });
            // A name may have doubled braces, too.
            while let Some(one) = chars.next() {
                if one == '}' && chars.next_if_eq(&'}').is_none() {
                    break;
                }
            }
        }
        Self(pieces)
    }

    /// A path for all requests that both shapes match: another shape matches it if it matches all of them.
    /// A parameter of both is `#` there, which is in no path of a request and of a table, and a catch-all
    /// of both is this `rest`.
    ///
    /// Its segments may be empty, so that a router does not match it.
    pub(super) fn common_path(&self, other: &Self, rest: &str) -> Option<String> {
        let (mut one, mut other) = (&*self.0, &*other.0);
        let mut path = String::new();
        let write = |path: &mut String, pieces: &[Piece]| {
            for piece in pieces {
                match piece {
                    Piece::Char(char) => path.push(*char),
                    Piece::Parameter => path.push('#'),
                    Piece::CatchAll => path.push_str(rest),
                }
            }
        };
        loop {
            (one, other) = match (one, other) {
                ([Piece::CatchAll, ..], all) | (all, [Piece::CatchAll, ..]) => {
                    write(&mut path, all);
                    return Some(path);
                }
                (own @ [Piece::Parameter, after @ ..], all)
                | (all, own @ [Piece::Parameter, after @ ..]) => {
                    let is_end =
                        |piece: &Piece| matches!(piece, Piece::Char('/') | Piece::CatchAll);
                    let end = all.iter().position(is_end).unwrap_or(all.len());
                    let (segment, all) = all.split_at(end);
                    write(&mut path, segment);
                    // The rest of the segment is part of a catch-all.
                    if all.first() == Some(&Piece::CatchAll) { (own, all) } else { (after, all) }
                }
                ([first, one @ ..], [second, other @ ..]) if first == second => {
                    write(&mut path, &[*first]);
                    (one, other)
                }
                ([], []) => return Some(path),
                _ => return None,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parameters_do_not_matter_and_braces_do() {
        let same = |one, other| assert_eq!(Shape::parse(one), Shape::parse(other));
        same("/a/{id}/b/{*rest}", "/a/{x}/b/{*y}");
        same("/v{a}}b}/c", "/v{a}/c");
        let differ = |one, other| assert_ne!(Shape::parse(one), Shape::parse(other));
        differ("/a/{{id}}", "/a/{id}");
        differ("/a/{*id}", "/a/{id}");
        differ("/v{id}", "/{id}");
        assert_eq!(Shape::parse("/{{}}").0, "/{}".chars().map(Piece::Char).collect::<Vec<_>>());
    }

    #[test]
    fn a_common_path_is_as_general_as_both() {
        for (one, other, expected) in [
            ("/a", "/a", Some("/a")),
            ("/a", "/b", None),
            ("/a", "/a/b", None),
            ("/{x}", "/{y}", Some("/#")),
            ("/{x}", "/a", Some("/a")),
            ("/{x}", "/v{y}", Some("/v#")),
            ("/{x}", "/a/b", None),
            ("/{x}/b", "/a/{y}", Some("/a/b")),
            ("/v{x}/b", "/{y}/{z}", Some("/v#/b")),
            ("/v{x}", "/w{y}", None),
            ("/{*x}", "/a/{y}", Some("/a/#")),
            ("/{*x}", "/a/{*y}", Some("/a/REST")),
            ("/{x}/b", "/v{*y}", Some("/v#/b")),
            ("/{x}", "/{*y}", Some("/#")),
            ("/a/{{x}}", "/a/{y}", Some("/a/{x}")),
        ] {
            let common = |one, other| Shape::parse(one).common_path(&Shape::parse(other), "REST");
            assert_eq!(common(one, other).as_deref(), expected, "{one} {other}");
            assert_eq!(common(other, one).as_deref(), expected, "{other} {one}");
        }
    }
}
