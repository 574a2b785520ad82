/**
 * What a start reads, as one file. esbuild makes a file of its own of all that the same set of lazy parts shares with the
 * start, up to thirty, and Node takes the better part of a millisecond to find and link each.
 *
 * So all that the start imports at once is bundled once more, into the file of the start; and the files it was in stay, as
 * names for what now stands there, since the lazy parts import them.
 */

import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildSync } from 'esbuild'
import { requireBanner, writing } from './bundle-writing.ts'

/** A file as esbuild describes it; those outside of the folder have no such description. */
interface Output {
  name: string
  exports: string[]
  imports: { name: string; isLazy: boolean }[]
}

/**
 * @param entries names without ending; the first is what the function starts with
 * @param outputFolder holds the outputs
 */
export function joinStart([start = '', ...workers]: string[], outputs: Output[], outputFolder: string): void {
  const reached = (from: string[], { lazily }: { lazily: boolean }): Set<string> => {
    const all = new Set<string>()
    const follow = (name: string) => {
      const output = outputs.find(one => one.name === name)
      if (!output || all.has(name)) return
      all.add(name)
      for (const { name: next, isLazy } of output.imports) if (lazily || !isLazy) follow(next)
    }
    from.forEach(follow)
    return all
  }
  // A worker must not load the function to get at what both use.
  const ofWorkers = reached(
    workers.map(name => `${name}.mjs`),
    { lazily: true },
  )
  const joined = [...reached([`${start}.mjs`], { lazily: false })].filter(name => !ofWorkers.has(name))
  const [startFile = '', ...parts] = joined
  const exportsOf = (name: string) => outputs.find(one => one.name === name)?.exports ?? []
  const inStart = (name: string, index: number) => `of${parts.indexOf(name)}_${index}`
  for (const name of joined) blankBanner(join(outputFolder, name))

  const { outputFiles } = buildSync({
    ...writing,
    absWorkingDir: outputFolder,
    stdin: {
      resolveDir: outputFolder,
      contents: [
        `export * from './${startFile}'`,
        ...parts.map(name =>
          reexport(
            name,
            exportsOf(name).map((one, index) => `${one} as ${inStart(name, index)}`),
          ),
        ),
      ].join('\n'),
    },
    external: outputs.filter(({ name }) => !joined.includes(name)).map(({ name }) => `./${name}`),
    outfile: startFile,
    allowOverwrite: true,
    write: false,
  })
  for (const { path, contents } of outputFiles) writeFileSync(path, contents)
  for (const name of parts) {
    const names = exportsOf(name).map((one, index) => `${inStart(name, index)} as ${one}`)
    writeFileSync(join(outputFolder, name), reexport(startFile, names))
    rmSync(join(outputFolder, `${name}.map`))
  }
}

const reexport = (file: string, names: string[]) => `export { ${names.join(', ')} } from './${file}'`

/** One for the whole file is enough. Its line stays, so that the source map holds. */
function blankBanner(path: string): void {
  writeFileSync(path, readFileSync(path, 'utf8').replace(requireBanner, ''))
}
