// The walk of a new operator through the real UI in Chromium: claim the box, add a member, issue a Wi-Fi key, open a door, see
// the event come in without a reload; suspend and resume; sign out and in.
//
// The Rust test tests/e2e/browser.rs starts the daemon and a relay and runs this. Besides each step it fails on any console
// error, any violation of the Content-Security-Policy, any request to another origin, any WCAG 2.2 AA finding of axe, and any
// sideways scrolling at 360 px.
//
// Environment: DOORPOST_URL, DOORPOST_CLAIM_CODE, DOORPOST_ARTEFACTS (a folder for the screenshots), CHROMIUM.
import axe from 'axe-core'
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const need = (name) => process.env[name] ?? assert.fail(`${name} is not set`)
const url = new URL(need('DOORPOST_URL'))
const code = need('DOORPOST_CLAIM_CODE')
const artefacts = need('DOORPOST_ARTEFACTS')

/** A debug build on a busy machine; nothing that a person waits for takes a tenth of it. */
const STEP_MAX_MS = 30_000
const PASSWORD = 'four unrelated words suffice'
const MEMBER = 'Ada Lindqvist'
const PHONE = { width: 360, height: 740 }
const DESK = { width: 1280, height: 860 }
const WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']

const faults = []
/** What the browser itself reports for a connection that this walk cuts on purpose. */
let cut = false

function watch(page) {
  page.on('console', (message) => {
    if (message.type() === 'error' && !cut) faults.push(`console: ${message.text()} (${message.location().url})`)
  })
  page.on('pageerror', (error) => faults.push(`page: ${error.stack ?? error}`))
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== url.origin) faults.push(`request to another origin: ${request.url()}`)
  })
  page.on('response', (response) => {
    if (response.status() >= 400) faults.push(`${response.status()} for ${response.request().method()} ${response.url()}`)
  })
}

async function look(page, name) {
  await page.screenshot({ path: join(artefacts, `${name}.png`) })
  await page.evaluate(axe.source)
  const { violations } = await page.evaluate((tags) => globalThis.axe.run({ runOnly: tags }), WCAG)
  for (const { id, help, nodes } of violations) {
    faults.push(`axe on ${name}: ${id} (${help}): ${nodes.map((node) => node.html.slice(0, 160)).join(' | ')}`)
  }
  await page.setViewportSize(PHONE)
  const width = await page.evaluate(() => document.documentElement.scrollWidth)
  if (width > PHONE.width) faults.push(`${name} is ${width} px wide on a phone of ${PHONE.width}`)
  await page.screenshot({ path: join(artefacts, `${name}-phone.png`) })
  await page.setViewportSize(DESK)
  console.log(`seen: ${name}`)
}

const button = (page, name) => page.getByRole('button', { name, exact: true })
const dialog = (page, name) => page.getByRole('dialog', { name })
const gone = (locator) => locator.waitFor({ state: 'detached' })

async function claim(page) {
  await page.goto('/')
  await page.getByRole('heading', { name: 'Claim this Doorpost' }).waitFor()
  await page.getByLabel('Claim code').fill(code)
  await page.getByLabel('New password').fill('too short')
  await page.getByText('more characters, at least').waitFor()
  await look(page, '1-claim')
  await page.getByLabel('New password').fill(PASSWORD)
  await page.getByText('Strong.').waitFor()
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Doors', exact: true }).waitFor()
  await page.getByText('Nobody is online').waitFor()
  await look(page, '2-home-empty')
}

async function addMember(page) {
  await page.getByRole('link', { name: 'Members', exact: true }).click()
  await page.getByText('No member yet').waitFor()
  await button(page, 'Add member').first().click()
  const form = dialog(page, 'Add a member')
  await form.getByLabel('Name').fill(MEMBER)
  await form.getByLabel('E-mail').fill('ada@example.org')
  await form.getByLabel('Plan').selectOption('resident')
  await look(page, '3-add-member')
  await button(form, 'Add member').click()
  await page.getByRole('heading', { name: MEMBER }).waitFor()
  await gone(form)
}

async function issueWifiKey(page) {
  await button(page, 'Issue Wi-Fi key').click()
  const form = dialog(page, 'Issue a Wi-Fi key')
  await form.getByLabel('Called').fill('phone')
  await button(form, 'Issue key').click()
  const shown = dialog(page, 'Wi-Fi key')
  await shown.waitFor()
  // A secret that is shown once must not be lost to a stray key.
  await page.keyboard.press('Escape')
  await page.keyboard.press('Escape')
  const key = await shown.getByLabel('Key', { exact: true }).getAttribute('data-value')
  const username = await shown.getByLabel('User name', { exact: true }).getAttribute('data-value')
  assert.match(key, /^[a-z0-9-]{16,}$/, 'the key is typeable')
  assert.match(username, /\S/)
  assert.equal(await shown.getByLabel('Key', { exact: true }).innerText(), key, 'what is seen is what is copied')
  await look(page, '4-wifi-key')
  await button(shown, 'I have noted it').click()
  await gone(shown)
  await page.locator('[data-credential]').filter({ hasText: 'phone' }).waitFor()
  assert.ok(!(await page.content()).includes(key), 'the key is nowhere on the page any more')
  await page.locator('[data-event]').first().waitFor()
  await look(page, '5-member')
}

