/** Bytes as a person compares them: `0 B`, `12 kB`, `3.4 GB`. */
export function volume(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let n = bytes
  let unit = 0
  while (n >= 999.5 && unit < units.length - 1) {
    n /= 1000
    unit += 1
  }
  const digits = unit > 0 && n < 9.95 ? 1 : 0
  return `${n.toFixed(digits)} ${units[unit]}`
}
