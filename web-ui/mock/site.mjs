// The world that the mock box knows: a small real site, as configs/demo.yaml is one.
export const now = () => Date.now()
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

let counter = 0
/** An id of the form that the box gives out. */
export function id(prefix) {
  counter += 1
  return `${prefix}_${Date.now().toString(36).padStart(13, '0')}${counter.toString(36).padStart(13, '0')}`
}

const plans = { resident: 100, flex: 20, day: 0 }

export function newMember({ name, email, plan, team = null, valid_from = null, valid_until = null }) {
  return {
    id: id('mem'),
    revision: 1,
    name,
    email,
    plan,
    team,
    status: { state: 'active', since: null },
    valid: { from: valid_from, until: valid_until },
    added_at: now(),
    online: 0,
    print: { month: '2026-11', settled_pages: 0, reserved_pages: 0, included_pages: plans[plan] ?? 0, credit_minor: 0 },
    credentials: [],
  }
}

export function newCredential(kind, label, username = null) {
  return { id: id('cred'), kind, label, username, issued_at: now(), revoked_at: null }
}

export const site = {
  name: 'Harbour',
  realm: 'harbour.example',
  time_zone: 'Europe/Lisbon',
  currency: 'EUR',
  networks: [
    { name: 'members', vlan: 10, team: null },
    { name: 'studio', vlan: 11, team: 'studio' },
    { name: 'guests', vlan: 20, team: null },
  ],
  plans: [
    { name: 'resident', title: 'Resident' },
    { name: 'flex', title: 'Flex, weekdays' },
    { name: 'day', title: 'Day pass' },
  ],
  printers: [{ name: 'front', title: 'Front printer', upstream: 'ipp://127.0.0.1:8701/ipp/print' }],
  access_points: [{ name: 'hall', address: '127.0.0.1', coa_port: 3799 }],
}

export function newBox({ empty = false } = {}) {
  const box = { claimed: false, members: [], sessions: [], jobs: [], doors: [], events: [] }
  box.doors = [door('street', 'Street door', true), door('studio', 'Studio', true), door('yard', 'Yard gate', false)]
  if (empty) return box
  const names = [
    ['Ada Lindqvist', 'resident', 'studio'],
    ['Bram de Groot', 'resident', null],
    ['Chiara Fontana', 'flex', null],
    ['Dele Adeyemi', 'resident', 'studio'],
    ['Eszter Nagy', 'flex', null],
    ['Farid Haddad', 'day', null],
    ['Greta Østergaard-Holm', 'resident', null],
  ]
  for (const [i, [name, plan, team]] of names.entries()) {
    const first = name.split(' ')[0].toLowerCase()
    const member = newMember({ name, email: `${first}@example.org`, plan, team })
    member.added_at = now() - (i + 3) * 9 * DAY
    member.print.settled_pages = (i * 13) % 40
    member.print.credit_minor = i === 2 ? -150 : i * 125
    member.credentials.push({ ...newCredential('wifi-key', 'laptop', `${first}-1`), issued_at: now() - 8 * DAY })
    if (i % 2 === 0)
      member.credentials.push({ ...newCredential('wifi-key', 'phone', `${first}-2`), issued_at: now() - 5 * DAY })
    if (i < 4) member.credentials.push({ ...newCredential('badge', 'blue fob'), issued_at: now() - 8 * DAY })
    box.members.push(member)
  }
  box.members[0].credentials.push({
    ...newCredential('wifi-key', 'old phone', 'ada-0'),
    issued_at: now() - 20 * DAY,
    revoked_at: now() - 5 * DAY,
  })
  box.members[4].status = { state: 'suspended', since: now() - 2 * DAY }
  for (const i of [0, 1, 2, 3]) box.sessions.push(session(box.members[i], i))
  box.sessions.push(session(box.members[0], 5))
  box.jobs = jobs(box.members)
  for (const d of box.doors)
    d.last = { at: now() - 25 * MINUTE, outcome: 'opened', sentence: 'The relay confirmed the pulse.' }
  box.doors[2].last = null
  return box
}

function door(name, title, connected) {
  return {
    name,
    title,
    relay: { device: `relay-${name}`, profile: 'shelly-gen2', connected, since: now() - DAY },
    readers: [{ device: `reader-${name}`, connected }],
    last: null,
  }
}

export function session(member, i) {
  member.online += 1
  return {
    id: id('sess'),
    member_id: member.id,
    member_name: member.name,
    username: member.credentials[i === 5 ? 1 : 0].username,
    mac: `02:00:5e:10:00:${(16 + i).toString(16)}`,
    access_point: 'hall',
    network: member.team === 'studio' ? 'studio' : 'members',
    vlan: member.team === 'studio' ? 11 : 10,
    ip: `10.0.10.${20 + i}`,
    started_at: now() - (i * 47 + 4) * MINUTE,
    seen_at: now() - MINUTE,
    rx_bytes: 1_200_000 * (i + 1) ** 3,
    tx_bytes: 9_800_000 * (i + 1) ** 3,
    state: 'open',
  }
}

function jobs(members) {
  const job = (i, member, state, more) => ({
    id: id('job'),
    printer: 'front',
    member_id: member.id,
    member_name: member.name,
    document: 'Untitled',
    state,
    reasons: [],
    sentence: null,
    pages: 3,
    pages_settled: null,
    counted_by: null,
    charged_minor: null,
    submitted_at: now() - i * 21 * MINUTE,
    ...more,
  })
  return [
    job(0, members[0], 'printing', { document: 'Invoice 2026-118.pdf', pages: 2 }),
    job(1, members[2], 'held', {
      document: 'Thesis draft, chapters 1–4 with the big photographs.pdf',
      pages: 64,
      reasons: ['account-limit-reached'],
      sentence:
        'The job has 64 pages and 7 are left this month; 5.70 EUR of credit is missing. Add credit and it prints.',
    }),
    job(2, members[1], 'needs-checking', {
      document: 'Floor plan A3.pdf',
      pages: 4,
      sentence: 'The printer vanished while printing; its counter is unknown.',
    }),
    job(4, members[3], 'completed', {
      pages_settled: 3,
      counted_by: 'counter',
      charged_minor: 0,
      document: 'boarding-pass',
    }),
    job(7, members[6], 'completed', { pages_settled: 12, pages: 12, counted_by: 'estimate', charged_minor: 120 }),
    job(9, members[5], 'aborted', {
      pages_settled: 0,
      counted_by: 'counter',
      charged_minor: 0,
      sentence: 'The printer gave up: paper jam. Nothing came out and nothing is charged.',
    }),
  ]
}
