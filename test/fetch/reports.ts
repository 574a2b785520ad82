/** Reports about mail, in the forms that mail servers give them; each is about the mail with this Message-ID. */

interface About {
  messageId: string
  recipient: string
}

const part = (type: string, text: string) => `--b\nContent-Type: ${type}\n\n${text}\n`
const report = (headers: string, reportType: string, ...parts: string[]) =>
  `${headers}\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=${reportType}; boundary=b\n\n${parts.join('')}--b--\n`
const original = ({ messageId, recipient }: About) =>
  `From: ada@contoso.example\nTo: ${recipient}\nSubject: Order\nMessage-ID: ${messageId}\n\nIt left.\n`

export const bounceMails: Record<string, (about: About) => string> = {
  'RFC 3464': about =>
    report(
      'From: MAILER-DAEMON@mx.outside.example\nReturn-Path: <>\nSubject: Undelivered Mail Returned to Sender\nAuto-Submitted: auto-replied',
      'delivery-status',
      part('text/plain', 'I am sorry.'),
      part(
        'message/delivery-status',
        `Reporting-MTA: dns; mx.outside.example\n\nFinal-Recipient: rfc822; ${about.recipient}\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 No such user\n    here\n`,
      ),
      part('message/rfc822', original(about)),
    ),
  Exchange: about =>
    report(
      `From: "Microsoft Outlook" <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@contoso.example>\nSubject: Unzustellbar: Order\nIn-Reply-To: ${about.messageId}\nReferences: ${about.messageId}\nX-MS-Exchange-Message-Is-Ndr:\nAuto-Submitted: auto-replied`,
      'delivery-status',
      part('text/html', '<p>Ihre Nachricht konnte nicht zugestellt werden.</p>'),
      part(
        'message/delivery-status',
        `Reporting-MTA: dns;AM0.example\n\nFinal-Recipient: rfc822;${about.recipient}\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound\n`,
      ),
      part('text/rfc822-headers', `Subject: Order\n`),
    ),
  Gmail: about =>
    report(
      `From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\nSubject: Delivery Status Notification (Failure)\nX-Failed-Recipients: ${about.recipient}\nAuto-Submitted: auto-replied`,
      'delivery-status',
      part('text/plain', 'Address not found'),
      part(
        'message/delivery-status',
        `Reporting-MTA: dns; googlemail.com\nX-Original-Message-ID: ${about.messageId}\n\nFinal-Recipient: rfc822; ${about.recipient}\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550-5.1.1 The email account does not exist\n`,
      ),
      part('message/rfc822', 'From: ada@contoso.example\nSubject: Order\n\nx'),
    ),
  'Exchange without a status part': about =>
    `From: postmaster@outside.example\nSubject: Undeliverable: Order\nX-MS-Exchange-Message-Is-Ndr:\nIn-Reply-To: ${about.messageId}\n\nDelivery has failed to these recipients:\n\n${about.recipient}\n\nRemote Server returned '550 5.1.1 unknown'\n`,
  qmail: about =>
    `From: MAILER-DAEMON@mx.outside.example\nReturn-Path: <>\nSubject: failure notice\n\nHi. This is the qmail-send program.\n\n<${about.recipient}>:\n192.0.2.1 does not like recipient.\nRemote host said: 550 5.1.1 unknown user\nGiving up on 192.0.2.1.\n\n--- Below this line is a copy of the message.\n\nReturn-Path: <ada@contoso.example>\n${original(about)}`,
  exim: about =>
    `From: Mail Delivery System <Mailer-Daemon@mx.outside.example>\nX-Failed-Recipients: ${about.recipient}\nAuto-Submitted: auto-replied\nSubject: Mail delivery failed: returning message to sender\n\nThis message was created automatically by mail delivery software.\n\n  ${about.recipient}\n    SMTP error from remote mail server after RCPT TO:\n    550 5.1.1 Unknown user\n\n------ This is a copy of the message, including all the headers. ------\n\nReturn-path: <ada@contoso.example>\n${original(about)}`,
}

export const delayMails: Record<string, (about: About) => string> = {
  'RFC 3464': about =>
    report(
      'From: MAILER-DAEMON@mx.outside.example\nSubject: Delayed Mail (still being retried)',
      'delivery-status',
      part('text/plain', 'Nothing is lost yet.'),
      part(
        'message/delivery-status',
        `Reporting-MTA: dns; mx\n\nFinal-Recipient: rfc822; ${about.recipient}\nAction: delayed\nStatus: 4.4.1\n`,
      ),
      part('message/rfc822', original(about)),
    ),
  'in words': about =>
    `From: MAILER-DAEMON@mx.outside.example\nSubject: Warning: message delayed 24 hours\n\n${about.recipient}\n\n------ original message ------\n\n${original(about)}`,
}

export const complaintMail = (about: About) =>
  report(
    'From: staff@hotmail.example\nSubject: complaint about message',
    'feedback-report',
    part('text/plain', 'A person called it spam.'),
    part(
      'message/feedback-report',
      `Feedback-Type: abuse\nUser-Agent: Loop/1.0\nVersion: 1\nOriginal-Rcpt-To: ${about.recipient}\n`,
    ),
    part('message/rfc822', original(about)),
  )
