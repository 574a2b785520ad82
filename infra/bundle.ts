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
import { AssetHashType, DockerImage } from 'aws-cdk-lib'
import { type AssetCode, Code } from 'aws-cdk-lib/aws-lambda'
import { type BuildOptions, buildSync } from 'esbuild'
import { joinStart } from './joined-start.ts'
import type { FunctionFolder } from './privileges.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** CommonJS inside an ES module (the mail libraries) still calls `require`. */
export const requireBanner =
  "import{createRequire as createRequireForCommonJs}from'node:module';const require=createRequireForCommonJs(import.meta.url);"

/** How every file is written, whatever it is made of. */
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

export interface Bundled {
  folder: FunctionFolder | 'console'
  /** File of the folder that runs in worker threads, without its ending: it lies beside `index.mjs`. */
  worker?: string
  /** Puts more files beside the bundle. */
  filesBeside?(outputFolder: string): void
}

/** @returns code whose handler is `index.handler`. CDK bundles it only for a stack that is to be deployed */
export function codeOf({ folder, worker, filesBeside }: Bundled): AssetCode {
  const source = join(root, 'functions', folder)
  return Code.fromAsset(source, {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      // CDK asks for one, to fall back on if there were no local way.
      image: DockerImage.fromRegistry('none'),
      local: {
        tryBundle(outputFolder) {
          bundle({ index: `${folder}.ts`, ...(worker && { [worker]: `${worker}.ts` }) }, source, outputFolder)
          filesBeside?.(outputFolder)
          return true
        },
      },
    },
  })
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
