/** Leads from places in a function's bundle, as its stack traces have them, to the sources: by the bundle's source maps. */

import { readdir, readFile } from 'node:fs/promises'
import { SourceMap } from 'node:module'
import { join } from 'node:path'

/** Such as `file:///var/task/index.mjs:12:3456`, or without what stands before the name. */
const place = /((?:file:\/\/)?\/[\w./-]*\/)?\b([\w-]+\.mjs):(\d+):(\d+)/g
/** Where Lambda's own client lies, whose file is an `index.mjs` too; packages are within ours. */
const foreign = /\/var\/runtime\/|\/node_modules\//

export interface Found {
  text: string
  /** Places that were led to a source. */
  found: number
  /** Files that the bundle does not have: it was made of other sources. */
  unknown: string[]
}

/**
 * @param folder of the function's sources, which its maps start from
 * @param bundleFolder where the bundle lies
 */
export async function sourcePlaces(
  text: string,
  { folder, bundleFolder }: { folder: string; bundleFolder: string },
): Promise<Found> {
  const files = new Set(await readdir(bundleFolder))
  const ours = [...text.matchAll(place)].filter(([, before = '']) => !foreign.test(before))
  const named = new Set(ours.map(([, , name = '']) => name))
  const maps = new Map<string, SourceMap>()
  for (const name of named) {
    if (!files.has(`${name}.map`)) continue
    maps.set(name, new SourceMap(JSON.parse(await readFile(join(bundleFolder, `${name}.map`), 'utf8'))))
  }

  let found = 0
  const lead = (whole: string, before = '', name: string, line: string, column: string): string => {
    if (foreign.test(before)) return whole
    const origin = maps.get(name)?.findOrigin(Number(line), Number(column))
    if (!origin || !('fileName' in origin)) return whole
    found += 1
    return `${join(folder, origin.fileName)}:${origin.lineNumber}:${origin.columnNumber}`
  }
  return {
    text: text.replace(place, lead),
    found,
    unknown: [...named].filter(name => !files.has(name)),
  }
}
