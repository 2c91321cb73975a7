// Rules that hold for every source file. They are what makes the strict Content-Security-Policy and the sizes true.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const src = join(import.meta.dirname, '..', 'src')
const assets = join(src, '..', 'dist', 'assets')
const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(svelte|ts|css)$/.test(name) && name !== 'api/schema.ts')
  .map((name) => ({ name, text: readFileSync(join(src, name), 'utf8') }))

test.each([
  ['inline style', /\sstyle(:\w|=)/],
  ['raw HTML', /\{@html|innerHTML/],
  ['eval', /\beval\(|new Function/],
  ['browser storage, which would outlive the session', /localStorage|sessionStorage|document\.cookie/],
  ['another origin', /https?:\/\/(?!$)/],
  ['the mock', /mock\//],
])('no file holds %s', (_, pattern) => {
  expect(files.filter(({ text }) => pattern.test(text)).map(({ name }) => name)).toEqual([])
})

test('no file is longer than 250 lines, but the style sheet', () => {
  const long = files.filter(({ name, text }) => name !== 'app.css' && text.split('\n').length > 250)
  expect(long.map(({ name }) => name)).toEqual([])
})

/** For a phone in a corridor; see the README. */
const FIRST_ROUTE_MAX_BYTES = 90_000

test.skipIf(!existsSync(assets))('the script, as a browser gets it, is within its budget', () => {
  const scripts = readdirSync(assets).filter((name) => name.endsWith('.js.br'))
  const bytes = scripts.reduce((sum, name) => sum + statSync(join(assets, name)).size, 0)
  expect(bytes).toBeGreaterThan(0)
  expect(bytes).toBeLessThanOrEqual(FIRST_ROUTE_MAX_BYTES)
})

test('only src/api speaks HTTP', () => {
  const speakers = files.filter(({ name, text }) => !name.startsWith('api/') && /\bfetch\(/.test(text))
  expect(speakers.map(({ name }) => name)).toEqual([])
})
