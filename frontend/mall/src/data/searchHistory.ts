import { ref } from 'vue'

const STORE_KEY = 'fuman.searches'
const KEPT = 10

function load(): string[] {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(STORE_KEY) ?? '[]')
    return Array.isArray(value) ? value.filter((one) => typeof one === 'string').slice(0, KEPT) : []
  } catch {
    return []
  }
}

/** What was searched on this device; it never leaves it. */
export const searches = ref<string[]>(load())

function store(): void {
  try {
    localStorage.setItem(STORE_KEY, JSON.stringify(searches.value))
  } catch {
    // Without storage the list lasts until the page is closed.
  }
}

export function rememberSearch(text: string): void {
  const trimmed = text.trim().slice(0, 60)
  if (!trimmed) return
  searches.value = [trimmed, ...searches.value.filter((one) => one !== trimmed)].slice(0, KEPT)
  store()
}

export function forgetSearches(): void {
  searches.value = []
  store()
}
