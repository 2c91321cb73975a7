// A hint on a new password while it is typed. It only advises: the daemon decides.

/** The daemon's lower bound; NIST SP 800-63B asks for 8, and this password opens doors. */
export const PASSWORD_MIN_CHARS = 12
/** What OWASP ASVS 6.2.1 recommends. */
const GOOD_CHARS = 15

/** Fewer characters than this that do not follow from others can be guessed. */
const WEAK_WORTH = 8

export interface Strength {
  /** 0 too short, 1 weak, 2 fair, 3 strong */
  level: 0 | 1 | 2 | 3
  hint: string
}

const COMMON = ['password', 'passwort', 'doorpost', 'admin', 'letmein', 'welcome', 'qwerty', 'azerty', 'coworking']

/** Characters that follow from the one before (`aaa`, `abc`, `321`) are worth next to nothing. */
function worth(password: string): number {
  let left = password.toLowerCase()
  for (const word of COMMON) left = left.replaceAll(word, '*')
  let count = 0
  for (let i = 0; i < left.length; i++) {
    const step = i === 0 ? 99 : Math.abs(left.charCodeAt(i) - left.charCodeAt(i - 1))
    count += step <= 1 ? 0.25 : 1
  }
  return count
}

export function strength(password: string): Strength {
  const length = [...password].length
  if (length < PASSWORD_MIN_CHARS) {
    const missing = PASSWORD_MIN_CHARS - length
    return { level: 0, hint: missing === 1 ? 'One more character, at least.' : `${missing} more characters, at least.` }
  }
  const value = worth(password)
  if (value < PASSWORD_MIN_CHARS)
    return { level: 1, hint: 'Easy to guess: repeats, runs and common words count for little.' }
  if (value < GOOD_CHARS)
    return { level: 2, hint: 'Fair. Four unrelated words are easier to keep and harder to guess.' }
  return { level: 3, hint: 'Strong.' }
}
