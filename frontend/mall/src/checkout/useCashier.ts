import { computed, onBeforeUnmount, ref, shallowRef, watch, type Ref } from 'vue'
import { ApiProblem } from '@shared/api/problem'
import type { PlacedOrder, Quote, QuoteRequest } from '@shared/api/types'
import { shopNow } from '@shared/format/clock'
import { api } from '@shared/session/session'
import {
  answered,
  asked,
  failed,
  newState,
  repriced,
  secondsLeft,
  type QuoteState,
  type Wish,
} from './quoteState'

const CHANGE_DELAY_MS = 220

/** Keeps one quote alive for an address and what is bought; places the order in the end. */
export function useCashier(
  addressId: Ref<string | null>,
  items: Ref<QuoteRequest['items'] | undefined>,
) {
  const state = shallowRef<QuoteState>(newState())
  const left = ref(0)
  const placing = ref(false)
  const orderError = shallowRef<unknown>(null)
  let delay: ReturnType<typeof setTimeout> | undefined
  let running: AbortController | null = null

  async function refresh(wish?: Wish): Promise<void> {
    if (!addressId.value) return
    running?.abort()
    const mine = new AbortController()
    running = mine
    state.value = asked(state.value, wish)
    const { turn } = state.value
    try {
      const quote = await api.quote(requestOf(), { signal: mine.signal })
      state.value = answered(state.value, turn, quote)
      tick()
    } catch (error) {
      if (!mine.signal.aborted) state.value = failed(state.value, turn, error)
    }
  }

  function requestOf(): QuoteRequest {
    return {
      address_id: addressId.value ?? '',
      ...(items.value ? { items: items.value } : {}),
      credit_minor: state.value.wish.credit,
      points: state.value.wish.points,
    }
  }

  /** The person moves a slider: the wish counts at once, the question waits for a rest. */
  function wish(change: Partial<Wish>): void {
    orderError.value = null
    running?.abort()
    state.value = asked(state.value, { ...state.value.wish, ...change })
    clearTimeout(delay)
    delay = setTimeout(() => void refresh(), CHANGE_DELAY_MS)
  }

  function tick(): void {
    const { quote, busy } = state.value
    if (!quote) return
    left.value = secondsLeft(quote, shopNow())
    if (left.value === 0 && !busy && !placing.value && !state.value.error) void refresh()
  }

  async function place(): Promise<PlacedOrder | null> {
    const { quote } = state.value
    if (!quote || placing.value) return null
    placing.value = true
    orderError.value = null
    try {
      return await api.placeOrder(quote.quote_id)
    } catch (error) {
      await afterRefusal(error)
      return null
    } finally {
      placing.value = false
    }
  }

  async function afterRefusal(error: unknown): Promise<void> {
    const fresh = error instanceof ApiProblem ? (error.body.quote as Quote | undefined) : undefined
    if (error instanceof ApiProblem && error.code === 'price_changed' && fresh) {
      state.value = repriced(state.value, fresh)
      tick()
      return
    }
    orderError.value = error
    // A refusal ends this quote; after a lost answer the same quote must be asked for again.
    if (error instanceof ApiProblem && error.status < 500) await refresh()
  }

  const clock = setInterval(tick, 1000)
  watch([addressId, items], () => void refresh(), { immediate: true })
  onBeforeUnmount(() => {
    clearInterval(clock)
    clearTimeout(delay)
    running?.abort()
  })

  return {
    state,
    quote: computed(() => state.value.quote),
    left,
    placing,
    orderError,
    wish,
    refresh,
    place,
  }
}
