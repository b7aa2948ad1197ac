/** One field the server refused, by RFC 9457's `errors`. */
export interface FieldProblem {
  field: string
  message: string
}

/** The body of an `application/problem+json` answer. */
export interface ProblemBody {
  type?: string
  title: string
  status: number
  detail?: string
  code: string
  errors?: FieldProblem[]
  [extra: string]: unknown
}

/** The server understood and refused: `code` is stable, `detail` is for the person. */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem'
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly fields: ReadonlyMap<string, string>
  /** Whole body, for what a code adds (a fresh quote with `price_changed`). */
  readonly body: ProblemBody
  readonly requestId: string | null
  /** Seconds, from `Retry-After`. */
  readonly retryAfter: number | null

  constructor(body: ProblemBody, requestId: string | null = null, retryAfter: number | null = null) {
    super(body.detail || body.title)
    this.status = body.status
    this.code = body.code
    this.detail = body.detail || body.title
    this.fields = new Map((body.errors ?? []).map(({ field, message }) => [field, message]))
    this.body = body
    this.requestId = requestId
    this.retryAfter = retryAfter
  }
}

export type TransportKind = 'offline' | 'timeout' | 'unreachable'

/** No answer came. Whether the command took effect is not known: ask again with the same key. */
export class TransportFailure extends Error {
  override readonly name = 'TransportFailure'
  readonly kind: TransportKind

  constructor(kind: TransportKind) {
    super(kind)
    this.kind = kind
  }
}

/** Turns any refused response into a typed problem, a proxy's HTML page included. */
export function readProblem(response: Response, text: string): ApiProblem {
  const requestId = response.headers.get('X-Request-Id')
  const wait = Number(response.headers.get('Retry-After') ?? NaN)
  const retryAfter = Number.isFinite(wait) ? wait : null
  const fallback: ProblemBody = {
    title: response.statusText || 'Error',
    status: response.status,
    code: `http_${response.status}`,
  }
  if (!(response.headers.get('Content-Type') ?? '').includes('json')) {
    return new ApiProblem(fallback, requestId, retryAfter)
  }
  const parsed = parseJson(text)
  const body: ProblemBody = parsed && typeof parsed === 'object' ? { ...fallback, ...parsed } : fallback
  const named = typeof body.request_id === 'string' ? body.request_id : null
  return new ApiProblem(body, requestId ?? named, retryAfter)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
