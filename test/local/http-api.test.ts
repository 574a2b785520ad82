/** The HTTP API: payload format 2.0 in, answers out, and who may call. */

import { request } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { apiKey, type RunningApp, route, runApp } from './hand-made-app.ts'

const answering = `export async function handler(event) {
  const mode = event.queryStringParameters?.mode
  if (mode === 'cookies') return { statusCode: 302, headers: { Location: '/next' }, cookies: ['a=1; Path=/', 'b=2'] }
  if (mode === 'binary') return { statusCode: 200, headers: { 'content-type': 'image/png' }, body: 'iVBORw==', isBase64Encoded: true }
  if (mode === 'bare') return { hello: 'world' }
  if (mode === 'text') return 'just text'
  if (mode === 'throw') throw new RangeError('too far')
  if (mode === 'badstatus') return { statusCode: 'soon' }
  if (mode === 'badheader') return { statusCode: 200, headers: { 'x-broken': 'a\\r\\nb' } }
  if (mode === 'exit') process.exit(3)
  return { statusCode: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(event) }
}`

let app: RunningApp & { end(): Promise<void> }
const authorization = `Bearer ${apiKey}`

beforeAll(async () => {
  app = await runApp(
    {
      functions: { Web: { code: answering } },
      resources: {
        ...route('Ticket', { key: 'GET /connect/{ticket}', to: 'Web' }),
        ...route('Fixed', { key: 'ANY /connect/new', to: 'Web' }),
        ...route('Form', { key: 'POST /connect/{ticket}', to: 'Web' }),
        ...route('Api', { key: 'ANY /v1/{proxy+}', to: 'Web', authorization: 'AWS_IAM' }),
      },
    },
    {
      pages: ({ path }) =>
        path === '/'
          ? { status: 200, headers: { 'content-type': 'text/html' }, body: '<h1>Console</h1>' }
          : undefined,
    },
  )
})
afterAll(() => app.end())

async function eventOf(path: string, init: RequestInit = {}) {
  const response = await fetch(app.cloud.url + path, init)
  expect(response.status).toBe(200)
  return JSON.parse(await response.text())
}

test('a function gets the request in payload format 2.0', async () => {
  const event = await eventOf('/connect/abc?tag=1&tag=2&name=%C3%A4', {
    headers: { 'X-Custom': 'One', cookie: 'a=1; b=2', 'user-agent': 'test' },
  })
  expect(event).toMatchObject({
    version: '2.0',
    routeKey: 'GET /connect/{ticket}',
    rawPath: '/connect/abc',
    rawQueryString: 'tag=1&tag=2&name=%C3%A4',
    queryStringParameters: { tag: '1,2', name: 'ä' },
    pathParameters: { ticket: 'abc' },
    cookies: ['a=1', 'b=2'],
    headers: { 'x-custom': 'One' },
    isBase64Encoded: false,
    requestContext: {
      stage: '$default',
      domainName: 'localhost',
      routeKey: 'GET /connect/{ticket}',
      http: {
        method: 'GET',
        path: '/connect/abc',
        protocol: 'HTTP/1.1',
        sourceIp: '127.0.0.1',
        userAgent: 'test',
      },
    },
  })
  expect(event.headers).not.toHaveProperty('cookie')
  expect(event).not.toHaveProperty('body')
  expect(Math.abs(event.requestContext.timeEpoch - Date.now())).toBeLessThan(10_000)
})

test('path parameters are decoded, an encoded slash does not separate', async () => {
  const event = await eventOf('/connect/a%2Fb%20c')
  expect(event.pathParameters).toEqual({ ticket: 'a/b c' })
})

test('an exact path beats a parameter', async () => {
  expect((await eventOf('/connect/new')).routeKey).toBe('ANY /connect/new')
})

test('JSON reaches the function as text, a form in base64', async () => {
  const json = await eventOf('/connect/t', {
    method: 'POST',
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: '{"a":"ä"}',
  })
  expect(json).toMatchObject({ body: '{"a":"ä"}', isBase64Encoded: false })

  const form = await eventOf('/connect/t', { method: 'POST', body: new URLSearchParams({ a: '1' }) })
  expect(form).toMatchObject({ body: Buffer.from('a=1').toString('base64'), isBase64Encoded: true })
})

