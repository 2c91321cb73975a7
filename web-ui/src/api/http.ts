// One request to the daemon: JSON both ways, refusals as problem+json. Knows no route and no screen.
import type { Problem } from './answers'

/** The daemon said no, or could not be reached (`status` 0). `message` is the sentence to show. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    sentence: string,
  ) {
    super(sentence)
    this.name = 'ApiError'
  }
}

/** Longer than a door's whole procedure (probe, command, verify), shorter than a person's patience. */
const TIMEOUT_MS = 20_000

let onSignedOut: () => void = () => {}

/** Called whenever the daemon says that the session is over. */
export function whenSignedOut(callback: () => void): void {
  onSignedOut = callback
}

export function unreachable(): ApiError {
  return new ApiError(
    0,
    'unreachable',
    'The box does not answer; check that it has power and that this device is on its network.',
  )
}

async function refusal(response: Response): Promise<ApiError> {
  let problem: Partial<Problem> = {}
  try {
    problem = (await response.json()) as Partial<Problem>
  } catch {
    // A proxy's page or an empty body: the status line has to do.
  }
  const sentence = problem.detail ?? problem.title ?? `The box answered ${response.status} ${response.statusText}.`
  return new ApiError(response.status, problem.code ?? 'unknown', sentence)
}

interface Options {
  body?: unknown
  /** A 503 is an answer, not a refusal. */
  any?: boolean
}

async function request<T>(method: string, path: string, { body, any = false }: Options = {}): Promise<T> {
  const init: RequestInit = {
    method,
    credentials: 'same-origin',
    headers: { accept: 'application/json' },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }
  if (method !== 'GET') {
    init.headers = { accept: 'application/json', 'content-type': 'application/json' }
    init.body = JSON.stringify(body ?? {})
  }
  let response: Response
  try {
    response = await fetch(path, init)
  } catch {
    throw unreachable()
  }
  if (response.status === 401) onSignedOut()
  if (!response.ok && !(any && response.status === 503)) throw await refusal(response)
  if (response.status === 204 || !(response.headers.get('content-type') ?? '').includes('json')) return undefined as T
  return (await response.json()) as T
}

export const http = {
  get: <T>(path: string) => request<T>('GET', path),
  getWhatever: <T>(path: string) => request<T>('GET', path, { any: true }),
  post: <T>(path: string, body?: unknown) => request<T>('POST', path, { body }),
}

/** The sentence for whatever was thrown. */
export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
