// Members and what they carry, in words; and what is typed about them.
import type { Credential, CredentialKind, Member, MemberStatus } from '../api/answers'
import type { Tone } from './print'
import { day } from './time'

export function statusWord(status: MemberStatus): { word: string; tone: Tone } {
  switch (status.state) {
    case 'active':
      return { word: 'active', tone: 'good' }
    case 'suspended':
      return { word: 'suspended', tone: 'wait' }
    case 'ended':
      return { word: 'ended', tone: 'plain' }
  }
}

export function credentialWord(kind: CredentialKind): string {
  switch (kind) {
    case 'wifi-key':
      return 'Wi-Fi key'
    case 'badge':
      return 'Badge'
    case 'print-token':
      return 'Print token'
    case 'device-certificate':
      return 'Device certificate'
    case 'wifi-passphrase':
      return 'Wi-Fi passphrase'
    case 'registered-device':
      return 'Registered device'
  }
}

/** The usable ones first, then by age, newest first. */
export function credentialsInOrder(credentials: readonly Credential[]): Credential[] {
  return [...credentials].sort(
    (a, b) => Number(a.revoked_at !== null) - Number(b.revoked_at !== null) || b.issued_at - a.issued_at,
  )
}

/** `from 1 Dec 2026`, `until 31 Dec 2026`; the end is exclusive, so the last day is the one before it. */
export function validWords(valid: Member['valid'], zone: string): string {
  const from = valid.from === null ? null : `from ${day(valid.from, zone)}`
  const until = valid.until === null ? null : `until ${day(valid.until - 1, zone)}`
  return [from, until].filter((part) => part !== null).join(' ') || 'no end date'
}

/** One collator: `localeCompare` makes a new one for each pair, which 5,000 members feel. */
const byName = new Intl.Collator()

/** Every word of the search must stand somewhere in what is known of the member. */
export function findMembers(members: readonly Member[], search: string): Member[] {
  const words = search.toLocaleLowerCase().split(/\s+/).filter(Boolean)
  return members
    .filter((member) => {
      const text = [member.name, member.email, member.plan, member.team ?? '', member.status.state]
        .join('\n')
        .toLocaleLowerCase()
      return words.every((word) => text.includes(word))
    })
    .sort((a, b) => byName.compare(a.name, b.name))
}

/** A badge's UID as the box keeps it: 4 to 10 bytes in upper-case hexadecimal; null when it is none. */
export function badgeUid(text: string): string | null {
  const uid = text.replace(/[\s:-]/g, '').toUpperCase()
  return /^([0-9A-F]{2}){4,10}$/.test(uid) ? uid : null
}
