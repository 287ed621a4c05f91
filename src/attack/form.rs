//! Changes of the text of a token (RFC 7515 §5.2, §7.1; RFC 4648 §5).

use base64_simd::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::{
    Case,
    Check::{ClaimsForm, Form, Header, Padding},
    Members, text,
};

/// The parts of a good token, and what signs it.
pub(crate) struct Parts<'p> {
    pub(crate) header: &'p Members,
    pub(crate) claims: &'p Members,
    /// The signature of a text, in base64url.
    pub(crate) sign: &'p dyn Fn(&str) -> String,
}

/// Makes a token of another form; `None` if its signature cannot have that form.
pub(crate) type Reform = fn(&Parts<'_>) -> Option<String>;

/// One change of the text of a good token each. If the form allows it, the signature is valid.
#[rustfmt::skip]
pub(crate) static FORMS: &[Case<Reform>] = &[
    Case::new("f01_one_part", Form, TOKEN, "the token has only a header", |parts| Some(parts.header_text())),
    Case::new("f01_two_parts", Form, TOKEN, "the token has no signature and no second dot", |parts| Some(parts.input())),
    Case::new("f01_four_parts", Form, TOKEN, "the token has four parts", |parts| Some(format!("{}.AA", parts.token()))),
    Case::new("f01_encrypted", Form, &["encrypted"], "the token has five parts", |parts| Some(format!("{}.AA.AA", parts.token()))),
    Case::new("f01_empty_header", Form, TOKEN, "the header is empty", |parts| Some(parts.signed(&format!(".{}", parts.claims_text())))),
    Case::new("f01_empty_payload", Form, TOKEN, "the payload is empty", |parts| Some(parts.signed(&format!("{}.", parts.header_text())))),
    Case::new("f01_empty_signature", Form, TOKEN, "the signature is empty", |parts| Some(format!("{}.", parts.input()))),
    Case::new("f01_only_dots", Form, TOKEN, "the token is two dots", |_| Some("..".to_owned())),
    Case::new("f02_dot_at_end", Form, TOKEN, "a dot is behind the token", |parts| Some(format!("{}.", parts.token()))),
    Case::new("f02_comma_at_end", Form, TOKEN, "a comma is behind the token", |parts| Some(format!("{},", parts.token()))),
    Case::new("f02_dots_percent_encoded", Form, TOKEN, "the dots are percent-encoded", |parts| Some(parts.token().replace('.', "%2E"))),
    // ----- padding, alphabet, white space
    Case::new("f02_padding_header", Padding, TOKEN, "the header is padded", |parts| {
        Some(parts.signed(&format!("{}.{}", padded(&odd(parts.header)), encoded(&odd(parts.claims)))))
    }),
    Case::new("f02_padding_payload", Padding, TOKEN, "the payload is padded", |parts| {
        Some(parts.signed(&format!("{}.{}", encoded(&odd(parts.header)), padded(&odd(parts.claims)))))
    }),
    Case::new("f02_padding_signature", Padding, TOKEN, "the signature is padded", |parts| {
        let token = parts.signed(&format!("{}.{}", encoded(&odd(parts.header)), encoded(&odd(parts.claims))));
        let pad = padding(token.rsplit('.').next()?)?;
        Some(format!("{token}{pad}"))
    }),
    Case::new("f02_padding_all_parts", Padding, TOKEN, "all parts are padded", |parts| {
        let token = parts.signed(&format!("{}.{}", padded(&odd(parts.header)), padded(&odd(parts.claims))));
        let pad = padding(token.rsplit('.').next()?).unwrap_or_default();
        Some(format!("{token}{pad}"))
    }),
    Case::new("f02_padding_in_excess", Form, TOKEN, "`====` is behind the signature", |parts| Some(format!("{}====", parts.token()))),
    Case::new("f02_standard_alphabet", Form, TOKEN, "the payload has the alphabet with `+` and `/`", |parts| {
        let mut claims = parts.claims.clone();
        claims.set_text("attack", "???????>>>>>>>");
        let payload = STANDARD_NO_PAD.encode_to_string(claims.to_string());
        Some(parts.signed(&format!("{}.{payload}", parts.header_text())))
    }),
    Case::new("f02_blank_in_header", Form, TOKEN, "the header has a blank in its base64url", |parts| {
        Some(parts.signed(&format!("{}.{}", spread(&parts.header_text(), ' '), parts.claims_text())))
    }),
    Case::new("f02_blank_in_payload", Form, TOKEN, "the payload has a blank in its base64url", |parts| {
        Some(parts.signed(&format!("{}.{}", parts.header_text(), spread(&parts.claims_text(), ' '))))
    }),
    Case::new("f02_tab_in_payload", Form, TOKEN, "the payload has a tab in its base64url", |parts| {
        Some(parts.signed(&format!("{}.{}", parts.header_text(), spread(&parts.claims_text(), '\t'))))
    }),
    Case::new("f02_blank_in_signature", Form, TOKEN, "the signature has a blank in its base64url", |parts| {
        let input = parts.input();
        Some(format!("{input}.{}", spread(&(parts.sign)(&input), ' ')))
    }),
    // ----- bits that are left over
    Case::new("f03_bits_in_header", Form, TOKEN, "the last character of the header has bits that are left over", |parts| {
        Some(parts.signed(&format!("{}.{}", with_bits(&encoded(&odd(parts.header)))?, parts.claims_text())))
    }),
    Case::new("f03_bits_in_payload", Form, TOKEN, "the last character of the payload has bits that are left over", |parts| {
        Some(parts.signed(&format!("{}.{}", parts.header_text(), with_bits(&encoded(&odd(parts.claims)))?)))
    }),
    Case::new("f03_bits_in_signature", Form, TOKEN, "the last character of the signature has bits that are left over", |parts| {
        let input = parts.input();
        Some(format!("{input}.{}", with_bits(&(parts.sign)(&input))?))
    }),
    // ----- no JSON object
    Case::new("f04_header_not_utf8", Header, HEADER, "the header is not UTF-8", |parts| {
        Some(parts.of_bytes(&replaced(&parts.header.to_string(), b"\xff\xfe"), parts.claims.to_string().as_bytes()))
    }),
    Case::new("f04_header_not_json", Header, HEADER, "the header is not JSON", |parts| Some(parts.with_header("header"))),
    Case::new("f04_header_array", Header, HEADER, "the header is an array", |parts| Some(parts.with_header(&format!("[{}]", parts.header)))),
    Case::new("f04_header_null", Header, HEADER, "the header is `null`", |parts| Some(parts.with_header("null"))),
    Case::new("f04_header_text", Header, HEADER, "the header is a text", |parts| Some(parts.with_header(&text(&parts.header.to_string())))),
    Case::new("f04_header_and_more", Header, HEADER, "something is behind the object of the header", |parts| Some(parts.with_header(&format!("{}{{}}", parts.header)))),
    Case::new("f04_header_comma", Header, HEADER, "the header has a comma behind its last member", |parts| Some(parts.with_header(&comma(parts.header)))),
    Case::new("f04_payload_not_utf8", ClaimsForm, CLAIMS, "the payload is not UTF-8", |parts| {
        let mut claims = parts.claims.clone();
        claims.set_text("attack", "?");
        Some(parts.of_bytes(parts.header.to_string().as_bytes(), &replaced(&claims.to_string(), b"\xff")))
    }),
    Case::new("f04_payload_not_json", ClaimsForm, CLAIMS, "the payload is not JSON", |parts| Some(parts.with_payload("payload"))),
    Case::new("f04_payload_array", ClaimsForm, CLAIMS, "the payload is an array", |parts| Some(parts.with_payload(&format!("[{}]", parts.claims)))),
    Case::new("f04_payload_null", ClaimsForm, CLAIMS, "the payload is `null`", |parts| Some(parts.with_payload("null"))),
    Case::new("f04_payload_text", ClaimsForm, CLAIMS, "the payload is a text", |parts| Some(parts.with_payload(&text(&parts.claims.to_string())))),
    Case::new("f04_payload_number", ClaimsForm, CLAIMS, "the payload is a number", |parts| Some(parts.with_payload("7"))),
    Case::new("f04_payload_and_more", ClaimsForm, CLAIMS, "something is behind the object of the payload", |parts| Some(parts.with_payload(&format!("{}{{}}", parts.claims)))),
    Case::new("f04_payload_nul", ClaimsForm, CLAIMS, "a NUL is behind the object of the payload", |parts| Some(parts.with_payload(&format!("{}\0", parts.claims)))),
    Case::new("f04_payload_comma", ClaimsForm, CLAIMS, "the payload has a comma behind its last member", |parts| Some(parts.with_payload(&comma(parts.claims)))),
    Case::new("f04_payload_comment", ClaimsForm, CLAIMS, "the payload has a comment", |parts| Some(parts.with_payload(&format!("{}/* */", parts.claims)))),
    Case::new("f05_name_escaped_and_repeated", ClaimsForm, CLAIMS, "`sub` is there twice, once with an escaped letter", |parts| {
        let claims = parts.claims.to_string();
        Some(parts.with_payload(&format!("{{\"s\\u0075b\":\"admin\",{}", claims.strip_prefix('{')?)))
    }),
    // ----- JSON serialization, other encodings
    Case::new("f08_flattened", Form, TOKEN, "the JSON serialization, flattened", |parts| {
        let (header, payload, signature) = parts.three();
        Some(format!(r#"{{"protected":"{header}","payload":"{payload}","signature":"{signature}"}}"#))
    }),
    Case::new("f08_general", Form, TOKEN, "the general JSON serialization", |parts| {
        let (header, payload, signature) = parts.three();
        Some(format!(r#"{{"payload":"{payload}","signatures":[{{"protected":"{header}","signature":"{signature}"}}]}}"#))
    }),
    Case::new("f08_polyglot", Form, TOKEN, "a text that is both of the serializations", |parts| {
        let (header, payload, signature) = parts.three();
        Some(format!(r#"{{"":".{header}.","protected":"{header}","payload":"{payload}","signature":"{signature}"}}"#))
    }),
    Case::new("f09_bom_in_header", Header, HEADER, "the header begins with a byte order mark", |parts| Some(parts.with_header(&format!("\u{feff}{}", parts.header)))),
    Case::new("f09_bom_in_payload", ClaimsForm, CLAIMS, "the payload begins with a byte order mark", |parts| Some(parts.with_payload(&format!("\u{feff}{}", parts.claims)))),
    Case::new("f09_header_utf16", Header, HEADER, "the header is UTF-16", |parts| {
        Some(parts.of_bytes(&utf16(&parts.header.to_string()), parts.claims.to_string().as_bytes()))
    }),
    Case::new("f09_payload_utf16", ClaimsForm, CLAIMS, "the payload is UTF-16", |parts| {
        Some(parts.of_bytes(parts.header.to_string().as_bytes(), &utf16(&parts.claims.to_string())))
    }),
    // ----- no signature
    Case::new("a02_alg_none", Header, UNSIGNED, "`alg` is `none`, and the signature is empty", |parts| Some(parts.unsigned("none"))),
    Case::new("a02_alg_none_capital", Header, UNSIGNED, "`alg` is `None`, and the signature is empty", |parts| Some(parts.unsigned("None"))),
    Case::new("a02_alg_none_upper_case", Header, UNSIGNED, "`alg` is `NONE`, and the signature is empty", |parts| Some(parts.unsigned("NONE"))),
    Case::new("a02_alg_none_mixed_case", Header, UNSIGNED, "`alg` is `nOnE`, and the signature is empty", |parts| Some(parts.unsigned("nOnE"))),
    Case::new("a02_alg_none_two_parts", Form, TOKEN, "`alg` is `none`, and there is no second dot", |parts| {
        Some(parts.unsigned("none").trim_end_matches('.').to_owned())
    }),
    Case::new("a02_alg_none_a_byte", Header, UNSIGNED, "`alg` is `none`, and the signature is one byte", |parts| Some(format!("{}AA", parts.unsigned("none")))),
];

impl Parts<'_> {
    fn header_text(&self) -> String {
        encoded(&self.header.to_string())
    }

    fn claims_text(&self) -> String {
        encoded(&self.claims.to_string())
    }

    /// The bytes that are signed.
    fn input(&self) -> String {
        format!("{}.{}", self.header_text(), self.claims_text())
    }

    fn signed(&self, input: &str) -> String {
        format!("{input}.{}", (self.sign)(input))
    }

    /// The token.
    pub(crate) fn token(&self) -> String {
        self.signed(&self.input())
    }

    fn three(&self) -> (String, String, String) {
        (self.header_text(), self.claims_text(), (self.sign)(&self.input()))
    }

    /// The token with other bytes as its header and payload.
    fn of_bytes(&self, header: &[u8], payload: &[u8]) -> String {
        let encode = |bytes| URL_SAFE_NO_PAD.encode_to_string(bytes);
        self.signed(&format!("{}.{}", encode(header), encode(payload)))
    }

    fn with_header(&self, header: &str) -> String {
        self.of_bytes(header.as_bytes(), self.claims.to_string().as_bytes())
    }

    fn with_payload(&self, payload: &str) -> String {
        self.of_bytes(self.header.to_string().as_bytes(), payload.as_bytes())
    }

    fn unsigned(&self, alg: &str) -> String {
        let mut header = self.header.clone();
        header.set_text("alg", alg);
        format!("{}.{}.", encoded(&header.to_string()), self.claims_text())
    }
}

fn encoded(text: &str) -> String {
    URL_SAFE_NO_PAD.encode_to_string(text)
}

/// The object with blanks behind it, until base64 of it can be padded.
fn odd(members: &Members) -> String {
    let mut text = members.to_string();
    while text.len().is_multiple_of(3) {
        text.push(' ');
    }
    text
}

fn padded(text: &str) -> String {
    let text = encoded(text);
    let pad = padding(&text).unwrap_or_default();
    format!("{text}{pad}")
}

/// The padding of a text in base64, if it can have one.
fn padding(text: &str) -> Option<&'static str> {
    match text.len() % 4 {
        2 => Some("=="),
        3 => Some("="),
        _ => None,
    }
}

/// The text with a character in the middle.
fn spread(text: &str, character: char) -> String {
    let (front, rest) = text.split_at_checked(text.len() / 2).unwrap_or((text, ""));
    format!("{front}{character}{rest}")
}

/// The same bytes with another last character; `None` if all its bits count.
fn with_bits(text: &str) -> Option<String> {
    padding(text)?;
    let last = text.bytes().next_back()?;
    let value = ALPHABET.iter().position(|letter| *letter == last)?;
    let other = char::from(*ALPHABET.get(value | 1).filter(|letter| **letter != last)?);
    Some(format!("{}{other}", text.get(..text.len().checked_sub(1)?)?))
}

/// The bytes of the text before its last quotation mark, these, and the rest.
fn replaced(text: &str, bytes: &[u8]) -> Vec<u8> {
    let at = text.rfind('"').unwrap_or_default();
    let (front, rest) = text.split_at_checked(at).unwrap_or((text, ""));
    [front.as_bytes(), bytes, rest.as_bytes()].concat()
}

/// The object with a comma behind its last member.
fn comma(members: &Members) -> String {
    let text = members.to_string();
    format!("{},}}", text.strip_suffix('}').unwrap_or(&text))
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const TOKEN: &[&str] = &["malformed_token"];
const HEADER: &[&str] = &["malformed_header"];
const CLAIMS: &[&str] = &["malformed_claims"];
const UNSIGNED: &[&str] = &["unsigned"];
