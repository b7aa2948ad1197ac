import { useQuery, useQueryClient } from '@tanstack/vue-query'
import { computed } from 'vue'
import type { Cart, CartItem } from '@shared/api/types'
import { api } from '@shared/session/session'

const KEY = ['cart']

/** Sums are the server's; between a tap and its answer the page shows its own. */
export function withSums(groups: Cart['groups']): Cart {
  const items = groups.flatMap((group) => group.items)
  return {
    groups: groups.filter((group) => group.items.length > 0),
    count: items.reduce((sum, item) => sum + item.quantity, 0),
    chosen_total_minor: items
      .filter((item) => item.chosen && !item.problem)
      .reduce((sum, item) => sum + item.price_minor * item.quantity, 0),
  }
}

export function changeItem(cart: Cart, offerId: string, change: Partial<CartItem> | null): Cart {
  // Delivery depends on what is chosen: the server says it again with its answer.
  const groups = cart.groups.map((group) => ({
    ...group,
    items: group.items
      .filter((item) => change !== null || item.offer_id !== offerId)
      .map((item) => (item.offer_id === offerId ? { ...item, ...change } : item)),
  }))
  return withSums(groups)
}

// Waiting changes of this page's life, one timer per offer: quick taps become one request.
const waiting = new Map<string, ReturnType<typeof setTimeout>>()
let underway = 0

export function useCart() {
  const client = useQueryClient()
  const query = useQuery({ queryKey: KEY, queryFn: api.cart, staleTime: 5_000 })
  const count = computed(() => query.data.value?.count ?? 0)

  const current = (): Cart | undefined => client.getQueryData<Cart>(KEY)

  async function settle(work: () => Promise<unknown>): Promise<void> {
    underway += 1
    try {
      await work()
    } finally {
      underway -= 1
      // Also after a failure: what the server holds is what the person must see.
      if (underway === 0 && waiting.size === 0) await client.invalidateQueries({ queryKey: KEY })
    }
  }

  /** Shows the change at once, then tells the server after `delayMs` of quiet. */
  function change(
    offerId: string,
    next: { quantity: number; chosen: boolean },
    onError: (error: unknown) => void,
    delayMs = 0,
  ): void {
    const cart = current()
    void client.cancelQueries({ queryKey: KEY })
    if (cart) client.setQueryData<Cart>(KEY, changeItem(cart, offerId, next))
    clearTimeout(waiting.get(offerId))
    waiting.set(
      offerId,
      setTimeout(() => {
        waiting.delete(offerId)
        settle(() => api.putCartItem(offerId, next)).catch(onError)
      }, delayMs),
    )
  }

  function remove(offerId: string, onError: (error: unknown) => void): void {
    clearTimeout(waiting.get(offerId))
    waiting.delete(offerId)
    const cart = current()
    if (cart) client.setQueryData<Cart>(KEY, changeItem(cart, offerId, null))
    settle(() => api.deleteCartItem(offerId)).catch(onError)
  }

  /** Adds to what the cart already holds of this offer, within what is available. */
  async function add(offerId: string, quantity: number, available: number): Promise<void> {
    const cart: Cart = current() ?? (await client.fetchQuery({ queryKey: KEY, queryFn: api.cart }))
    const held = cart.groups.flatMap((g) => g.items).find((item) => item.offer_id === offerId)
    const wanted = Math.min((held?.quantity ?? 0) + quantity, Math.max(available, 1))
    await settle(() => api.putCartItem(offerId, { quantity: wanted, chosen: true }))
  }

  return { query, count, change, remove, add }
}
