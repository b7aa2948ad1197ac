import { learnServerTime } from '../format/clock'
import { browserKeyStore, IntentKeys } from './idempotency'
import { ApiProblem, readProblem, TransportFailure } from './problem'

export type QueryValue = string | number | boolean | null | undefined | readonly string[]
export type Query = Record<string, QueryValue>

export interface RequestOptions {
  query?: Query
  body?: unknown
  signal?: AbortSignal
  timeoutMs?: number
  /** Goes on when the page is left; for what must not be waited for. */
  keepalive?: boolean
}

export interface CommandOptions extends RequestOptions {
  /** Names the person's wish; its Idempotency-Key is kept across retries (see IntentKeys). */
  intent: string
}

export interface ClientSettings {
  base?: string
  fetch?: typeof fetch
  keys?: IntentKeys
  isOnline?: () => boolean
  wait?: (ms: number) => Promise<void>
  /** Called once for each 401, so that the application can ask the person to sign in. */
  onSignedOut?: () => void
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

const READ_TIMEOUT_MS = 12_000
const WRITE_TIMEOUT_MS = 20_000
const COMMAND_TRIES = 3

/** `{brand: ["a", "b"], pot: null}` -> "?brand=a&brand=b"; empty values are left out. */
export function queryString(query: Query = {}): string {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === '') continue
    if (Array.isArray(value)) for (const one of value) params.append(name, one)
    else params.append(name, String(value))
  }
  const text = params.toString()
  return text ? `?${text}` : ''
}

/** An answer that says nothing about whether the command took effect. */
function isUncertain(error: unknown): boolean {
  if (error instanceof TransportFailure) return true
  if (!(error instanceof ApiProblem)) return false
  return error.status >= 500 || (error.status === 409 && error.retryAfter !== null)
}

export class ApiClient {
  private csrfToken: string | null = null
  private readonly base: string
  private readonly fetch: typeof fetch
  private readonly keys: IntentKeys
  private readonly isOnline: () => boolean
  private readonly wait: (ms: number) => Promise<void>
  private readonly onSignedOut: () => void

  constructor(settings: ClientSettings = {}) {
    this.base = settings.base ?? '/api/v1'
    this.fetch = settings.fetch ?? ((...args) => globalThis.fetch(...args))
    this.keys = settings.keys ?? new IntentKeys(browserKeyStore())
    this.isOnline = settings.isOnline ?? (() => navigator.onLine)
    this.wait = settings.wait ?? ((ms) => new Promise((resolve) => setTimeout(resolve, ms)))
    this.onSignedOut = settings.onSignedOut ?? (() => undefined)
  }

  /** The token that sign-in and `/me` return; every write carries it. */
  setCsrfToken(token: string | null): void {
    this.csrfToken = token
  }

  get<T>(path: string, options: RequestOptions = {}): Promise<T> {
    return this.request<T>('GET', path, options, {})
  }

  /** A write that moves neither money nor stock: no key, no repetition. */
  send<T>(method: Exclude<Method, 'GET'>, path: string, options: RequestOptions = {}): Promise<T> {
    return this.request<T>(method, path, options, {})
  }

  /**
   * A command that moves money or stock. Repeated by itself, with the same key, when no answer
   * came; the key is given up only once the server's final answer is here.
   */
  async command<T>(path: string, options: CommandOptions): Promise<T> {
    const key = this.keys.keyFor(options.intent, options.body)
    for (let tried = 1; ; tried += 1) {
      try {
        const answer = await this.request<T>('POST', path, options, { 'Idempotency-Key': key })
        this.keys.settle(options.intent)
        return answer
      } catch (error) {
        const aborted = options.signal?.aborted ?? false
        if (!isUncertain(error)) {
          if (error instanceof ApiProblem && error.status !== 401) this.keys.settle(options.intent)
          throw error
        }
        if (aborted || tried >= COMMAND_TRIES) throw error
        const asked = error instanceof ApiProblem ? error.retryAfter : null
        await this.wait(Math.min(asked ?? tried, 5) * 1000)
      }
    }
  }

  private async request<T>(
    method: Method,
    path: string,
    options: RequestOptions,
    extraHeaders: Record<string, string>,
  ): Promise<T> {
    const { response, text } = await this.transport(method, path, options, extraHeaders)
    learnServerTime(response.headers.get('X-Now'))
    if (response.ok) return (text === '' ? undefined : JSON.parse(text)) as T
    const problem = readProblem(response, text)
    if (problem.status === 401) this.onSignedOut()
    throw problem
  }

  private async transport(
    method: Method,
    path: string,
    options: RequestOptions,
    extraHeaders: Record<string, string>,
  ): Promise<{ response: Response; text: string }> {
    const headers: Record<string, string> = { Accept: 'application/json', ...extraHeaders }
    if (options.body !== undefined) headers['Content-Type'] = 'application/json'
    if (method !== 'GET' && this.csrfToken) headers['X-CSRF-Token'] = this.csrfToken
    const timeoutMs = options.timeoutMs ?? (method === 'GET' ? READ_TIMEOUT_MS : WRITE_TIMEOUT_MS)
    const timeout = new AbortController()
    const timer = setTimeout(() => timeout.abort(), timeoutMs)
    const forward = (): void => timeout.abort()
    options.signal?.addEventListener('abort', forward)
    try {
      const response = await this.fetch(this.base + path + queryString(options.query), {
        method,
        headers,
        credentials: 'same-origin',
        body: options.body === undefined ? undefined : JSON.stringify(options.body),
        signal: timeout.signal,
        keepalive: options.keepalive ?? false,
      })
      // The body counts too: an answer that stalls half-way is no answer.
      return { response, text: await response.text() }
    } catch (error) {
      if (options.signal?.aborted) throw error
      if (timeout.signal.aborted) throw new TransportFailure('timeout')
      throw new TransportFailure(this.isOnline() ? 'unreachable' : 'offline')
    } finally {
      clearTimeout(timer)
      options.signal?.removeEventListener('abort', forward)
    }
  }
}
