// The client against the daemon's own description of its API.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const document = join(import.meta.dirname, '..', '..', 'docs', 'openapi.json')
const openapi = JSON.parse(readFileSync(document, 'utf8')) as {
  paths: Record<string, Record<string, unknown>>
}

test('every call that the client makes is one that the daemon answers', () => {
  const client = readFileSync(join(import.meta.dirname, '..', 'src', 'api', 'client.ts'), 'utf8')
  const calls = [...client.matchAll(/http\.(get|post)\w*(?:<[^(]*>)?\(\s*['`](\/[^'`?]*)/g)].map(
    ([, method, path]) => `${method} ${path?.replaceAll(/\$\{[^}]*\}/g, '{}')}`,
  )
  const answered = Object.entries(openapi.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path.replaceAll(/\{[^}]*\}/g, '{}')}`),
  )
  expect(calls.length).toBeGreaterThan(20)
  expect(calls.filter((call) => !answered.includes(call))).toEqual([])
})
