/** The console on AWS: its page and files, to anybody. What they show comes from the API, which asks who calls. */

import { readdir, readFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import { readEnvironment } from '../channel/environment.ts'
import { withoutWords } from '../channel/escaped-error.ts'
import type { HttpAnswer, HttpRequest } from '../channel/http.ts'
import { parse } from '../channel/schema-check.ts'
import { contentTypeOf, type Page, pageHeaders, signInSchema, withSettings } from './page.ts'

export interface ConsoleServices {
  /** By name, such as `console.js`. */
  pages: Map<string, Page>
}

// called by AWS
export const handler = (request: HttpRequest): Promise<HttpAnswer> =>
  withoutWords(async () => handle(request, await services()))

// built once at cold start
let cached: Promise<ConsoleServices> | undefined

function services(): Promise<ConsoleServices> {
  cached ??= readPages(
    new URL('./console/', import.meta.url),
    readEnvironment('consoleSignIn'),
    readEnvironment('mailOrigin'),
  ).then(pages => ({ pages }))
  return cached
}

/** @param folder where the bundle has the console's files (infra/console-function.ts) */
async function readPages(folder: URL, signInText: string, mailOrigin: string): Promise<Map<string, Page>> {
  const signIn = parse(signInSchema, JSON.parse(signInText))
  const connectTo = [new URL(signIn.tokenEndpoint).origin, mailOrigin]
  const pages = new Map<string, Page>()
  for (const name of await readdir(folder)) {
    const text = await readFile(new URL(name, folder), 'utf8')
    const body = name === 'index.html' ? withSettings(text, { signIn: JSON.stringify(signIn) }) : text
    pages.set(name, { body, headers: pageHeaders(contentTypeOf(name), connectTo) })
  }
  return pages
}

// the decision itself
export function handle({ rawPath, headers: asked }: HttpRequest, { pages }: ConsoleServices): HttpAnswer {
  const page = pages.get(rawPath === '/' ? 'index.html' : rawPath.slice(1))
  if (!page) return { statusCode: 404, headers: { 'content-type': 'text/plain' }, body: 'Not found' }
  // HTTP APIs do not compress.
  if (!/\bgzip\b/.test(asked['accept-encoding'] ?? '')) return { statusCode: 200, ...page }
  return {
    statusCode: 200,
    headers: { ...page.headers, 'content-encoding': 'gzip', vary: 'accept-encoding' },
    body: gzipSync(page.body).toString('base64'),
    isBase64Encoded: true,
  }
}
