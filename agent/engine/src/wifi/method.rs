//! Which EAP methods are offered: the site file's word, in the words of the protocol.

use super::WifiEngine;
use policy::{EapMethod, Snapshot};
use proto::eap::{EapSettings, MethodKind};
use std::sync::Arc;

impl WifiEngine {
    /// Logins that begin from now on are offered what the site file says, in its order.
    pub(super) fn offer_methods(&mut self, snapshot: &Snapshot) {
        let methods: Vec<MethodKind> = snapshot.site.eap_methods.iter().map(|method| kind_of(*method)).collect();
        if methods != self.eap.methods {
            self.eap = Arc::new(EapSettings { methods, ..EapSettings::clone(&self.eap) });
        }
    }
}

const fn kind_of(method: EapMethod) -> MethodKind {
    match method {
        EapMethod::Tls => MethodKind::Tls,
        EapMethod::Peap => MethodKind::Peap,
        EapMethod::Ttls => MethodKind::Ttls,
    }
}
