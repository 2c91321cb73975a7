import { describe, expect, test } from 'vitest'
import { LINE_MAX_CHARS, SseDecoder } from '../src/api/sse'
import { waitBefore } from '../src/api/stream'

const decodeIn = (text: string, size: number) => {
  const decoder = new SseDecoder()
  const messages = []
  for (let i = 0; i < text.length; i += size) messages.push(...decoder.push(text.slice(i, i + size)))
  return messages
}

describe('server-sent events', () => {
  const text = ': heartbeat\n\nid: evt_1\nevent: record\ndata: {"a":1}\n\ndata:x\ndata: y\n\n'
  const expected = [
    { id: 'evt_1', event: 'record', data: '{"a":1}' },
    { id: 'evt_1', event: 'message', data: 'x\ny' },
  ]

  test('come out the same however the bytes were cut, with every line ending', () => {
    for (const ending of ['\n', '\r', '\r\n']) {
      const sent = text.replaceAll('\n', ending) + (ending === '\r' ? ':' : '')
      for (let size = 1; size <= sent.length; size++) {
        expect(decodeIn(sent, size), `${JSON.stringify(ending)} in chunks of ${size}`).toEqual(expected)
      }
    }
  })

  test('without data are none, and an id with NUL is not taken', () => {
    expect(decodeIn('event: record\n\nid: a\0b\ndata: 1\n\n', 99)).toEqual([{ id: '', event: 'message', data: '1' }])
  })

  test('half a message at the end is not given out', () => {
    expect(decodeIn('data: 1\n', 99)).toEqual([])
  })

  test('a line without end is refused, not collected', () => {
    expect(() => new SseDecoder().push('x'.repeat(LINE_MAX_CHARS + 1))).toThrow()
  })
})

test('waits grow to a limit and never vanish', () => {
  expect(waitBefore(0, 0)).toBe(250)
  expect(waitBefore(3, 1)).toBe(4_000)
  expect(waitBefore(1_000, 1)).toBe(15_000)
})
