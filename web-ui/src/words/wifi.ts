// Wi-Fi sessions in words: only what is not the plain case needs one.
import type { SessionState, WifiSession } from '../api/answers'

/** The VLAN of a session in front of its access point's name; with a VLAN that waits for its test. */
export function vlanNote(session: Pick<WifiSession, 'vlan' | 'vlan_withheld'>): string {
  if (session.vlan !== null) return `VLAN ${session.vlan} · `
  return session.vlan_withheld ? `VLAN ${session.vlan_withheld} not tested yet · ` : ''
}

export function sessionNote(state: SessionState): string | null {
  switch (state) {
    case 'open':
      return null
    case 'admitted':
      return 'joining …'
    case 'unreported':
      return 'let in; the access point has not reported it, so it may have left'
    case 'changing':
      return 'getting new terms …'
    case 'disconnecting':
      return 'disconnecting …'
    case 'disconnect-failed':
      return 'the access point did not confirm the disconnect; the session’s end bounds it'
  }
}
