import { locale } from './locale'

/** Chinese and English side by side, so that neither can be forgotten. */
export type Texts = Record<string, readonly [zh: string, en: string]>

export type TextParams = Record<string, string | number>

/** Fills `{name}` and, where a text is "one|many", picks by the number `n`. */
export function fill(text: string, params: TextParams = {}): string {
  let chosen = text
  if (text.includes('|') && typeof params.n === 'number') {
    const [one = text, many = text] = text.split('|')
    chosen = params.n === 1 ? one : many
  }
  return chosen.replace(/\{(\w+)\}/g, (whole, name: string) => String(params[name] ?? whole))
}

export type Translate<T extends Texts> = (key: keyof T & string, params?: TextParams) => string

/** A `t()` that knows exactly the keys of `texts` and follows the page's language. */
export function makeTranslate<T extends Texts>(texts: T): Translate<T> {
  return (key, params) => {
    const pair = texts[key]
    if (!pair) return key
    return fill(locale.value === 'zh' ? pair[0] : pair[1], params)
  }
}
