//! The two percent-encodings that clients use, and decoding.

/// `application/x-www-form-urlencoded` as the WHATWG URL standard serialises it: a space is `+`; `*-._` and alphanumerics stay.
pub fn form_encode(pairs: &[(&str, &str)]) -> String {
    let parts: Vec<String> = pairs.iter().map(|(name, value)| format!("{}={}", form_part(name), form_part(value))).collect();
    parts.join("&")
}

/// One name or value of [`form_encode`].
pub fn form_part(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// JavaScript's `encodeURIComponent`: a space is `%20`; `-_.!~*'()` and alphanumerics stay.
pub fn encode_uri_component(text: &str) -> String {
    let part = |byte: u8| {
        let plain = byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte);
        if plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(part).collect()
}

/// A decoded parameter of a URL's query, the first of its name.
pub fn query_param(url: &str, name: &str) -> Option<String> {
    query_pairs(url).into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// All decoded parameters of a URL's query, in order.
pub fn query_pairs(url: &str) -> Vec<(String, String)> {
    let query = url.split('#').next().unwrap_or("").split_once('?').map_or("", |(_, query)| query);
    form_decode(query.as_bytes())
}

/// Decodes a form body or a raw query.
pub fn form_decode(bytes: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(bytes).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_encodings_differ_where_their_standards_do() {
        assert_eq!(form_encode(&[("a b", "~!'()*-._ +/=")]), "a+b=%7E%21%27%28%29*-._+%2B%2F%3D");
        assert_eq!(encode_uri_component("~!'()*-._ +/="), "~!'()*-._%20%2B%2F%3D");
    }
}
