// What the HTTP API says and takes. Times are milliseconds since 1970 UTC; `_minor` is hundredths of the site's currency.

export type Timestamp = number

export interface Status {
  name: string
  claimed: boolean
  signed_in: boolean
  version: string
  /** Only for somebody who is signed in. */
  details?: StatusDetails
}

export interface StatusDetails {
  realm: string
  time_zone: string
  currency: string
  now: Timestamp
  time_trusted: boolean
  members: number
  online: number
  /** Rows of history that the disk did not take. */
  events_dropped: number
}

/** Each part of the box: `ok`, or what is wrong. */
export interface Readiness {
  ready: boolean
  components: Record<string, string>
}

export interface Site {
  name: string
  realm: string
  time_zone: string
  currency: string
  networks: { name: string; vlan: number | null; team: string | null }[]
  plans: { name: string; title: string }[]
  printers: { name: string; title: string; upstream: string }[]
  access_points: { name: string; address: string; coa_port: number }[]
}

export interface MemberStatus {
  state: 'active' | 'suspended' | 'ended'
  /** Since when suspended or ended. */
  since: Timestamp | null
}

export type CredentialKind = 'wifi-key' | 'badge' | 'print-token'

export interface Credential {
  id: string
  kind: CredentialKind
  label: string
  username: string | null
  issued_at: Timestamp
  revoked_at: Timestamp | null
}

export interface PrintAccount {
  month: string
  settled_pages: number
  reserved_pages: number
  included_pages: number
  credit_minor: number
}

export interface Member {
  id: string
  revision: number
  name: string
  email: string
  plan: string
  team: string | null
  status: MemberStatus
  valid: { from: Timestamp | null; until: Timestamp | null }
  added_at: Timestamp
  /** Devices on the Wi-Fi now. */
  online: number
  print: PrintAccount
  credentials: Credential[]
}

export interface NewMember {
  name: string
  email: string
  plan: string
  team?: string
  valid_from?: Timestamp
  valid_until?: Timestamp
}

/** A credential as it is shown once: the daemon keeps a hash. A badge has neither name nor password. */
export interface Issued {
  credential_id: string
  username?: string
  password?: string
  /** Where to print with a print token. */
  uris?: string[]
}

export interface WifiSession {
  id: string
  member_id: string | null
  member_name: string | null
  username: string
  mac: string
  access_point: string
  network: string | null
  vlan: number | null
  ip: string | null
  started_at: Timestamp
  seen_at: Timestamp
  rx_bytes: number
  tx_bytes: number
  state: string
}

export type JobState = 'pending' | 'held' | 'printing' | 'completed' | 'canceled' | 'aborted' | 'needs-checking'

export interface Job {
  id: string
  printer: string
  member_id: string | null
  member_name: string | null
  document: string | null
  state: JobState
  reasons: string[]
  sentence: string | null
  pages: number | null
  pages_settled: number | null
  counted_by: 'counter' | 'estimate' | 'operator' | null
  charged_minor: number | null
  submitted_at: Timestamp
}

export type DoorOutcome = 'opened' | 'refused' | 'failed' | 'unknown'

export interface Door {
  name: string
  title: string
  relay: { device: string; profile: string; connected: boolean; since: Timestamp | null }
  readers: { device: string; connected: boolean }[]
  last: { at: Timestamp; outcome: DoorOutcome; sentence: string } | null
}

export interface Opening {
  intent: string | null
  outcome: DoorOutcome
  code: string
  sentence: string
}

export type Noun = 'wifi' | 'print' | 'door' | 'people' | 'device' | 'site' | 'admin'
export type Outcome = 'allowed' | 'refused' | 'noted' | 'warning'

/** One row of history. The word `Record` is TypeScript's already. */
export interface HistoryRecord {
  id: string
  at: Timestamp
  noun: Noun
  outcome: Outcome
  code: string
  sentence: string
  member: string | null
  member_name: string | null
  place: string | null
  facts: Record<string, string>
  personal: Record<string, string>
}

export interface Why {
  past: HistoryRecord[]
  now: { allowed: boolean; code: string; sentence: string }
}

export interface Problem {
  title: string
  status: number
  code: string
  detail: string
}
