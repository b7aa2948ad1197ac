import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  plugins: [vue()],
  resolve: {
    alias: { '@shared': fileURLToPath(new URL('./shared/src', import.meta.url)) },
  },
  test: {
    environment: 'jsdom',
    include: ['{shared,mall,console}/**/*.test.ts'],
    env: { TZ: 'Asia/Shanghai' },
  },
})
