// Written by tools/schema.mjs from docs/openapi.json: change the daemon, not this file.

export interface AccessPointState {
  address?: string | null
  certificate?: CertificateState | null
  /** Its RadSec connections that are open. */
  connections: number
  name: string
  /** Whether it may come by RadSec. */
  radsec: boolean
}

export interface AccessPointView {
  /** Where its packets over UDP come from, and where those by RadSec must. */
  address?: string | null
  /** Where it takes Disconnect-Requests over UDP. */
  coa_port?: number | null
  name: string
  /** Whether it may come by RadSec. */
  radsec: boolean
}

export interface AccessPoints {
  access_points: AccessPointState[]
}

export type CertificateFormat = "pkcs12" | "pkcs12-legacy" | "pem"

export interface CertificateState {
  expires_at: number
  /** SHA-256 in hexadecimal. */
  fingerprint: string
  issued_at: number
}

export interface Claim {
  code: string
  password: string
}

/** Something to scan. */
export interface Code {
  /** The code for a terminal. */
  blocks: string
  /** What was issued; none for a link, behind which nothing is issued yet. */
  credential_id?: string | null
  expires_at?: number | null
  /** The code as an image. */
  svg: string
  /** The link; none for a passphrase. */
  url?: string | null
}

export interface CredentialView {
  id: string
  issued_at: number
  /** `wifi-key`, `badge`, `print-token`, `device-certificate`, `wifi-passphrase` or `registered-device`. */
  kind: string
  label: string
  /** The device's address, where the credential is of that device alone. */
  mac?: string | null
  revoked_at?: number | null
  username?: string | null
}

export interface Details {
  /** Only over the unix socket of an unclaimed box. */
  claim_code?: string | null
  currency: string
  events_dropped: number
  /** Rows of history that were removed before their time, because it had all the room that it may take. */
  events_forgotten: number
  generation: number
  members: number
  now: number
  online: number
  realm: string
  time_trusted: boolean
  time_zone: string
  /** What stands open in the site file that an operator should know of, in sentences. */
  warnings: string[]
}

/** What to enter into the device; the password is shown in this answer only. */
export interface DeviceCredential {
  client_id: string
  password: string
  username: string
}

export interface DeviceView {
  added_at: number
  connected: boolean
  connected_since?: number | null
  name: string
  profile: string
}

export interface Devices {
  devices: DeviceView[]
}

/** A door, as the API shows it. */
export interface DoorView {
  last?: LastOpening | null
  name: string
  readers: ReaderView[]
  relay: RelayView
  title: string
}

export interface Doors {
  doors: DoorView[]
}

export interface Events {
  events: RecordView[]
}

/** A file for one kind of device. */
export type Format = "apple" | "windows" | "eap-config" | "onc"

/** A credential as it is shown once. */
export interface Issued {
  credential_id: string
  password?: string | null
  /** The networks that a passphrase is for. */
  ssids?: string[]
  /** Where to print with it. */
  uris?: string[]
  username?: string | null
}

/** What to install on the access point, in PEM; the key is in this answer only. */
export interface IssuedCertificate {
  access_point: string
  /** The CA that signed the box's own certificate: what the access point checks the box by. */
  ca: string
  certificate: string
  expires_at: number
  /** SHA-256 of the certificate, in hexadecimal. */
  fingerprint: string
  key: string
  /** The DNS name in the certificate. */
  name: string
}

/** A file that holds a secret, as it is handed out once. */
export interface IssuedFile {
  /** In base64. */
  content: string
  credential_id: string
  expires_at?: number | null
  file_name: string
  /** The user name, or the name in the certificate. */
  identity: string
  media_type: string
  /** What the file is protected with; none when it needs no password or holds it. */
  password?: string | null
}

/** A print job as the API shows it. */
export interface JobView {
  charged_minor?: number | null
  counted_by?: string | null
  document?: string | null
  id: string
  member_id?: string | null
  member_name?: string | null
  pages?: number | null
  pages_settled?: number | null
  printer: string
  reasons: string[]
  sentence?: string | null
  /** `pending`, `held`, `printing`, `completed`, `canceled`, `aborted` or `needs-checking`. */
  state: string
  submitted_at: number
}

export interface Jobs {
  jobs: JobView[]
}

export interface LastOpening {
  at: number
  outcome: string
  sentence: string
}

export interface Login {
  password: string
}

export interface MemberView {
  added_at: number
  credentials: CredentialView[]
  email: string
  id: string
  name: string
  /** Devices on the Wi-Fi now. */
  online: number
  plan: string
  print: PrintView
  revision: number
  status: StatusView
  team?: string | null
  valid: WindowView
}

export interface Members {
  members: MemberView[]
}

/** How the device logs in. */
export type Method = "tls" | "peap" | "ttls"

export interface NetworkState {
  /** Who tests it, by id. */
  member_id?: string | null
  name: string
  /** `flat` (it has no VLAN), `untested` (its VLAN is not used), `testing` (for one member's devices alone) or `tested`. */
  state: string
  until?: number | null
  vlan?: number | null
}

