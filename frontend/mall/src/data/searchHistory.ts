import { computed, ref } from 'vue'
import { useSession } from '@shared/session/session'

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

const kept = ref<string[]>(load())
const { me } = useSession()
/** Who switched personalisation off is shown nothing of before, and nothing more is kept. */
const allowed = computed(() => me.value?.settings.personalisation ?? false)

/** What was searched on this device; it never leaves it. */
export const searches = computed(() => (allowed.value ? kept.value : []))

function store(): void {
  try {
    localStorage.setItem(STORE_KEY, JSON.stringify(kept.value))
  } catch {
    // Without storage the list lasts until the page is closed.
  }
}

export function rememberSearch(text: string): void {
  const trimmed = text.trim().slice(0, 60)
  if (!trimmed || !allowed.value) return
  kept.value = [trimmed, ...kept.value.filter((one) => one !== trimmed)].slice(0, KEPT)
  store()
}

export function forgetSearches(): void {
  kept.value = []
  store()
}
