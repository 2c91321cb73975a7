// Times as people at the site read them: always in the site's zone, whatever zone this browser is in.

const formats = new Map<string, Intl.DateTimeFormat>()

function format(zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = zone + JSON.stringify(options)
  let made = formats.get(key)
  if (made === undefined) {
    made = new Intl.DateTimeFormat('en-GB', { ...options, timeZone: zone })
    formats.set(key, made)
  }
  return made
}

/** `08:02:31` */
export function clockTime(at: number, zone: string): string {
  return format(zone, { hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(at)
}

/** `2026-11-21`, the form that a date field takes. */
export function isoDate(at: number, zone: string): string {
  const parts = format(zone, { year: 'numeric', month: '2-digit', day: '2-digit' }).formatToParts(at)
  const part = (type: string): string => parts.find((p) => p.type === type)?.value ?? ''
  return `${part('year')}-${part('month')}-${part('day')}`
}

/** `21 Nov 2026` */
export function day(at: number, zone: string): string {
  return format(zone, { day: 'numeric', month: 'short', year: 'numeric' }).format(at)
}

/** `08:02` today, `20 Nov, 08:02` this year, `20 Nov 2025, 08:02` before. */
export function moment(at: number, now: number, zone: string): string {
  const time: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit' }
  if (isoDate(at, zone) === isoDate(now, zone)) return format(zone, time).format(at)
  const date: Intl.DateTimeFormatOptions = { day: 'numeric', month: 'short', ...time }
  if (isoDate(at, zone).slice(0, 4) === isoDate(now, zone).slice(0, 4)) return format(zone, date).format(at)
  return format(zone, { ...date, year: 'numeric' }).format(at)
}

/** `just now`, `12 min`, `3 h 05 min`, `2 days`. */
export function elapsed(from: number, now: number): string {
  const minutes = Math.floor(Math.max(0, now - from) / 60_000)
  if (minutes < 1) return 'just now'
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, '0')} min`
  return `${Math.floor(hours / 24)} days`
}

/** Milliseconds that the zone's wall clock is ahead of UTC at `at`. */
function offset(at: number, zone: string): number {
  const parts = format(zone, {
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
    hourCycle: 'h23',
  }).formatToParts(at)
  const n = (type: string): number => Number(parts.find((p) => p.type === type)?.value)
  const wall = Date.UTC(n('year'), n('month') - 1, n('day'), n('hour'), n('minute'), n('second'))
  return wall - Math.floor(at / 1000) * 1000
}

/** The first instant of a day (`2026-11-21`) in the zone, `days` days on. */
export function startOfDay(date: string, zone: string, days = 0): number {
  const [year, month, dayOfMonth] = date.split('-').map(Number) as [number, number, number]
  const wall = Date.UTC(year, month - 1, dayOfMonth + days)
  // The offset is that of the instant sought, not of the guess; on the day of a clock change one more step settles it.
  const guess = wall - offset(wall, zone)
  return wall - offset(guess, zone)
}

/** The zone's short name at `at`: `CET`, `GMT+5:30`. */
export function zoneName(at: number, zone: string): string {
  const parts = format(zone, { timeZoneName: 'short' }).formatToParts(at)
  return parts.find((p) => p.type === 'timeZoneName')?.value ?? zone
}
