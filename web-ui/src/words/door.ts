// How an opening came out, in the words of somebody who stands in front of the door.
import type { Door, DoorOutcome } from '../api/answers'
import type { Tone } from './print'

export function openingWord(outcome: DoorOutcome): { word: string; tone: Tone } {
  switch (outcome) {
    case 'opened':
      return { word: 'Opened', tone: 'good' }
    case 'refused':
      return { word: 'Refused', tone: 'bad' }
    case 'failed':
      return { word: 'Failed', tone: 'bad' }
    case 'unknown':
      return { word: 'Could not confirm; try the door', tone: 'wait' }
  }
}

/** The word for the outcome, unless the box's sentence says the same. */
export function openingHead(outcome: DoorOutcome, sentence: string): string | null {
  const { word } = openingWord(outcome)
  const says = sentence.toLocaleLowerCase()
  return outcome === 'opened' || says.includes(word.toLocaleLowerCase()) ? null : word
}

/** What to know about the door's equipment, if there is anything to do about it. */
export function doorTrouble(door: Door): string | null {
  if (!door.relay.connected) {
    return `The relay ${door.relay.device} is not connected; check its power and network.`
  }
  const gone = door.readers.filter((reader) => !reader.connected).map((reader) => reader.device)
  if (gone.length > 0) return `The reader ${gone.join(', ')} is not connected; badges do not work here.`
  return null
}
