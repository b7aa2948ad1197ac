import { VueQueryPlugin } from '@tanstack/vue-query'
import { createApp } from 'vue'
import { onIdentityChange } from '@shared/session/session'
import '@shared/styles/tokens.css'
import '@shared/styles/base.css'
import './styles.css'
import App from './App.vue'
import { queryClient } from './data/queryClient'
import { router } from './router'

onIdentityChange(() => queryClient.clear())

createApp(App).use(router).use(VueQueryPlugin, { queryClient }).mount('#app')
