import { describe, expect, test } from 'vitest'
import type { Credential, Door, HistoryRecord, Job, Member } from '../src/api/answers'
import { doorTrouble, openingHead } from '../src/words/door'
import { troubles } from '../src/words/health'
import { factWord, matches } from '../src/words/history'
import { money, parseAmount } from '../src/words/money'
import { strength } from '../src/words/password'
import { badgeUid, credentialsInOrder, findMembers, validWords } from '../src/words/people'
import { jobPages, jobPrice } from '../src/words/print'
import { sentenceParts } from '../src/words/sentence'
import { clockTime, elapsed, isoDate, moment, startOfDay, zoneName } from '../src/words/time'
import { volume } from '../src/words/volume'

describe('time, in the zone of the site', () => {
  const morning = Date.UTC(2026, 10, 21, 8, 2, 31)

  test('a moment says as much as is needed', () => {
    expect(clockTime(morning, 'Asia/Kolkata')).toBe('13:32:31')
    expect(moment(morning, morning, 'UTC')).toBe('08:02')
    expect(moment(morning - 86_400_000, morning, 'UTC')).toBe('20 Nov, 08:02')
    expect(moment(Date.UTC(2025, 10, 20), morning, 'UTC')).toBe('20 Nov 2025, 00:00')
    expect(zoneName(morning, 'UTC')).toBe('UTC')
  })

  test('what has passed', () => {
    expect(elapsed(0, 59_999)).toBe('just now')
    expect(elapsed(0, 12 * 60_000)).toBe('12 min')
    expect(elapsed(0, 185 * 60_000)).toBe('3 h 05 min')
    expect(elapsed(0, 50 * 3_600_000)).toBe('2 days')
    expect(elapsed(10, 0)).toBe('just now')
  })

  test.each([
    ['2026-11-21', 'UTC', 0, '2026-11-21T00:00:00Z'],
    ['2026-11-21', 'Europe/Berlin', 0, '2026-11-20T23:00:00Z'],
    ['2026-11-21', 'America/New_York', 1, '2026-11-22T05:00:00Z'],
    // The days on which the clock changes, and the day after each.
    ['2026-03-29', 'Europe/Berlin', 0, '2026-03-28T23:00:00Z'],
    ['2026-03-29', 'Europe/Berlin', 1, '2026-03-29T22:00:00Z'],
    ['2026-10-25', 'Europe/Berlin', 0, '2026-10-24T22:00:00Z'],
    ['2026-12-31', 'Pacific/Auckland', 1, '2026-12-31T11:00:00Z'],
  ])('day %s in %s, %i on, begins at %s', (date, zone, days, expected) => {
    expect(new Date(startOfDay(date, zone, days)).toISOString()).toBe(expected.replace('Z', '.000Z'))
  })

  test('the end of a membership is exclusive and is shown as its last day', () => {
    const until = startOfDay('2026-12-31', 'Europe/Berlin', 1)
    expect(isoDate(until - 1, 'Europe/Berlin')).toBe('2026-12-31')
    expect(validWords({ from: null, until }, 'Europe/Berlin')).toBe('until 31 Dec 2026')
    expect(validWords({ from: null, until: null }, 'UTC')).toBe('no end date')
  })
})

describe('money', () => {
  test('is written with the sign of its currency', () => {
    expect(money(350, 'EUR')).toBe('€3.50')
    expect(money(-150, 'EUR')).toBe('-€1.50')
    expect(money(100, 'not one')).toBe('1.00 not one')
  })

  test.each([
    ['5', 500],
    [' 2.5 ', 250],
    ['2,50', 250],
    ['-1.05', -105],
    ['0', null],
    ['1.234', null],
    ['1e3', null],
    ['', null],
    ['100000', null],
  ])('%s is typed for %s', (text, minor) => expect(parseAmount(text)).toBe(minor))
})

describe('print jobs', () => {
  const job: Job = {
    id: 'job_1',
    printer: 'front',
    member_id: null,
    member_name: null,
    document: null,
    state: 'pending',
    reasons: [],
    sentence: null,
    pages: null,
    pages_settled: null,
    counted_by: null,
    charged_minor: null,
    submitted_at: 0,
  }

  test('say what came out and by what it was counted', () => {
    expect(jobPages(job)).toBe('counting')
    expect(jobPages({ ...job, pages: 1 })).toBe('1 page')
    expect(jobPages({ ...job, pages: 9, pages_settled: 7, counted_by: 'estimate' })).toBe('7 pages, by estimate')
  })

  test('say the price once there is one', () => {
    expect(jobPrice(job, 'EUR')).toBe('–')
    expect(jobPrice({ ...job, charged_minor: 0, pages_settled: 3 }, 'EUR')).toBe('included')
    expect(jobPrice({ ...job, charged_minor: 0, pages_settled: 0 }, 'EUR')).toBe('nothing')
    expect(jobPrice({ ...job, charged_minor: 120, pages_settled: 12 }, 'EUR')).toBe('€1.20')
  })
})

describe('doors', () => {
  test('an outcome is said once', () => {
    expect(openingHead('opened', 'The door was opened.')).toBeNull()
    expect(openingHead('refused', 'The relay is not connected.')).toBe('Refused')
    expect(openingHead('unknown', 'The box could not confirm; try the door.')).toBeNull()
    expect(openingHead('unknown', 'The relay stayed silent.')).toBe('Could not confirm; try the door')
  })

  test('say what to do about their equipment', () => {
    const door = (relay: boolean, reader: boolean): Door => ({
      name: 'street',
      title: 'Street door',
      relay: { device: 'relay-street', profile: 'shelly-gen2', connected: relay, since: null },
      readers: [{ device: 'reader-street', connected: reader }],
      last: null,
    })
    expect(doorTrouble(door(true, true))).toBeNull()
    expect(doorTrouble(door(false, false))).toContain('relay-street')
    expect(doorTrouble(door(true, false))).toContain('reader-street')
  })
})

