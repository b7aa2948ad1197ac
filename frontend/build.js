/** Builds both applications in one process: what they share is loaded and warmed up once. */
import { build } from 'vite'

await Promise.all(
  ['mall', 'console'].map((name) =>
    build({ configFile: `${name}/vite.config.ts`, logLevel: 'warn' }),
  ),
)
