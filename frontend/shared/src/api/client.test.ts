import { beforeEach, describe, expect, it, vi } from 'vitest'
import { ApiClient, queryString } from './client'
import { endpoints } from './endpoints'
import { IntentKeys, type KeyStore } from './idempotency'
import { ApiProblem, TransportFailure } from './problem'

function memoryStore(): KeyStore {
  const kept = new Map<string, string>()
  return {
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => void kept.set(name, value),
    removeItem: (name) => void kept.delete(name),
  }
}

function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  const type = status < 400 ? 'application/json' : 'application/problem+json'
  return new Response(JSON.stringify(body), { status, headers: { 'Content-Type': type, ...headers } })
}

const problem = (status: number, code: string) => ({ title: code, status, code, detail: `${code}!` })

let fetched: ReturnType<typeof vi.fn<typeof fetch>>
let signedOut: ReturnType<typeof vi.fn<() => void>>
let online: boolean
let next: number
let waits: number[]

function client(store: KeyStore = memoryStore()): ApiClient {
  return new ApiClient({
    fetch: fetched,
    keys: new IntentKeys(store, () => `key-${(next += 1)}`),
    isOnline: () => online,
    onSignedOut: signedOut,
    wait: async (ms) => void waits.push(ms),
  })
}

const headersOf = (call: number): Record<string, string> =>
  fetched.mock.calls[call]?.[1]?.headers as Record<string, string>

beforeEach(() => {
  fetched = vi.fn<typeof fetch>()
  signedOut = vi.fn<() => void>()
  online = true
  next = 0
  waits = []
})

describe('requests', () => {
  it('sends chosen attributes as a parameter for each name', async () => {
    fetched.mockResolvedValue(json({}))
    await endpoints(client()).search({ q: '被', attribute: { 颜色: ['墨绿', '米白'], 尺寸: [] } })
    const asked = new URL(String(fetched.mock.calls[0]?.[0]), 'http://mall')
    expect([...asked.searchParams]).toEqual([['q', '被'], ['attribute.颜色', '墨绿'], ['attribute.颜色', '米白']])
  })

  it('repeats a list as a repeated parameter and leaves out what is empty', () => {
    expect(queryString({ q: '蚕丝', brand: ['a', 'b'], pot: '', cursor: null, limit: 20 })).toBe(
      '?q=%E8%9A%95%E4%B8%9D&brand=a&brand=b&limit=20',
    )
    expect(queryString({})).toBe('')
  })

  it('sends the CSRF token with writes only', async () => {
    fetched.mockImplementation(async () => json({}))
    const api = client()
    api.setCsrfToken('token')
    await api.get('/cart')
    await api.send('PUT', '/cart/items/off_1', { body: { quantity: 2 } })
    expect(headersOf(0)['X-CSRF-Token']).toBeUndefined()
    expect(headersOf(1)['X-CSRF-Token']).toBe('token')
    expect(fetched.mock.calls[1]?.[1]?.body).toBe('{"quantity":2}')
    expect(fetched.mock.calls[1]?.[0]).toBe('/api/v1/cart/items/off_1')
  })

  it('answers nothing for 204', async () => {
    fetched.mockResolvedValue(new Response(null, { status: 204 }))
    await expect(client().send('DELETE', '/cart/items/off_1')).resolves.toBeUndefined()
  })
})

describe('refusals', () => {
  it('become typed problems with their fields', async () => {
    const body = { ...problem(422, 'invalid_input'), errors: [{ field: 'phone', message: '手机号不对' }] }
    fetched.mockResolvedValue(json(body, 422, { 'X-Request-Id': 'req-1' }))
    const error = await client().send('POST', '/addresses', { body: {} }).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(ApiProblem)
    const refused = error as ApiProblem
    expect([refused.status, refused.code, refused.detail, refused.requestId]).toEqual([422, 'invalid_input', 'invalid_input!', 'req-1'])
    expect(refused.fields.get('phone')).toBe('手机号不对')
  })

  it("survive a proxy's HTML page", async () => {
    fetched.mockResolvedValue(new Response('<h1>Bad gateway</h1>', { status: 502, statusText: 'Bad Gateway' }))
    const error = await client().get('/cart').catch((e: unknown) => e)
    expect((error as ApiProblem).code).toBe('http_502')
  })

  it('of the session are told once to the application', async () => {
    fetched.mockResolvedValue(json(problem(401, 'not_signed_in'), 401))
    await expect(client().get('/cart')).rejects.toThrow(ApiProblem)
    expect(signedOut).toHaveBeenCalledTimes(1)
  })
})

