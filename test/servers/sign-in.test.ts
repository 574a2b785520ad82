import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { glance } from '../../functions/channel/imap-glance.ts'
import { openSmtp } from '../../functions/channel/smtp.ts'
import { thrownBy } from '../support/thrown-error.ts'
import { handOver, letter } from './handing-over.ts'
import { missingForMail } from './installed.ts'
import { useMailSystem } from './mail-system.ts'

const upn = 'grace@tenant-a.example'
const address = 'Grace.Hopper@tenant-b.example'

describe.skipIf(missingForMail !== null)('signing in at Dovecot and Postfix', () => {
  const system = useMailSystem()

  test('a process trusts Dovecot by NODE_EXTRA_CA_CERTS, and without it does not', async () => {
    const script = `
      const socket = require('node:tls').connect({ host: 'localhost', port: ${system.dovecot.imapPort} })
      socket.on('secureConnect', () => { console.log('trusted'); socket.destroy() })
      socket.on('error', error => console.log(error.code))`
    const { NODE_EXTRA_CA_CERTS, ...without } = process.env
    const verdict = async (env: NodeJS.ProcessEnv) =>
      (await promisify(execFile)(process.execPath, ['-e', script], { env })).stdout.trim()
    expect(await verdict({ ...without, NODE_EXTRA_CA_CERTS })).toBe('trusted')
    expect(await verdict(without)).toBe('DEPTH_ZERO_SELF_SIGNED_CERT')
  })

  test('grace connects with her UPN, and mail to her address in the other domain is received', async () => {
    const channel = await system.connect('grace', 'connects')
    expect(channel).toMatchObject({
      email: address,
      login: { imap: upn, smtp: upn },
      auth: { state: 'connected' },
    })
    await handOver(system.postfix.worldPort, {
      from: 'customer@outside.example',
      to: address,
      raw: letter({ 'Message-ID': '<first@outside.example>', Subject: 'To the other domain', To: address }),
    })
    const message = await system.received(channel, ({ subject }) => subject === 'To the other domain')
    expect(message).toMatchObject({ messageId: '<first@outside.example>', channelId: channel.id })
  })

  test.each([
    { persona: 'grace', name: upn, alias: address },
    { persona: 'ada', name: 'ada@contoso.example', alias: 'ada.lovelace@contoso.example' },
  ])(
    'Postfix refuses $alias as user with 535 and takes $name, with the same token',
    async ({ persona, name, alias }) => {
      const accessToken = await system.tokenOf(persona)
      const error = await thrownBy(() => openSmtp({ server: system.smtp, user: alias, accessToken }))
      expect(error).toMatchObject({
        code: 'smtp_auth_refused',
        evidence: expect.stringMatching(/^535 5\.7\.8/),
      })
      const session = await openSmtp({ server: system.smtp, user: name, accessToken })
      session.close()
    },
  )

  test('Dovecot takes alias and UPN as user, and both open the same mailbox', async () => {
    const accessToken = await system.tokenOf('grace')
    await handOver(system.postfix.worldPort, {
      from: 'customer@outside.example',
      to: upn,
      raw: letter({ 'Message-ID': '<both@outside.example>', Subject: 'One mailbox' }),
    })
    const states = []
    for (const user of [upn, address, address.toLowerCase()]) {
      const seen = await glance({ server: system.imap, user, accessToken }, ['INBOX'])
      states.push(seen.get('INBOX'))
    }
    expect(states[0]?.uidNext).toBeGreaterThan(1)
    expect(states).toEqual([states[0], states[0], states[0]])
  })

  test('nobody opens the mailbox of somebody else with a token of their own', async () => {
    const accessToken = await system.tokenOf('ada')
    const imap = await thrownBy(() => glance({ server: system.imap, user: upn, accessToken }, ['INBOX']))
    expect(imap.code).toBe('imap_auth_refused')
    const smtp = await thrownBy(() => openSmtp({ server: system.smtp, user: upn, accessToken }))
    expect(smtp.code).toBe('smtp_auth_refused')
  })

  test('a token that was tampered with opens nothing', async () => {
    const token = await system.tokenOf('grace')
    const accessToken = `${token.slice(0, -6)}AAAAAA`
    const imap = await thrownBy(() => glance({ server: system.imap, user: upn, accessToken }, ['INBOX']))
    expect(imap.code).toBe('imap_auth_refused')
    const smtp = await thrownBy(() => openSmtp({ server: system.smtp, user: upn, accessToken }))
    expect(smtp.code).toBe('smtp_auth_refused')
  })
})
