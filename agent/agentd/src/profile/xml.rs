//! XML as text: elements that cannot be opened without being closed, and nothing unescaped between them.

/// An XML document under way.
#[derive(Debug, Default)]
pub struct Xml(String);

impl Xml {
    /// A document, with what stands before its first element.
    #[must_use]
    pub fn document(head: &str) -> Self {
        Self(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{head}"))
    }

    /// `<tag>...</tag>`; `tag` may carry attributes, which are ours and need no escaping.
    pub fn element(&mut self, tag: &str, contents: impl FnOnce(&mut Self)) -> &mut Self {
        self.0.push_str(&format!("<{tag}>"));
        contents(self);
        let name = tag.split(' ').next().unwrap_or(tag);
        self.0.push_str(&format!("</{name}>"));
        self
    }

    /// `<tag>text</tag>`.
    pub fn text(&mut self, tag: &str, text: &str) -> &mut Self {
        self.element(tag, |xml| xml.0.push_str(&escape(text)))
    }

    /// `<tag/>`.
    pub fn empty(&mut self, tag: &str) -> &mut Self {
        self.0.push_str(&format!("<{tag}/>"));
        self
    }

    #[must_use]
    pub fn finish(mut self) -> String {
        self.0.push('\n');
        self.0
    }
}

/// Text between tags or inside quotes. What XML 1.0, 2.2 does not allow at all becomes U+FFFD.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' => out.push(c),
            '\r' => out.push_str("&#13;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
