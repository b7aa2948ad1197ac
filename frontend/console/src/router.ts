import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'
import { t, type TextKey } from './texts'

declare module 'vue-router' {
  interface RouteMeta {
    title: TextKey
  }
}

const landing = (): Promise<unknown> => import('./pages/LandingPage.vue')

const routes: RouteRecordRaw[] = [
  {
    path: '/enterprise',
    component: () => import('./pages/EnterpriseOverview.vue'),
    meta: { title: 'overview.title' },
  },
  {
    path: '/enterprise/orders',
    component: () => import('./pages/EnterpriseOrders.vue'),
    meta: { title: 'orders.title' },
  },
  {
    path: '/enterprise/orders/:id/invoice',
    component: () => import('./pages/InvoicePage.vue'),
    meta: { title: 'invoice.title' },
    props: true,
  },
  { path: '/seller', component: landing, meta: { title: 'nav.landing' } },
  { path: '/bank', component: landing, meta: { title: 'nav.landing' } },
  { path: '/operator', component: landing, meta: { title: 'nav.landing' } },
  {
    path: '/operator/search/synonyms',
    component: () => import('./pages/SynonymsPage.vue'),
    meta: { title: 'synonyms.title' },
  },
  {
    path: '/operator/search/rules',
    component: () => import('./pages/SearchRulesPage.vue'),
    meta: { title: 'rules.title' },
  },
  {
    path: '/operator/search/reports',
    component: () => import('./pages/SearchReportsPage.vue'),
    meta: { title: 'reports.title' },
  },
  {
    path: '/:path(.*)*',
    component: () => import('./pages/MissingPage.vue'),
    meta: { title: 'nav.missing' },
  },
]

export const router = createRouter({
  history: createWebHistory('/'),
  routes,
  scrollBehavior: (to, from, saved) => saved ?? (to.path === from.path ? undefined : { top: 0 }),
})

router.afterEach((to) => {
  document.title = `${t(to.meta.title)} · ${t('brand.name')}`
})