export interface NetworkView {
  name: string
  team?: string | null
  vlan?: number | null
}

export interface Networks {
  networks: NetworkState[]
}

export interface NewBadge {
  label?: string | null
  uid: string
}

export interface NewCertificate {
  format?: CertificateFormat
  label?: string | null
}

export interface NewDevice {
  name: string
  /** `shelly-gen2` or `reader`. */
  profile: string
}

export interface NewLink {
  /** The name or address that the device reaches this box by; the box's own name when left out. */
  host?: string | null
  label?: string | null
}

export interface NewMember {
  email: string
  name: string
  plan: string
  team?: string | null
  valid_from?: number | null
  valid_until?: number | null
}

export interface NewPlan {
  plan: string
}

export interface NewProfile {
  format: Format
  label?: string | null
  method?: Method | null
  /** Names on the air; all of the site file's that are `enterprise` when left out. */
  ssids?: string[]
}

export interface NewWifiDevice {
  label?: string | null
  /** In any usual spelling, such as 02:00:00:00:00:01. */
  mac: string
}

export interface NewWifiKey {
  label?: string | null
  /** An operator's own choice; without it the key is generated, which is safer. */
  password?: string | null
}

export interface NewWifiPassphrase {
  label?: string | null
  /** The address of the one device that it is for. Without it the passphrase is for any device of the member, which works only with access points that pass on the handshake, and never with WPA3. */
  mac?: string | null
}

export interface OpenFor {
  /** Open as this member would, by the member's rights; without it as an operator. */
  member?: string | null
}

export interface Opened {
  code: string
  intent?: string | null
  /** `opened`, `refused`, `failed` or `unknown`. */
  outcome: string
  sentence: string
}

export interface PrintCredit {
  /** Hundredths of the site's currency. */
  amount_minor: number
}

export interface PrintView {
  credit_minor: number
  included_pages: number
  month: string
  reserved_pages: number
  settled_pages: number
}

export interface PrinterView {
  name: string
  title: string
  upstream: string
}

/** What went wrong, for a person and for a program. */
export interface Problem {
  /** Stable; the same word as in the audit log. */
  code: string
  /** One sentence. */
  detail: string
  status: number
  title: string
  type: string
}

export interface ReaderView {
  connected: boolean
  device: string
}

export interface Readiness {
  components: Record<string, string>
  ready: boolean
}

/** One row of history. */
export interface RecordView {
  at: number
  code: string
  /** What the device or badge is called, looked up as well; of an unknown device its MAC address. */
  device?: string | null
  facts: Record<string, string>
  id: string
  member?: string | null
  /** The member's name, looked up when the row is shown. */
  member_name?: string | null
  /** `wifi`, `print`, `door`, `people`, `device`, `site` or `admin`. */
  noun: string
  /** `allowed`, `refused`, `noted` or `warning`. */
  outcome: string
  personal: Record<string, string>
  place?: string | null
  sentence: string
}

export interface RelayView {
  connected: boolean
  device: string
  profile: string
  since?: number | null
}

export interface Reset {
  claim_code: string
}

/** A device on the Wi-Fi, as the API shows it. */
export interface SessionView {
  access_point: string
  id: string
  ip?: string | null
  /** Empty when the access point does not tell. */
  mac: string
  member_id?: string | null
  member_name?: string | null
  network?: string | null
  /** From the device. */
  rx_bytes: number
  seen_at: number
  started_at: number
  /** `admitted`, `unreported`, `open`, `changing`, `disconnecting` or `disconnect-failed`. */
  state: string
  /** To the device. */
  tx_bytes: number
  username: string
  vlan?: number | null
  /** The network's VLAN that the device was not put on, because its test is not passed yet. */
  vlan_withheld?: number | null
}

export interface Sessions {
  sessions: SessionView[]
}

export interface SettlePages {
  /** Pages that came out; 0 charges nothing. */
  pages: number
}

export interface SiteView {
  access_points: AccessPointView[]
  currency: string
  doors: Titled[]
  generation: number
  name: string
  networks: NetworkView[]
  plans: Titled[]
  printers: PrinterView[]
  realm: string
  time_zone: string
}

/** What anybody may know, and what an operator sees besides. */
export interface Status {
  claimed: boolean
  details?: Details | null
  name: string
  signed_in: boolean
  version: string
}

export interface StatusView {
  since?: number | null
  /** `active`, `suspended` or `ended`. */
  state: string
}

export interface Titled {
  name: string
  title: string
}

export interface Verdict {
  allowed: boolean
  code: string
  sentence: string
}

export interface VlanTestOf {
  /** Id, e-mail address or name of the member whose devices try the VLAN. */
  member: string
  /** 1 to 60; 10 when left out. */
  minutes?: number | null
}

export interface WantedCode {
  label?: string | null
  /** The address of the one device that it is for. */
  mac?: string | null
  /** A network of the site file with `security: passphrase`; the first when left out. */
  ssid?: string | null
}

export interface Why {
  /** What a try would get now. */
  now: Verdict
  /** What happened, newest first. */
  past: RecordView[]
}

export interface WindowView {
  from?: number | null
  until?: number | null
}
