/** How every file of a bundle is written, whatever it is made of. */

import type { BuildOptions } from 'esbuild'

/** CommonJS inside an ES module (the mail libraries) still calls `require`. */
export const requireBanner =
  "import{createRequire as createRequireForCommonJs}from'node:module';const require=createRequireForCommonJs(import.meta.url);"

export const writing = {
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  minify: true,
  // Node reads them only if it is told to (`--enable-source-maps`): they cost a cold start 12 ms and 10 MiB.
  sourcemap: true,
  sourcesContent: false,
  banner: { js: requireBanner },
  logLevel: 'warning',
} as const satisfies BuildOptions
