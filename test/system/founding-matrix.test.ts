import { expect, test } from 'vitest'
import { useRunningSystem } from '../support/running-system.ts'

const running = useRunningSystem()
const to = [{ address: 'customer@outside.example' }]

interface Row {
  shape: string
  persona: string
  provider?: string
  script?: string
  sharedMailbox?: string
  email: string
  imap: string
  smtp: string
}

const one = (login: string) => ({ imap: login, smtp: login })

const matrix: Row[] = [
  { shape: 'upn = email', persona: 'ada', email: 'ada@contoso.example', ...one('ada@contoso.example') },
  {
    shape: 'upn ≠ email (the founding story)',
    persona: 'grace',
    email: 'Grace.Hopper@tenant-b.example',
    ...one('grace@tenant-a.example'),
  },
  {
    shape: 'no preferred_username, but upn',
    persona: 'grace',
    script: 'no_preferred_username',
    email: 'Grace.Hopper@tenant-b.example',
    ...one('grace@tenant-a.example'),
  },
  {
    shape: 'preferred_username is blank',
    persona: 'grace',
    script: 'blank_preferred_username',
    email: 'Grace.Hopper@tenant-b.example',
    ...one('grace@tenant-a.example'),
  },
  {
    shape: 'neither preferred_username nor upn',
    persona: 'margaret',
    script: 'no_upn_no_preferred_username',
    email: 'margaret@fabrikam.example',
    ...one('margaret@fabrikam.example'),
  },
  {
    shape: 'no email claim',
    persona: 'grace',
    script: 'no_email_claim',
    email: 'grace@tenant-a.example',
    ...one('grace@tenant-a.example'),
  },
  {
    shape: 'shared mailbox: read under its own name, sent with the delegate’s',
    persona: 'ada',
    sharedMailbox: 'support@contoso.example',
    email: 'support@contoso.example',
    imap: 'support@contoso.example',
    smtp: 'ada@contoso.example',
  },
  {
    shape: 'Google: the email claim, always',
    persona: 'linus',
    provider: 'google',
    email: 'linus@gmail-sandbox.example',
    ...one('linus@gmail-sandbox.example'),
  },
]

test.each(matrix)('$persona, $shape: login $smtp, address $email, and a reply is accepted', async row => {
  const { persona, provider = 'microsoft', script, sharedMailbox, email, imap, smtp, shape } = row
  const channel = await running.connect(persona, {
    provider,
    // An account of its own for each row, so that no row finds the channel of another.
    accountId: `row-${matrix.indexOf(row)}`,
    session: sharedMailbox ? { sharedMailbox } : {},
    script: script ?? '',
  })
  expect(channel).toMatchObject({ email, login: { imap, smtp }, auth: { state: 'connected', fault: null } })

  const { body } = await running.app.send(channel.id, { to, subject: shape, text: 'Hello' }, 'row')
  const event = await running.app.event(channel.accountId, e => e.data.message?.id === body.id)
  expect(event.type).toBe('message.sent')
  const { messages } = await running.sandbox('/outside')
  const arrived = messages.find((mail: { subject: string }) => mail.subject === shape)
  expect(arrived.from[0].address).toBe(email)
})

test('an admin renames the sign-in name: a probe heals the login, and a reply is accepted (S9)', async () => {
  const channel = await running.connect('alan', { accountId: 'renamed' })
  await rename('alan', 'alan.turing@contoso.example')
  const probe = await running.app.call('POST', `/v1/channels/${channel.id}/probe`)
  expect(probe.body.after.smtp).toBe('alan.turing@contoso.example')
  await running.app.event('renamed', e => e.type === 'channel.login_healed')
  const { body } = await running.app.send(channel.id, { to, subject: 'renamed', text: 'x' }, 'r1')
  const event = await running.app.event('renamed', e => e.data.message?.id === body.id)
  expect(event.type).toBe('message.sent')
})

async function rename(persona: string, signInName: string): Promise<void> {
  const response = await fetch(`${running.system.sandbox?.origin}/personas/${persona}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ signInName }),
  })
  expect(response.status).toBe(200)
}
