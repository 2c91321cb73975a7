// Credit: hundredths of the site's currency, as people write and type it.

/** `€3.50`. A currency that the browser does not know stands behind the number. */
export function money(minor: number, currency: string): string {
  try {
    return new Intl.NumberFormat('en', {
      style: 'currency',
      currency,
      minimumFractionDigits: 2,
      maximumFractionDigits: 2,
      currencyDisplay: 'narrowSymbol',
    }).format(minor / 100)
  } catch {
    return `${(minor / 100).toFixed(2)} ${currency}`
  }
}

/** More than anybody pays for printing; beyond it somebody has typed cents. */
export const CREDIT_MAX_MINOR = 100_000

/** `5`, `5.5`, `5,50`, `-2.00` in hundredths; null when it is not an amount or more than `CREDIT_MAX_MINOR`. */
export function parseAmount(text: string): number | null {
  const match = /^\s*(-?)(\d{1,6})(?:[.,](\d{1,2}))?\s*$/.exec(text)
  if (match === null) return null
  const minor = Number(match[2]) * 100 + Number((match[3] ?? '').padEnd(2, '0'))
  if (minor === 0 || minor > CREDIT_MAX_MINOR) return null
  return match[1] === '-' ? -minor : minor
}
