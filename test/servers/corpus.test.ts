import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { Json } from '../../infra/local/as-app.ts'
import { openCourier } from './handing-over.ts'
import { hardMails } from './hard-mails.ts'
import { missingForMail } from './installed.ts'
import { useMailSystem } from './mail-system.ts'
import { openOwnersView } from './owners-view.ts'

const corpus = fileURLToPath(new URL('../../../shared/corpus', import.meta.url))
const owner = 'ada@contoso.example'
/** By this envelope sender, which the last server writes into Return-Path, a mail is told from all others. */
const senderOf = (run: string, index: number) => `mail-${index}-of-${run}@outside.example`

async function corpusMails(): Promise<Record<string, Buffer>> {
  const files = await readdir(corpus, { recursive: true })
  const names = files.filter(name => name.endsWith('.eml')).toSorted()
  return Object.fromEntries(
    await Promise.all(names.map(async name => [name, await readFile(join(corpus, name))] as const)),
  )
}

describe.skipIf(missingForMail !== null)('mails of all kinds', () => {
  const system = useMailSystem()

  /** @returns the names of those that Postfix refused and Dovecot got by LMTP instead, with the reason */
  async function deliverAll(run: string, mails: Record<string, Buffer>): Promise<Record<string, string>> {
    const refused: Record<string, string> = {}
    const world = await openCourier(system.postfix.worldPort)
    const dovecot = await openCourier(system.dovecot.lmtpPort, 'lmtp')
    for (const [index, [name, raw]] of Object.entries(mails).entries()) {
      const delivery = { from: senderOf(run, index), to: owner, raw }
      await world.deliver(delivery).catch(async error => {
        refused[name] = String(error.response ?? error.message)
        await dovecot.deliver(delivery)
      })
    }
    world.close()
    dovecot.close()
    return refused
  }

  async function proveAll(run: string, mails: Record<string, Buffer>) {
    const channel = await system.connect('ada', run)
    const view = await openOwnersView({
      server: system.imap,
      user: owner,
      accessToken: await system.tokenOf('ada'),
    })
    const refused = await deliverAll(run, mails)
    if (Object.keys(refused).length > 0) console.log('By LMTP, since Postfix refuses them:', refused)

    const names = Object.keys(mails)
    const ownMails = async () =>
      (await view.mails()).filter(({ text }) => text.slice(0, 200).includes(`-of-${run}@`))
    await expect
      .poll(async () => (await ownMails()).length, { timeout: 60_000, interval: 250 })
      .toBe(names.length)
    const stored = await ownMails()
    for (const index of names.keys()) {
      const copies = stored.filter(({ text }) => text.slice(0, 200).includes(senderOf(run, index)))
      expect(copies, names[index]).toHaveLength(1)
    }

    // The mailbox goes on behind them; this one is fetched last.
    const last = {
      from: 'customer@outside.example',
      to: owner,
      raw: Buffer.from('Subject: the last one\r\n\r\nx\r\n'),
    }
    const courier = await openCourier(system.postfix.worldPort)
    await courier.deliver(last)
    courier.close()
    await system.received(channel, message => message.subject === 'the last one')

    const told = (await system.events(run)).filter(({ type }) => type === 'message.received')
    const byUid = new Map<number, Json>(told.map(({ data }) => [data.message.uid, data.message]))
    expect(told).toHaveLength(names.length + 1)
    expect(stored.map(({ uid }) => uid).filter(uid => !byUid.has(uid))).toEqual([])
    for (const { uid, sha256 } of stored) {
      const kept = await system.raw(byUid.get(uid).id)
      expect(createHash('sha256').update(kept).digest('hex'), `UID ${uid}`).toBe(sha256)
    }
    expect(system.log.filter(line => JSON.stringify(line).includes('fetch_failed'))).toEqual([])
    const { body } = await system.app.call('GET', `/v1/channels/${channel.id}`)
    expect(body).toMatchObject({ auth: { state: 'connected' }, connection: { state: 'ok' } })
    return channel
  }

  test('each hard mail becomes one event, with the very bytes that Dovecot serves', async () => {
    const channel = await proveAll('hard', hardMails)
    const { body } = await system.app.call(
      'GET',
      `/v1/channels/${channel.id}/messages?direction=inbound&limit=100`,
    )
    expect(body.messages).toHaveLength(Object.keys(hardMails).length + 1)
  }, 120_000)

  test.skipIf(!existsSync(corpus))(
    'each mail of ../shared/corpus becomes one event, with the very bytes that Dovecot serves (skipped where it is absent)',
    async () => {
      await proveAll('corpus', await corpusMails())
    },
    120_000,
  )
})
