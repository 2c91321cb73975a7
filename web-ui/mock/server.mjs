// A stand-in for the daemon, for working on the screens alone: the API from memory, some life, and the built UI under
// the same Content-Security-Policy. It is never built in and no test of the product relies on it.
//
//   npm run mock [-- --port 8790] [--empty] [--signed-in] [--slow MS]
import { createReadStream, existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { id, newBox, newCredential, newMember, now, site } from './site.mjs'

const flag = (name) => process.argv.includes(`--${name}`)
const option = (name, otherwise) => (flag(name) ? process.argv[process.argv.indexOf(`--${name}`) + 1] : otherwise)
const dist = join(import.meta.dirname, '..', 'dist')
const box = newBox({ empty: flag('empty') })
const CODE = 'k7qm-2xpt-9hcd-w4vb'
let signedIn = flag('signed-in')
box.claimed = signedIn
const streams = new Set()

function record(noun, outcome, code, sentence, more = {}) {
  const row = {
    id: id('evt'),
    at: now(),
    noun,
    outcome,
    code,
    sentence,
    member: null,
    place: null,
    facts: {},
    personal: {},
    ...more,
  }
  row.member_name = box.members.find((m) => m.id === row.member)?.name ?? null
  row.device ??= null
  box.events.unshift(row)
  for (const stream of streams) stream.write(`id: ${row.id}\nevent: record\ndata: ${JSON.stringify(row)}\n\n`)
  return row
}

class Refusal extends Error {
  constructor(status, code, detail) {
    super(detail)
    Object.assign(this, { status, code })
  }
}
const find = (list, key, value, code) => {
  const found = list.find((item) => item[key] === value)
  if (found === undefined) throw new Refusal(404, code, 'There is no such thing.')
  return found
}
const member = (value) => find(box.members, 'id', value, 'unknown-member')
const letters = '23456789abcdefghjkmnpqrstvwxyz'
const secret = (n) => Array.from({ length: n }, () => letters[Math.floor(Math.random() * letters.length)]).join('')

const routes = {
  'GET /api/status': () => ({
    name: site.name,
    claimed: box.claimed,
    signed_in: signedIn,
    version: '0.1.0',
    ...(signedIn && {
      details: {
        realm: site.realm,
        time_zone: site.time_zone,
        currency: site.currency,
        now: now(),
        time_trusted: !flag('untrusted'),
        members: box.members.length,
        online: box.sessions.length,
        events_dropped: 0,
        events_forgotten: 0,
        warnings: flag('warned') ? ['VLAN 10 of the network `members` is not used: doorpost wifi test members.'] : [],
      },
    }),
  }),
  'POST /api/claim': ({ code, password }) => {
    if (box.claimed)
      throw new Refusal(409, 'already-claimed', 'The box has been claimed already; an administrator can sign in.')
    if (code.toLowerCase() !== CODE)
      throw new Refusal(403, 'wrong-claim-code', 'This is not the code that the box shows now; look again.')
    if (password.length < 12) throw new Refusal(422, 'invalid', 'password is not valid: expected 12 to 256 characters.')
    box.claimed = signedIn = true
  },
  'POST /api/login': ({ password }) => {
    if (password === 'wrong') throw new Refusal(403, 'wrong-password', 'The password is wrong.')
    signedIn = true
  },
  'POST /api/logout': () => {
    signedIn = false
  },
  'GET /readyz': () => ({
    ready: !flag('untrusted'),
    components: { wifi: 'ok', print: 'ok', door: flag('untrusted') ? 'failed' : 'ok', store: 'ok' },
  }),
  'GET /api/site': () => site,
  'GET /api/members': () => ({ members: box.members }),
  'GET /api/members/:id': (_, { id }) => member(id),
  'POST /api/members': (body) => {
    if (box.members.some((m) => m.email === body.email)) {
      throw new Refusal(409, 'email-taken', 'Another member has this e-mail address.')
    }
    const added = newMember(body)
    box.members.push(added)
    record('people', 'noted', 'member-added', 'A member was added.', { member: added.id })
    return added
  },
  'POST /api/members/:id/suspend': (_, { id }) =>
    standing(id, { state: 'suspended', since: now() }, 'The member was suspended.'),
  'POST /api/members/:id/resume': (_, { id }) =>
    standing(id, { state: 'active', since: null }, 'The membership was resumed.'),
  'POST /api/members/:id/end': (_, { id }) =>
    standing(id, { state: 'ended', since: now() }, 'The membership was ended.'),
  'POST /api/members/:id/wifi-keys': ({ label = '' }, { id }) => {
    const username = `${member(id).name.split(' ')[0].toLowerCase()}-${secret(3)}`
    const credential = newCredential('wifi-key', label, username)
    member(id).credentials.push(credential)
    record('people', 'noted', 'credential-issued', 'A Wi-Fi key was issued.', {
      member: id,
      facts: { credential: credential.id },
    })
    return {
      credential_id: credential.id,
      username: `${username}@${site.realm}`,
      password: [1, 2, 3, 4].map(() => secret(5)).join('-'),
    }
  },
  'POST /api/members/:id/onboarding-links': () => ({
    url: `https://doorpost.${site.realm}/join/${secret(27)}`,
    expires_at: now() + 86_400_000,
    svg: '<svg viewBox="0 0 3 3"><path fill="#fff" d="M0,0h3v3h-3z"/><path d="M1,1h1v1h-1z"/></svg>',
    blocks: '',
  }),
  'POST /api/members/:id/badges': ({ label = '' }, { id }) => {
    const credential = newCredential('badge', label)
    member(id).credentials.push(credential)
    record('people', 'noted', 'credential-issued', 'A badge was added.', {
      member: id,
      facts: { credential: credential.id },
    })
    return { credential_id: credential.id }
  },
  'POST /api/members/:id/print-token': (_, { id }) => {
    const credential = newCredential('print-token', '', `${secret(5)}`)
    member(id).credentials.push(credential)
    return {
      credential_id: credential.id,
      username: credential.username,
      password: [1, 2, 3, 4].map(() => secret(5)).join('-'),
      uris: ['ipps://doorpost.local:8631/ipp/print/front'],
    }
  },
  'POST /api/members/:id/print-credit': ({ amount_minor }, { id }) => {
    member(id).print.credit_minor += amount_minor
    return member(id)
  },
  'POST /api/credentials/:id/revoke': (_, { id }) => {
    const credential = find(
      box.members.flatMap((m) => m.credentials),
      'id',
      id,
      'unknown-credential',
    )
    credential.revoked_at = now()
    return credential
  },
  'GET /api/wifi/sessions': () => ({ sessions: box.sessions }),
  'POST /api/wifi/sessions/:id/kick': (_, { id }) => {
    find(box.sessions, 'id', id, 'unknown-session').state = 'disconnecting'
    setTimeout(() => (box.sessions = box.sessions.filter((s) => s.id !== id)), 1500)
  },
  'GET /api/print/jobs': () => ({ jobs: box.jobs }),
  'POST /api/print/jobs/:id/release': (_, { id }) =>
    Object.assign(find(box.jobs, 'id', id, 'unknown-job'), { state: 'pending', sentence: null }),
  'POST /api/print/jobs/:id/cancel': (_, { id }) =>
    Object.assign(find(box.jobs, 'id', id, 'unknown-job'), { state: 'canceled', pages_settled: 0, charged_minor: 0 }),
  'POST /api/print/jobs/:id/settle': ({ pages }, { id }) =>
    Object.assign(find(box.jobs, 'id', id, 'unknown-job'), {
      state: 'completed',
      pages_settled: pages,
      charged_minor: pages * 10,
      counted_by: 'operator',
      sentence: null,
    }),
  'GET /api/doors': () => ({ doors: box.doors }),
  'POST /api/doors/:name/open': (_, { name }) => open(find(box.doors, 'name', name, 'no-such-door')),
  'GET /api/events': (_, __, query) => {
    let rows = box.events
    if (query.get('member')) rows = rows.filter((row) => row.member === query.get('member'))
    if (query.get('before')) rows = rows.slice(rows.findIndex((row) => row.id === query.get('before')) + 1)
    return { events: rows.slice(0, Number(query.get('limit') ?? 100)) }
  },
  'GET /api/why': (_, __, query) => {
    const m = member(query.get('member'))
    const allowed = { past: [], now: { allowed: true, code: 'allowed', sentence: 'The plan includes this now.' } }
    if (m.status.state === 'suspended') {
      return {
        past: [],
        now: {
          allowed: false,
          code: 'member-suspended',
          sentence: 'The member has been suspended since 19 Nov 08:10; resume the membership to let them in.',
        },
      }
    }
    if (query.get('noun') === 'door' && query.get('name') === 'studio' && m.team !== 'studio') {
      return {
        past: [],
        now: {
          allowed: false,
          code: 'door-not-in-plan',
          sentence: `The plan \`${m.plan}\` does not open the door \`studio\`.`,
        },
      }
    }
    return allowed
  },
}

function standing(id, status, sentence) {
  member(id).status = status
  record('people', 'noted', `member-${status.state}`, sentence, { member: id })
  return member(id)
}

function open(door) {
  const answers = {
    street: ['opened', 'door-opened', 'The relay confirmed the pulse.'],
    studio: ['unknown', 'relay-silent', 'The relay took the command but did not confirm it.'],
    yard: ['refused', 'relay-absent', 'The relay `relay-yard` is not connected; check its power and network.'],
  }
  const [outcome, code, sentence] = answers[door.name]
  door.last = { at: now(), outcome, sentence }
  const word = { opened: 'allowed', unknown: 'warning', refused: 'refused' }[outcome]
  record('door', word, code, sentence, { place: door.name, facts: { by: 'admin', epoch: '3' } })
  return { intent: id('open'), outcome, code, sentence }
}

/** `POST /api/doors/street/open` against `POST /api/doors/:name/open` */
function match(method, path) {
  for (const [route, handler] of Object.entries(routes)) {
    const [m, pattern] = route.split(' ')
    const want = pattern.split('/')
    const have = path.split('/')
    if (m !== method || want.length !== have.length) continue
    const parameters = {}
    if (
      want.every((part, i) =>
        part.startsWith(':') ? (parameters[part.slice(1)] = decodeURIComponent(have[i])) : part === have[i],
      )
    ) {
      return { handler, parameters }
    }
  }
  throw new Refusal(404, 'no-such-page', 'There is no such call.')
}

function stream(request, response) {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  const last = request.headers['last-event-id']
  const missed =
    last === undefined
      ? []
      : box.events.slice(
          0,
          Math.max(
            0,
            box.events.findIndex((row) => row.id === last),
          ),
        )
  response.write(': hello\n\n')
  for (const row of missed.reverse()) response.write(`id: ${row.id}\nevent: record\ndata: ${JSON.stringify(row)}\n\n`)
  streams.add(response)
  const beat = setInterval(() => response.write(': heartbeat\n\n'), 15_000)
  request.on('close', () => (clearInterval(beat), streams.delete(response)))
}

const OPEN_TO_ALL = ['/api/status', '/api/claim', '/api/login']
const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
}

