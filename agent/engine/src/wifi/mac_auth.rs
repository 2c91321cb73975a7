//! Devices that cannot do 802.1X, as access points ask about them: by the address alone, or with the handshake in which the device
//! used its passphrase (passphrase.rs finds whose it is). What an address stands for, and whether it may in, policy says.
//!
//! ```text
//! Access-Request without EAP --MacAuth--> by address ----------------------------> identify --> admit --> Access-Accept
//!                                    \--> with handshake --> its own passphrase? --/                \--> Access-Reject
//!                                                       \--> search all, here or by a worker --/
//! ```

use super::answer::Arrival;
use super::passphrase::KeySearch;
use super::receive::Question;
use super::terms::with_terms;
use super::{Context, Output, Socket, WifiEngine, record};
use policy::wifi::device::{AddressQuestion, Passphrase, identify_address, passphrase_for, takes_passphrases};
use policy::wifi::{Admission, Stage, WifiQuestion};
use policy::{AccessPointProfile, CredentialKind, Outcome, Reason};
use proto::radius::find_key::{Dialect, FindKey, FindKeyError};
use proto::radius::mac_auth::{MacAuth, NotMacAuth};
use proto::radius::{AttributeType, Code, KeyKind, Nas, Packet, VENDOR_MICROSOFT, Writer, vendor};
use proto::wpa::Handshake;
use std::time::Duration;
use values::{CredentialId, MacAddress, Mono, Secret, SessionId};

/// One row in this time says that a device was let in by its address: whoever forges the address can ask as often as she likes,
/// before any passphrase is checked, and must not push the rest of the history out.
const NOTED_EVERY: Duration = Duration::from_secs(60);

/// A device that asks to be let in.
#[derive(Clone, Debug)]
pub(super) struct Applicant {
    pub(super) question: Question,
    /// What the NAS calls itself.
    pub(super) nas: String,
    pub(super) mac: MacAddress,
    /// The network that it wants, where the access point says so.
    pub(super) ssid: Option<String>,
    /// How its access point asked for its passphrase; none when it asked by the address alone.
    pub(super) dialect: Option<Dialect>,
}

impl WifiEngine {
    /// An Access-Request without EAP.
    pub(super) fn handle_without_eap(&mut self, cx: &mut Context<'_>, question: Question, packet: &Packet<'_>) {
        let find_key = FindKey::of(packet);
        let asked = match MacAuth::of(packet, question.secret.expose(), find_key.is_some()) {
            Ok(asked) => asked,
            Err(why) => return self.refuse_login_without_eap(cx, &question, why),
        };
        let mut applicant =
            Applicant { question, nas: Nas::of(packet).to_string(), mac: asked.mac, ssid: asked.ssid, dialect: None };
        match find_key {
            Some(Ok(find_key)) => {
                applicant.ssid = Some(find_key.ssid.clone());
                applicant.dialect = Some(find_key.dialect);
                let handshake = find_key.handshake(applicant.mac);
                self.handle_handshake(cx, applicant, handshake);
            }
            Some(Err(error @ (FindKeyError::Message(_) | FindKeyError::Incomplete))) => {
                self.refuse_device(cx, &applicant, None, &Reason::HandshakeUnusable { what: error.to_string() });
            }
            // Aruba's lookup cannot be read, but its device's address can be known.
            Some(Err(FindKeyError::ArubaLookup)) | None => self.handle_address(cx, &applicant, asked.is_sae),
        }
    }

    /// A login by PAP, CHAP or MS-CHAP outside a tunnel is never taken: whoever hears it has the password.
    fn refuse_login_without_eap(&mut self, cx: &mut Context<'_>, question: &Question, why: NotMacAuth) {
        let place = question.access_point.to_string();
        let (code, sentence) = match why {
            NotMacAuth::OtherLogin => (
                "wifi-not-eap",
                "The access point asks for a login without EAP; set its security to WPA2- or WPA3-Enterprise.",
            ),
            NotMacAuth::OtherDevice => (
                "wifi-mac-auth-unusable",
                "The access point asks about a device by an address that is not the one in Calling-Station-Id; have it send the device's own address as the user name.",
            ),
            NotMacAuth::OtherPassword => (
                "wifi-mac-auth-unusable",
                "The access point asks about a device with a password that is neither its address nor the shared secret; have it send the address as the password.",
            ),
        };
        self.warn(cx, code, &place, sentence);
        self.reject(question, None);
    }

    fn handle_address(&mut self, cx: &mut Context<'_>, applicant: &Applicant, is_sae: bool) {
        let learned = self.learned(cx, applicant.mac);
        let asked = AddressQuestion { mac: applicant.mac, ssid: applicant.ssid.as_deref(), is_sae, learned };
        match identify_address(cx.snapshot, &asked).map(|credential| credential.id) {
            Ok(credential) => self.judge_device(cx, applicant, credential),
            Err(reason) => self.refuse_device(cx, applicant, None, &reason),
        }
    }

