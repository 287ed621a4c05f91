//! The known name that somebody may have meant.

/// The known name that differs least from this one, if it differs in at most a third of the
/// letters.
pub(super) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let most = name.len() / 3;
    let near = known.iter().map(|known| (distance(name, known), *known));
    near.filter(|(distance, _)| *distance <= most).min().map(|(_, known)| known)
}

/// How many letters must be added, removed or changed (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    // The distances from the part of `from` that was read so far to each beginning of `to`.
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (read, letter) in from.bytes().enumerate() {
        let mut left = read + 1;
        let mut above_left = std::mem::replace(&mut row[0], left);
        for (place, other) in row[1..].iter_mut().zip(to.bytes()) {
            let changed = above_left + usize::from(letter != other);
            left = changed.min(left + 1).min(*place + 1);
            above_left = std::mem::replace(place, left);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_letters() {
        for (from, to, letters) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("issuer", "issuer", 0),
            ("issuers", "issuer", 1),
            ("isuer", "issuer", 1),
            ("kitten", "sitting", 3),
            ("abc", "bca", 2),
        ] {
            assert_eq!(distance(from, to), letters, "{from} {to}");
            assert_eq!(distance(to, from), letters, "{to} {from}");
        }
    }

    #[test]
    fn only_a_near_name_is_named() {
        let known = ["audience", "client_id", "issuer", "access_tokens_only"];
        assert_eq!(nearest("acess_token_only", &known), Some("access_tokens_only"));
        assert_eq!(nearest("audiences", &known), Some("audience"));
        assert_eq!(nearest("clientid", &known), Some("client_id"));
        for far in ["", "port", "xy", "database_url"] {
            assert_eq!(nearest(far, &known), None, "{far}");
        }
    }
}
