import { describe, expect, test, vi } from 'vitest'
import type { Json } from '../../infra/local/as-app.ts'
import { handOver, letter } from './handing-over.ts'
import { missingForMail } from './installed.ts'
import { useMailSystem } from './mail-system.ts'
import { openOwnersView } from './owners-view.ts'

const owner = 'ada@contoso.example'

/** INTERNALDATE knows whole seconds only. */
async function nextSecond() {
  const second = Math.floor(Date.now() / 1000)
  await vi.waitUntil(() => Math.floor(Date.now() / 1000) > second, { timeout: 2_000, interval: 20 })
}

describe.skipIf(missingForMail !== null)('fetching from Dovecot', () => {
  const system = useMailSystem()

  const lookIn = async () =>
    openOwnersView({ server: system.imap, user: owner, accessToken: await system.tokenOf('ada') })

  /** Each test has a channel of its own on the same mailbox, and tells its mails by their Message-IDs. */
  async function begin(accountId: string) {
    const channel = await system.connect('ada', accountId)
    return {
      channel,
      /** Mails it and waits until it is in the mailbox. */
      async deliver(subject: string) {
        const id = `<${accountId}-${subject.replace(/\W+/g, '-')}@outside.example>`
        await handOver(system.postfix.worldPort, {
          from: 'customer@outside.example',
          to: owner,
          raw: letter({ 'Message-ID': id, Subject: subject }),
        })
        return (await lookIn()).arrived(id)
      },
      received: (subject: string) => system.received(channel, message => message.subject === subject),
      /** Of its own mails, in the order in which they were told. */
      async subjects() {
        const events = await system.events(accountId)
        return events
          .filter(({ type }) => type === 'message.received')
          .filter(({ data }) => data.message.messageId.startsWith(`<${accountId}-`))
          .map(({ data }) => data.message.subject)
      },
      async latest(): Promise<Json> {
        return (await system.app.call('GET', `/v1/channels/${channel.id}`)).body
      },
    }
  }

  test('a mail that a person has read already is received, and no flag is touched', async () => {
    const { deliver, received } = await begin('flags')
    const read = await deliver('read already')
    const unread = await deliver('not read')
    const view = await lookIn()
    await view.markRead(read.uid)
    await received('read already')
    await received('not read')
    const flags = new Map((await view.mails()).map(mail => [mail.uid, mail.flags]))
    expect(flags.get(read.uid)).toEqual(['\\Seen'])
    expect(flags.get(unread.uid)).toEqual([])
  })

  test('what is expunged between polls takes no other mail with it', async () => {
    const { deliver, received, subjects } = await begin('expunge')
    const first = await deliver('fetched, then gone')
    await received('fetched, then gone')
    const second = await deliver('gone before the poll')
    await deliver('stays')
    const view = await lookIn()
    await view.expunge(first.uid)
    await view.expunge(second.uid)
    await received('stays')
    await deliver('comes later')
    await received('comes later')
    expect(await subjects()).toEqual(['fetched, then gone', 'stays', 'comes later'])
  })

  test('an expunged mail that had the last UID of the mailbox does not hide the one that follows', async () => {
    const { channel, deliver, received, subjects } = await begin('last')
    const last = await deliver('newest, then gone')
    await (await lookIn()).expunge(last.uid)
    await system.poll(channel)
    await deliver('after the gap')
    await received('after the gap')
    expect(await subjects()).toEqual(['after the gap'])
  })

  test('after a change of UIDVALIDITY old mail is not told again, and new mail is', async () => {
    const { deliver, received, subjects } = await begin('validity')
    await deliver('old one')
    await deliver('old two')
    await received('old one')
    await received('old two')
    const before = await (await lookIn()).uidValidity()
    await system.dovecot.forgetNumbers(owner)
    expect(await (await lookIn()).uidValidity()).not.toBe(before)

    await deliver('new under new numbers')
    await received('new under new numbers')
    await deliver('and another')
    await received('and another')
    expect(await subjects()).toEqual(['old one', 'old two', 'new under new numbers', 'and another'])
  })

  test('mail that no poll had seen before a change of UIDVALIDITY is told after it', async () => {
    const { deliver, received, subjects } = await begin('unseen')
    await deliver('seen')
    await received('seen')
    await deliver('not seen yet')
    await system.dovecot.forgetNumbers(owner)
    await received('not seen yet')
    expect(await subjects()).toEqual(['seen', 'not seen yet'])
  })

  test('mail from before the channel was connected is not told after a change of UIDVALIDITY either', async () => {
    const { deliver } = await begin('earlier')
    await deliver('before there was a channel')
    await nextSecond()
    const later = await begin('later')
    await later.deliver('first')
    await later.received('first')
    await system.dovecot.forgetNumbers(owner)
    await later.deliver('second')
    await later.received('second')
    const told = (await system.events('later')).filter(({ type }) => type === 'message.received')
    expect(told.map(({ data }) => data.message.subject)).toEqual(['first', 'second'])
  })

  test('over a restart of Dovecot the channel stays connected, and mail goes on', async () => {
    const { deliver, received, latest } = await begin('restart')
    await deliver('before the restart')
    await received('before the restart')
    await system.dovecot.stop()
    await system.dovecot.start()
    await deliver('after the restart')
    await received('after the restart')
    expect(await latest()).toMatchObject({ auth: { state: 'connected' }, connection: { state: 'ok' } })
  })

  test('a poll while Dovecot is away backs off and prompts nobody', async () => {
    const { channel, deliver, received, latest } = await begin('outage')
    await deliver('before the outage')
    await received('before the outage')
    await system.dovecot.stop()
    try {
      await system.app.call('POST', `/v1/channels/${channel.id}/poll`)
      await vi.waitUntil(async () => (await latest()).connection.state === 'backing_off', {
        timeout: 20_000,
        interval: 200,
      })
    } finally {
      await system.dovecot.start()
    }
    expect(await latest()).toMatchObject({
      auth: { state: 'connected', fault: null },
      connection: { fault: { code: 'imap_unreachable', actor: 'nobody' } },
    })
    const types = (await system.events('outage')).map(({ type }) => type)
    expect(types).not.toContain('channel.reconnect_required')
  })
})
