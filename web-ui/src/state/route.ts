// Hash routes: `#/`, `#/members`, `#/members/mem_…`, and `#/claim?code=…` as the box prints it.

export type Route =
  | { screen: 'home' }
  | { screen: 'members' }
  | { screen: 'member'; id: string }
  | { screen: 'claim'; code: string }
  | { screen: 'lost'; path: string }

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2)
  const parts = path.split('/').filter(Boolean)
  if (parts.length === 0) return { screen: 'home' }
  if (parts[0] === 'members' && parts.length === 1) return { screen: 'members' }
  if (parts[0] === 'members' && parts.length === 2 && parts[1] !== undefined) return { screen: 'member', id: parts[1] }
  if (parts[0] === 'claim' && parts.length === 1) {
    return { screen: 'claim', code: new URLSearchParams(query).get('code') ?? '' }
  }
  return { screen: 'lost', path }
}

export const memberHref = (id: string): string => `#/members/${id}`
