/** Two programs that answer each other are stopped; a person never is. */

import { beforeEach, expect, test } from 'vitest'
import { accept } from '../../functions/channel/accept.ts'
import type { Channel } from '../../functions/channel/channels.ts'
import { ingest } from '../../functions/fetch/ingest.ts'
import { useEngines } from '../support/engines.ts'
import { providersWith } from '../support/test-providers.ts'
import { thrownBy } from '../support/thrown-error.ts'
import { addChannel, openWorkbench, type Workbench } from '../support/workbench.ts'

const engines = useEngines()
const robot = 'robot@outside.example'
const minuteMs = 60_000
let bench: Workbench
let channel: Channel
let count = 0

beforeEach(async () => {
  bench = openWorkbench(await engines.fresh(), { providers: providersWith({}) })
  channel = await addChannel(bench)
})

function send(document: { automatic?: boolean; to?: string[] } = {}, from = channel) {
  const { automatic = true, to = [robot] } = document
  return accept(
    {
      channel: from,
      idempotencyKey: `k${++count}`,
      document: { to: to.map(address => ({ address })), text: 'We got your mail.', automatic },
    },
    bench,
  )
}

async function arrive(headers: string) {
  const raw = Buffer.from(
    `${headers}\nMessage-ID: <${++count}@outside.example>\n\nAway.\n`.replace(/\n/g, '\r\n'),
  )
  const mail = {
    uid: count,
    receivedAt: new Date(bench.now()),
    sizeBytes: raw.byteLength,
    gmailId: null,
    gmailThreadId: null,
    raw,
    omittedBytes: 0,
  }
  const place = { channel, folder: 'INBOX', uidValidity: '1', id: `msg_in_${count}`, isRenumbered: false }
  await ingest(mail, { ...place, services: bench })
}

const autoReply = `From: Robot <${robot.toUpperCase()}>\nAuto-Submitted: auto-replied`

/** Our automatic answer, and theirs to it. */
async function exchange(times: number) {
  for (let i = 0; i < times; i++) {
    await send()
    await arrive(autoReply)
  }
}

test('after ten automatic mails within minutes no other goes to that address, and the field says why', async () => {
  await exchange(5)
  const error = await thrownBy(() => send({ to: ['casey@outside.example', robot] }))
  expect(error.code).toBe('loop_braked')
  expect(error.errors).toMatchObject([{ field: 'to.1.address', found: `10 with ${robot}` }])
  expect(error.row).toMatchObject({ status: 409, actor: 'app' })
})

test('a person’s reply is never stopped, and counts for nothing', async () => {
  await exchange(5)
  for (let i = 0; i < 12; i++) await send({ automatic: false })
  for (let i = 0; i < 12; i++) await send({ automatic: false, to: ['casey@outside.example'] })
  expect((await send({ to: ['casey@outside.example'] })).state).toBe('queued')
})

test('others, and the same address in another mailbox, are not held up', async () => {
  await exchange(5)
  expect((await send({ to: ['casey@outside.example'] })).state).toBe('queued')
  expect((await send({}, await addChannel(bench))).state).toBe('queued')
})

test('a message that was accepted before keeps its answer when it is sent again', async () => {
  const first = await send()
  await exchange(5)
  const again = { to: [{ address: robot }], text: 'We got your mail.', automatic: true }
  const key = `k${count - 10}`
  expect((await accept({ channel, idempotencyKey: key, document: again }, bench)).id).toBe(first.id)
})

test('when it has been quiet for a while, automatic mail goes again', async () => {
  await exchange(5)
  bench.clock.advance(20 * minuteMs)
  expect((await send()).state).toBe('queued')
})

test('ten across the border of two windows are ten as well', async () => {
  bench.clock.advance(10 * minuteMs - (bench.now() % (10 * minuteMs)) - 1)
  await exchange(3)
  bench.clock.advance(2)
  await exchange(2)
  expect((await thrownBy(() => send())).code).toBe('loop_braked')
})

test.each([
  ['a person', `From: ${robot}`],
  ['a newsletter', `From: ${robot}\nList-Unsubscribe: <https://x.example>`],
  ['a mailing list', `From: ${robot}\nList-Id: <l.example>`],
])('mail from %s does not count', async (_who, headers) => {
  for (let i = 0; i < 12; i++) await arrive(headers)
  expect((await send()).state).toBe('queued')
})
