//! Finds the forms of a page: tolerant, no tree, enough to press a button like a person.

/// A form as a browser without JavaScript would submit it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form {
    /// `id` of the form, empty when absent.
    pub id: String,
    /// `action`, empty when absent (the page's own URL).
    pub action: String,
    /// `get` or `post`.
    pub method: String,
    /// Fields in document order, checkboxes and radio buttons included.
    pub fields: Vec<Field>,
    /// Submit buttons in document order.
    pub buttons: Vec<Button>,
}

/// An input, a textarea or a select.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Field {
    /// `name`.
    pub name: String,
    /// `id`.
    pub id: String,
    /// `type`, lower case; `textarea` and `select` by their element.
    pub kind: String,
    /// What would be sent.
    pub value: String,
    /// Sent at all: not disabled, and checked where that matters.
    pub sent: bool,
    /// All attributes, decoded, for assertions (`autocomplete`, `aria-describedby`).
    pub attributes: Vec<(String, String)>,
}

/// A button that submits its form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Button {
    /// `id`.
    pub id: String,
    /// `name`, empty when it sends nothing.
    pub name: String,
    /// `value`.
    pub value: String,
    /// `formaction`, overriding the form's.
    pub action: Option<String>,
}

impl Form {
    /// Fills the field of this name.
    ///
    /// # Panics
    /// When the form has no such field.
    #[must_use]
    pub fn fill(mut self, name: &str, value: &str) -> Self {
        let known: Vec<String> = self.fields.iter().map(|field| field.name.clone()).collect();
        let field = self.fields.iter_mut().find(|field| field.name == name);
        let field = field.unwrap_or_else(|| panic!("no field {name:?} among {known:?}"));
        value.clone_into(&mut field.value);
        field.sent = true;
        self
    }

    /// The value of a field (hidden ones too).
    pub fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.name == name).map(|field| field.value.as_str())
    }

    /// The button of this id.
    pub fn button(&self, id: &str) -> Option<&Button> {
        self.buttons.iter().find(|button| button.id == id)
    }

    /// Holds a field or a button of this id, or is it.
    pub fn has(&self, id: &str) -> bool {
        self.id == id || self.button(id).is_some() || self.fields.iter().any(|field| field.id == id)
    }

    /// The pairs that pressing `button` sends; without a button, what `form.submit()` sends.
    pub fn pairs(&self, button: Option<&Button>) -> Vec<(String, String)> {
        let sent = self.fields.iter().filter(|field| field.sent && !field.name.is_empty());
        let mut pairs: Vec<(String, String)> = sent.map(|field| (field.name.clone(), field.value.clone())).collect();
        if let Some(button) = button.filter(|button| !button.name.is_empty()) {
            pairs.push((button.name.clone(), button.value.clone()));
        }
        pairs
    }
}

/// All forms of a page in document order.
pub fn forms(html: &str) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    let mut open = false;
    for (position, tag) in tags(html) {
        match (tag.name.as_str(), tag.closing) {
            ("form", false) => {
                forms.push(new_form(&tag));
                open = true;
            }
            ("form", true) => open = false,
            ("input" | "button" | "textarea" | "select", false) => {
                // `form="id"` ties a control to a form that it does not stand in.
                let owner = tag.attribute("form").map(str::to_owned);
                let form = match owner {
                    Some(id) => forms.iter_mut().find(|form| form.id == id),
                    None if open => forms.last_mut(),
                    None => None,
                };
                if let Some(form) = form {
                    add_control(form, &tag, &html[position..]);
                }
            }
            _ => {}
        }
    }
    forms
}

/// The element with this id exists.
pub fn has_id(html: &str, id: &str) -> bool {
    tags(html).iter().any(|(_, tag)| !tag.closing && tag.attribute("id") == Some(id))
}

/// The text inside the element with this id, tags cut, entities decoded, white space folded.
pub fn text_of(html: &str, id: &str) -> Option<String> {
    let tags = tags(html);
    let start = tags.iter().position(|(_, tag)| !tag.closing && tag.attribute("id") == Some(id))?;
    let (from, opened) = &tags[start];
    let mut depth = 1;
    for (end, tag) in &tags[start + 1..] {
        if tag.name != opened.name {
            continue;
        }
        depth = if tag.closing { depth - 1 } else { depth + 1 };
        if depth == 0 {
            return Some(text(&html[*from..*end]));
        }
    }
    Some(text(&html[*from..]))
}

