import { clearToast } from './parts/dialogs'
import { ref } from 'vue'
import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'
import { useSession } from '@shared/session/session'
import Home from './pages/HomePage.vue'
import { t, type TextKey } from './texts'

declare module 'vue-router' {
  interface RouteMeta {
    title: TextKey
    /** Pages of the tab bar show it; the others have their own foot or none. */
    tab?: 'home' | 'category' | 'cart' | 'orders' | 'me'
    open?: boolean
  }
}

const routes: RouteRecordRaw[] = [
  { path: '/', component: Home, meta: { title: 'nav.home', tab: 'home' } },
  {
    path: '/login',
    component: () => import('./pages/LoginPage.vue'),
    meta: { title: 'nav.login', open: true },
  },
  {
    path: '/categories/:id?',
    component: () => import('./pages/CategoryPage.vue'),
    meta: { title: 'nav.category', tab: 'category' },
    props: true,
  },
  {
    path: '/search',
    component: () => import('./pages/SearchPage.vue'),
    meta: { title: 'nav.search' },
  },
  {
    path: '/products/:id',
    component: () => import('./pages/ProductPage.vue'),
    meta: { title: 'nav.product' },
    props: true,
  },
  {
    path: '/cart',
    component: () => import('./pages/CartPage.vue'),
    meta: { title: 'nav.cart', tab: 'cart' },
  },
  {
    path: '/checkout',
    component: () => import('./pages/CheckoutPage.vue'),
    meta: { title: 'nav.checkout' },
  },
  {
    path: '/pay/:id',
    component: () => import('./pages/PayingPage.vue'),
    meta: { title: 'nav.paying' },
    props: true,
  },
  {
    path: '/orders',
    component: () => import('./pages/OrdersPage.vue'),
    meta: { title: 'nav.orders', tab: 'orders' },
  },
  {
    path: '/orders/:id',
    component: () => import('./pages/OrderPage.vue'),
    meta: { title: 'nav.order' },
    props: true,
  },
  {
    path: '/orders/:id/refund',
    component: () => import('./pages/RefundPage.vue'),
    meta: { title: 'nav.refund' },
    props: true,
  },
  {
    path: '/wallet',
    component: () => import('./pages/WalletPage.vue'),
    meta: { title: 'nav.wallet' },
  },
  {
    path: '/wallet/statement',
    component: () => import('./pages/StatementPage.vue'),
    meta: { title: 'nav.statement' },
  },
  {
    path: '/me',
    component: () => import('./pages/MePage.vue'),
    meta: { title: 'nav.me', tab: 'me' },
  },
  {
    path: '/addresses',
    component: () => import('./pages/AddressListPage.vue'),
    meta: { title: 'nav.addresses' },
  },
  {
    path: '/addresses/new',
    component: () => import('./pages/AddressEditPage.vue'),
    meta: { title: 'nav.address' },
  },
  {
    path: '/addresses/:id',
    component: () => import('./pages/AddressEditPage.vue'),
    meta: { title: 'nav.address' },
    props: true,
  },
  {
    path: '/:path(.*)*',
    component: () => import('./pages/MissingPage.vue'),
    meta: { title: 'nav.missing', open: true },
  },
]

export const router = createRouter({
  history: createWebHistory(),
  routes,
  scrollBehavior: (to, from, saved) => saved ?? (to.path === from.path ? undefined : { top: 0 }),
})

/** Sends a signed-out person to sign in, and back to where they wanted to go. */
router.beforeEach((to) => {
  const { state } = useSession()
  if (state.value === 'signed-out' && !to.meta.open) {
    return { path: '/login', query: to.fullPath === '/' ? {} : { next: to.fullPath } }
  }
  if (state.value === 'signed-in' && to.path === '/login') return safeNext(to.query.next)
  return true
})

router.afterEach((to) => {
  void clearToast()
  document.title = `${t(to.meta.title)} · ${t('brand.name')}`
})

/**
 * A page's script did not come. Offline: say so and stay. Online: a new version was most likely
 * put in place, and its pages have other file names, so the target is loaded afresh, once.
 */
router.onError((error: unknown, to) => {
  const isScript = error instanceof Error && /import|preload|fetch/i.test(error.message)
  if (!isScript) return
  if (!navigator.onLine) {
    offlineTurn.value += 1
    return
  }
  if (sessionStorage.getItem('fuman.reloaded') === to.fullPath) return
  sessionStorage.setItem('fuman.reloaded', to.fullPath)
  location.assign(to.fullPath)
})

/** Raised each time a page could not be opened for want of a connection. */
export const offlineTurn = ref(0)

/** Fetches the pages of the usual way to an order while nothing else is going on. */
export function prefetchPages(): void {
  const idle = window.requestIdleCallback ?? ((work: () => void) => setTimeout(work, 2000))
  idle(() => {
    for (const route of routes) {
      if (typeof route.component === 'function' && !route.meta?.open) {
        void (route.component as () => Promise<unknown>)().catch(() => undefined)
      }
    }
  })
}

/** Only a path of this site: a link must not be able to send a person elsewhere after sign-in. */
export function safeNext(next: unknown): string {
  return typeof next === 'string' && /^\/(?![/\\])/.test(next) ? next : '/'
}
