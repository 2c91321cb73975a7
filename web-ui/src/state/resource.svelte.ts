// Something that the box knows and a screen shows: loaded, kept fresh by the live history, honest about failing.
import { sentenceOf } from '../api/http'
import type { Noun } from '../api/answers'
import { live } from './history.svelte'

/** A storm of rows (nine o'clock, everybody logs in) becomes at most this many loads: one each `COALESCE_MS`. */
const COALESCE_MS = 400
/** What no row announces (bytes, relays that come back) is asked for again after this. */
export const POLL_MS = 20_000

export class Resource<T> {
  data = $state.raw<T | null>(null)
  trouble = $state<string | null>(null)
  readonly #load: () => Promise<T>
  readonly #nouns: readonly Noun[]
  #timer: ReturnType<typeof setTimeout> | undefined
  readonly #pollMs: number | null
  /** The newest load wins: an older answer that comes late is dropped. */
  #turn = 0

  constructor(load: () => Promise<T>, nouns: readonly Noun[], pollMs: number | null = POLL_MS) {
    this.#load = load
    this.#nouns = nouns
    this.#pollMs = pollMs
  }

  /** For `$effect`: loads now and keeps fresh until the returned function is called. */
  watch = (): (() => void) => {
    void this.reload()
    const unsubscribe = live.on(this.#nouns, () => this.#soon())
    const unpoll = this.#pollMs === null ? () => {} : this.poll(this.#pollMs)
    return () => {
      unsubscribe()
      unpoll()
      clearTimeout(this.#timer)
      this.#timer = undefined
    }
  }

  /** Loads again and again, while somebody looks. Returns what ends it. */
  poll(everyMs: number): () => void {
    const timer = setInterval(() => {
      if (!document.hidden) void this.reload()
    }, everyMs)
    return () => clearInterval(timer)
  }

  async reload(): Promise<void> {
    const turn = ++this.#turn
    try {
      const data = await this.#load()
      if (turn !== this.#turn) return
      this.data = data
      this.trouble = null
    } catch (error) {
      if (turn === this.#turn) this.trouble = sentenceOf(error)
    }
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      void this.reload()
    }, COALESCE_MS)
  }
}