async function openDoor(page) {
  await page.getByRole('link', { name: 'Home', exact: true }).click()
  await page.getByText('live', { exact: true }).waitFor()
  await page.evaluate(() => (globalThis.notReloaded = true))
  const events = page.getByRole('list', { name: 'Events, newest first' }).locator('[data-event]')
  const before = new Set(await events.evaluateAll((rows) => rows.map((row) => row.dataset.event)))
  const open = page.getByRole('button', { name: 'Open Street door' })
  await open.focus()
  await page.keyboard.press('Enter')
  await page.locator('[data-outcome]').waitFor()
  const outcome = await page.locator('[data-outcome]').getAttribute('data-outcome')
  assert.equal(outcome, 'opened', `the door: ${await page.locator('[data-outcome]').innerText()}`)
  // The row comes by the event stream, not with the answer.
  await page.waitForFunction(
    (known) =>
      [...document.querySelectorAll('[data-event]')].some(
        (row) => !known.includes(row.dataset.event) && /Door · street/.test(row.textContent),
      ),
    [...before],
  )
  assert.ok(await page.evaluate(() => globalThis.notReloaded), 'the page was not loaded again')
  await page.getByText(/Last: Opened/).waitFor()
  await look(page, '6-door-opened')
}

/** The connection goes, something happens meanwhile, the connection comes back: the row is there. */
async function resume(page, context) {
  const rows = page.locator('[data-event]')
  const before = await rows.count()
  cut = true
  await context.setOffline(true)
  await page.getByText('connection lost, trying again').waitFor()
  const answer = await context.request.post('/api/doors/street/open', { data: {} })
  assert.equal(answer.status(), 200)
  await context.setOffline(false)
  await page.getByText('live', { exact: true }).waitFor()
  await page.waitForFunction((n) => document.querySelectorAll('[data-event]').length > n, before)
  cut = false
  console.log('seen: the stream resumed and brought what was missed')
}

async function filterAndPause(page) {
  await page.getByLabel('Part', { exact: true }).selectOption('people')
  await page.waitForFunction(() => ![...document.querySelectorAll('[data-event]')].some((row) => /Door ·/.test(row.textContent)))
  await page.getByLabel('Text in the event').fill('nothing has this in it')
  await button(page, 'Show all events').click()
  await page.locator('[data-event]').filter({ hasText: 'Door · street' }).first().waitFor()
  await button(page, 'Pause').click()
  await page.getByText('paused', { exact: true }).waitFor()
  await page.getByRole('button', { name: /^Resume/ }).click()
  await page.getByText('live', { exact: true }).waitFor()
}

async function suspendAndResume(page) {
  await page.getByRole('link', { name: 'Members', exact: true }).click()
  await page.getByLabel('Search members').fill('ada resident')
  await look(page, '7-members')
  await page.getByRole('link', { name: MEMBER }).click()
  const doorNow = page.locator('section').filter({ hasText: 'Right now' }).getByRole('listitem').filter({ hasText: 'Street door' })
  await doorNow.getByText('Open:').waitFor({ state: 'attached' })
  await button(page, 'Suspend').click()
  await button(dialog(page, `Suspend ${MEMBER}?`), 'Suspend').click()
  await page.getByText('Suspended since').waitFor()
  await doorNow.getByText('Closed:').waitFor({ state: 'attached' })
  await look(page, '8-suspended')
  await button(page, 'Resume').click()
  await page.getByText('active', { exact: true }).waitFor()
  await doorNow.getByText('Open:').waitFor({ state: 'attached' })
}

async function credit(page) {
  await button(page, 'Add credit').click()
  const form = dialog(page, `Add print credit for ${MEMBER}`)
  await form.getByLabel('Amount in EUR').fill('2,50')
  await form.getByText('Credit after this: €2.50').waitFor()
  await button(form, 'Add credit').click()
  await page.locator('dd').filter({ hasText: '€2.50' }).waitFor()
}

async function signOutAndIn(page) {
  await button(page, 'Sign out').click()
  await page.getByLabel('Administrator’s password').fill(PASSWORD)
  await look(page, '9-sign-in')
  await button(page, 'Sign in').click()
  // Back where one was: the member's page.
  await page.getByRole('heading', { name: MEMBER }).waitFor()
}

async function walk(context) {
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      console.error(`Content-Security-Policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`)
    })
  })
  const page = context.pages()[0] ?? (await context.newPage())
  page.setDefaultTimeout(STEP_MAX_MS)
  watch(page)
  try {
    await claim(page)
    await addMember(page)
    await issueWifiKey(page)
    await openDoor(page)
    await resume(page, context)
    await filterAndPause(page)
    await suspendAndResume(page)
    await credit(page)
    await signOutAndIn(page)
    await page.emulateMedia({ colorScheme: 'dark' })
    await page.getByRole('link', { name: 'Home', exact: true }).click()
    await page.locator('[data-event]').first().waitFor()
    await look(page, '10-home-dark')
  } catch (error) {
    await page.screenshot({ path: join(artefacts, 'failed.png') }).catch(() => {})
    throw error
  }
}

mkdirSync(artefacts, { recursive: true })
rmSync(join(artefacts, 'failed.png'), { force: true })
const profile = mkdtempSync(join(tmpdir(), 'doorpost-walk-'))
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
  baseURL: url.origin,
  ignoreHTTPSErrors: true,
  viewport: DESK,
  locale: 'en-GB',
})
try {
  await walk(context)
} finally {
  await context.close()
  rmSync(profile, { recursive: true, force: true })
}
for (const fault of faults) console.error(fault)
assert.equal(faults.length, 0, `${faults.length} faults, see above`)
console.log(`walked; screenshots in ${artefacts}`)
