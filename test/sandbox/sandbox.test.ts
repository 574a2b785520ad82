/** The sandbox as a whole: what survives a restart, and how it fails. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ImapFlow } from 'imapflow'
import { expect, test } from 'vitest'
import { startSandbox } from '../../infra/sandbox/sandbox.ts'
import {
  accessTokenOf,
  askForTokens,
  newFlow,
  openAuthorize,
  type RunningSandbox,
  redirectUris,
  sandboxForTest,
  signIn,
} from './running-sandbox.ts'

const rawMail =
  'From: k@outside.example\r\nSubject: \xe9\r\nMessage-ID: <a@outside.example>\r\n\r\nbytes \xff\x00\xfe\r\n'

async function restarted(sandbox: RunningSandbox): Promise<RunningSandbox> {
  await sandbox.close()
  return sandboxForTest(sandbox.options)
}

function deliver(sandbox: RunningSandbox) {
  const headers = { 'content-type': 'message/rfc822' }
  return fetch(`${sandbox.origin}/personas/ada/deliver`, {
    method: 'POST',
    headers,
    body: Buffer.from(rawMail, 'latin1'),
  })
}

/** UIDVALIDITY, UIDNEXT and all mails of a folder, as IMAP shows them. */
async function folder(sandbox: RunningSandbox, token: string) {
  const client = new ImapFlow({
    ...sandbox.providers.microsoft.imap,
    secure: true,
    tls: { ca: sandbox.ca },
    auth: { user: 'ada@contoso.example', accessToken: token },
    logger: false,
  })
  await client.connect()
  const { uidValidity, uidNext } = await client.mailboxOpen('INBOX', { readOnly: true })
  const mails = await client.fetchAll('1:*', { source: true, internalDate: true, flags: true }, { uid: true })
  await client.logout()
  return {
    uidValidity,
    uidNext,
    mails: mails.map(({ uid, source, internalDate, flags }) => ({
      uid,
      source: source?.toString('latin1'),
      internalDate,
      flags,
    })),
  }
}

test('UIDVALIDITY, UIDs, flags and bytes are the same after a restart, and no UID is given twice', async () => {
  const sandbox = await sandboxForTest()
  const token = await accessTokenOf(sandbox, { persona: 'ada' })
  for (let turn = 0; turn < 3; turn++) await deliver(sandbox)
  const client = new ImapFlow({
    ...sandbox.providers.microsoft.imap,
    secure: true,
    tls: { ca: sandbox.ca },
    auth: { user: 'ada@contoso.example', accessToken: token },
    logger: false,
  })
  await client.connect()
  await client.mailboxOpen('INBOX')
  await client.messageFlagsAdd('1', ['\\Flagged'], { uid: true })
  await client.messageDelete('2:3', { uid: true })
  await client.logout()
  const before = await folder(sandbox, token)
  expect(before.mails.map(({ uid }) => uid)).toEqual([1])
  const again = await restarted(sandbox)
  const after = await folder(again, token)
  expect(after).toEqual(before)
  expect(after.mails[0]).toMatchObject({ source: rawMail, flags: new Set(['\\Flagged']) })
  expect(await (await deliver(again)).json()).toMatchObject({ uid: 4 })
})

test('every mailbox has its own UIDVALIDITY', async () => {
  const sandbox = await sandboxForTest()
  const token = await accessTokenOf(sandbox, { persona: 'ada' })
  const other = await sandboxForTest()
  const first = await folder(sandbox, token)
  const second = await folder(other, await accessTokenOf(other, { persona: 'ada' }))
  expect(first.uidValidity).not.toBe(second.uidValidity)
  expect(Number(first.uidValidity)).toBeGreaterThan(1)
})