    fn handle_handshake(&mut self, cx: &mut Context<'_>, applicant: Applicant, handshake: Handshake) {
        let ssid = applicant.ssid.clone().unwrap_or_default();
        if !takes_passphrases(cx.snapshot, &ssid) {
            return self.refuse_device(cx, &applicant, None, &Reason::NotAPassphraseNetwork { ssid });
        }
        // The device's own: what was issued for its address, and what it used last.
        let bound = cx.snapshot.passphrase_of_device(applicant.mac).map(|credential| credential.id);
        let own: Vec<CredentialId> = [bound, self.learned(cx, applicant.mac)].into_iter().flatten().collect();
        let key = |id: CredentialId| passphrase_for(cx.snapshot, id, &ssid).and_then(|passphrase| passphrase.pmk);
        if let Some(&found) = own.iter().find(|&&id| key(id).is_some_and(|pmk| handshake.fits(pmk))) {
            self.passphrases.learn(applicant.mac, found, cx.now.mono);
            return self.judge_device(cx, &applicant, found);
        }
        if self.passphrases.is_held(applicant.mac, cx.now.mono) {
            self.counters.key_searches_held += 1;
            return self.refuse_device(cx, &applicant, own.first().copied(), &Reason::TooManyPassphrases);
        }
        let candidates = self.passphrases.candidates(cx.snapshot, &ssid);
        let search = KeySearch::new(handshake, candidates);
        if !self.passphrases.may_search(&applicant.question.access_point, search.len(), cx.now.mono) {
            // Unanswered, so that the access point asks again when there is time for it.
            self.counters.key_searches_shed += 1;
            return self.give_up_on(Socket::Authentication, &applicant.question);
        }
        self.counters.key_searches += 1;
        if search.is_short() {
            let found = search.run();
            return self.handle_search_result(cx, &applicant, found);
        }
        let token = self.passphrases.begin(applicant);
        self.outputs.push_back(Output::FindKey { token, search });
    }

    /// A worker is done with a search.
    pub(super) fn handle_key_found(&mut self, cx: &mut Context<'_>, token: u64, found: Option<CredentialId>) {
        if let Some(applicant) = self.passphrases.end(token) {
            self.handle_search_result(cx, &applicant, found);
        }
    }

    /// A worker died with a search.
    pub(super) fn handle_key_search_lost(&mut self, token: u64) {
        if let Some(applicant) = self.passphrases.end(token) {
            self.give_up_on(Socket::Authentication, &applicant.question);
        }
    }

    fn handle_search_result(&mut self, cx: &mut Context<'_>, applicant: &Applicant, found: Option<CredentialId>) {
        match found {
            Some(credential) => {
                self.passphrases.learn(applicant.mac, credential, cx.now.mono);
                self.judge_device(cx, applicant, credential);
            }
            None => {
                self.passphrases.failed(applicant.mac, cx.now.mono);
                let expected = cx.snapshot.passphrase_of_device(applicant.mac).map(|credential| credential.id);
                let expected = expected.or_else(|| self.learned(cx, applicant.mac));
                self.refuse_device(cx, applicant, expected, &Reason::WrongPassphrase);
            }
        }
    }

    /// Decides about a device whose credential is known.
    fn judge_device(&mut self, cx: &mut Context<'_>, applicant: &Applicant, credential: CredentialId) {
        let member = cx.snapshot.credentials.get(&credential).map(|credential| credential.member);
        let question = WifiQuestion { credential, mac: Some(applicant.mac), stage: Stage::Joining };
        let verdict = member.ok_or(Reason::UnknownCredential).and_then(|member| self.may_join(cx, member, &question));
        match verdict {
            Ok(admission) => self.accept_device(cx, applicant, &admission),
            Err(reason) => self.refuse_device(cx, applicant, Some(credential), &reason),
        }
    }

    fn accept_device(&mut self, cx: &mut Context<'_>, applicant: &Applicant, admission: &Admission) {
        let question = &applicant.question;
        // What nobody types needs no name; the id leads to the member and says nothing about her.
        let username = admission.credential.to_string();
        let mac = Some(applicant.mac);
        let (nas, proven) = (applicant.nas.as_str(), applicant.dialect.is_some());
        let arrival = Arrival { question, nas, mac, username: &username, proven };
        let session = self.take_place(cx, &arrival, admission);
        let reply = question
            .reply(Code::AccessAccept)
            .text(AttributeType::USER_NAME, &username)
            .text(AttributeType::CLASS, &session.to_string());
        let reply = with_terms(cx, reply, question, admission);
        let reply = with_passphrase(cx, reply, applicant, admission.credential);
        self.counters.access_accepts += 1;
        self.answer(Socket::Authentication, question, reply);
        let kind = cx.snapshot.credentials.get(&admission.credential).map(|credential| &credential.kind);
        let method = match kind {
            Some(CredentialKind::WifiPassphrase { .. }) => "passphrase",
            Some(
                CredentialKind::RegisteredDevice { .. }
                | CredentialKind::WifiKey { .. }
                | CredentialKind::DeviceCertificate { .. }
                | CredentialKind::Badge { .. }
                | CredentialKind::PrintToken { .. },
            )
            | None => "address",
        };
        if self.may_note(session, cx.now.mono) {
            self.record_admission(cx, question, Some(method.to_owned()), session, admission);
        } else {
            self.counters.admissions_folded += 1;
        }
    }

