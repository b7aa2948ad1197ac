import { defineConfig } from 'vite'
import { appConfig } from '../vite.shared'

// One page, served at /seller, /enterprise, /bank and /operator; its files stand apart.
export default defineConfig(appConfig('console', '/console-assets/', 18201))
