import { useInfiniteQuery, useQuery } from '@tanstack/vue-query'
import type { Ref } from 'vue'
import type { OrderState } from '@shared/api/types'
import { api } from '@shared/session/session'

export function useOrders(state: Ref<OrderState | null>) {
  return useInfiniteQuery({
    queryKey: ['orders', state],
    queryFn: ({ pageParam }) => api.orders({ state: state.value, cursor: pageParam, limit: 10 }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    staleTime: 5_000,
  })
}

export function useOrder(orderId: Ref<string>) {
  return useQuery({
    queryKey: ['order', orderId],
    queryFn: () => api.order(orderId.value),
    staleTime: 3_000,
  })
}

export function useAddresses() {
  return useQuery({ queryKey: ['addresses'], queryFn: api.addresses })
}
