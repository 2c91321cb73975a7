// One short sentence after something was done; it goes by itself.

const SHOWN_MS = 6_000

class Saying {
  text = $state('')
  #timer: ReturnType<typeof setTimeout> | undefined

  say(text: string): void {
    this.text = text
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => (this.text = ''), SHOWN_MS)
  }
}

export const saying = new Saying()