/// Text without tags; scripts and styles dropped.
pub fn text(html: &str) -> String {
    let mut plain = String::new();
    let mut last = 0;
    let mut skipping = false;
    for (end, tag) in tags(html) {
        let start = html[..end].rfind('<').unwrap_or(end).max(last);
        if !skipping {
            plain.push_str(&html[last..start]);
            plain.push(' ');
        }
        skipping = !tag.closing && matches!(tag.name.as_str(), "script" | "style");
        last = end;
    }
    plain.push_str(&html[last..]);
    decode(&plain).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The value of an attribute of the first element of this name (`html`, `lang`).
pub fn attribute(html: &str, element: &str, attribute: &str) -> Option<String> {
    let tags = tags(html);
    let (_, tag) = tags.iter().find(|(_, tag)| tag.name == element && !tag.closing)?;
    tag.attribute(attribute).map(str::to_owned)
}

/// Every `href` of the page's links (`a`), decoded, in order.
pub fn links(html: &str) -> Vec<String> {
    tags(html).iter().filter(|(_, tag)| tag.name == "a").filter_map(|(_, tag)| tag.attribute("href")).map(str::to_owned).collect()
}

/// Decodes the entities that servers write.
pub fn decode(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        plain.push_str(&rest[..start]);
        rest = &rest[start..];
        let entity = rest.find(';').filter(|end| *end < 12).and_then(|end| Some((named(&rest[1..end])?, end + 1)));
        let (character, length) = entity.unwrap_or(('&', 1));
        plain.push(character);
        rest = &rest[length..];
    }
    plain.push_str(rest);
    plain
}

fn named(entity: &str) -> Option<char> {
    if let Some(hex) = entity.strip_prefix("#x").or_else(|| entity.strip_prefix("#X")) {
        return char::from_u32(u32::from_str_radix(hex, 16).ok()?);
    }
    if let Some(decimal) = entity.strip_prefix('#') {
        return char::from_u32(decimal.parse().ok()?);
    }
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => None,
    }
}

fn new_form(tag: &Tag) -> Form {
    Form {
        id: tag.value("id"),
        action: tag.value("action"),
        method: if tag.value("method").eq_ignore_ascii_case("post") { "post".into() } else { "get".into() },
        ..Form::default()
    }
}

fn add_control(form: &mut Form, tag: &Tag, after: &str) {
    let kind = match tag.name.as_str() {
        "input" => tag.attribute("type").unwrap_or("text").to_ascii_lowercase(),
        "button" => tag.attribute("type").unwrap_or("submit").to_ascii_lowercase(),
        other => other.to_owned(),
    };
    let disabled = tag.attribute("disabled").is_some();
    if matches!(kind.as_str(), "submit" | "image") {
        if !disabled {
            let action = tag.attribute("formaction").map(str::to_owned);
            form.buttons.push(Button { id: tag.value("id"), name: tag.value("name"), value: tag.value("value"), action });
        }
        return;
    }
    if matches!(kind.as_str(), "button" | "reset") {
        return;
    }
    let checkable = matches!(kind.as_str(), "checkbox" | "radio");
    let value = match kind.as_str() {
        "textarea" => decode(after.split("</textarea").next().unwrap_or("")),
        "select" => selected(after.split("</select").next().unwrap_or("")),
        _ if checkable => tag.attribute("value").unwrap_or("on").to_owned(),
        _ => tag.value("value"),
    };
    form.fields.push(Field {
        name: tag.value("name"),
        id: tag.value("id"),
        sent: !disabled && (!checkable || tag.attribute("checked").is_some()),
        kind,
        value,
        attributes: tag.attributes.clone(),
    });
}

fn selected(options: &str) -> String {
    let tags = tags(options);
    let options: Vec<&Tag> = tags.iter().map(|(_, tag)| tag).filter(|tag| tag.name == "option" && !tag.closing).collect();
    let chosen = options.iter().find(|tag| tag.attribute("selected").is_some()).or(options.first());
    chosen.map(|tag| tag.value("value")).unwrap_or_default()
}

#[derive(Debug)]
struct Tag {
    name: String,
    closing: bool,
    attributes: Vec<(String, String)>,
}

impl Tag {
    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn value(&self, name: &str) -> String {
        self.attribute(name).unwrap_or("").to_owned()
    }
}

