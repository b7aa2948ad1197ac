import { ApiProblem, TransportFailure } from '../api/problem'
import { tc } from '../i18n/common'
import type { IconName } from './icons'

export interface FailureText {
  icon: IconName
  title: string
  hint: string
  canRetry: boolean
}

/** What a failed call means to the person: what happened and what to do. */
export function describeFailure(error: unknown): FailureText {
  if (error instanceof TransportFailure) {
    const icon = error.kind === 'timeout' ? 'clock' : 'offline'
    const key = `state.${error.kind}` as const
    return { icon, title: tc(key), hint: tc(`${key}.hint`), canRetry: true }
  }
  if (error instanceof ApiProblem) {
    if (error.status === 403) return known('user', 'state.forbidden', false)
    if (error.status === 404) return known('search', 'state.missing', false)
    if (error.status === 429) return known('clock', 'state.tooMany', true)
    if (error.status < 500) {
      return { icon: 'alert', title: error.detail, hint: '', canRetry: true }
    }
    const id = error.requestId ?? '—'
    return { icon: 'alert', title: tc('state.server'), hint: tc('state.server.hint', { id }), canRetry: true }
  }
  return { icon: 'alert', title: tc('state.server'), hint: tc('state.server.hint', { id: '—' }), canRetry: true }
}

function known(
  icon: IconName,
  key: 'state.forbidden' | 'state.missing' | 'state.tooMany',
  canRetry: boolean,
): FailureText {
  return { icon, title: tc(key), hint: tc(`${key}.hint`), canRetry }
}

/** The same in one sentence, for a banner or a toast. */
export function failureSentence(error: unknown): string {
  const { title, hint } = describeFailure(error)
  return hint && !(error instanceof ApiProblem && error.status < 500) ? `${title}。${hint}` : title
}
