// Print jobs in the words of the people who wait for them.
import type { Job, JobState } from '../api/answers'
import { money } from './money'

export type Tone = 'good' | 'bad' | 'wait' | 'plain'

export function jobWord(state: JobState): { word: string; tone: Tone } {
  switch (state) {
    case 'pending':
      return { word: 'waiting', tone: 'plain' }
    case 'held':
      return { word: 'held', tone: 'wait' }
    case 'printing':
      return { word: 'printing', tone: 'plain' }
    case 'completed':
      return { word: 'printed', tone: 'good' }
    case 'canceled':
      return { word: 'cancelled', tone: 'plain' }
    case 'aborted':
      return { word: 'failed', tone: 'bad' }
    case 'needs-checking':
      return { word: 'needs checking', tone: 'wait' }
  }
}

export const canRelease = (job: Job): boolean => job.state === 'held'
export const canSettle = (job: Job): boolean => job.state === 'needs-checking'
export const canCancel = (job: Job): boolean =>
  job.state === 'pending' || job.state === 'held' || job.state === 'printing'

/** `1 page`, `12 pages` */
export function pages(count: number): string {
  return count === 1 ? '1 page' : `${count.toLocaleString('en')} pages`
}

/** What came out, or what would. */
export function jobPages(job: Job): string {
  if (job.pages_settled !== null) {
    const by = job.counted_by === 'estimate' ? ', by estimate' : ''
    return pages(job.pages_settled) + by
  }
  return job.pages === null ? 'counting' : pages(job.pages)
}

/** The price, once there is one. */
export function jobPrice(job: Job, currency: string): string {
  if (job.charged_minor === null) return '–'
  if (job.charged_minor === 0) return job.pages_settled === 0 ? 'nothing' : 'included'
  return money(job.charged_minor, currency)
}
