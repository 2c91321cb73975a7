// Every call that the UI makes, by noun. The types are the API's own.
import { http } from './http'
import type {
  Code,
  Credential,
  Door,
  HistoryRecord,
  Issued,
  Job,
  Member,
  NewMember,
  Noun,
  Opening,
  Readiness,
  Site,
  Status,
  Why,
  WifiSession,
} from './answers'

const at = encodeURIComponent

function query(parameters: Record<string, string | number | undefined>): string {
  const present = Object.entries(parameters).filter(([, value]) => value !== undefined)
  return new URLSearchParams(present.map(([key, value]) => [key, String(value)])).toString()
}

export const admin = {
  status: () => http.get<Status>('/api/status'),
  /** Answers 503 when a part is not ready; the body is the same. */
  ready: () => http.getWhatever<Readiness>('/readyz'),
  claim: (code: string, password: string) => http.post<void>('/api/claim', { code, password }),
  signIn: (password: string) => http.post<void>('/api/login', { password }),
  signOut: () => http.post<void>('/api/logout'),
  site: () => http.get<Site>('/api/site'),
}

export const people = {
  members: async () => (await http.get<{ members: Member[] }>('/api/members')).members,
  member: (id: string) => http.get<Member>(`/api/members/${at(id)}`),
  add: (member: NewMember) => http.post<Member>('/api/members', member),
  suspend: (id: string) => http.post<Member>(`/api/members/${at(id)}/suspend`),
  resume: (id: string) => http.post<Member>(`/api/members/${at(id)}/resume`),
  end: (id: string) => http.post<Member>(`/api/members/${at(id)}/end`),
  issueWifiKey: (id: string, label: string) =>
    http.post<Issued>(`/api/members/${at(id)}/wifi-keys`, label === '' ? {} : { label }),
  openLink: (id: string, label: string) =>
    http.post<Code>(`/api/members/${at(id)}/onboarding-links`, label === '' ? {} : { label }),
  issuePrintToken: (id: string) => http.post<Issued>(`/api/members/${at(id)}/print-token`),
  addBadge: (id: string, uid: string, label: string) =>
    http.post<Issued>(`/api/members/${at(id)}/badges`, label === '' ? { uid } : { uid, label }),
  addCredit: (id: string, amount_minor: number) =>
    http.post<Member>(`/api/members/${at(id)}/print-credit`, { amount_minor }),
  revoke: (credential: string) => http.post<Credential>(`/api/credentials/${at(credential)}/revoke`),
}

export const wifi = {
  sessions: async () => (await http.get<{ sessions: WifiSession[] }>('/api/wifi/sessions')).sessions,
  kick: (id: string) => http.post<void>(`/api/wifi/sessions/${at(id)}/kick`),
}

export const print = {
  jobs: async (limit: number) => (await http.get<{ jobs: Job[] }>(`/api/print/jobs?${query({ limit })}`)).jobs,
  release: (id: string) => http.post<Job>(`/api/print/jobs/${at(id)}/release`),
  cancel: (id: string) => http.post<Job>(`/api/print/jobs/${at(id)}/cancel`),
  settle: (id: string, pages: number) => http.post<Job>(`/api/print/jobs/${at(id)}/settle`, { pages }),
}

export const doors = {
  all: async () => (await http.get<{ doors: Door[] }>('/api/doors')).doors,
  open: (name: string) => http.post<Opening>(`/api/doors/${at(name)}/open`),
}

export const history = {
  events: async (filter: { limit: number; member?: string; before?: string }) =>
    (await http.get<{ events: HistoryRecord[] }>(`/api/events?${query(filter)}`)).events,
  why: (member: string, noun: Noun, name?: string) => http.get<Why>(`/api/why?${query({ member, noun, name })}`),
}
