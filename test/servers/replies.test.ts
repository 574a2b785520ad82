import { describe, expect, test } from 'vitest'
import { handOver, letter } from './handing-over.ts'
import { missingForMail } from './installed.ts'
import { useMailSystem } from './mail-system.ts'
import { openOwnersView } from './owners-view.ts'
import { unknownRecipient } from './postfix.ts'

const customer = 'margaret@fabrikam.example'
const support = 'Grace.Hopper@tenant-b.example'

/** The value of a header, unfolded (RFC 5322 2.2.3). */
function header(mail: string, name: string): string | undefined {
  const head = mail.slice(0, mail.indexOf('\r\n\r\n')).replace(/\r\n(?=[ \t])/g, '')
  const line = head.split('\r\n').find(text => text.toLowerCase().startsWith(`${name.toLowerCase()}:`))
  return line?.slice(name.length + 1).trim()
}

describe.skipIf(missingForMail !== null)('sending through Postfix', () => {
  const system = useMailSystem()

  async function customersView() {
    return openOwnersView({
      server: system.imap,
      user: customer,
      accessToken: await system.tokenOf('margaret'),
    })
  }
  const toSupport = (raw: string) => handOver(system.postfix.worldPort, { from: customer, to: support, raw })

  test('a reply arrives under its Message-ID, in the thread, with the whole chain of References', async () => {
    const channel = await system.connect('grace', 'replies')
    await toSupport(letter({ 'Message-ID': '<one@fabrikam.example>', Subject: 'Order 7', From: customer }))
    await toSupport(
      letter({
        'Message-ID': '<two@fabrikam.example>',
        Subject: 'Re: Order 7',
        From: customer,
        'In-Reply-To': '<one@fabrikam.example>',
        References: '<zero@elsewhere.example> <one@fabrikam.example>',
      }),
    )
    const question = await system.received(channel, m => m.messageId === '<two@fabrikam.example>')
    const document = { to: [{ address: customer }], subject: 'Re: Order 7', text: 'It leaves today.' }
    const { body } = await system.app.send(channel.id, { ...document, inReplyTo: question.id }, 'key-1')
    const { type, message } = await system.sent(channel, body.id)
    expect(type).toBe('message.sent')

    const view = await customersView()
    const { text } = await view.arrived(body.messageId)
    expect(header(text, 'X-Postroom-Id')).toBe(body.id)
    expect(header(text, 'Message-ID')).toBe(message.messageId)
    expect(header(text, 'In-Reply-To')).toBe('<two@fabrikam.example>')
    expect(header(text, 'References')).toBe(
      '<zero@elsewhere.example> <one@fabrikam.example> <two@fabrikam.example>',
    )
    expect(header(text, 'From')).toBe(`Grace Hopper <${support}>`)
    expect(message.threadId).toBe(question.threadId)
    // Postfix proves in its trace who signed in.
    expect(await system.postfix.log()).toContain('sasl_username=grace@tenant-a.example')
  })

  test("the customer's answer, delivered through Postfix, is fetched into the same thread", async () => {
    const channel = await system.connect('grace', 'answers')
    const document = { to: [{ address: customer }], subject: 'Your order', text: 'Is it complete?' }
    const { body } = await system.app.send(channel.id, document, 'key-1')
    const { message } = await system.sent(channel, body.id)
    await (await customersView()).arrived(body.messageId)
    await toSupport(
      letter({
        'Message-ID': '<answer@fabrikam.example>',
        Subject: 'Re: Your order',
        From: customer,
        'In-Reply-To': message.messageId,
        References: message.messageId,
      }),
    )
    const answer = await system.received(channel, m => m.messageId === '<answer@fabrikam.example>')
    expect(answer).toMatchObject({
      threadId: message.threadId,
      inReplyTo: message.messageId,
      subject: 'Re: Your order',
    })
  })

  test('the bytes that arrive are the frozen ones, dots, long lines and letters of all kinds included', async () => {
    const channel = await system.connect('grace', 'bytes')
    const text = [
      '.',
      '..two',
      '.\r\n.',
      'Grüße, 世界 🙂',
      `long ${'x'.repeat(3_000)}`,
      'trailing  ',
      '',
    ].join('\r\n')
    const attachment = {
      filename: 'Rechnung Nº 7.pdf',
      contentType: 'application/pdf',
      content: Buffer.from(Array.from({ length: 5_000 }, (_, i) => i % 256)).toString('base64'),
    }
    const document = {
      to: [{ address: customer, name: 'Müller, "Meg"' }],
      subject: `Größe ${'lang '.repeat(40)}`,
      text,
      html: '<p>.</p>',
      attachments: [attachment],
    }
    const { body } = await system.app.send(channel.id, document, 'key-1')
    expect((await system.sent(channel, body.id)).type).toBe('message.sent')
    const frozen = (await system.raw(body.id)).toString('latin1')
    const { text: arrived } = await (await customersView()).arrived(body.messageId)
    // What comes before are the trace headers of the servers (RFC 5321 4.4).
    expect(arrived.slice(-frozen.length)).toBe(frozen)
  })

  test('a Bcc recipient gets the mail, and no header names them', async () => {
    const channel = await system.connect('ada', 'bcc')
    const document = {
      to: [{ address: support }],
      bcc: [{ address: customer }],
      subject: 'Confidential',
      text: 'For your eyes.',
    }
    const { body } = await system.app.send(channel.id, document, 'key-1')
    expect((await system.sent(channel, body.id)).type).toBe('message.sent')
    const { text } = await (await customersView()).arrived(body.messageId)
    const written = text.slice(text.indexOf('From: '))
    expect(written).not.toContain(customer)
  })

  test('a recipient that Postfix refuses fails the message with the words of Postfix', async () => {
    const channel = await system.connect('ada', 'refused')
    const document = { to: [{ address: unknownRecipient }], subject: 'Nobody', text: 'there' }
    const { body } = await system.app.send(channel.id, document, 'key-1')
    const { type, message } = await system.sent(channel, body.id)
    expect(type).toBe('message.failed')
    expect(message).toMatchObject({
      state: 'failed',
      fault: {
        code: 'smtp_recipients_refused',
        evidence: expect.stringMatching(/^550 5\.1\.1 .*No such mailbox/),
      },
    })
  })

  test('of two recipients the good one gets the mail, and the refused one is told', async () => {
    const channel = await system.connect('ada', 'partly')
    const document = {
      to: [{ address: unknownRecipient }, { address: customer }],
      subject: 'Partly',
      text: 'delivered',
    }
    const { body } = await system.app.send(channel.id, document, 'key-1')
    const { type, message } = await system.sent(channel, body.id)
    expect(type).toBe('message.sent')
    expect(message.rejectedRecipients).toEqual([
      { address: unknownRecipient, response: expect.stringMatching(/^550 5\.1\.1/) },
    ])
    await (await customersView()).arrived(body.messageId)
  })

  test('the messages of one drain arrive in the order of acceptance, each once', async () => {
    const channel = await system.connect('ada', 'order')
    const sent: { id: string; messageId: string }[] = []
    for (let number = 0; number < 12; number++) {
      const document = { to: [{ address: customer }], subject: `order ${number}`, text: 'next' }
      sent.push((await system.app.send(channel.id, document, `key-${number}`)).body)
    }
    for (const { id } of sent) expect((await system.sent(channel, id)).type).toBe('message.sent')
    const view = await customersView()
    for (const { messageId } of sent) await view.arrived(messageId)
    const log = await system.postfix.log()
    const places = sent.map(({ messageId }) => log.indexOf(`message-id=${messageId}`))
    expect(places).toEqual(places.toSorted((a, b) => a - b))
    const arrived = (await view.mails()).filter(({ text }) => header(text, 'Subject')?.startsWith('order '))
    expect(arrived).toHaveLength(sent.length)
  })
})
