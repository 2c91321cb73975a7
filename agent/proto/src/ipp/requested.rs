//! `requested-attributes` (RFC 8011 4.2.5.1, 4.3.4.1), honoured exactly: clients and certification tests notice both what
//! is missing and what was not asked for.

use super::model::{Attribute, Str, Value};

/// Which named group an attribute belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// `job-template`: of a job what its ticket says, of a printer the defaults and supported values of those.
    Template,
    /// `printer-description`.
    PrinterDescription,
    /// `job-description`.
    JobDescription,
    /// Big: answered only when asked for by its own name.
    ByName,
}

/// What a client wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requested {
    /// Nothing was said, or `all`.
    All,
    /// Attribute and group names, sorted.
    Some(Vec<String>),
    /// `all` and, by name, these; sorted.
    AllAnd(Vec<String>),
}

impl Requested {
    #[must_use]
    pub fn names(names: &[&str]) -> Self {
        Self::from_names(names.iter().map(|&name| name.to_owned()).collect())
    }

    /// Reads the operation attribute. Values that are no keyword name nothing and so add nothing.
    #[must_use]
    pub fn read(attribute: Option<&Attribute>) -> Option<Self> {
        let names = attribute?.values().iter().filter_map(|value| match value {
            Value::Keyword(name) => Some(name.clone().into_owned()),
            _ => None,
        });
        Some(Self::from_names(names.collect()))
    }

    fn from_names(mut names: Vec<String>) -> Self {
        names.sort_unstable();
        names.dedup();
        match names.iter().position(|name| name == "all") {
            None => Self::Some(names),
            Some(at) => {
                names.remove(at);
                if names.is_empty() { Self::All } else { Self::AllAnd(names) }
            }
        }
    }

    #[must_use]
    pub fn wants(&self, class: Class, name: &str) -> bool {
        let listed = |names: &[String], name: &str| names.binary_search_by(|listed| listed.as_str().cmp(name)).is_ok();
        match (self, class) {
            (Self::All | Self::AllAnd(_), Class::Template | Class::PrinterDescription | Class::JobDescription) => true,
            (Self::All, Class::ByName) => false,
            (Self::AllAnd(names) | Self::Some(names), Class::ByName) => listed(names, name),
            (Self::Some(names), Class::Template) => listed(names, name) || listed(names, "job-template"),
            (Self::Some(names), Class::PrinterDescription) => {
                listed(names, name) || listed(names, "printer-description")
            }
            (Self::Some(names), Class::JobDescription) => listed(names, name) || listed(names, "job-description"),
        }
    }
}

/// Collects the attributes that are wanted; the others are not even built.
pub(super) struct Selection<'a> {
    requested: &'a Requested,
    pub attributes: Vec<Attribute>,
}

impl<'a> Selection<'a> {
    pub fn new(requested: &'a Requested) -> Self {
        let room = match requested {
            Requested::All | Requested::AllAnd(_) => 128,
            Requested::Some(names) => names.len(),
        };
        Self { requested, attributes: Vec::with_capacity(room) }
    }

    pub fn add(&mut self, class: Class, name: &'static str, value: impl FnOnce() -> Value) {
        if self.requested.wants(class, name) {
            self.attributes.push(Attribute::new(name, value()));
        }
    }

    pub fn add_set<I: IntoIterator<Item = Value>>(
        &mut self,
        class: Class,
        name: &'static str,
        values: impl FnOnce() -> I,
    ) {
        if self.requested.wants(class, name) {
            self.attributes.push(Attribute::set(name, values()));
        }
    }

    pub fn add_keywords<T: Into<Str>, I: IntoIterator<Item = T>>(
        &mut self,
        class: Class,
        name: &'static str,
        words: I,
    ) {
        self.add_set(class, name, || words.into_iter().map(Value::keyword));
    }
}
