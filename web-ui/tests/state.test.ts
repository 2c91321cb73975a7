import { describe, expect, test } from 'vitest'
import type { HistoryRecord } from '../src/api/answers'
import { emptyFeed, FEED_MAX_ROWS, paused, received, resumed } from '../src/state/feed'
import { memberHref, parseRoute } from '../src/state/route'

const row = (n: number): HistoryRecord => ({
  id: `evt_${n}`,
  at: n,
  noun: 'wifi',
  outcome: 'noted',
  code: 'c',
  sentence: 's',
  member: null,
  member_name: null,
  device: null,
  place: null,
  facts: {},
  personal: {},
})
const ids = (rows: readonly HistoryRecord[]) => rows.map((r) => r.at)

describe('the feed', () => {
  test('is newest first, without doubles, and bounded', () => {
    let feed = received(emptyFeed, [row(2), row(1)])
    feed = received(feed, [row(3)])
    feed = received(feed, [row(2)])
    expect(ids(feed.rows)).toEqual([3, 2, 1])
    feed = received(
      feed,
      Array.from({ length: FEED_MAX_ROWS + 50 }, (_, n) => row(n + 10)),
    )
    expect(feed.rows).toHaveLength(FEED_MAX_ROWS)
    expect(feed.rows[0]?.at).toBe(FEED_MAX_ROWS + 59)
  })

  test('stands still while paused and loses nothing', () => {
    let feed = paused(received(emptyFeed, [row(1)]))
    feed = received(feed, [row(2)])
    feed = received(feed, [row(3), row(1)])
    feed = paused(feed)
    expect(ids(feed.rows)).toEqual([1])
    expect(ids(feed.waiting ?? [])).toEqual([3, 2])
    feed = resumed(feed)
    expect(ids(feed.rows)).toEqual([3, 2, 1])
    expect(feed.waiting).toBeNull()
  })
})

test.each([
  ['', { screen: 'home' }],
  ['#/', { screen: 'home' }],
  ['#/members', { screen: 'members' }],
  [memberHref('mem_1'), { screen: 'member', id: 'mem_1' }],
  ['#/claim?code=K7QM-2XPT', { screen: 'claim', code: 'K7QM-2XPT' }],
  ['#/claim', { screen: 'claim', code: '' }],
  ['#/else/where', { screen: 'lost', path: 'else/where' }],
])('the address %s leads to %o', (hash, route) => expect(parseRoute(hash)).toEqual(route))
