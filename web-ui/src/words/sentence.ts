/** The box's sentences set names of the site file in backticks; here they become code. */
export function sentenceParts(sentence: string): { text: string; code: boolean }[] {
  const parts = sentence.split('`')
  // An odd backtick is only a character: nothing is set apart then.
  if (parts.length % 2 === 0) return [{ text: sentence, code: false }]
  return parts.map((text, i) => ({ text, code: i % 2 === 1 })).filter(({ text }) => text !== '')
}