test('access and refresh tokens of before a restart work after it, of both providers, under the same issuer', async () => {
  const sandbox = await sandboxForTest()
  const ada = await signIn(sandbox, { persona: 'ada' })
  const linus = await signIn(sandbox, { persona: 'linus', provider: 'google' })
  const again = await restarted(sandbox)
  expect(again.providers).toEqual(sandbox.providers)
  for (const [provider, { tokens }] of [
    ['microsoft', ada],
    ['google', linus],
  ] as const) {
    const form = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token ?? '' }
    expect(await askForTokens(again, { provider, form })).toMatchObject({
      status: 200,
      body: { id_token: expect.any(String) },
    })
    const body = new URLSearchParams({ token: tokens.access_token ?? '' })
    const introspection = await fetch(`${again.origin}/introspect`, { method: 'POST', body })
    expect(await introspection.json()).toMatchObject({ active: true })
  }
})

test('keys of before there were personal accounts are kept, and theirs is added', async () => {
  const sandbox = await sandboxForTest()
  const { tokens } = await signIn(sandbox, { persona: 'ada' })
  await sandbox.close()
  const file = join(sandbox.folder, 'signing-keys.json')
  const { microsoft, google } = JSON.parse(await readFile(file, 'utf8'))
  await writeFile(file, JSON.stringify({ microsoft, google }))
  const again = await sandboxForTest(sandbox.options)
  const body = new URLSearchParams({ token: tokens.access_token ?? '' })
  const introspection = await fetch(`${again.origin}/introspect`, { method: 'POST', body })
  expect(await introspection.json()).toMatchObject({ active: true })
  expect((await signIn(again, { persona: 'edsger' })).tokens.id_token).toEqual(expect.any(String))
})

test('a consent page that was open during a restart can still be answered', async () => {
  const sandbox = await sandboxForTest()
  const page = (await openAuthorize(sandbox, newFlow(sandbox, {}))).headers.get('location') ?? ''
  await restarted(sandbox)
  const body = new URLSearchParams({ persona: 'ada', decision: 'accept' })
  const answer = await fetch(page, { method: 'POST', body, redirect: 'manual' })
  expect(answer.headers.get('location')).toContain(`${redirectUris.microsoft}?code=`)
})

test.for([
  ['tokens.sqlite', /^Cannot read the sandbox's tokens: \S+tokens\.sqlite is damaged: .+/],
  ['signing-keys.json', /^Cannot read the sandbox's signing keys: \S+signing-keys\.json is damaged: .+/],
  ['directory.json', /^Cannot read the sandbox's people: \S+directory\.json is damaged: .+/],
  ['mail/ada/INBOX/index.json', /^Cannot read the sandbox's mail: \S+INBOX\/index\.json is damaged: .+/],
] as const)('a damaged %s is told in one sentence that names it', async ([file, sentence]) => {
  const sandbox = await sandboxForTest()
  await sandbox.close()
  await writeFile(
    join(sandbox.folder, file),
    'not what it was, and long enough to be taken for something else '.repeat(200),
  )
  await expect(startSandbox(sandbox.options)).rejects.toThrow(sentence)
})

test('a taken port is told, and nothing is left listening', async () => {
  const sandbox = await sandboxForTest()
  const ports = { http: 0, smtp: 0, imap: sandbox.ports.imap }
  const second = sandboxForTest({ ports })
  await expect(second).rejects.toThrow(`Cannot listen on 127.0.0.1:${sandbox.ports.imap}`)
})

test('closing ends open connections at once', async () => {
  const sandbox = await sandboxForTest()
  const token = await accessTokenOf(sandbox, { persona: 'ada' })
  const client = new ImapFlow({
    ...sandbox.providers.microsoft.imap,
    secure: true,
    tls: { ca: sandbox.ca },
    auth: { user: 'ada@contoso.example', accessToken: token },
    logger: false,
  })
  client.on('error', () => {})
  await client.connect()
  const startMs = performance.now()
  await sandbox.close()
  expect(performance.now() - startMs).toBeLessThan(2000)
})
