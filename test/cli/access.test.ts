/** Access of the CLI: what a call shows, and to whom. */

import { createHash, createHmac } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { accessOf, signedByAws, type UnsignedRequest } from '../../infra/cli/access.ts'
import { exitCodes } from '../../infra/cli/command.ts'

const accessKeyId = 'AKIDEXAMPLE'
const secretAccessKey = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'

function request(parts: Partial<UnsignedRequest> = {}): UnsignedRequest {
  const url = new URL('https://abc.execute-api.eu-west-1.amazonaws.com/v1/channels?limit=100&cursor=a%2Bb')
  return { method: 'GET', url, headers: {}, body: undefined, ...parts }
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()
const encoded = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, c => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)

/**
 * What AWS does with a request that comes in: computes the signature anew, from the published steps alone.
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
function signatureAtAws(
  { method, url, headers, body = '' }: UnsignedRequest,
  shown: Record<string, string>,
): string {
  const { 'x-amz-date': date = '', authorization = '' } = shown
  const [, scope = '', signedNames = ''] =
    /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/(\S+), SignedHeaders=(\S+), Signature=[0-9a-f]{64}$/.exec(
      authorization,
    ) ?? []
  const received: Record<string, string> = { ...headers, ...shown, host: url.host }
  const names = signedNames.split(';')
  expect(names).toEqual(expect.arrayContaining(['host', 'x-amz-date']))
  // By name alone: sorted as whole pairs, `,=` would come behind `, =`, whose next character is less than `=`.
  const query = [...url.searchParams]
    .map(([name, value]) => [encoded(name), encoded(value)] as const)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(pair => pair.join('='))
  const path = url.pathname.split('/').map(encoded).join('/')
  const canonical = [
    method,
    path,
    query.join('&'),
    ...names.map(name => `${name}:${(received[name] ?? '').trim()}`),
    '',
    signedNames,
    sha256(body),
  ].join('\n')
  const steps = scope.split('/')
  const key = steps.reduce<string | Buffer>((key, step) => hmac(key, step), `AWS4${secretAccessKey}`)
  return hmac(key, ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n')).toString('hex')
}

const signed = signedByAws({
  region: 'eu-west-1',
  credentials: { accessKeyId, secretAccessKey },
  now: () => Date.parse('2026-11-26T12:00:00Z'),
})

test('whatever is called, AWS computes the same signature from what arrives', async () => {
  const text = fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' })
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('GET', 'POST', 'PATCH', 'DELETE'),
      fc.array(text, { maxLength: 3 }),
      // The signer keeps names in a plain object, which has no room for this one; nor has the API.
      fc.dictionary(
        text.filter(name => name !== '__proto__'),
        text,
        { maxKeys: 4, noNullPrototype: true },
      ),
      fc.option(text, { nil: undefined }),
      async (method, segments, query, body) => {
        const url = new URL('https://abc.execute-api.eu-west-1.amazonaws.com/v1')
        url.pathname = ['v1', ...segments.filter(s => !/^\.+$/.test(s)).map(encodeURIComponent)].join('/')
        for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
        const asked = request({ method, url, body, headers: { 'content-type': 'application/json' } })
        const shown = await signed(asked)
        expect(shown.authorization).toContain('/20261126/eu-west-1/execute-api/aws4_request')
        expect(shown.authorization).toContain(`Signature=${signatureAtAws(asked, shown)}`)
      },
    ),
    { numRuns: 300 },
  )
})

test('a temporary credential shows its session token, under the signature', async () => {
  const temporary = signedByAws({
    region: 'eu-west-1',
    credentials: { accessKeyId, secretAccessKey, sessionToken: 'of-this-session' },
    now: Date.now,
  })
  const shown = await temporary(request())
  expect(shown['x-amz-security-token']).toBe('of-this-session')
  expect(shown.authorization).toMatch(/SignedHeaders=\S*x-amz-security-token/)
  expect(shown.authorization).toContain(`Signature=${signatureAtAws(request(), shown)}`)
})

const atAws = 'https://abc.execute-api.eu-west-1.amazonaws.com'
const awsKeys = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }

test.each([
  ['a key', 'http://localhost:4400', { POSTROOM_API_KEY: 'k' }, 'Bearer k'],
  ['a token', 'https://mail.example.com', { POSTROOM_TOKEN: 'e.y.j' }, 'Bearer e.y.j'],
  ['a token at AWS', atAws, { POSTROOM_TOKEN: 'e.y.j' }, 'Bearer e.y.j'],
])('%s is shown as bearer', async (_, url, environment, authorization) => {
  expect(await accessOf(url, environment, { aws: false })(request())).toEqual({ authorization })
})

test('a call is signed where the URL is of AWS, and where it is asked for', async () => {
  const before = { ...process.env }
  onTestFinished(() => {
    process.env = before
  })
  // The published chain of credentials reads this environment, as the AWS CLI does.
  Object.assign(process.env, awsKeys)
  const scopeOf = async (url: string, environment: Record<string, string>, aws = false) =>
    /Credential=[^/]+\/\d+\/(\S+),/.exec(
      (await accessOf(url, environment, { aws })(request())).authorization ?? '',
    )?.[1]
  const own = 'https://mail.example.com'
  expect(await scopeOf(atAws, {})).toBe('eu-west-1/execute-api/aws4_request')
  expect(await scopeOf(own, { AWS_REGION: 'us-east-2' }, true)).toBe('us-east-2/execute-api/aws4_request')
  expect(await scopeOf(own, { AWS_REGION: 'us-east-2', POSTROOM_AUTH: 'aws' })).toContain('us-east-2')
})

test("this machine's key opens this machine only", async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postroom-test-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'api-key'), 'local-key\n')
  const environment = { POSTROOM_DATA: folder }
  const shown = (url: string) => accessOf(url, environment, { aws: false })(request())
  expect(await shown('http://localhost:4400')).toEqual({ authorization: 'Bearer local-key' })
  await expect(shown('https://mail.example.com')).rejects.toMatchObject({
    exitCode: exitCodes.notAllowed,
    message: expect.stringContaining('There is no access to https://mail.example.com'),
  })
})

test('no key travels in clear to another host', () => {
  const open = () => accessOf('http://mail.example.com', { POSTROOM_API_KEY: 'k' }, { aws: false })
  expect(open).toThrow('The key would travel in clear to http://mail.example.com: use https.')
})
