// What the HTTP API says and takes: schema.ts, which is generated, and beyond it only what OpenAPI does not say: which
// words a field may hold, and that a field without a value is null rather than absent. Times are milliseconds since
// 1970 UTC; `_minor` is hundredths of the site's currency.
import type * as schema from './schema'

export type { Code, NewMember, Problem, Readiness } from './schema'

type Timestamp = number

export interface Status extends schema.Status {
  /** Only for somebody who is signed in. */
  details?: StatusDetails | null
}

export type StatusDetails = schema.Details

export interface Site extends schema.SiteView {
  networks: (schema.NetworkView & { vlan: number | null; team: string | null })[]
}

export interface MemberStatus extends schema.StatusView {
  state: 'active' | 'suspended' | 'ended'
  /** Since when suspended or ended. */
  since: Timestamp | null
}

export type CredentialKind =
  'wifi-key' | 'badge' | 'print-token' | 'device-certificate' | 'wifi-passphrase' | 'registered-device'

export interface Credential extends schema.CredentialView {
  kind: CredentialKind
  username: string | null
  /** Of the one device that it is for. */
  mac?: string | null
  revoked_at: Timestamp | null
}

export interface Member extends schema.MemberView {
  team: string | null
  status: MemberStatus
  valid: { from: Timestamp | null; until: Timestamp | null }
  credentials: Credential[]
}

/** A credential as it is shown once: the daemon keeps a hash. A badge has neither name nor password. */
export type Issued = schema.Issued

export type SessionState = 'admitted' | 'unreported' | 'open' | 'changing' | 'disconnecting' | 'disconnect-failed'

export interface WifiSession extends schema.SessionView {
  member_id: string | null
  member_name: string | null
  network: string | null
  vlan: number | null
  ip: string | null
  state: SessionState
}

export type JobState = 'pending' | 'held' | 'printing' | 'completed' | 'canceled' | 'aborted' | 'needs-checking'

export interface Job extends schema.JobView {
  member_id: string | null
  member_name: string | null
  document: string | null
  state: JobState
  sentence: string | null
  pages: number | null
  pages_settled: number | null
  counted_by: 'counter' | 'estimate' | 'operator' | null
  charged_minor: number | null
}

export type DoorOutcome = 'opened' | 'refused' | 'failed' | 'unknown'

export interface Door extends schema.DoorView {
  relay: schema.RelayView & { since: Timestamp | null }
  last: (schema.LastOpening & { outcome: DoorOutcome }) | null
}

export interface Opening extends schema.Opened {
  outcome: DoorOutcome
}

export type Noun = 'wifi' | 'print' | 'door' | 'people' | 'device' | 'site' | 'admin'
export type Outcome = 'allowed' | 'refused' | 'noted' | 'warning'

/** One row of history. The word `Record` is TypeScript's already. */
export interface HistoryRecord extends schema.RecordView {
  noun: Noun
  outcome: Outcome
  member: string | null
  member_name: string | null
  /** What the device or badge is called; of an unknown device its address. */
  device: string | null
  place: string | null
}

export interface Why extends schema.Why {
  past: HistoryRecord[]
}
