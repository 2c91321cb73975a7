//! PDF (ISO 32000-1 7.7.3): pages are the leaves of the page tree. `/Count` is a claim and is not read. The parser is
//! hayro-syntax, which follows damaged files as printers do; it is lazy and bounded but not proven, so this runs in a process
//! with no rights and a time limit.

use super::{Count, Mismatch, PAGES_MAX, PDF_MARK};
use hayro_syntax::object::{Array, Dict, MaybeRef, Name, Object, ObjectIdentifier};
use hayro_syntax::{DecryptionError, LoadPdfError, Pdf};

/// Levels of the page tree. Writers make balanced trees: 10 levels of 8 hold a billion pages.
const TREE_DEPTH_MAX: usize = 64;
/// Nodes looked at, so that a tree of shared branches, 2 to the 64th leaves from 64 objects, ends.
const NODES_MAX: u32 = 2 * PAGES_MAX;

/// Why a PDF has no count. The document is at fault, or beyond this parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uncounted {
    Mismatch(Mismatch),
    /// It opens with a password only.
    Encrypted,
    Unreadable,
    /// No page was found.
    Empty,
}

impl Uncounted {
    /// A stable word for the child's answer and the log.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Mismatch(Mismatch::NotThisFormat) => "not-pdf",
            Self::Mismatch(Mismatch::Corrupt) | Self::Unreadable => "unreadable",
            Self::Mismatch(Mismatch::TooManyPages) => "too-many-pages",
            Self::Encrypted => "encrypted",
            Self::Empty => "empty",
        }
    }
}

/// Counts the pages of a whole document.
pub fn count(document: Vec<u8>) -> Result<Count, Uncounted> {
    if !document.starts_with(PDF_MARK) {
        return Err(Uncounted::Mismatch(Mismatch::NotThisFormat));
    }
    let pdf = Pdf::new(document).map_err(|error| match error {
        LoadPdfError::Decryption(DecryptionError::MissingIDEntry | DecryptionError::InvalidEncryption) => {
            Uncounted::Unreadable
        }
        LoadPdfError::Decryption(_) => Uncounted::Encrypted,
        LoadPdfError::Invalid => Uncounted::Unreadable,
    })?;
    let walked = Walk::new(&pdf).pages()?;
    // The parser drops a page that stands in the tree twice, and finds pages by search where the tree is broken: a printer
    // may do either, so the higher count is the one to set aside; the printer's own counter settles.
    let found = u32::try_from(pdf.pages().len()).unwrap_or(u32::MAX);
    match walked.max(found) {
        0 => Err(Uncounted::Empty),
        pages if pages > PAGES_MAX => Err(Uncounted::Mismatch(Mismatch::TooManyPages)),
        pages => Ok(Count { pages: Some(pages), colour: None }),
    }
}

/// Walks the page tree, counting a leaf as often as it is reached.
struct Walk<'a> {
    pdf: &'a Pdf,
    nodes: u32,
    pages: u32,
    /// The nodes between the root and here: a kid that is one of them would never end.
    above: Vec<Option<ObjectIdentifier>>,
}

impl<'a> Walk<'a> {
    const fn new(pdf: &'a Pdf) -> Self {
        Self { pdf, nodes: 0, pages: 0, above: Vec::new() }
    }

    fn pages(mut self) -> Result<u32, Uncounted> {
        let xref = self.pdf.xref();
        let catalog: Option<Dict<'_>> = xref.get(xref.root_id());
        if let Some(root) = catalog.and_then(|catalog| catalog.get::<Dict<'_>>("Pages")) {
            self.visit(&root, root.obj_id())?;
        }
        Ok(self.pages)
    }

    fn visit(&mut self, node: &Dict<'a>, id: Option<ObjectIdentifier>) -> Result<(), Uncounted> {
        self.nodes += 1;
        if self.nodes > NODES_MAX || self.pages > PAGES_MAX {
            return Err(Uncounted::Mismatch(Mismatch::TooManyPages));
        }
        let is_branch = node.get::<Name<'_>>("Type").as_deref() == Some(b"Pages");
        let kids = node.get::<Array<'_>>("Kids").filter(|_| is_branch || !node.contains_key("Contents"));
        let Some(kids) = kids else {
            self.pages += u32::from(!is_branch);
            return Ok(());
        };
        if self.above.len() == TREE_DEPTH_MAX {
            return Err(Uncounted::Unreadable);
        }
        self.above.push(id);
        for kid in kids.raw_iter() {
            self.kid(kid)?;
        }
        self.above.pop();
        Ok(())
    }

    fn kid(&mut self, kid: MaybeRef<Object<'a>>) -> Result<(), Uncounted> {
        match kid {
            MaybeRef::Ref(reference) => {
                let id = ObjectIdentifier::from(reference);
                if self.above.contains(&Some(id)) {
                    return Ok(());
                }
                match self.pdf.xref().get::<Dict<'a>>(id) {
                    Some(node) => self.visit(&node, Some(id)),
                    None => Ok(()),
                }
            }
            MaybeRef::NotRef(object) => match object.into_dict() {
                Some(node) => self.visit(&node, None),
                None => Ok(()),
            },
        }
    }
}
