//! The tags of an XML text with their attributes: as much of XML as hwloc writes, and nothing of what it means.

/// A tag: `<name attribute="value">`, `<name/>` or `</name>`.
pub(super) struct Tag<'xml> {
    pub(super) name: &'xml str,
    /// The line it begins in, from 1.
    pub(super) line: usize,
    /// Whether it is `</name>`.
    pub(super) is_end: bool,
    /// Whether it is `<name/>`, which has no end.
    pub(super) is_empty: bool,
    attributes: Vec<(&'xml str, &'xml str)>,
}

impl<'xml> Tag<'xml> {
    /// The value of an attribute.
    pub(super) fn get(&self, name: &str) -> Option<&'xml str> {
        self.attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

/// The tags of a text, or what is wrong in which line, after which nothing follows. Declarations and comments are left
/// out.
pub(super) fn tags(xml: &str) -> impl Iterator<Item = Result<Tag<'_>, String>> {
    let mut rest = xml;
    let mut line = 1;
    std::iter::from_fn(move || {
        loop {
            let start = rest.find('<')?;
            line += rest[..start].matches('\n').count();
            rest = &rest[start + 1..];
            let Some(end) = end_of(rest) else {
                rest = "";
                return Some(Err(format!("line {line}: a tag that does not end")));
            };
            let (inside, at) = (&rest[..end], line);
            rest = &rest[end + 1..];
            line += inside.matches('\n').count();
            if inside.starts_with(['?', '!']) {
                continue;
            }
            let tag = tag(inside, at);
            if tag.is_none() {
                rest = "";
            }
            return Some(tag.ok_or_else(|| format!("line {at}: a tag that is not well formed")));
        }
    })
}

/// Where a tag ends: at the first `>` that is not in quotes.
fn end_of(text: &str) -> Option<usize> {
    let mut is_quoted = false;
    text.char_indices().find_map(|(at, letter)| {
        is_quoted ^= letter == '"';
        (letter == '>' && !is_quoted).then_some(at)
    })
}

fn tag(inside: &str, line: usize) -> Option<Tag<'_>> {
    let (inside, is_end) = inside.strip_prefix('/').map_or((inside, false), |inside| (inside, true));
    let (inside, is_empty) = inside.strip_suffix('/').map_or((inside, false), |inside| (inside, true));
    let name = &inside[..inside.find(char::is_whitespace).unwrap_or(inside.len())];
    let mut attributes = Vec::new();
    let mut rest = &inside[name.len()..];
    while !rest.trim().is_empty() {
        // Attributes are apart from each other, as hwloc's own reader insists.
        let (attribute, after) = rest.strip_prefix(char::is_whitespace)?.trim_start().split_once("=\"")?;
        let (value, after) = after.split_once('"')?;
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        if attribute.is_empty() || !attribute.chars().all(is_name) {
            return None;
        }
        attributes.push((attribute, value));
        rest = after;
    }
    (!name.is_empty()).then_some(Tag { name, line, is_end, is_empty, attributes })
}
