import { computed, readonly, ref, shallowRef } from 'vue'
import { ApiClient } from '../api/client'
import { endpoints } from '../api/endpoints'
import { ApiProblem } from '../api/problem'
import type { Me, Role, Tenant } from '../api/types'

export type SessionState = 'unknown' | 'signed-out' | 'signed-in'

const state = ref<SessionState>('unknown')
const me = shallowRef<Me | null>(null)
/** The person asked to leave: what they were looking at is not where they want back to. */
const byChoice = ref(false)
const listeners = new Set<() => void>()

const client = new ApiClient({
  onSignedOut: () => {
    if (state.value === 'signed-in') accept(null)
  },
})

/** The one API object of the page. */
export const api = endpoints(client)

function accept(answer: Me | null): void {
  const before = me.value
  me.value = answer
  client.setCsrfToken(answer?.csrf_token ?? null)
  state.value = answer ? 'signed-in' : 'signed-out'
  const changed =
    before?.user.id !== answer?.user.id || before?.user.tenant.id !== answer?.user.tenant.id
  if (before && changed) for (const listener of listeners) listener()
}

/** Runs when another person or membership takes over: whatever was cached is theirs no more. */
export function onIdentityChange(listener: () => void): void {
  listeners.add(listener)
}

/** Asks the server who this is; a page that was reloaded gets its CSRF token this way. */
export async function restoreSession(): Promise<void> {
  try {
    accept(await api.me())
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.status !== 401) throw error
    accept(null)
  }
}

export async function signIn(login: string, password: string): Promise<void> {
  accept(await api.login({ login, password }))
  byChoice.value = false
}

export async function signOut(): Promise<void> {
  try {
    await api.logout()
  } catch (error) {
    // Already signed out on the server is what was wanted.
    if (!(error instanceof ApiProblem) || error.status !== 401) throw error
  }
  byChoice.value = true
  accept(null)
}

export async function switchMembership(membershipId: string): Promise<void> {
  const answer = await api.switchMembership(membershipId)
  accept(answer?.user ? answer : await api.me())
}

/** Switches personalisation for this person, on every device. */
export async function choosePersonalisation(on: boolean): Promise<void> {
  const settings = await api.changeSettings({ personalisation: on })
  if (me.value) me.value = { ...me.value, settings }
}

const HOMES: Record<Tenant['kind'], string> = {
  enterprise: '/enterprise',
  merchant: '/seller',
  bank: '/bank',
  platform: '/operator',
}

/** Where this person works: employees in the mall, the others at their console. */
export function homePathOf(who: Me): string {
  return who.user.roles.includes('employee') ? '/' : HOMES[who.user.tenant.kind]
}

export function useSession() {
  return {
    state: readonly(state),
    leftByChoice: readonly(byChoice),
    me: computed(() => me.value),
    hasRole: (...roles: Role[]): boolean =>
      me.value?.user.roles.some((role) => roles.includes(role)) ?? false,
  }
}