/// Every tag with the offset just behind it. Comments and the insides of scripts and styles are no tags.
fn tags(html: &str) -> Vec<(usize, Tag)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = html[at..].find('<').map(|offset| at + offset) {
        if html[start..].starts_with("<!--") {
            at = html[start..].find("-->").map_or(html.len(), |offset| start + offset + 3);
            continue;
        }
        let Some(end) = tag_end(&html[start + 1..]).map(|offset| start + 1 + offset) else { break };
        at = end + 1;
        let Some(tag) = parse_tag(&html[start + 1..end]) else {
            at = start + 1;
            continue;
        };
        let opaque = !tag.closing && matches!(tag.name.as_str(), "script" | "style");
        let close = format!("</{}", tag.name);
        found.push((at, tag));
        if opaque {
            at = html[at..].to_ascii_lowercase().find(&close).map_or(html.len(), |offset| at + offset);
        }
    }
    found
}

/// The offset of the `>` that is not inside quotes.
fn tag_end(text: &str) -> Option<usize> {
    let mut quote = None;
    for (offset, character) in text.char_indices() {
        match (quote, character) {
            (None, '>') => return Some(offset),
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
    }
    None
}

fn parse_tag(inside: &str) -> Option<Tag> {
    let closing = inside.starts_with('/');
    let inside = inside.trim_start_matches('/').trim_end_matches('/');
    let end = inside.find(|character: char| character.is_whitespace() || character == '/').unwrap_or(inside.len());
    let name = inside[..end].to_ascii_lowercase();
    if !name.starts_with(|character: char| character.is_ascii_alphabetic()) {
        return None;
    }
    let mut attributes = Vec::new();
    let mut rest = inside[end..].trim_start();
    while !rest.is_empty() {
        let end = rest.find(|character: char| character.is_whitespace() || character == '=').unwrap_or(rest.len());
        let attribute = rest[..end].to_ascii_lowercase();
        rest = rest[end..].trim_start();
        let Some(after) = rest.strip_prefix('=') else {
            if !attribute.is_empty() {
                attributes.push((attribute, String::new()));
            }
            continue;
        };
        let after = after.trim_start();
        let (value, remaining) = match after.chars().next() {
            Some(quote @ ('"' | '\'')) => after[1..].split_once(quote).unwrap_or((&after[1..], "")),
            _ => after.split_at(after.find(char::is_whitespace).unwrap_or(after.len())),
        };
        attributes.push((attribute, decode(value)));
        rest = remaining.trim_start();
    }
    Some(Tag { name, closing, attributes })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<!doctype html><html lang="ru"><!-- <form action="/no"> -->
        <script>if (a < b) { "<form action='/never'>" }</script>
        <p id="p">A <b>&lt;b&gt;</b> &amp; c</p>
        <FORM id=f method=POST action='/login?a=1&amp;b=2'>
        <input type="hidden" name="flow" value="x&quot;&#39;y>z"><input id="username" name="username" autocomplete=username required>
        <input type=checkbox name=stay><input type=checkbox name=on checked>
        <select name=s><option value=1><option value=2 selected></select><textarea name=t>a&amp;b</textarea>
        <button id="login-submit">Войти</button><button id="login-cancel" name=action value=cancel formnovalidate>Отмена</button>
        <button type=button id=js>x</button></FORM><a href="/x?a=1&amp;b">l</a></html>"#;

    #[test]
    fn a_form_is_read_like_a_browser_reads_it() {
        let forms = forms(PAGE);
        assert_eq!(forms.len(), 1);
        let form = forms[0].clone().fill("username", "olga");
        assert_eq!((form.action.as_str(), form.method.as_str()), ("/login?a=1&b=2", "post"));
        let pairs = form.pairs(form.button("login-cancel"));
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let expected = [("flow", "x\"'y>z"), ("username", "olga"), ("on", "on"), ("s", "2"), ("t", "a&b"), ("action", "cancel")];
        assert_eq!(pairs, expected);
        assert!(form.has("login-submit") && !form.has("js"));
    }

    #[test]
    fn ids_texts_and_links_are_found() {
        assert_eq!(text_of(PAGE, "p").unwrap(), "A <b> & c");
        assert!(has_id(PAGE, "js") && !has_id(PAGE, "nope"));
        assert_eq!(links(PAGE), ["/x?a=1&b"]);
        assert_eq!(attribute(PAGE, "html", "lang").unwrap(), "ru");
        assert!(!text(PAGE).contains("never"));
        assert!(forms("<form <input <b>").len() <= 1, "rubbish does not hang");
    }
}
