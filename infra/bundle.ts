/**
 * Makes a function's code ready to run: its source and every package that it uses, in a few files of their own.
 *
 * What is imported within a call (`await import(…)`) becomes a file of its own, which a cold start neither reads nor
 * compiles. What a start reads is one file. The files depend on the sources alone, not on where or when they are made:
 * source maps name their sources from the function's own folder. So an unchanged function is not deployed again.
 */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import { writing } from './bundle-writing.ts'
import { joinStart } from './joined-start.ts'
import type { FunctionFolder } from './privileges.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

export type BundledFolder = FunctionFolder | 'console'

/** Files that run in worker threads, without their endings: they lie beside `index.mjs`. */
const workers: Partial<Record<BundledFolder, string>> = { fetch: 'parse-worker' }

/** Our sources are TypeScript; in the package that package.ts makes of them, this file among them, they are JavaScript. */
const ending = import.meta.url.endsWith('.ts') ? '.ts' : '.js'

/** Makes `index.mjs`, whose handler is `index.handler`, and what it loads later. */
export function bundleFunction(folder: BundledFolder, outputFolder: string): void {
  bundle(sourceFiles(folder), sourceFolder(folder), outputFolder)
}

/** @returns by the name, without ending, that each has in a bundle; the first is what the function starts with */
export function sourceFiles(folder: BundledFolder): Record<string, string> {
  const worker = workers[folder]
  return { index: folder + ending, ...(worker && { [worker]: worker + ending }) }
}

export function sourceFolder(folder: BundledFolder): string {
  return join(root, 'functions', folder)
}

/**
 * @param files by the name, without ending, that each has in the output folder. The start of the first becomes one file
 * @param source the folder that they are in, and that source maps start from
 */
export function bundle(files: Record<string, string>, source: string, outputFolder: string): void {
  const { outputFiles, metafile } = buildSync({
    ...writing,
    absWorkingDir: root,
    entryPoints: Object.fromEntries(Object.entries(files).map(([name, file]) => [name, join(source, file)])),
    splitting: true,
    // ES modules first: of them esbuild leaves out what nobody uses.
    mainFields: ['module', 'main'],
    outExtension: { '.js': '.mjs' },
    // Nothing is written there: maps name their sources as seen from it.
    outdir: source,
    write: false,
    metafile: true,
  })
  const nameOf = (path: string) => relative(source, join(root, path))
  const outputs = Object.entries(metafile.outputs).map(([path, { imports, exports }]) => ({
    name: nameOf(path),
    exports,
    imports: imports.map(({ path, kind }) => ({ name: nameOf(path), isLazy: kind === 'dynamic-import' })),
  }))
  mkdirSync(outputFolder, { recursive: true })
  for (const { path, contents } of outputFiles)
    writeFileSync(join(outputFolder, relative(source, path)), contents)
  joinStart(Object.keys(files), outputs, outputFolder)
}
