import { QueryClient } from '@tanstack/vue-query'
import { ApiProblem } from '@shared/api/problem'

/** A refusal is an answer and is not asked again; a lost connection or a 5xx is, once. */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 20_000,
      gcTime: 10 * 60_000,
      retry: (failures, error) =>
        failures < 1 && !(error instanceof ApiProblem && error.status < 500),
      retryDelay: 800,
      refetchOnWindowFocus: true,
    },
    mutations: { retry: false },
  },
})
