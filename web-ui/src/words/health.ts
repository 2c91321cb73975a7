// What is wrong with the box right now, in sentences that say what to do.
import type { Readiness, StatusDetails } from '../api/answers'

function part(name: string): string {
  switch (name) {
    case 'wifi':
      return 'Wi-Fi sign-in (RADIUS)'
    case 'print':
      return 'Printing (IPP)'
    case 'door':
      return 'Doors and readers (MQTT)'
    case 'store':
      return 'The database'
    default:
      return name
  }
}

export function troubles(details: StatusDetails | null, readiness: Readiness | null): string[] {
  const sentences: string[] = []
  if (details?.time_trusted === false) {
    sentences.push(
      'The box does not know the time yet. Plans without hours work; grants that begin at a time wait until it does.',
    )
  }
  if (details !== null && details.events_dropped > 0) {
    sentences.push(`${details.events_dropped} events could not be written down; check the space on the box’s disk.`)
  }
  // Exceptions in the site file, and VLANs that wait for their test: the box has the sentences.
  sentences.push(...(details?.warnings ?? []))
  for (const [name, state] of Object.entries(readiness?.components ?? {})) {
    if (state !== 'ok') sentences.push(`${part(name)}: ${state}. “doorpost doctor” on the box says what to do.`)
  }
  return sentences
}
