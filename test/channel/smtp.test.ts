/** What every way in which handing over a mail can end is called. */

import { Readable } from 'node:stream'
import { expect, onTestFinished, test } from 'vitest'
import { openSmtp, type SmtpSession } from '../../functions/channel/smtp.ts'
import { type ScriptedSmtp, type SmtpStage, startScriptedSmtp } from '../support/scripted-smtp.ts'
import { textsOf, thrownBy } from '../support/thrown-error.ts'

const accessToken = 'token-that-nobody-may-see'
const user = 'ada@contoso.example'
const blob = Buffer.from(`user=${user}\x01auth=Bearer ${accessToken}\x01\x01`).toString('base64')
const envelope = { from: user, to: ['a@outside.example', 'b@outside.example'], sizeBytes: 30 }
const mail = 'Subject: Hello\r\n\r\n.dot\r\nHi\r\n'
/** Far below the time-outs of smtp.ts: who has not answered by then hangs. */
const promptMs = 2_000

const login = ({ server }: ScriptedSmtp) => openSmtp({ server, user, accessToken })

async function signedIn(smtp: ScriptedSmtp): Promise<SmtpSession> {
  const session = await login(smtp)
  onTestFinished(() => session.close())
  return session
}

const handOver = (session: SmtpSession, body: Iterable<string> | AsyncIterable<string> = [mail]) =>
  session.send(envelope, Readable.from(body, { objectMode: false }), { limitMs: 60_000 })

function expectNoToken(error: unknown): void {
  expect(textsOf(error)).not.toContain(accessToken)
  expect(textsOf(error)).not.toContain(blob.slice(20, 60))
}

test('an accepted mail arrives byte for byte, with its envelope and the Message-ID the server stored', async () => {
  const smtp = await startScriptedSmtp()
  smtp.script.body = [null]
  const accepted = await handOver(await signedIn(smtp), ['Message-ID: <x@y.z>\r\n', mail])
  expect(smtp.mails).toEqual([
    { from: user, to: envelope.to, raw: Buffer.from(`Message-ID: <x@y.z>\r\n${mail}`) },
  ])
  expect(accepted.response).toMatch(/^250 2\.0\.0 OK/)
  expect(accepted.rejected).toEqual([])
})

test('one connection takes one mail after the other, also after a refusal', async () => {
  const smtp = await startScriptedSmtp()
  smtp.script.body = ['554 5.2.0 Refused', null]
  const session = await signedIn(smtp)
  expect((await thrownBy(() => handOver(session))).code).toBe('smtp_refusal_unclear')
  await handOver(session)
  expect(smtp.mails).toHaveLength(1)
  expect(smtp.connections).toBe(1)
})

test('one of two recipients refused: the mail goes to the other, and the refusal is told', async () => {
  const smtp = await startScriptedSmtp()
  smtp.recipients = { 'b@outside.example': '550 5.1.1 No such user' }
  const { rejected } = await handOver(await signedIn(smtp))
  expect(rejected).toEqual([{ address: 'b@outside.example', response: '550 5.1.1 No such user' }])
  expect(smtp.mails[0]?.to).toEqual(['a@outside.example'])
})

test.each<[SmtpStage, string, string]>([
  ['mail', '550 5.7.60 Client does not have permissions to send as this sender', 'send_as_denied'],
  ['mail', '451 4.7.500 Server busy', 'smtp_throttled'],
  ['rcpt', '550 5.1.1 No such user', 'smtp_recipients_refused'],
  ['rcpt', '450 4.2.1 Greylisted', 'smtp_temporary'],
  ['data', '554 5.5.1 No', 'smtp_refusal_unclear'],
  ['data', '452 4.3.1 Insufficient resources', 'smtp_temporary'],
  ['body', '550 5.7.1 Spam', 'smtp_refused'],
  ['body', '554 5.2.252 SendAsDenied; ada@contoso.example', 'send_as_denied'],
  ['body', '451 4.7.0 Try again', 'smtp_temporary'],
  ['mail', '421 4.3.2 Bye', 'smtp_unreachable'],
  ['rcpt', '421 4.3.2 Bye', 'smtp_unreachable'],
  ['data', '421 4.3.2 Bye', 'smtp_unreachable'],
  ['body', '421 4.3.2 Bye', 'smtp_unreachable'],
])(
  'the server’s answer decides: at %s "%s" is %s',
  async (stage, reply, code) => {
    const smtp = await startScriptedSmtp()
    smtp.always[stage] = reply
    const session = await signedIn(smtp)
    const error = await thrownBy(() => handOver(session))
    expect(error).toMatchObject({ code, evidence: reply })
    expectNoToken(error)
  },
  promptMs,
)

