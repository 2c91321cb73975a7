//! Commands about the box itself: who owns it, and the site file.

use super::{Change, Decided, Desk, Note};
use crate::reason::Reason;
use crate::record::Noun;
use crate::site::SiteModel;
use std::sync::Arc;
use values::Secret;

impl Desk<'_> {
    pub(super) fn claim(&self, password_phc: Secret<String>) -> Decided {
        if self.snapshot.admin.is_some() {
            return Err(Reason::AlreadyClaimed);
        }
        Ok((vec![Change::Admin(Some(password_phc))], Note::new(Noun::Admin, "box-claimed", "The box was claimed.")))
    }

    pub(super) fn reset_admin(&self) -> Decided {
        if self.snapshot.admin.is_none() {
            return Err(Reason::NotClaimed);
        }
        let note = Note::new(
            Noun::Admin,
            "admin-reset",
            "The administrator's password was forgotten; a new claim code is shown.",
        );
        Ok((vec![Change::Admin(None)], note))
    }

    /// A site file may drop a plan that members still have: they keep it in name and are refused with a reason that names
    /// the missing plan, which loses nothing and is mended by putting the plan back.
    pub(super) fn apply_site(&self, model: Arc<SiteModel>) -> Decided {
        let note =
            Note::new(Noun::Site, "site-applied", "A site file was applied.").fact("generation", model.generation);
        Ok((vec![Change::Site(model)], note))
    }
}