function file(path, response) {
  const name = normalize(path === '/' ? '/index.html' : path)
  const full = join(dist, name)
  if (!existsSync(full)) return response.writeHead(404).end()
  response.writeHead(200, {
    'content-type': types[extname(full)] ?? 'application/octet-stream',
    'content-security-policy': "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
  })
  createReadStream(full).pipe(response)
}

async function answer(request, response) {
  const url = new URL(request.url, 'http://mock')
  if (!url.pathname.startsWith('/api/') && url.pathname !== '/readyz') return file(url.pathname, response)
  const send = (status, body, type = 'application/json') => {
    response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' })
    response.end(body === undefined ? '' : JSON.stringify(body))
  }
  try {
    if (!signedIn && !OPEN_TO_ALL.includes(url.pathname)) throw new Refusal(401, 'not-signed-in', 'Sign in first.')
    if (url.pathname === '/api/events/stream') return stream(request, response)
    let text = ''
    for await (const chunk of request) text += chunk
    const { handler, parameters } = match(request.method, url.pathname)
    await new Promise((resolve) => setTimeout(resolve, Number(option('slow', 0))))
    const body = handler(text === '' ? {} : JSON.parse(text), parameters, url.searchParams)
    if (body === undefined) response.writeHead(204).end()
    else send(200, body)
  } catch (error) {
    if (!(error instanceof Refusal)) console.error(error)
    const status = error.status ?? 500
    send(
      status,
      { type: 'about:blank', title: error.code ?? 'error', status, code: error.code, detail: error.message },
      'application/problem+json',
    )
  }
}

