/**
 * One key for one intent. A person's wish ("pay this quote") keeps its key through time-outs, lost
 * answers and a reload of the page, until the server has given its final answer; a changed wish
 * gets another key. So the server can tell a repeated question from a second order.
 */
export interface KeyStore {
  getItem(name: string): string | null
  setItem(name: string, value: string): void
  removeItem(name: string): void
}

interface KeptKey {
  key: string
  body: string
}

const PREFIX = 'fuman.intent.'

export class IntentKeys {
  private readonly store: KeyStore
  private readonly newKey: () => string

  constructor(store: KeyStore, newKey: () => string = () => crypto.randomUUID()) {
    this.store = store
    this.newKey = newKey
  }

  /** The key of this intent with exactly this body; the same until `settle`. */
  keyFor(intent: string, body: unknown): string {
    const text = JSON.stringify(body ?? null)
    const kept = this.read(intent)
    if (kept && kept.body === text) return kept.key
    const key = this.newKey()
    this.store.setItem(PREFIX + intent, JSON.stringify({ key, body: text } satisfies KeptKey))
    return key
  }

  /** The server gave a final answer: the next wish of this name is a new one. */
  settle(intent: string): void {
    this.store.removeItem(PREFIX + intent)
  }

  private read(intent: string): KeptKey | null {
    const raw = this.store.getItem(PREFIX + intent)
    if (!raw) return null
    try {
      const kept = JSON.parse(raw) as Partial<KeptKey>
      return typeof kept.key === 'string' && typeof kept.body === 'string'
        ? { key: kept.key, body: kept.body }
        : null
    } catch {
      return null // Somebody else's text under our name: a new key is right.
    }
  }
}

/** Session storage where there is one, memory where the browser forbids it. */
export function browserKeyStore(): KeyStore {
  try {
    sessionStorage.setItem(`${PREFIX}probe`, '1')
    sessionStorage.removeItem(`${PREFIX}probe`)
    return sessionStorage
  } catch {
    const memory = new Map<string, string>()
    return {
      getItem: (name) => memory.get(name) ?? null,
      setItem: (name, value) => void memory.set(name, value),
      removeItem: (name) => void memory.delete(name),
    }
  }
}
