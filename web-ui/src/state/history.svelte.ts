// The live history that all screens share: one stream, one feed, and word to whoever shows what a row has changed.
import { history as api } from '../api/client'
import { sentenceOf } from '../api/http'
import { follow, type StreamState } from '../api/stream'
import type { HistoryRecord, Noun } from '../api/answers'
import { box } from './box.svelte'
import { emptyFeed, paused, received, resumed, type Feed } from './feed'

const FIRST_ROWS = 100

type Listener = (row: HistoryRecord) => void

class LiveHistory {
  feed = $state.raw<Feed>(emptyFeed)
  stream = $state<StreamState>('connecting')
  trouble = $state<string | null>(null)
  #listeners = new Set<Listener>()
  #stop: (() => void) | null = null

  /** From sign-in to sign-out. */
  async start(): Promise<void> {
    if (this.#stop !== null) return
    let ended = false
    this.#stop = () => (ended = true)
    let last = ''
    try {
      const rows = await api.events({ limit: FIRST_ROWS })
      this.feed = received(emptyFeed, rows)
      this.trouble = null
      last = this.feed.rows[0]?.id ?? ''
    } catch (error) {
      this.trouble = sentenceOf(error)
    }
    if (ended) return
    this.#stop = follow(last, {
      record: (row) => this.#received(row),
      state: (state) => this.#state(state),
      signedOut: () => void box.refresh(),
    })
  }

  stop(): void {
    this.#stop?.()
    this.#stop = null
    this.feed = emptyFeed
  }

  pause(): void {
    this.feed = paused(this.feed)
  }

  resume(): void {
    this.feed = resumed(this.feed)
  }

  /** Calls back on each live row of these nouns. Returns what ends it. */
  on(nouns: readonly Noun[], listener: Listener): () => void {
    const chosen: Listener = (row) => {
      if (nouns.includes(row.noun)) listener(row)
    }
    this.#listeners.add(chosen)
    return () => this.#listeners.delete(chosen)
  }

  #received(row: HistoryRecord): void {
    this.feed = received(this.feed, [row])
    for (const listener of this.#listeners) listener(row)
  }

  #state(state: StreamState): void {
    this.stream = state
    if (state === 'live') this.trouble = null
  }
}

export const live = new LiveHistory()