/** Some days and minutes of history, then something every few seconds. */
function live() {
  const pick = (list) => list[Math.floor(Math.random() * list.length)]
  const things = [
    (m) =>
      record('wifi', 'allowed', 'wifi-admitted', 'The device was let in.', {
        member: m.id,
        place: 'hall',
        facts: { method: 'PEAP/MSCHAPv2', vlan: '10', network: 'members' },
        personal: { mac: '02:00:5e:10:00:21', username: m.credentials[0]?.username ?? '' },
      }),
    (m) =>
      record('door', 'allowed', 'door-opened', 'The door was opened by badge.', {
        member: m.id,
        place: 'street',
        facts: { pulse_ms: '3000' },
      }),
    (m) =>
      record(
        'wifi',
        'refused',
        'wrong-key',
        'The Wi-Fi key is wrong; check the key on the device or issue a new one.',
        { member: m.id, place: 'hall', facts: { method: 'PEAP/MSCHAPv2' } },
      ),
    (m) =>
      record('print', 'noted', 'print-settled', 'The job was settled by the printer’s counter: 3 pages.', {
        member: m.id,
        place: 'front',
        facts: { pages: '3', job: id('job') },
      }),
    () =>
      record('door', 'refused', 'unknown-badge', 'The badge belongs to nobody here; add it to a member first.', {
        place: 'street',
        personal: { badge: '04A1B2C3' },
      }),
    (m) =>
      record(
        'door',
        'refused',
        'outside-hours',
        'The plan’s hours `weekdays` are over; they begin again Monday 08:00.',
        { member: m.id, place: 'studio' },
      ),
    () =>
      record(
        'device',
        'warning',
        'retained-dropped',
        'A retained command on a relay topic was dropped; look for what publishes it.',
        { place: 'relay-street' },
      ),
  ]
  for (let i = 0; i < 60; i++) {
    const row = pick(things)(pick(box.members))
    row.at = now() - (60 - i) * 11 * 60_000
  }
  if (!flag('still')) setInterval(() => pick(things)(pick(box.members)), 4000)
}

if (!flag('empty')) live()
createServer(answer).listen(Number(option('port', 8790)), '127.0.0.1', () => {
  console.log(`mock box on http://127.0.0.1:${option('port', 8790)}/  claim code ${CODE}`)
})
