// The rows that the live view holds. Pure: every change gives a new feed.
import type { HistoryRecord } from '../api/answers'

/** Newest first; as many as a person scrolls through and a phone draws without effort. */
export const FEED_MAX_ROWS = 300

export interface Feed {
  rows: readonly HistoryRecord[]
  /** What arrived while paused; null when running. */
  waiting: readonly HistoryRecord[] | null
}

export const emptyFeed: Feed = { rows: [], waiting: null }

function merged(newer: readonly HistoryRecord[], older: readonly HistoryRecord[]): HistoryRecord[] {
  const seen = new Set<string>()
  const all = [...newer, ...older].filter((row) => !seen.has(row.id) && seen.add(row.id))
  return all.sort((a, b) => b.at - a.at).slice(0, FEED_MAX_ROWS)
}

/** Rows from the stream or a page of history; one that is known already is dropped. */
export function received(feed: Feed, rows: readonly HistoryRecord[]): Feed {
  if (feed.waiting === null) return { rows: merged(rows, feed.rows), waiting: null }
  const known = new Set(feed.rows.map((row) => row.id))
  return {
    rows: feed.rows,
    waiting: merged(
      rows.filter((row) => !known.has(row.id)),
      feed.waiting,
    ),
  }
}

export function paused(feed: Feed): Feed {
  return feed.waiting === null ? { rows: feed.rows, waiting: [] } : feed
}

export function resumed(feed: Feed): Feed {
  return feed.waiting === null ? feed : { rows: merged(feed.waiting, feed.rows), waiting: null }
}
