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
    /// Without it and taken all the same, since the site file excuses the access point.
    unsigned_accepted,
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
    /// A login whose device had only knocked or fallen silent, and whose place another one needed.
    logins_crowded_out,
    /// A login that was refused unseen, or whatever key it showed, because too many before it failed.
    logins_held_back,
    /// Refusals that were counted in the next row of their kind instead of having one of their own.
    refusals_folded,
    /// A device that was let in by its address again within a minute, which is no row of its own.
    admissions_folded,
    /// Refusals that were counted only, because too many different ones were written down already.
    refusals_unwritten,
    /// A login that was given up because it held the most of a message half put together when all held too much.
    eap_messages_shed,
    /// A login that nobody went on with, or that did not end in its time.
    logins_abandoned,
    /// A login that was let in by a session of an earlier one.
    logins_resumed,
    /// A session that could be resumed and made room for a newer one.
    tls_sessions_pushed_out,
    /// A login whose worker did not come back.
    logins_lost,
    /// An EAP packet that RFC 3748 has us drop.
    eap_discarded,
    /// Passphrases that were looked for among all.
    key_searches,
    /// The same, refused to a device that has failed too often.
    key_searches_held,
    /// The same, left unanswered because too many keys were tried for the access point already.
    key_searches_shed,
    /// A write of accounting that failed: whoever waited for it was not answered, and its rows are tried again.
    accounting_unwritten,
    /// A row that is written once and not kept for another try because too many are.
    accounting_rows_unkept,
    /// Accounting that was not taken because too much waits to be written down.
    accounting_shed,
    /// A report of a session that is not followed because too many are; it is written down when it ends.
    sessions_shed,
    /// A session that was never reported, and whose place one that was needed.
    sessions_crowded_out,
    /// A login that was refused because too many sessions are followed.
    sessions_refused,
    /// Connections by RadSec that were let in.
    radsec_connections,
    /// Connections by RadSec that were turned away, at the handshake or after.
    radsec_refused,
    disconnects_sent,
    disconnects_confirmed,
    disconnects_refused,
    disconnects_unanswered,
    changes_sent,
    changes_confirmed,
    changes_refused,
    changes_unanswered,
    /// A reply of ours that did not fit a packet.
    unencodable,
    /// Repeated warnings that were counted instead of recorded.
    warnings_suppressed,
}
