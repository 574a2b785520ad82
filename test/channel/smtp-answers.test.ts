/** What the providers' real words at each stage of sending are taken for. */

import { expect, test } from 'vitest'
import type { FaultCode } from '../../functions/channel/faults.ts'
import { type SmtpStage, smtpAnswerFault } from '../../functions/channel/smtp-answers.ts'

test.each<[FaultCode, SmtpStage, string]>([
  // Exchange Online at the sign-in
  [
    'smtp_auth_refused',
    'auth',
    '535 5.7.3 Authentication unsuccessful [AM0PR01CA0123.eurprd01.prod.exchangelabs.com 2026-03-01T10:00:00.000Z 08DC]',
  ],
  [
    'smtp_disabled',
    'auth',
    '535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information. [FR3P281CA0001.DEUP281.PROD.OUTLOOK.COM]',
  ],
  [
    'smtp_disabled',
    'auth',
    '535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox. Visit https://aka.ms/smtp_auth_disabled for more information.',
  ],
  [
    'smtp_blocked_by_policy',
    'auth',
    "535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy. Contact your administrator.",
  ],
  [
    'smtp_blocked_by_policy',
    'auth',
    '535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated successfully. Contact your administrator.',
  ],
  [
    'smtp_auth_refused',
    'auth',
    '535 5.7.139 Authentication unsuccessful, the user credentials were incorrect.',
  ],
  [
    'command_refused',
    'auth',
    '535 5.7.139 Authentication unsuccessful, basic authentication is disabled. [BN0PR02CA0022]',
  ],
  ['command_refused', 'mail', '550 5.7.30 Basic authentication is not supported for Client Submission.'],
  [
    'provider_unreachable',
    'auth',
    '535 5.7.139 Authentication unsuccessful, federated STS is unreachable. Contact your administrator.',
  ],
  [
    'smtp_temporary',
    'auth',
    '451 4.7.0 Temporary server error. Please try again later. PRX4 [LO2P265CA0001]',
  ],
  [
    'smtp_too_many_connections',
    'auth',
    '432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more information.',
  ],
  ['smtp_unreachable', 'auth', '421 4.3.2 Service not active'],
  ['smtp_auth_refused', 'auth', '501 5.5.124 Invalid XOAUTH2 auth data'],
  ['smtp_auth_refused', 'auth', '599 5.9.9 Words that nobody has seen yet'],
  ['smtp_temporary', 'auth', '499 4.9.9 Words that nobody has seen yet'],

  // Exchange Online with a mail
  [
    'smtp_sign_in_lost',
    'mail',
    '530 5.7.57 Client not authenticated to send mail. [LO2P265CA0001.GBRP265.PROD.OUTLOOK.COM]',
  ],
  [
    'send_as_denied',
    'mail',
    '550 5.7.60 SMTP; Client does not have permissions to send as this sender [PR0P264MB0001]',
  ],
  [
    'send_as_denied',
    'body',
    '554 5.2.252 SendAsDenied; ada@contoso.example not allowed to send as sales@contoso.example; STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied',
  ],
  [
    'send_as_denied',
    'body',
    '554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed to process message due to a permanent exception with message Cannot submit message.',
  ],
  [
    'smtp_too_many_connections',
    'body',
    '432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded [Hostname=VI1PR01MB0001]',
  ],
  ['smtp_unreachable', 'data', '421 4.4.2 Connection dropped due to SocketError'],
  ['smtp_temporary', 'body', '451 4.7.0 Temporary server error. Please try again later. PRX2'],
  ['smtp_throttled', 'rcpt', '451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77714)'],
  ['smtp_throttled', 'body', '450 4.7.650 Access denied, please try again later'],
  [
    'sending_limit_reached',
    'body',
    '554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed to process message due to a permanent exception with message The message can’t be submitted because the sender’s submission quota was exceeded.',
  ],
  ['sending_limit_reached', 'body', '554 5.2.2 Submission quota exceeded'],
  [
    'sending_limit_reached',
    'rcpt',
    "550 5.1.90 Your message can't be sent because you've reached your daily limit for message recipients",
  ],
  [
    'tenant_sending_limit_reached',
    'body',
    "550 5.7.232 Your message can't be sent because your trial tenant has exceeded its daily limit for sending email to external recipients",
  ],
  [
    'tenant_sending_limit_reached',
    'body',
    "550 5.7.233 Your message can't be sent because your tenant exceeded its daily limit for sending email to external recipients",
  ],
  ['sender_restricted', 'body', '550 5.1.8 Access denied, bad outbound sender AS(42004)'],
  ['sender_restricted', 'mail', '550 5.7.501 Access denied, spam abuse detected'],
  ['sender_restricted', 'body', '550 5.7.503 Access denied, banned sender'],
  ['sender_restricted', 'body', '550 5.7.705 Access denied, tenant has exceeded threshold'],
  [
    'sender_restricted',
    'body',
    '550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP',
  ],
  [
    'sender_mailbox_full',
    'body',
    '554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException.MapiExceptionQuotaExceeded',
  ],
  ['smtp_message_too_large', 'body', '552 5.3.4 Message size exceeds fixed maximum message size'],
  [
    'smtp_message_too_large',
    'body',
    '554 5.2.0 STOREDRV.Submission.Exception:MessageSubmissionExceededException; MapiExceptionMaxSubmissionExceeded',
  ],
  ['smtp_refused', 'body', '554 5.6.0 Corrupt message content'],
  ['smtp_refused', 'body', '550 5.6.11 SMTPSEND.BareLinefeedsAreIllegal; message contains bare linefeeds'],
  ['smtp_refused', 'body', '550 5.1.20 Multiple From addresses are not allowed without Sender address'],
  ['smtp_recipients_refused', 'rcpt', '550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found'],
  ['smtp_recipients_refused', 'rcpt', '550 5.1.1 User unknown'],
  ['smtp_recipients_refused', 'rcpt', '501 5.1.3 Invalid address'],
  ['too_many_recipients', 'rcpt', '452 4.5.3 Too many recipients'],
  [
    'already_accepted',
    'body',
    '554 5.2.0 STOREDRV.Submission.Exception:DuplicateDelivery; the same Message-ID was submitted before',
  ],

  // Gmail
  [
    'smtp_auth_refused',
    'auth',
    '535-5.7.8 Username and Password not accepted. For more information, go to\n535 5.7.8  https://support.google.com/mail/?p=BadCredentials ffacd0b85a97d-39ac - gsmtp',
  ],
  [
    'web_login_required',
    'auth',
    '534-5.7.14 <https://accounts.google.com/signin/continue?sarp=1> Please log in via your web\n534-5.7.14 browser and then try again.\n534 5.7.14 https://support.google.com/mail/answer/78754 a1-20020a170902 - gsmtp',
  ],
  [
    'web_login_required',
    'auth',
    '534-5.7.9 Application-specific password required. For more information, go to\n534 5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor - gsmtp',
  ],
  ['smtp_throttled', 'auth', '454 4.7.0 Too many login attempts, please try again later. - gsmtp'],
  [
    'smtp_temporary',
    'auth',
    '454 4.7.0 Cannot authenticate due to temporary system problem. Try again later. - gsmtp',
  ],
  ['smtp_throttled', 'mail', '421 4.7.0 Try again later, closing connection. (MAIL) - gsmtp'],
  ['smtp_throttled', 'connect', '421 4.7.0 Temporary System Problem.  Try again later (10). - gsmtp'],
  ['smtp_unreachable', 'mail', '421 4.4.5 Server busy, try again later. - gsmtp'],
  ['smtp_temporary', 'mail', '451 4.3.0 Mail server temporarily rejected message. - gsmtp'],
  [
    'smtp_temporary',
    'rcpt',
    '450 4.2.1 The user you are trying to contact is receiving mail at a rate that - gsmtp',
  ],
  ['smtp_temporary', 'rcpt', "452 4.2.2 The recipient's inbox is out of storage space. - gsmtp"],
  [
    'smtp_recipients_refused',
    'rcpt',
    '552 5.2.2 The email account that you tried to reach is over quota. - gsmtp',
  ],
  [
    'sending_limit_reached',
    'body',
    '550-5.4.5 Daily user sending limit exceeded. For more information on Gmail\n550-5.4.5 sending limits go to\n550 5.4.5  https://support.google.com/a/answer/166852 a1-20020a170902 - gsmtp',
  ],
  ['too_many_recipients', 'rcpt', '550 5.5.3 Too many recipients. - gsmtp'],
  ['smtp_message_too_large', 'mail', "552 5.3.4 Your message exceeded Google's message size limits. - gsmtp"],
  [
    'smtp_refused',
    'body',
    "550 5.7.1 The messages you're sending are missing a valid Message-ID header. - gsmtp",
  ],
  ['command_refused', 'mail', '530 5.7.0 Must issue a STARTTLS command first. - gsmtp'],
  ['smtp_sign_in_lost', 'mail', '530 5.7.0 Authentication Required. - gsmtp'],

  // What nobody knows: for now, or for good after one more try
  ['smtp_temporary', 'body', '450 Try again'],
  ['smtp_refusal_unclear', 'rcpt', '550 No'],
  ['smtp_refusal_unclear', 'body', '554 5.9.9 Words that nobody has seen yet'],
  ['smtp_unreachable', 'connect', '554 5.7.1 No SMTP service here'],
  ['smtp_unreachable', 'body', 'not a reply'],
])('%s, at %s: %s', (fault, stage, response) => {
  expect(smtpAnswerFault({ stage, response })).toBe(fault)
})
