// History rows in words, and the filter over them.
import type { HistoryRecord, Noun, Outcome } from '../api/answers'

export const NOUNS: readonly Noun[] = ['wifi', 'print', 'door', 'people', 'device', 'site', 'admin']

export function nounWord(noun: Noun): string {
  switch (noun) {
    case 'wifi':
      return 'Wi-Fi'
    case 'print':
      return 'Print'
    case 'door':
      return 'Door'
    case 'people':
      return 'People'
    case 'device':
      return 'Device'
    case 'site':
      return 'Site'
    case 'admin':
      return 'Admin'
  }
}

export function outcomeWord(outcome: Outcome): string {
  switch (outcome) {
    case 'allowed':
      return 'Allowed'
    case 'refused':
      return 'Refused'
    case 'noted':
      return 'Noted'
    case 'warning':
      return 'Warning'
  }
}

export interface HistoryFilter {
  noun: Noun | ''
  outcome: Outcome | ''
  text: string
}

export function matches(row: HistoryRecord, filter: HistoryFilter): boolean {
  if (filter.noun !== '' && row.noun !== filter.noun) return false
  if (filter.outcome !== '' && row.outcome !== filter.outcome) return false
  const words = filter.text.toLocaleLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return true
  const facts = [...Object.values(row.facts), ...Object.values(row.personal)]
  const text = [row.sentence, row.code, row.place ?? '', row.member_name ?? '', ...facts].join('\n').toLocaleLowerCase()
  return words.every((word) => text.includes(word))
}

/** `vlan` -> `VLAN`, `session_id` -> `session id`. */
export function factWord(key: string): string {
  if (['vlan', 'mac', 'ip', 'uid', 'eap', 'tls', 'ssid'].includes(key)) return key.toUpperCase()
  return key.replaceAll(/[_-]/g, ' ')
}
