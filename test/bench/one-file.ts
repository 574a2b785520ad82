/** A floor as bundlers make it by themselves: all of it in one file. */

import { buildSync } from 'esbuild'
import { writing } from '../../infra/bundle-writing.ts'

export function bundleInOneFile(source: string, file: string): void {
  buildSync({
    ...writing,
    sourcemap: false,
    mainFields: ['module', 'main'],
    entryPoints: [source],
    outfile: file,
  })
}