test('bytes pass unchanged in both directions', async () => {
  const bytes = Buffer.from([0, 255, 128, 10])
  const event = await eventOf('/connect/t', {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: bytes,
  })
  expect(Buffer.from(event.body, 'base64')).toEqual(bytes)

  const answer = await fetch(`${app.cloud.url}/connect/t?mode=binary`)
  expect(answer.headers.get('content-type')).toBe('image/png')
  expect(Buffer.from(await answer.arrayBuffer())).toEqual(Buffer.from('iVBORw==', 'base64'))
})

test('each cookie of an answer becomes a Set-Cookie of its own', async () => {
  const answer = await fetch(`${app.cloud.url}/connect/t?mode=cookies`, { redirect: 'manual' })
  expect(answer.status).toBe(302)
  expect(answer.headers.get('location')).toBe('/next')
  expect(answer.headers.getSetCookie()).toEqual(['a=1; Path=/', 'b=2'])
})

test('a result without statusCode is the JSON of a 200', async () => {
  const bare = await fetch(`${app.cloud.url}/connect/t?mode=bare`)
  expect(bare.headers.get('content-type')).toBe('application/json')
  expect(await bare.json()).toEqual({ hello: 'world' })
  expect(await (await fetch(`${app.cloud.url}/connect/t?mode=text`)).text()).toBe('just text')
})

test.for(['throw', 'badstatus', 'badheader', 'exit'])(
  'a function that fails (%s) is a 502 problem',
  async mode => {
    const answer = await fetch(`${app.cloud.url}/connect/t?mode=${mode}`)
    expect(answer.status).toBe(502)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(await answer.json()).toMatchObject({ type: 'about:blank', status: 502, code: 'function_failed' })
  },
)

test.for(['/v1', '/v1/', '/v1/channels', '/v1/no/such/path', '/%76%31/channels', '/v1%2Fchannels'])(
  '%s answers 401 without the key',
  async path => {
    const answer = await fetch(app.cloud.url + path, { headers: { authorization: 'Bearer wrong' } })
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toBe('Bearer')
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(await answer.json()).toMatchObject({ status: 401, code: 'unauthorized', title: 'Unauthorized' })
  },
)

test('with the key the function is asked, and never sees the key', async () => {
  const event = await eventOf('/v1/channels/c1', { method: 'PATCH', headers: { authorization } })
  expect(event.pathParameters).toEqual({ proxy: 'channels/c1' })
  expect(event.requestContext.authorizer.iam.userArn).toMatch(/^arn:aws:iam:/)
  expect(JSON.stringify(event)).not.toContain(apiKey)
})

test('a body of more than 10 MB is a 413 problem', async () => {
  const body = Buffer.alloc(10 * 1024 * 1024 + 1)
  const answer = await fetch(`${app.cloud.url}/v1/messages`, {
    method: 'POST',
    headers: { authorization },
    body,
  })
  expect(answer.status).toBe(413)
  expect(await answer.json()).toMatchObject({ code: 'payload_too_large' })
})

test('what no route takes goes to the pages, else it is a 404 problem', async () => {
  expect(await (await fetch(`${app.cloud.url}/`)).text()).toBe('<h1>Console</h1>')
  const answer = await fetch(`${app.cloud.url}/nothing`)
  expect(answer.status).toBe(404)
  expect(await answer.json()).toMatchObject({ code: 'not_found' })
})

test.for([
  ['localhost', 200],
  ['127.0.0.1', 200],
  ['[::1]', 200],
  ['rebound.example', 421],
] as const)('a request to the host %s is answered with %i', async ([name, expected]) => {
  const { port } = new URL(app.cloud.url)
  expect(await statusOf({ port, host: `${name}:${port}`, path: '/' })).toBe(expected)
  expect(await statusOf({ port, host: `${name}:1`, path: '/' })).toBe(421)
})

test('a request whose target is no path is refused', async () => {
  const { port, host } = new URL(app.cloud.url)
  expect(await statusOf({ port, host, path: '/connect/%zz' })).toBe(400)
  expect(await statusOf({ port, host, path: 'http://localhost/v1/channels' })).toBe(400)
})

/** fetch() lets nobody choose the Host header or an absolute target. */
function statusOf({
  port,
  host,
  path,
}: {
  port: string
  host: string
  path: string
}): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, headers: { host } }, response => {
      response.resume()
      resolve(response.statusCode)
    })
      .once('error', reject)
      .end()
  })
}