describe('transport', () => {
  it('tells offline from unreachable', async () => {
    fetched.mockRejectedValue(new TypeError('Failed to fetch'))
    const kind = async (): Promise<unknown> =>
      client().get('/cart').catch((error: unknown) => (error as TransportFailure).kind)
    expect(await kind()).toBe('unreachable')
    online = false
    expect(await kind()).toBe('offline')
  })

  it('gives up after its time', async () => {
    fetched.mockImplementation(
      (_url, init) =>
        new Promise((_resolve, reject) => {
          init?.signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')))
        }),
    )
    const error = await client().get('/cart', { timeoutMs: 5 }).catch((e: unknown) => e)
    expect((error as TransportFailure).kind).toBe('timeout')
  })
})

describe('commands', () => {
  const order = { intent: 'order.quo_1', body: { quote_id: 'quo_1' } }

  it('repeat with the same key until the answer is here', async () => {
    fetched
      .mockRejectedValueOnce(new TypeError('Failed to fetch'))
      .mockResolvedValueOnce(json(problem(503, 'gateway_unreachable'), 503, { 'Retry-After': '2' }))
      .mockResolvedValueOnce(json({ order_id: 'ord_1' }, 201))
    await expect(client().command('/checkout/orders', order)).resolves.toEqual({ order_id: 'ord_1' })
    expect([0, 1, 2].map((call) => headersOf(call)['Idempotency-Key'])).toEqual(['key-1', 'key-1', 'key-1'])
    expect(waits).toEqual([1000, 2000])
  })

  it('keep the key over a reload when no answer came', async () => {
    const store = memoryStore()
    fetched.mockRejectedValue(new TypeError('Failed to fetch'))
    await expect(client(store).command('/checkout/orders', order)).rejects.toThrow(TransportFailure)
    expect(fetched).toHaveBeenCalledTimes(3)
    fetched.mockResolvedValue(json({ order_id: 'ord_1' }, 201))
    await client(store).command('/checkout/orders', order)
    expect(headersOf(3)['Idempotency-Key']).toBe('key-1')
  })

  it('take a new key after a final answer', async () => {
    const api = client()
    fetched.mockImplementation(async () => json({}, 201))
    await api.command('/checkout/orders', order)
    await api.command('/checkout/orders', order)
    expect(headersOf(1)['Idempotency-Key']).toBe('key-2')
  })

  it('are not repeated after a refusal, which is final too', async () => {
    const api = client()
    fetched.mockImplementation(async () => json(problem(409, 'price_changed'), 409))
    await expect(api.command('/checkout/orders', order)).rejects.toThrow('price_changed!')
    expect(fetched).toHaveBeenCalledTimes(1)
    await expect(api.command('/checkout/orders', order)).rejects.toThrow()
    expect(headersOf(1)['Idempotency-Key']).toBe('key-2')
  })

  it('keep the key when the session ended in between', async () => {
    const api = client()
    fetched.mockResolvedValueOnce(json(problem(401, 'not_signed_in'), 401))
    await expect(api.command('/checkout/orders', order)).rejects.toThrow()
    fetched.mockResolvedValueOnce(json({}, 201))
    await api.command('/checkout/orders', order)
    expect(headersOf(1)['Idempotency-Key']).toBe('key-1')
  })

  it('ask again while their first request is still in progress', async () => {
    fetched
      .mockResolvedValueOnce(json(problem(409, 'request_in_progress'), 409, { 'Retry-After': '1' }))
      .mockResolvedValueOnce(json({ order_id: 'ord_1' }, 201))
    await expect(client().command('/checkout/orders', order)).resolves.toEqual({ order_id: 'ord_1' })
    expect(headersOf(1)['Idempotency-Key']).toBe('key-1')
  })

  it('give a changed wish a key of its own', async () => {
    const keys = new IntentKeys(memoryStore(), () => `key-${(next += 1)}`)
    expect(keys.keyFor('after-sale.ord_1', { n: 1 })).toBe('key-1')
    expect(keys.keyFor('after-sale.ord_1', { n: 1 })).toBe('key-1')
    expect(keys.keyFor('after-sale.ord_1', { n: 2 })).toBe('key-2')
  })
})