describe('people', () => {
  const member = (name: string, email: string): Member => ({
    id: email,
    revision: 1,
    name,
    email,
    plan: 'resident',
    team: null,
    status: { state: 'active', since: null },
    valid: { from: null, until: null },
    added_at: 0,
    online: 0,
    print: { month: '2026-11', settled_pages: 0, reserved_pages: 0, included_pages: 0, credit_minor: 0 },
    credentials: [],
  })
  const all = [member('Bram', 'bram@example.org'), member('Ada', 'ada@example.org')]

  test('are found by every word, sorted by name', () => {
    expect(findMembers(all, '').map((m) => m.name)).toEqual(['Ada', 'Bram'])
    expect(findMembers(all, ' RESIDENT bram ').map((m) => m.name)).toEqual(['Bram'])
    expect(findMembers(all, 'ada bram')).toEqual([])
  })

  test('credentials that work come before revoked ones, newest first', () => {
    const credential = (id: string, issued_at: number, revoked_at: number | null): Credential => ({
      id,
      kind: 'wifi-key',
      label: '',
      username: null,
      issued_at,
      revoked_at,
    })
    const ordered = credentialsInOrder([credential('a', 1, null), credential('b', 3, 4), credential('c', 2, null)])
    expect(ordered.map((c) => c.id)).toEqual(['c', 'a', 'b'])
  })

  test.each([
    ['04:a1-b2 c3', '04A1B2C3'],
    ['04A1B2', null],
    ['04A1B2C', null],
    ['04A1B2CG', null],
    ['0102030405060708090A', '0102030405060708090A'],
    ['0102030405060708090A0B', null],
  ])('badge %s is read as %s', (text, uid) => expect(badgeUid(text)).toBe(uid))
})

describe('passwords', () => {
  test.each([
    ['', 0],
    ['seven77', 0],
    ['eleven 1111', 0],
    ['aaaaaaaaaaaaaaaa', 1],
    ['abcdefgh12345678', 1],
    ['password1234', 1],
    ['hvK3-9xqL-mW', 2],
    ['correct horse battery staple', 3],
  ])('%s is of level %i', (password, level) => expect(strength(password).level).toBe(level))

  test('a character outside the basic plane is one character', () => {
    expect(strength('🔑🔑🔑🔑').level).toBe(0)
  })
})

describe('history', () => {
  const row: HistoryRecord = {
    id: 'evt_1',
    at: 0,
    noun: 'door',
    outcome: 'refused',
    code: 'outside-hours',
    sentence: 'The plan’s hours are over.',
    member: 'mem_1',
    member_name: 'Ada Lindqvist',
    device: null,
    place: 'street',
    facts: {},
    personal: { badge: '04A1B2C3' },
  }
  const filter = { noun: '', outcome: '', text: '' } as const

  test('is found by name, place, code and fact', () => {
    for (const text of ['', 'ada', 'STREET', 'outside-hours', '04a1', 'lindqvist hours']) {
      expect(matches(row, { ...filter, text }), text).toBe(true)
    }
    expect(matches(row, { ...filter, text: 'bram' })).toBe(false)
    expect(matches(row, { ...filter, noun: 'wifi' })).toBe(false)
    expect(matches(row, { ...filter, outcome: 'refused' })).toBe(true)
  })

  test('facts are called as people call them', () => {
    expect(factWord('vlan')).toBe('VLAN')
    expect(factWord('session_id')).toBe('session id')
  })

  test('names between backticks are set apart; a lone one is not', () => {
    expect(sentenceParts('The relay `r-1` is gone.')).toEqual([
      { text: 'The relay ', code: false },
      { text: 'r-1', code: true },
      { text: ' is gone.', code: false },
    ])
    expect(sentenceParts('a ` b')).toEqual([{ text: 'a ` b', code: false }])
  })
})

test('a healthy box has nothing to say; each fault has a sentence', () => {
  const details = {
    realm: 'harbour.example',
    time_zone: 'UTC',
    currency: 'EUR',
    now: 0,
    time_trusted: true,
    members: 0,
    online: 0,
    events_dropped: 0,
    events_forgotten: 0,
    generation: 1,
    warnings: [],
  }
  expect(troubles(null, null)).toEqual([])
  expect(troubles(details, { ready: true, components: { store: 'ok' } })).toEqual([])
  const ill = { ...details, time_trusted: false, events_dropped: 3 }
  expect(troubles(ill, { ready: false, components: { wifi: 'stuck', store: 'ok' } })).toHaveLength(3)
  const excused = 'The access point `attic` is excused from Message-Authenticator: its requests can be forged.'
  expect(troubles({ ...details, warnings: [excused] }, null)).toEqual([excused])
})

test('volumes are rounded as people compare them', () => {
  expect([0, 999, 1000, 9_949, 9_950, 999_499, 999_500, 3.4e9].map(volume)).toEqual([
    '0 B',
    '999 B',
    '1.0 kB',
    '9.9 kB',
    '10 kB',
    '999 kB',
    '1.0 MB',
    '3.4 GB',
  ])
})
