import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import vue from '@vitejs/plugin-vue'
import type { Plugin, UserConfig } from 'vite'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** Where the development server sends what Flask answers in production. */
const backend = process.env.MALL_BACKEND ?? 'http://127.0.0.1:8000'

/** Below this a packed copy saves less than the headers around it cost. */
const WORTH_PACKING_BYTES = 1024

/**
 * Leaves `file.gz` beside every text of the build, so that the server never packs one itself: it
 * sends the copy where the browser takes gzip. Repeatable byte for byte, as gzip's time stays zero.
 */
function packedCopies(): Plugin {
  const pack = promisify(gzip)
  return {
    name: 'fuman:packed-copies',
    apply: 'build',
    async writeBundle({ dir = '' }, bundle) {
      const texts = Object.keys(bundle).filter((name) => /\.(?:js|css|svg|html)$/.test(name))
      await Promise.all(
        texts.map(async (name) => {
          const content = await readFile(join(dir, name))
          if (content.length <= WORTH_PACKING_BYTES) return
          await writeFile(join(dir, `${name}.gz`), await pack(content, { level: 9 }))
        }),
      )
    },
  }
}

/** What the two applications have in common; `name` is the workspace's folder. */
export function appConfig(name: 'mall' | 'console', base: string, port: number): UserConfig {
  return {
    root: here(`./${name}`),
    base,
    plugins: [vue(), packedCopies()],
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
