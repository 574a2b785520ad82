/** Mails made to break a mailbox, through all of what becomes of a mail: each is told once, and its bytes are kept as they came. */

import { expect, test } from 'vitest'
import { inboundId, mailIdentity } from '../../functions/fetch/identity.ts'
import { ingest } from '../../functions/fetch/ingest.ts'
import { useEngines } from '../support/engines.ts'
import { providersWith } from '../support/test-providers.ts'
import { addChannel, eventsOf, openWorkbench } from '../support/workbench.ts'
import { hostileMails } from './hostile-mails.ts'

const engines = useEngines()
const bidi = 'Subject: =?utf-8?Q?=E2=80=AEgpj.exe?=\r\nFrom: =?utf-8?Q?=E2=80=AEknaB?= <m@outside.example>'
const mails = {
  ...hostileMails,
  'a subject and a sender written backwards': () => `${bidi}\r\n\r\n\u00e2\u0080\u00aex`,
}

test('I7: each hostile mail becomes one message and one event, with the very bytes that came', async () => {
  const bench = openWorkbench(await engines.fresh(), { providers: providersWith({}) })
  const channel = await addChannel(bench)
  const wrong: string[] = []
  for (const [index, [name, make]] of Object.entries(mails).entries()) {
    const raw = Buffer.from(make(), 'latin1')
    const mail = {
      uid: index + 1,
      receivedAt: new Date('2026-11-24T10:00:00Z'),
      raw,
      sizeBytes: raw.byteLength,
      omittedBytes: 0,
      gmailId: null,
      gmailThreadId: null,
    }
    const id = inboundId(channel.id, mailIdentity(mail))
    const arrival = { channel, folder: 'INBOX', uidValidity: '1', id, isRenumbered: false, services: bench }
    await ingest(mail, arrival)
    const message = await bench.messages.get(id)
    const kept = await bench.mail.read(message.rawKey)
    if (!raw.equals(kept ?? Buffer.from('nothing was kept'))) wrong.push(`${name}: other bytes`)
    if (message.direction !== 'inbound' || message.sizeBytes !== raw.byteLength) wrong.push(`${name}: size`)
  }
  expect(wrong).toEqual([])
  const told = (await eventsOf(bench)).map(({ data }) => data.message?.id)
  expect(told).toHaveLength(Object.keys(mails).length)
  expect(new Set(told).size).toBe(told.length)
}, 180_000)
