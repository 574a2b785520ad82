/** `federate` against a Microsoft Graph that keeps an app's federated credentials as Graph does. */

import { createServer } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { listenOnLoopback } from '../../infra/local/loopback.ts'
import { runCli } from '../support/running-cli.ts'

const issuer = 'https://a1d2b0fd-1177-4468-9351-2fEXAMPLE723.tokens.sts.global.api.aws'
const roleOf = (folder: string) => `arn:aws:iam::111122223333:role/Postroom-${folder}-eu-west-1`
const subjects = ['connect', 'send', 'fetch'].map(roleOf).join(' ')
const words = ['federate', '--app', 'the-app', '--issuer', issuer, '--subjects', subjects]
const token = 'graph-token-of-this-test'

/** @see https://learn.microsoft.com/graph/api/resources/federatedidentitycredential */
interface Stored {
  name: string
  issuer: string
  subject: string
  audiences: string[]
}

async function startGraph({ stored = [], refuses }: { stored?: Stored[]; refuses?: string } = {}) {
  const credentials = new Map(stored.map(one => [one.name, one]))
  const writes: string[] = []
  const root = "/v1.0/applications(appId='the-app')/federatedIdentityCredentials"
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    const path = decodeURI(request.url ?? '')
    const answer = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    const problem = (status: number, code: string) =>
      answer(status, { error: { code, message: `Graph says ${code}.` } })
    if (request.headers.authorization !== `Bearer ${token}`) return problem(401, 'InvalidAuthenticationToken')
    if (refuses) return problem(403, refuses)
    if (!path.startsWith(root)) return problem(404, 'Request_ResourceNotFound')
    const name = path.slice(root.length + 1)
    if (request.method === 'GET')
      return answer(200, {
        value: [...credentials.values()].map(one => ({ id: 'x', description: null, ...one })),
      })
    writes.push(`${request.method} ${name}`.trim())
    const body: Stored = JSON.parse(text)
    if (request.method === 'POST') {
      if (credentials.has(body.name)) return problem(409, 'Request_MultipleObjectsWithSameKeyValue')
      credentials.set(body.name, body)
      return answer(201, body)
    }
    const before = credentials.get(name)
    if (!before) return problem(404, 'Request_ResourceNotFound')
    credentials.set(name, { ...before, ...body })
    return response.writeHead(204).end()
  })
  const port = await listenOnLoopback(server, 0)
  onTestFinished(() => new Promise<void>(resolve => void server.close(() => resolve())))
  const apply = (given = token) =>
    runCli([...words, '--apply', '--graph', `http://127.0.0.1:${port}`], { stdin: `${given}\n` })
  return { credentials, writes, apply }
}

const wanted = (folder: string): Stored => ({
  name: `Postroom-${folder}-eu-west-1`,
  issuer,
  subject: roleOf(folder),
  audiences: ['api://AzureADTokenExchange'],
})

test('without --apply it prints what Entra must be told, one credential a role', async () => {
  const { code, lines } = await runCli([...words, '--json'])
  expect(code).toBe(0)
  expect(lines.map(line => JSON.parse(line))).toEqual(['connect', 'send', 'fetch'].map(wanted))
})

test('with --apply it makes what is not there, and leaves other credentials as they are', async () => {
  const other = { name: 'ci', issuer: 'https://ci.example', subject: 'main', audiences: ['x'] }
  const graph = await startGraph({ stored: [other] })
  expect((await graph.apply()).code).toBe(0)
  expect([...graph.credentials.values()]).toEqual([other, ...['connect', 'send', 'fetch'].map(wanted)])
})

test('run again it writes nothing; what differs is changed', async () => {
  const graph = await startGraph({ stored: ['connect', 'send', 'fetch'].map(wanted) })
  await graph.apply()
  expect(graph.writes).toEqual([])
  graph.credentials.set('Postroom-send-eu-west-1', { ...wanted('send'), issuer: 'https://before.example' })
  const { stdout } = await graph.apply()
  expect(graph.writes).toEqual(['PATCH Postroom-send-eu-west-1'])
  expect(graph.credentials.get('Postroom-send-eu-west-1')).toEqual(wanted('send'))
  expect(stdout).toMatch(/Postroom-send-eu-west-1 +changed/)
})

test('a token that may not is told in Graph’s own words, and is not repeated', async () => {
  const forbidden = await (await startGraph({ refuses: 'Authorization_RequestDenied' })).apply()
  expect(forbidden).toMatchObject({ code: 6, stderr: expect.stringContaining('Authorization_RequestDenied') })
  const unknown = await (await startGraph()).apply('another-token')
  expect(unknown).toMatchObject({ code: 6, stderr: expect.stringContaining('InvalidAuthenticationToken') })
  expect(unknown.stderr).not.toContain('another-token')
})

test.each([
  ['--issuer', 'http://issuer.example', '--issuer must be an https origin'],
  ['--subjects', 'arn:aws:iam::111122223333:user/ada', '--subjects must be ARNs of roles'],
  ['--subjects', ' ', '--subjects names no role'],
])('%s %j is refused before anything is told', async (option, value, sentence) => {
  const changed = words.with(words.indexOf(option) + 1, value)
  expect(await runCli(changed)).toMatchObject({ code: 2, stderr: expect.stringContaining(sentence) })
})
