// Wi-Fi sessions in words: only what is not the plain case needs one.
import type { SessionState } from '../api/answers'

export function sessionNote(state: SessionState): string | null {
  switch (state) {
    case 'open':
      return null
    case 'admitted':
      return 'joining …'
    case 'unreported':
      return 'let in; the access point reports no accounting, so it may have left'
    case 'disconnecting':
      return 'disconnecting …'
    case 'disconnect-failed':
      return 'the access point did not confirm the disconnect; the session’s end bounds it'
  }
}
