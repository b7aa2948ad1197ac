declare module '*.vue' {
  import type { DefineComponent } from 'vue'

  const component: DefineComponent
  export default component
}

// Vant's style entries are scripts that load style sheets; they carry no types.
declare module 'vant/es/*/style'
