import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import type { UserConfig } from 'vite'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** Where the development server sends what Flask answers in production. */
const backend = process.env.MALL_BACKEND ?? 'http://127.0.0.1:8000'

/** What the two applications have in common; `name` is the workspace's folder. */
export function appConfig(name: 'mall' | 'console', base: string, port: number): UserConfig {
  return {
    root: here(`./${name}`),
    base,
    plugins: [vue()],
    resolve: { alias: { '@shared': here('./shared/src') } },
    build: {
      outDir: here(`./dist/${name}`),
      emptyOutDir: true,
      target: 'es2022',
      cssCodeSplit: true,
      reportCompressedSize: false,
    },
    server: {
      port,
      strictPort: true,
      proxy: { '/api': backend, '/media': backend, '/gateway': backend },
    },
  }
}
