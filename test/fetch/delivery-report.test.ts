/** Reports as they are read, before anything is believed. */

import { expect, test } from 'vitest'
import { parseMail } from '../../functions/fetch/parse.ts'
import { bounceMails, complaintMail, delayMails } from './reports.ts'

const about = { messageId: '<order@contoso.example>', recipient: 'customer@outside.example' }
const parse = (mail: string) => parseMail(Buffer.from(mail.replace(/\n/g, '\r\n')))

test.each(Object.entries(bounceMails))('a bounce as %s writes it', async (_server, mail) => {
  const { report, automatic } = await parse(mail(about))
  expect(report).toMatchObject({
    kind: 'bounce',
    recipients: [{ address: about.recipient, status: '5.1.1', isPermanent: true }],
  })
  expect(report?.messageIds).toContain(about.messageId)
  expect(report?.recipients[0]?.diagnostic ?? '550').toContain('550')
  expect(automatic?.kind).toBe('delivery_report')
})

test.each(Object.entries(delayMails))('a delay %s is no bounce', async (_form, mail) => {
  expect((await parse(mail(about))).report).toMatchObject({ kind: 'delay' })
})

test('a complaint (RFC 5965) says who complained about which mail', async () => {
  const { report, automatic } = await parse(complaintMail(about))
  expect(report).toMatchObject({
    kind: 'complaint',
    messageIds: [about.messageId],
    recipients: [{ address: about.recipient, isPermanent: true, diagnostic: 'Feedback-Type: abuse' }],
  })
  expect(automatic).toEqual({ kind: 'complaint', evidence: 'Feedback-Type: abuse' })
})

test('what the server tried for days and gave up is no permanent fault', async () => {
  const mail = bounceMails['RFC 3464']?.(about).replace('Status: 5.1.1', 'Status: 4.4.7') ?? ''
  expect((await parse(mail)).report?.recipients).toMatchObject([{ status: '4.4.7', isPermanent: false }])
})

test('of several recipients those that failed are told', async () => {
  const others =
    'Final-Recipient: rfc822; b@outside.example\nAction: failed\nStatus: 5.2.2\n\nFinal-Recipient: rfc822; c@outside.example\nAction: relayed\nStatus: 2.1.5\n\nFinal-Recipient'
  const mail = bounceMails['RFC 3464']?.(about).replace('Final-Recipient', others) ?? ''
  const { report } = await parse(mail)
  expect(report?.recipients.map(({ address, status }) => [address, status])).toEqual([
    ['b@outside.example', '5.2.2'],
    [about.recipient, '5.1.1'],
  ])
})

test('a report of success is none of a failure', async () => {
  const mail = bounceMails['RFC 3464']?.(about).replace('Action: failed', 'Action: delivered') ?? ''
  expect((await parse(mail)).report).toMatchObject({ kind: 'delivered', recipients: [] })
})

test.each([
  [
    'writes about a bounce',
    'From: casey@outside.example\nSubject: Undelivered Mail Returned to Sender\n\nI got this: 550 5.1.1',
  ],
  ['answers a postmaster', 'From: casey@outside.example\nSubject: Re: failure notice\n\nOh.'],
  ['is a postmaster who writes', 'From: postmaster@outside.example\nSubject: Your question\n\nHello'],
  [
    'forwards a mail',
    'From: casey@outside.example\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nSubject: x\n\ny\n--b--',
  ],
])('somebody who %s reports nothing', async (_what, mail) => {
  expect((await parse(mail)).report).toBeNull()
})
