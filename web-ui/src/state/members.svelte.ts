// All members: for the table, and for what a member called a device.
import { people } from '../api/client'
import type { Credential, Member } from '../api/answers'
import { Resource } from './resource.svelte'

class Members extends Resource<Member[]> {
  #byUsername = $derived(
    new Map(
      (this.data ?? []).flatMap((member) =>
        member.credentials.flatMap((c): [string, Credential][] => (c.username ? [[c.username, c]] : [])),
      ),
    ),
  )

  constructor() {
    // Up to 5,000 of them: loaded when one of them changes; only the table asks on its own who is online.
    super(people.members, ['people'], null)
  }

  /** What the member called the device that uses this Wi-Fi key; a session's user name may carry the realm. */
  deviceLabel = (username: string): string | null => this.#byUsername.get(username.replace(/@.*$/, ''))?.label || null
}

export const members = new Members()
