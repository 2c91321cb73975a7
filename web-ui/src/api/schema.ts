// Written by tools/schema.mjs from docs/openapi.json: change the daemon, not this file.

export interface AccessPointView {
  address: string
  coa_port: number
  name: string
}

export interface Claim {
  code: string
  password: string
}

export interface CredentialView {
  id: string
  issued_at: number
  /** `wifi-key`, `badge` or `print-token`. */
  kind: string
  label: string
  revoked_at?: number | null
  username?: string | null
}

export interface Details {
  /** Only over the unix socket of an unclaimed box. */
  claim_code?: string | null
  currency: string
  events_dropped: number
  generation: number
  members: number
  now: number
  online: number
  realm: string
  time_trusted: boolean
  time_zone: string
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

/** A credential as it is shown once. */
export interface Issued {
  credential_id: string
  password?: string | null
  /** Where to print with it. */
  uris?: string[]
  username?: string | null
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

export interface NetworkView {
  name: string
  team?: string | null
  vlan?: number | null
}

export interface NewBadge {
  label?: string | null
  uid: string
}

export interface NewDevice {
  name: string
  /** `shelly-gen2` or `reader`. */
  profile: string
}

export interface NewMember {
  email: string
  name: string
  plan: string
  team?: string | null
  valid_from?: number | null
  valid_until?: number | null
}

export interface NewWifiKey {
  label?: string | null
  /** An operator's own choice; without it the key is generated, which is safer. */
  password?: string | null
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
  /** `admitted`, `unreported`, `open`, `disconnecting` or `disconnect-failed`. */
  state: string
  /** To the device. */
  tx_bytes: number
  username: string
  vlan?: number | null
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