test.each<[SmtpStage, string]>([
  ['mail', '421 4.3.2 Bye'],
  ['rcpt', '421 4.3.2 Bye'],
  ['data', '421 4.3.2 Bye'],
  ['body', '421 4.3.2 Bye'],
  ['body', '554 5.2.0 Refused for good'],
])(
  'a server that hangs up after its answer keeps nobody waiting: at %s "%s"',
  async (stage, reply) => {
    const smtp = await startScriptedSmtp()
    smtp.always[stage] = { reply, thenDrop: true }
    const session = await signedIn(smtp)
    const error = await thrownBy(() => handOver(session))
    expect(error.code).toBe(reply.startsWith('421') ? 'smtp_unreachable' : 'smtp_refusal_unclear')
  },
  promptMs,
)

test(
  'a server that drops at RSET keeps nobody waiting',
  async () => {
    const smtp = await startScriptedSmtp()
    smtp.always.body = '451 4.7.0 Try again'
    smtp.always.rset = 'drop'
    const session = await signedIn(smtp)
    expect((await thrownBy(() => handOver(session))).code).toBe('smtp_temporary')
  },
  promptMs,
)

test.each<SmtpStage>(['mail', 'rcpt', 'data'])(
  'a drop at %s: unreachable, and not a byte of the mail was read',
  async stage => {
    const smtp = await startScriptedSmtp()
    smtp.always[stage] = 'drop'
    const session = await signedIn(smtp)
    let isRead = false
    const body = (function* () {
      isRead = true
      yield mail
    })()
    expect((await thrownBy(() => handOver(session, body))).code).toBe('smtp_unreachable')
    expect(isRead).toBe(false)
  },
)

test('a drop in the middle of the mail: unreachable, since the final dot was never sent', async () => {
  const smtp = await startScriptedSmtp()
  smtp.always.midBody = 'drop'
  const session = await signedIn(smtp)
  const body = (async function* () {
    yield mail
    await new Promise(() => {})
  })()
  expect((await thrownBy(() => handOver(session, body))).code).toBe('smtp_unreachable')
})

test('a drop after the final dot: nobody knows whether it was accepted', async () => {
  const smtp = await startScriptedSmtp()
  smtp.always.body = 'drop'
  const session = await signedIn(smtp)
  const error = await thrownBy(() => handOver(session))
  expect(error.code).toBe('outcome_unknown')
  expectNoToken(error)
})

test('a mail whose own source fails was not accepted', async () => {
  const smtp = await startScriptedSmtp()
  const session = await signedIn(smtp)
  const body = (async function* () {
    yield 'Subject: Half'
    throw new Error('S3 is down')
  })()
  expect((await thrownBy(() => handOver(session, body))).code).not.toBe('outcome_unknown')
  expect(smtp.mails).toEqual([])
})

test('a mail larger than the server takes is refused for good, and the connection is well', async () => {
  const smtp = await startScriptedSmtp()
  smtp.extensions = ['SIZE 1000', '8BITMIME', 'AUTH XOAUTH2']
  const session = await signedIn(smtp)
  const error = await thrownBy(() =>
    session.send({ ...envelope, sizeBytes: 2000 }, Readable.from([mail]), { limitMs: 60_000 }),
  )
  expect(error.row.action).toBe('reject')
  await handOver(session)
  expect(smtp.mails).toHaveLength(1)
})

test('a mail that Exchange says it has already was accepted', async () => {
  const smtp = await startScriptedSmtp()
  smtp.always.body = '554 5.2.0 STOREDRV.Submission.Exception:DuplicateDelivery; Cannot submit message'
  expect(await handOver(await signedIn(smtp))).toMatchObject({ rejected: [] })
})

test.each(['what?', '354 Go on', '199 x'])(
  'after the final dot %j is no answer to go by: nobody knows whether it was accepted',
  async reply => {
    const smtp = await startScriptedSmtp()
    smtp.always.body = { reply, thenDrop: true }
    const session = await signedIn(smtp)
    expect((await thrownBy(() => handOver(session))).code).toBe('outcome_unknown')
  },
)

test('an acceptance before the end of the mail is none', async () => {
  const smtp = await startScriptedSmtp()
  smtp.always.midBody = '250 2.0.0 OK'
  const session = await signedIn(smtp)
  const body = (async function* () {
    yield mail
    await new Promise(() => {})
  })()
  expect((await thrownBy(() => handOver(session, body))).code).toBe('smtp_unreachable')
})

test('a conversation that is not over in its time ends, and after the whole body its outcome is unknown', async () => {
  const smtp = await startScriptedSmtp()
  const session = await signedIn(smtp)
  smtp.beforeAccept = () => new Promise(() => {})
  const sent = session.send(envelope, Readable.from([mail], { objectMode: false }), { limitMs: 300 })
  expect((await thrownBy(() => sent)).code).toBe('outcome_unknown')
})
