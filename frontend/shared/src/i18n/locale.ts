import { ref, watchEffect } from 'vue'

export type Locale = 'zh' | 'en'

const STORE_KEY = 'fuman.locale'

function storedLocale(): Locale {
  try {
    return localStorage.getItem(STORE_KEY) === 'en' ? 'en' : 'zh'
  } catch {
    return 'zh' // Storage may be closed to us in a private window; Chinese is the default.
  }
}

/** The language of the whole page; a change shows at once. */
export const locale = ref<Locale>(storedLocale())

watchEffect(() => {
  document.documentElement.lang = locale.value === 'zh' ? 'zh-CN' : 'en'
})

export function setLocale(next: Locale): void {
  locale.value = next
  try {
    localStorage.setItem(STORE_KEY, next)
  } catch {
    // Without storage the choice lasts until the page is closed.
  }
}