    fn may_note(&mut self, session: SessionId, now: Mono) -> bool {
        let Some(session) = self.sessions.get_mut(session) else { return false };
        let may = session.noted_at.is_none_or(|at| now.since(at) >= NOTED_EVERY);
        if may {
            session.noted_at = Some(now);
        }
        may
    }

    /// Says no, and writes down why.
    fn refuse_device(
        &mut self,
        cx: &mut Context<'_>,
        applicant: &Applicant,
        credential: Option<CredentialId>,
        reason: &Reason,
    ) {
        self.reject(&applicant.question, None);
        let member = credential.and_then(|id| cx.snapshot.credentials.get(&id)).map(|credential| credential.member);
        let mut refused = record(cx, Outcome::Refused, reason.code(), reason.sentence())
            .member(member)
            .credential(credential)
            .place(&applicant.question.access_point)
            .personal("mac", applicant.mac.to_string());
        if let Some(ssid) = &applicant.ssid {
            refused = refused.fact("ssid", ssid);
        }
        self.write_refusal(cx, Some(applicant.mac), None, refused);
    }

    /// The passphrase that a device was last seen to use: since the start, or in a session that goes on from before it.
    fn learned(&self, cx: &Context<'_>, mac: MacAddress) -> Option<CredentialId> {
        let in_session = || {
            let ids = self.sessions.of_device(mac).into_iter().rev();
            ids.filter_map(|id| self.sessions.get(id)?.row().credential)
                .find(|&id| passphrase_for(cx.snapshot, id, "").is_some())
        };
        self.passphrases.learned(mac).or_else(in_session)
    }
}

/// The passphrase, for access points that check it themselves, in the attributes that they understand.
fn with_passphrase(cx: &mut Context<'_>, writer: Writer, applicant: &Applicant, credential: CredentialId) -> Writer {
    let Some(ssid) = applicant.ssid.as_deref().filter(|ssid| takes_passphrases(cx.snapshot, ssid)) else {
        return writer;
    };
    let Some(Passphrase { text, pmk }) = passphrase_for(cx.snapshot, credential, ssid) else { return writer };
    let points = &cx.snapshot.site.access_points;
    let profile =
        points.get(&applicant.question.access_point).map_or(AccessPointProfile::Generic, |point| point.profile);
    let (salt, secret) = (cx.entropy.bytes(), applicant.question.secret.expose());
    let passphrase = text.expose();
    let tunnel = |writer: Writer| writer.tunnel_password(passphrase, salt, secret);
    let pair = |writer: Writer| {
        let pair = Secret::new(format!("psk={passphrase}"));
        let writer = writer.vendor(vendor::CISCO, vendor::CISCO_AV_PAIR, b"psk-mode=ascii");
        writer.vendor(vendor::CISCO, vendor::CISCO_AV_PAIR, pair.expose().as_bytes())
    };
    let ruckus = |writer: Writer| match pmk {
        // MS-MPPE-Recv-Key is what Unleashed, Ruckus One and SmartZone 7 take, hidden; older SmartZones want it in clear.
        Some(pmk) => writer
            .vendor_salted(VENDOR_MICROSOFT, KeyKind::Recv.vendor_type(), pmk.expose(), salt, secret)
            .vendor(vendor::RUCKUS, vendor::RUCKUS_DPSK, &[&[0], pmk.expose().as_slice()].concat()),
        None => tunnel(writer),
    };
    match (applicant.dialect, profile) {
        (Some(Dialect::Ruckus), _) => ruckus(writer),
        (Some(Dialect::Cisco | Dialect::Eleven), _) => pair(writer),
        (Some(Dialect::Hostapd | Dialect::Meraki), _) => tunnel(writer),
        (None, AccessPointProfile::Aruba) => {
            let content = passphrase.as_bytes();
            writer.vendor_salted(vendor::ARUBA, vendor::ARUBA_MPSK_PASSPHRASE, content, salt, secret)
        }
        (None, AccessPointProfile::Mikrotik) => {
            writer.vendor(vendor::MIKROTIK, vendor::MIKROTIK_WIRELESS_PSK, passphrase.as_bytes())
        }
        (None, AccessPointProfile::Ruckus) => ruckus(writer),
        // Meraki takes the one, Catalyst and Mist the other; each leaves alone what it does not know.
        (None, AccessPointProfile::Cisco | AccessPointProfile::Mist) => pair(tunnel(writer)),
        (None, AccessPointProfile::Generic | AccessPointProfile::Hostapd | AccessPointProfile::Unifi) => tunnel(writer),
    }
}
