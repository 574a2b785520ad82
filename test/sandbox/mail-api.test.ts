/** The sandbox's own HTTP interface and its page. */

import { request } from 'node:http'
import nodemailer from 'nodemailer'
import * as v from 'valibot'
import { expect, test } from 'vitest'
import { parse } from '../../functions/channel/schema-check.ts'
import { accessTokenOf, listMessages, type RunningSandbox, sandboxForTest } from './running-sandbox.ts'

const personaList = v.object({ personas: v.array(v.looseObject({ id: v.string() })) })

function post(sandbox: RunningSandbox, { path, body }: { path: string; body: object }) {
  return fetch(`${sandbox.origin}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}

/** Sends one mail from Ada to a customer of the outside world. */
async function adaWrites(
  sandbox: RunningSandbox,
  headers: { inReplyTo?: string; references?: string[] } = {},
) {
  const token = await accessTokenOf(sandbox, { persona: 'ada' })
  const { host, port } = sandbox.providers.microsoft.smtp
  const auth = { type: 'OAuth2', user: 'ada@contoso.example', accessToken: token } as const
  await nodemailer.createTransport({ host, port, requireTLS: true, tls: { ca: sandbox.ca }, auth }).sendMail({
    from: 'Ada <ada@contoso.example>',
    to: 'customer@outside.example',
    subject: 'Your order',
    text: 'Thank you',
    messageId: '<order@contoso.example>',
    ...headers,
  })
}

test('the personas are listed, with the one whose names diverge', async () => {
  const sandbox = await sandboxForTest()
  const { personas } = parse(personaList, await (await fetch(`${sandbox.origin}/personas`)).json())
  expect(personas).toContainEqual({
    id: 'grace',
    provider: 'microsoft',
    name: 'Grace Hopper',
    signInName: 'grace@tenant-a.example',
    email: 'Grace.Hopper@tenant-b.example',
    aliases: [],
    script: null,
  })
  expect(personas.map(({ id }) => id)).toEqual(['ada', 'grace', 'margaret', 'alan', 'edsger', 'linus'])
})

test("a customer's mail as JSON lands in INBOX with its thread", async () => {
  const sandbox = await sandboxForTest()
  const answer = await post(sandbox, {
    path: '/personas/grace/deliver',
    body: {
      from: { address: 'k@outside.example', name: 'K. Unde' },
      subject: 'Frage \u00fc',
      text: 'Wann?',
      inReplyTo: '<x@tenant-b.example>',
      messageId: '<m@outside.example>',
    },
  })
  expect(answer.status).toBe(201)
  expect(await answer.json()).toEqual({ folder: 'INBOX', uid: 1, messageId: '<m@outside.example>' })
  expect(await listMessages(sandbox, '/personas/grace/folders/INBOX')).toMatchObject([
    {
      uid: 1,
      messageId: '<m@outside.example>',
      from: [{ address: 'k@outside.example', name: 'K. Unde' }],
      to: [{ address: 'Grace.Hopper@tenant-b.example' }],
      subject: 'Frage \u00fc',
      inReplyTo: '<x@tenant-b.example>',
      references: ['<x@tenant-b.example>'],
      text: 'Wann?\n',
    },
  ])
})

test.for<[string, object]>([
  ['from.address', { from: { address: 'nobody' }, subject: 's', text: 't' }],
  ['subject', { from: { address: 'k@outside.example' }, subject: 'a\r\nBcc: x@y.example', text: 't' }],
  ['text', { from: { address: 'k@outside.example' }, subject: 's' }],
  ['messageId', { from: { address: 'k@outside.example' }, subject: 's', text: 't', messageId: 'bare' }],
  ['bogus', { from: { address: 'k@outside.example' }, subject: 's', text: 't', bogus: 1 }],
])('bad input is a 400 that names %s', async ([field, body]) => {
  const sandbox = await sandboxForTest()
  const answer = await post(sandbox, { path: '/personas/ada/deliver', body })
  expect(answer.status).toBe(400)
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
  expect(await answer.json()).toMatchObject({ status: 400, field })
})

test('a customer answers from the outside world: to the From of the mail, in its thread', async () => {
  const sandbox = await sandboxForTest()
  await adaWrites(sandbox, { inReplyTo: '<first@outside.example>', references: ['<first@outside.example>'] })
  const messages = await listMessages(sandbox, '/outside')
  expect(messages).toMatchObject([
    { recipient: 'customer@outside.example', messageId: '<order@contoso.example>', subject: 'Your order' },
  ])
  const answer = await post(sandbox, {
    path: `/outside/${messages[0]?.id}/reply`,
    body: { text: 'Where is it?' },
  })
  expect(answer.status).toBe(201)
  expect(await listMessages(sandbox, '/personas/ada/folders/INBOX')).toMatchObject([
    {
      from: [{ address: 'customer@outside.example' }],
      to: [{ address: 'ada@contoso.example' }],
      subject: 'Re: Your order',
      inReplyTo: '<order@contoso.example>',
      references: ['<first@outside.example>', '<order@contoso.example>'],
      text: 'Where is it?\n',
    },
  ])
})

test('the forms of the page do the same and lead back to the page', async () => {
  const sandbox = await sandboxForTest()
  await adaWrites(sandbox)
  const send = (path: string, form: Record<string, string>) =>
    fetch(`${sandbox.origin}${path}`, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' })
  const written = await send('/personas/ada/deliver', {
    from: 'customer@outside.example',
    subject: '',
    text: 'hello',
    inReplyTo: '<order@contoso.example>',
  })
  expect([written.status, written.headers.get('location')]).toEqual([303, '/#ada'])
  const answered = await send('/outside/1/reply', { text: 'again' })
  expect([answered.status, answered.headers.get('location')]).toEqual([303, '/#outside'])
  const messages = await listMessages(sandbox, '/personas/ada/folders/INBOX')
  for (const message of messages) {
    expect(message).toMatchObject({ subject: 'Re: Your order', inReplyTo: '<order@contoso.example>' })
  }
  expect(messages).toHaveLength(2)
})

test('the page shows mail with everything escaped, and runs no script', async () => {
  const sandbox = await sandboxForTest()
  const attack = '<script>alert(1)</script>"\''
  await post(sandbox, {
    path: '/personas/ada/deliver',
    body: { from: { address: 'k@outside.example', name: attack }, subject: attack, text: attack },
  })
  const response = await fetch(sandbox.origin, { headers: { accept: 'text/html' } })
  const page = await response.text()
  expect(page).not.toContain('<script')
  expect(page.match(/&lt;script&gt;alert\(1\)&lt;\/script&gt;/g)?.length).toBe(3)
  expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
})

test('a page of another site may not post', async () => {
  const sandbox = await sandboxForTest()
  const response = await fetch(`${sandbox.origin}/personas/ada/deliver`, {
    method: 'POST',
    headers: { origin: 'http://localhost:9999' },
    body: new URLSearchParams({ from: 'k@outside.example', text: 'x' }),
  })
  expect(response.status).toBe(403)
})

test('a name that was bound to this address from outside gets no answer', async () => {
  const sandbox = await sandboxForTest()
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const headers = { host: `evil.example:${sandbox.ports.http}` }
    request({ host: '127.0.0.1', port: sandbox.ports.http, path: '/personas', headers }, ({ statusCode }) =>
      resolve(statusCode),
    )
      .on('error', reject)
      .end()
  })
  expect(status).toBe(421)
})

test('unknown personas, folders, mails and addresses are 404', async () => {
  const sandbox = await sandboxForTest()
  for (const path of [
    '/personas/bob/folders/INBOX',
    '/personas/ada/folders/Junk',
    '/personas/ada/folders/INBOX/9',
    '/outside/9',
    '/x',
    '/entra/nobody/v2.0/.well-known/openid-configuration',
  ]) {
    expect((await fetch(sandbox.origin + path)).status).toBe(404)
  }
})

test('an address with two slashes in front leads to no other host', async () => {
  const sandbox = await sandboxForTest()
  const response = await fetch(`${sandbox.origin}//evil.example/entra/common/oauth2/v2.0/authorize`, {
    redirect: 'manual',
  })
  expect(response.status).toBe(404)
})
