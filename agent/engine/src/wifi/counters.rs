//! What the Wi-Fi engine has seen and shed since it started. Each only grows.

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Read by the metrics endpoint.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            /// Each counter's name and value.
            #[must_use]
            pub fn all(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }
    };
}

counters! {
    access_requests,
    access_challenges,
    access_accepts,
    access_rejects,
    accounting_requests,
    accounting_responses,
    status_servers,
    /// From an address that is no access point of the site file.
    unknown_clients,
    /// Not RADIUS, or a code that does not belong at this port.
    malformed,
    /// Without Message-Authenticator.
    unauthenticated,
    /// With a wrong sum: another secret, or a forgery.
    inauthentic,
    /// Answered again with the same bytes.
    duplicates_answered,
    /// Dropped because their original is being worked on, or the asker has gone on.
    duplicates_dropped,
    /// A request for a login that is being worked on under another identifier.
    busy,
    /// A login that was not begun because too many are under way.
    logins_shed,
    /// A login that nobody went on with.
    logins_abandoned,
    /// A login whose worker did not come back.
    logins_lost,
    /// An EAP packet that RFC 3748 has us drop.
    eap_discarded,
    /// A write of accounting that failed: whoever waited for it was not answered, and its rows are tried again.
    accounting_unwritten,
    /// A row that is written once and not kept for another try because too many are.
    accounting_rows_unkept,
    /// Accounting that was not taken because too much waits to be written down.
    accounting_shed,
    /// A session that is written down but not followed because too many are.
    sessions_shed,
    disconnects_sent,
    disconnects_confirmed,
    disconnects_refused,
    disconnects_unanswered,
    /// A reply of ours that did not fit a packet.
    unencodable,
    /// Repeated warnings that were counted instead of recorded.
    warnings_suppressed,
}
