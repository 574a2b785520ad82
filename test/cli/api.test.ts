/** The CLI's calls: an answer that lies elsewhere is fetched from there, in time, and without the key. */

import { readFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { join } from 'node:path'
import * as v from 'valibot'
import { expect, onTestFinished, test } from 'vitest'
import { openApi } from '../../infra/cli/api.ts'
import { exitCodes } from '../../infra/cli/command.ts'
import { listenOnLoopback } from '../../infra/local/loopback.ts'
import { cacheFolder } from '../support/cache.ts'

const key = 'Bearer key-of-this-test-only'

async function serve(answer: RequestListener): Promise<{ url: string; seen: IncomingHttpHeaders[] }> {
  const seen: IncomingHttpHeaders[] = []
  const server = createServer((request, response) => {
    seen.push(request.headers)
    answer(request, response)
  })
  const port = await listenOnLoopback(server, 0)
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${port}`, seen }
}

const redirectTo =
  (location: string): RequestListener =>
  (_request, response) =>
    void response.writeHead(302, { location }).end()

const apiAt = (url: string, downloadMs?: number) =>
  openApi({ url, access: async () => ({ authorization: key }), downloadMs })

test.each<[string, (api: ReturnType<typeof apiAt>) => Promise<unknown>, unknown]>([
  ['bytes', async api => Buffer.from(await api.bytes('/raw')).toString(), '{"id":"large"}'],
  ['a document', api => api.call(v.object({ id: v.string() }), 'GET', '/v1/messages/large'), { id: 'large' }],
])(
  '%s that lie elsewhere are fetched there, and the key goes to the API alone',
  async (_what, read, expected) => {
    const place = await serve((_request, response) => void response.end('{"id":"large"}'))
    const api = await serve(redirectTo(`${place.url}/bucket/mail?signature=s`))
    expect(await read(apiAt(api.url))).toEqual(expected)
    expect(api.seen).toMatchObject([{ authorization: key }])
    expect(place.seen).toHaveLength(1)
    expect(JSON.stringify(place.seen)).not.toContain('key-of-this-test-only')
  },
)

test.each<[string, RequestListener]>([
  ['that never answers', () => undefined],
  [
    'that stops in the middle',
    (_request, response) => void response.writeHead(200, { 'content-length': 9 }).write('half'),
  ],
])('a place %s is given up in time, and its signature is not shown', async (_what, answer) => {
  const place = await serve(answer)
  const api = await serve(redirectTo(`${place.url}/bucket/mail?signature=secret`))
  const failure = await apiAt(api.url, 300)
    .bytes('/raw')
    .catch(error => error)
  expect(failure).toMatchObject({ exitCode: exitCodes.unreachable })
  expect(failure.message).toContain(place.url)
  expect(failure.message).not.toContain('secret')
})

test('a redirect of any other kind is not followed: it would take the key along or lose the call', async () => {
  const place = await serve((_request, response) => void response.end('{}'))
  for (const status of [301, 303, 307, 308]) {
    const api = await serve(
      (_request, response) => void response.writeHead(status, { location: place.url }).end(),
    )
    const failure = await apiAt(api.url)
      .bytes('/raw')
      .catch(error => error)
    expect(failure.message).toBe(`${api.url} answered HTTP ${status}`)
  }
  expect(place.seen).toEqual([])
})

test('an API behind TLS leads to nothing that is not encrypted', async () => {
  const place = await serve((_request, response) => void response.end('{}'))
  const folder = join(cacheFolder, 'sandbox')
  const [pem, cert] = ['key.pem', 'cert.pem'].map(name => readFileSync(join(folder, name)))
  const server = createTlsServer({ key: pem, cert }, redirectTo(`${place.url}/bucket`))
  const port = await listenOnLoopback(server, 0)
  onTestFinished(() => server.closeAllConnections())
  onTestFinished(() => void server.close())
  const failure = await apiAt(`https://localhost:${port}`)
    .bytes('/raw')
    .catch(error => error)
  expect(failure).toMatchObject({
    exitCode: exitCodes.refused,
    message: expect.stringContaining('not encrypted'),
  })
  expect(place.seen).toEqual([])
})

test('a place that is refused, or not named, is said to be so', async () => {
  const place = await serve(
    (_request, response) => void response.writeHead(403).end('<Code>AccessDenied</Code>'),
  )
  const api = await serve(redirectTo(place.url))
  expect(
    await apiAt(api.url)
      .bytes('/raw')
      .catch(error => error),
  ).toMatchObject({ exitCode: exitCodes.notAllowed })
  const nowhere = await serve((_request, response) => void response.writeHead(302).end())
  expect(
    await apiAt(nowhere.url)
      .bytes('/raw')
      .catch(error => error),
  ).toMatchObject({
    message: `${nowhere.url} answered HTTP 302`,
  })
})
