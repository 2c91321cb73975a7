// How the UI is built: static files under dist/, hashed names under dist/assets/, nothing inlined (the daemon's
// Content-Security-Policy allows 'self' alone), and a brotli copy beside each text file for the daemon to serve.
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants } from 'node:zlib'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

/** Below this a compressed copy saves less than one TCP segment. */
const COMPRESS_MIN_BYTES = 1400

function brotli(): Plugin {
  let folder = 'dist'
  return {
    name: 'doorpost-brotli',
    apply: 'build',
    configResolved(config) {
      folder = config.build.outDir
    },
    closeBundle() {
      for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
        if (!/\.(js|css|html|svg)$/.test(name)) continue
        const plain = readFileSync(join(folder, name))
        if (plain.length < COMPRESS_MIN_BYTES) continue
        const packed = brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } })
        writeFileSync(join(folder, `${name}.br`), packed)
      }
    },
  }
}

/** The daemon (https://localhost:8443) or the mock that `npm run mock` starts. */
const daemon = process.env['DOORPOST_URL'] ?? 'http://127.0.0.1:8790'

export default defineConfig({
  plugins: [svelte(), brotli()],
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false }, reportCompressedSize: false },
  server: { proxy: { '^/(api|readyz)': { target: daemon, secure: false } } },
  test: { include: ['tests/**/*.test.ts'], environment: 'node' },
})
