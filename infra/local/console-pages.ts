/** Serves the console's files beside the API. Its page carries the local key, which is why only this machine may load it. */

import { readdir, readFile } from 'node:fs/promises'
import { contentTypeOf, pageHeaders, withSettings } from '../../functions/console/page.ts'
import type { PageRequest } from './http-api.ts'
import type { HttpAnswer } from './problem.ts'

const folder = new URL('../console/', import.meta.url)

export interface ConsoleOptions {
  apiKey: string
  sandboxOrigin: string | null
  /** Where large files are handed out. */
  mailOrigin: string
}

/** Reads the files once; a change needs a restart. */
export async function consolePages({
  apiKey,
  sandboxOrigin,
  mailOrigin,
}: ConsoleOptions): Promise<(request: PageRequest) => HttpAnswer | undefined> {
  const names = (await readdir(folder)).filter(name => contentTypeOf(name) !== undefined)
  const files = new Map<string, string>()
  for (const name of names) files.set(name, await readFile(new URL(name, folder), 'utf8'))

  return ({ method, path }) => {
    if (method !== 'GET' && method !== 'HEAD') return undefined
    const name = path === '/' ? 'index.html' : path.slice(1)
    const file = files.get(name)
    if (file === undefined) return undefined
    const settings = { apiKey, sandboxOrigin: sandboxOrigin ?? '' }
    const body = name === 'index.html' ? withSettings(file, settings) : file
    return {
      status: 200,
      headers: pageHeaders(contentTypeOf(name), [mailOrigin]),
      body: method === 'HEAD' ? '' : body,
    }
  }
}
