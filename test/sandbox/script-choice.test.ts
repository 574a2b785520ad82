/** Choosing scripts: on the consent page, on the page at `/`, and by program. */

import * as v from 'valibot'
import { expect, test } from 'vitest'
import { parse } from '../../functions/channel/schema-check.ts'
import {
  decide,
  follow,
  newFlow,
  openAuthorize,
  put,
  type RunningSandbox,
  sandboxForTest,
  sendConsent,
} from './running-sandbox.ts'

const personaList = v.object({
  personas: v.array(v.looseObject({ id: v.string(), script: v.nullable(v.string()) })),
})
const scriptList = v.object({
  scripts: v.array(
    v.strictObject({
      id: v.string(),
      label: v.pipe(v.string(), v.minLength(1)),
      group: v.pipe(v.string(), v.minLength(1)),
      providers: v.pipe(v.array(v.picklist(['microsoft', 'google'])), v.minLength(1)),
    }),
  ),
})

async function scriptOf(sandbox: RunningSandbox, persona: string) {
  const { personas } = parse(personaList, await (await fetch(`${sandbox.origin}/personas`)).json())
  return personas.find(({ id }) => id === persona)?.script
}

async function consentPage(sandbox: RunningSandbox, provider: 'microsoft' | 'google' = 'microsoft') {
  const authorize = await openAuthorize(sandbox, newFlow(sandbox, { provider }))
  const page = await fetch(authorize.headers.get('location') ?? '')
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
  return page.text()
}

test('the list tells every script once, and each can be set for a persona of its providers', async () => {
  const sandbox = await sandboxForTest()
  const { scripts } = parse(scriptList, await (await fetch(`${sandbox.origin}/scripts`)).json())
  expect(new Set(scripts.map(({ id }) => id)).size).toBe(scripts.length)
  for (const { id, providers } of scripts) {
    for (const provider of providers) {
      const persona = provider === 'google' ? 'linus' : 'ada'
      await follow(sandbox, { persona, script: id })
      expect(await scriptOf(sandbox, persona)).toBe(id === 'key_rotated' ? null : id)
    }
  }
})

test('the consent page offers the scripts of its provider, as usual being the default, and runs no script', async () => {
  const sandbox = await sandboxForTest()
  const microsoft = await consentPage(sandbox)
  const google = await consentPage(sandbox, 'google')
  for (const page of [microsoft, google]) {
    expect(page).toMatch(/<select name="script"><option value="">As usual<\/option>/)
    expect(page).not.toMatch(/<script|selected|value="keep"/)
  }
  expect(microsoft).toContain('value="smtp_disabled_tenant"')
  expect(microsoft).not.toContain('value="gmail_imap_disabled"')
  expect(google).toContain('value="gmail_imap_disabled"')
  expect(google).not.toContain('value="smtp_disabled_tenant"')
})

test('the consent page tells what an account follows, and can leave it so', async () => {
  const sandbox = await sandboxForTest()
  await follow(sandbox, { persona: 'ada', script: 'imap_disabled' })
  const page = await consentPage(sandbox)
  expect(page).toContain('Now: IMAP is off: authenticated but not connected')
  expect(page).toContain('<details open>')
  expect(page).toContain('value="keep"')
  await decide(sandbox, { flow: newFlow(sandbox, {}), persona: 'ada', script: 'keep' })
  expect(await scriptOf(sandbox, 'ada')).toBe('imap_disabled')
})

test('a script lasts until another or as usual is chosen, and a form without the field changes nothing', async () => {
  const sandbox = await sandboxForTest()
  const consent = (script?: string) => decide(sandbox, { flow: newFlow(sandbox, {}), persona: 'ada', script })
  await consent('smtp_disabled_tenant')
  await consent()
  expect(await scriptOf(sandbox, 'ada')).toBe('smtp_disabled_tenant')
  await consent('imap_disabled')
  expect(await scriptOf(sandbox, 'ada')).toBe('imap_disabled')
  await consent('')
  expect(await scriptOf(sandbox, 'ada')).toBeNull()
})

test('a script survives a restart', async () => {
  const sandbox = await sandboxForTest()
  await follow(sandbox, { persona: 'grace', script: 'no_licence' })
  await sandbox.close()
  expect(await scriptOf(await sandboxForTest(sandbox.options), 'grace')).toBe('no_licence')
})

test('an unknown script, or one of the other provider, is a 400 that names the field', async () => {
  const sandbox = await sandboxForTest()
  for (const script of ['bogus', 'gmail_imap_disabled']) {
    const form = await sendConsent(sandbox, { flow: newFlow(sandbox, {}), persona: 'ada', script })
    expect(await form.json()).toMatchObject({ status: 400, field: 'script' })
    const set = await put(sandbox, { path: '/personas/ada/script', body: { script } })
    expect(await set.json()).toMatchObject({ status: 400, field: 'script' })
  }
  expect(await scriptOf(sandbox, 'ada')).toBeNull()
})

test.for<[number, string, string, unknown]>([
  [400, 'script', '/personas/ada/script', {}],
  [400, 'script', '/personas/ada/script', { script: 7 }],
  [400, 'bogus', '/personas/ada/script', { script: null, bogus: 1 }],
  [404, 'id', '/personas/support/script', { script: null }],
])('a bad PUT is a %i that names %s', async ([status, field, path, body]) => {
  const sandbox = await sandboxForTest()
  const answer = await put(sandbox, { path, body })
  expect(await answer.json()).toMatchObject({ status, field })
})

test('a page of another site may not change a script', async () => {
  const sandbox = await sandboxForTest()
  const answer = await fetch(`${sandbox.origin}/personas/ada/script`, {
    method: 'POST',
    headers: { origin: 'http://localhost:9999' },
    body: new URLSearchParams({ script: 'no_licence' }),
  })
  expect(answer.status).toBe(403)
})

test('the page shows what everybody follows and is called, and its forms change it', async () => {
  const sandbox = await sandboxForTest()
  const send = (path: string, form: Record<string, string>) =>
    fetch(`${sandbox.origin}${path}`, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' })
  const page = async () => (await fetch(`${sandbox.origin}/`, { headers: { accept: 'text/html' } })).text()
  expect(await page()).not.toContain(' selected')
  const set = await send('/personas/ada/script', { script: 'smtp_criteria' })
  expect([set.status, set.headers.get('location')]).toEqual([303, '/#ada'])
  const renamed = await send('/personas/ada', { signInName: 'countess@contoso.example', email: '' })
  expect([renamed.status, renamed.headers.get('location')]).toEqual([303, '/#ada'])
  const shown = await page()
  expect(shown).toContain('<option value="smtp_criteria" selected>')
  expect(shown).toContain('<dt>Signs in as</dt><dd>countess@contoso.example</dd>')
  expect(shown).toContain('Contoso Support')
  await send('/personas/ada/script', { script: '' })
  expect(await scriptOf(sandbox, 'ada')).toBeNull()
})
