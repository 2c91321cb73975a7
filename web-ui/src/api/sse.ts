// Server-sent events as WHATWG HTML 9.2.6 interprets them. Pure: text in, messages out.
//
// EventSource is not used: it hides the heartbeat comments, so a dead connection would look like a quiet one, and it
// gives up for good at the first answer that is not 200, forgetting Last-Event-ID.

export interface ServerMessage {
  id: string
  event: string
  data: string
}

/** A record is a few hundred bytes; a line far beyond that is not from our daemon. */
export const LINE_MAX_CHARS = 1 << 20

export class SseDecoder {
  #rest = ''
  #id = ''
  #event = ''
  #data: string[] = []

  /** Takes a chunk as it came and returns the messages that are complete with it. */
  push(chunk: string): ServerMessage[] {
    const messages: ServerMessage[] = []
    const text = this.#rest + chunk
    let from = 0
    for (;;) {
      const end = lineEnd(text, from)
      if (end === null) break
      const message = this.#line(text.slice(from, end.at))
      if (message !== null) messages.push(message)
      from = end.next
    }
    this.#rest = text.slice(from)
    if (this.#rest.length > LINE_MAX_CHARS) throw new Error('the event stream sent a line without end')
    return messages
  }

  #line(line: string): ServerMessage | null {
    if (line === '') return this.#dispatch()
    const colon = line.indexOf(':')
    if (colon === 0) return null
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'data') this.#data.push(value)
    else if (field === 'event') this.#event = value
    else if (field === 'id' && !value.includes('\0')) this.#id = value
    return null
  }

  #dispatch(): ServerMessage | null {
    const message = { id: this.#id, event: this.#event || 'message', data: this.#data.join('\n') }
    const empty = this.#data.length === 0
    this.#event = ''
    this.#data = []
    return empty ? null : message
  }
}

/** A line ends with LF, CR or CR LF. A CR at the very end may be the first half of CR LF: wait for more. */
function lineEnd(text: string, from: number): { at: number; next: number } | null {
  for (let i = from; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === 10) return { at: i, next: i + 1 }
    if (c === 13) {
      if (i + 1 === text.length) return null
      return { at: i, next: text.charCodeAt(i + 1) === 10 ? i + 2 : i + 1 }
    }
  }
  return null
}
