// Where this page stands towards the box: not reached, unclaimed, signed out, signed in; and what the whole UI needs
// to know of the site (its zone, its currency, its time).
import { admin } from '../api/client'
import { ApiError, sentenceOf, whenSignedOut } from '../api/http'
import type { Readiness, Site, Status } from '../api/answers'

export type Phase = 'starting' | 'unreachable' | 'unclaimed' | 'signed-out' | 'in'

/** How often the times on the screen move on. */
const TICK_MS = 10_000
/** How often health and counts are asked for again. */
const STATUS_MS = 30_000

class Box {
  phase = $state<Phase>('starting')
  status = $state.raw<Status | null>(null)
  site = $state.raw<Site | null>(null)
  readiness = $state.raw<Readiness | null>(null)
  trouble = $state<string | null>(null)
  /** Why the sign-in screen came up by itself. */
  sessionEnded = $state(false)
  /** The box's time, which is the one that everything is stamped with. */
  now = $state(Date.now())
  #ahead = 0

  zone = $derived(this.status?.details?.time_zone ?? this.site?.time_zone ?? 'UTC')
  currency = $derived(this.status?.details?.currency ?? this.site?.currency ?? 'EUR')

  start(): void {
    whenSignedOut(() => this.#signedOut())
    setInterval(() => (this.now = Date.now() + this.#ahead), TICK_MS)
    setInterval(() => {
      if (this.phase !== 'in' && this.phase !== 'unreachable') return
      if (!document.hidden) void this.refresh()
    }, STATUS_MS)
    void this.refresh()
  }

  /** Asks the box where things stand. */
  async refresh(): Promise<void> {
    try {
      const status = await admin.status()
      this.#clock(status)
      if (status.signed_in) {
        this.readiness = await admin.ready()
        this.site ??= await admin.site()
      }
      this.status = status
      this.trouble = null
      if (!status.claimed) this.phase = 'unclaimed'
      else if (status.signed_in) this.phase = 'in'
      else if (this.phase === 'in') this.#signedOut()
      else this.phase = 'signed-out'
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return
      this.trouble = sentenceOf(error)
      // A page that already shows something keeps showing it, under a banner.
      if (this.phase === 'starting') this.phase = 'unreachable'
    }
  }

  /** After claiming or signing in. */
  async enter(): Promise<void> {
    this.sessionEnded = false
    this.site = null
    await this.refresh()
  }

  async signOut(): Promise<void> {
    await admin.signOut()
    this.phase = 'signed-out'
  }

  #signedOut(): void {
    if (this.phase !== 'in') return
    this.sessionEnded = true
    this.phase = 'signed-out'
  }

  #clock(status: Status): void {
    const now = status.details?.now
    if (now === undefined) return
    this.#ahead = now - Date.now()
    this.now = now
  }
}

export const box = new Box()
