// The live event stream: one connection at a time, kept up for as long as the screen wants it.
//
// States: connecting -> live -> waiting -> connecting ...; ended when the session is over.
import { SseDecoder } from './sse'
import type { HistoryRecord } from './answers'

export type StreamState = 'connecting' | 'live' | 'waiting' | 'ended'

/** The daemon sends a heartbeat every 15 s; after two and a half of them the connection is dead. */
const SILENCE_MAX_MS = 38_000
/** The first wait before a new attempt, doubled up to the longest. */
const WAIT_MIN_MS = 500
const WAIT_MAX_MS = 15_000

export interface StreamEvents {
  record(record: HistoryRecord): void
  state(state: StreamState): void
  signedOut(): void
}

/** How long to wait before attempt `n` (from 0); `random` in [0, 1) spreads the clients after a restart. */
export function waitBefore(n: number, random: number): number {
  const full = Math.min(WAIT_MAX_MS, WAIT_MIN_MS * 2 ** Math.min(n, 10))
  return Math.round(full * (0.5 + random / 2))
}

/** Follows the stream from after `lastId`. Returns what stops it. */
export function follow(lastId: string, events: StreamEvents): () => void {
  const stop = new AbortController()
  void run(lastId, events, stop.signal)
  return () => stop.abort()
}

async function run(lastId: string, events: StreamEvents, stop: AbortSignal): Promise<void> {
  let failures = 0
  while (!stop.aborted) {
    events.state('connecting')
    const read = await readOnce(lastId, events, stop)
    lastId = read.lastId
    if (stop.aborted) return
    if (read.end === 'signed-out') {
      events.state('ended')
      events.signedOut()
      return
    }
    failures = read.end === 'was-live' ? 0 : failures + 1
    events.state('waiting')
    await sleep(waitBefore(failures, Math.random()), stop)
  }
}

interface Read {
  lastId: string
  end: 'signed-out' | 'was-live' | 'failed'
}

async function readOnce(lastId: string, events: StreamEvents, stop: AbortSignal): Promise<Read> {
  const abort = new AbortController()
  const stopped = (): void => abort.abort()
  stop.addEventListener('abort', stopped, { once: true })
  // The device knows that it lost the network long before the silence shows it.
  addEventListener('offline', stopped, { once: true })
  let watchdog = setTimeout(stopped, SILENCE_MAX_MS)
  let end: Read['end'] = 'failed'
  try {
    const headers: Record<string, string> = { accept: 'text/event-stream' }
    if (lastId !== '') headers['last-event-id'] = lastId
    const response = await fetch('/api/events/stream', {
      headers,
      credentials: 'same-origin',
      cache: 'no-store',
      signal: abort.signal,
    })
    if (response.status === 401) return { lastId, end: 'signed-out' }
    if (!response.ok || response.body === null) return { lastId, end }
    events.state('live')
    end = 'was-live'
    const decoder = new SseDecoder()
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      clearTimeout(watchdog)
      watchdog = setTimeout(stopped, SILENCE_MAX_MS)
      for (const message of decoder.push(value)) {
        if (message.id !== '') lastId = message.id
        if (message.event === 'record') events.record(JSON.parse(message.data) as HistoryRecord)
        // We were too slow and rows were left out: a new connection brings them after lastId.
        else if (message.event === 'lagged') return { lastId, end }
      }
    }
  } catch {
    // The network, the watchdog or a half message: the next connection resumes after lastId.
  } finally {
    clearTimeout(watchdog)
    stop.removeEventListener('abort', stopped)
    removeEventListener('offline', stopped)
    abort.abort()
  }
  return { lastId, end }
}

/** Ends early when the network comes back or nobody wants the stream any more. */
function sleep(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const awake = (): void => {
      clearTimeout(timer)
      stop.removeEventListener('abort', awake)
      removeEventListener('online', awake)
      resolve()
    }
    const timer = setTimeout(awake, ms)
    stop.addEventListener('abort', awake)
    addEventListener('online', awake)
  })
}
