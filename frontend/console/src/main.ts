import { QueryClient, VueQueryPlugin } from '@tanstack/vue-query'
import { createApp } from 'vue'
import { ApiProblem } from '@shared/api/problem'
import { onIdentityChange } from '@shared/session/session'
import 'element-plus/theme-chalk/base.css'
import '@shared/styles/tokens.css'
import '@shared/styles/base.css'
import './styles.css'
import App from './App.vue'
import { router } from './router'

const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 15_000,
      retry: (failures, error) =>
        failures < 1 && !(error instanceof ApiProblem && error.status < 500),
    },
  },
})
onIdentityChange(() => queryClient.clear())

createApp(App).use(router).use(VueQueryPlugin, { queryClient }).mount('#app')
