/** Serves the console's files beside the API. Its page carries the local key, which is why only this machine may load it. */

import { readdir, readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import type { PageRequest } from './http-api.ts'
import type { HttpAnswer } from './problem.ts'

const folder = new URL('../console/', import.meta.url)
const contentTypes: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

export interface ConsoleOptions {
  apiKey: string
  sandboxOrigin: string | null
}

/** Reads the files once; a change needs a restart. */
export async function consolePages(
  options: ConsoleOptions,
): Promise<(request: PageRequest) => HttpAnswer | undefined> {
  const names = (await readdir(folder)).filter(name => extname(name) in contentTypes)
  const files = new Map<string, string>()
  for (const name of names) files.set(name, await readFile(new URL(name, folder), 'utf8'))

  return ({ method, path }) => {
    if (method !== 'GET' && method !== 'HEAD') return undefined
    const name = path === '/' ? 'index.html' : path.slice(1)
    const file = files.get(name)
    if (file === undefined) return undefined
    const body = name === 'index.html' ? withSettings(file, options) : file
    return { status: 200, headers: headersOf(name), body: method === 'HEAD' ? '' : body }
  }
}

/** The page reads these from its `meta` elements. */
function withSettings(html: string, { apiKey, sandboxOrigin }: ConsoleOptions): string {
  return html
    .replace('{{apiKey}}', () => attribute(apiKey))
    .replace('{{sandboxOrigin}}', () => attribute(sandboxOrigin ?? ''))
}

function attribute(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}

function headersOf(name: string): Record<string, string> {
  return {
    'content-type': contentTypes[extname(name)] ?? 'application/octet-stream',
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'content-security-policy':
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  }
}
