/** What the answers of servers for sending mean, at each stage of a session. */

import { type AnswerRow, type Evidence, faultIn } from './answer-row.ts'
import type { FaultCode } from './faults.ts'

/** `connect` is greeting, EHLO and STARTTLS; `data` the answer to the command, `body` the one after the final dot. */
export type SmtpStage = 'connect' | 'auth' | 'mail' | 'rcpt' | 'data' | 'body'

const handingOver = ['mail', 'rcpt', 'data', 'body'] as const
const withMail = ['mail', 'data', 'body'] as const

/**
 * The first row that fits decides, so what is special stands above what is usual.
 * @see https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/authenticated-client-smtp-submission
 * @see https://learn.microsoft.com/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online/non-delivery-reports-in-exchange-online
 * @see https://support.google.com/a/answer/3726730
 */
export const smtpAnswers: readonly AnswerRow[] = [
  // Exchange answers 535 5.7.139 where a setting is in the way; 535 5.7.3 alone is ambiguous.
  { at: ['auth'], needle: 'smtpclientauthentication is disabled', fault: 'smtp_disabled' },
  { at: ['auth'], needle: 'security defaults policy', fault: 'smtp_blocked_by_policy' },
  { at: ['auth'], needle: 'did not meet the criteria', fault: 'smtp_blocked_by_policy' },
  { needle: 'basic authentication is disabled', fault: 'command_refused' },
  { code: ['5.7.30'], fault: 'command_refused' },
  { needle: 'must issue a starttls', fault: 'command_refused' },
  { needle: 'must issue starttls', fault: 'command_refused' },
  // An organization's own sign-in server that Exchange does not reach.
  { at: ['auth'], needle: 'federated sts', fault: 'provider_unreachable' },
  { at: ['auth'], needle: 'log in via your web browser', fault: 'web_login_required' },
  { at: ['auth'], needle: 'log in with your web browser', fault: 'web_login_required' },
  { at: ['auth'], needle: 'application-specific password required', fault: 'web_login_required' },

  // Slower, please: some say so with a permanent code.
  { status: [432], fault: 'smtp_too_many_connections' },
  { needle: 'concurrent connections limit exceeded', fault: 'smtp_too_many_connections' },
  { needle: 'sender thread limit exceeded', fault: 'smtp_too_many_connections' },
  { needle: 'too many login attempts', fault: 'smtp_throttled' },
  { needle: 'temporary system problem', status: [454, 451], fault: 'smtp_temporary' },
  // Gmail: too much at once. Exchange says 4.3.2 and 4.4.x where a front end only goes away.
  { status: [421], code: ['4.7.0', '4.7.28'], fault: 'smtp_throttled' },
  { code: ['4.7.500-699'], fault: 'smtp_throttled' },
  { code: ['5.1.90'], fault: 'sending_limit_reached' },
  { needle: 'submissionquotaexceeded', fault: 'sending_limit_reached' },
  { needle: 'submission quota exceeded', fault: 'sending_limit_reached' },
  { code: ['5.4.5'], fault: 'sending_limit_reached' },
  { code: ['5.7.232', '5.7.233'], fault: 'tenant_sending_limit_reached' },

  // This account does not send, whatever the message.
  {
    code: ['5.1.8', '5.7.501-503', '5.7.511', '5.7.705', '5.7.708', '5.7.750'],
    fault: 'sender_restricted',
  },
  { at: withMail, needle: 'mailbox full', fault: 'sender_mailbox_full' },
  { at: withMail, needle: 'quotaexceeded', fault: 'sender_mailbox_full' },
  { at: withMail, code: ['5.2.2'], fault: 'sender_mailbox_full' },
  { code: ['5.7.57'], fault: 'smtp_sign_in_lost' },
  { at: handingOver, status: [530], fault: 'smtp_sign_in_lost' },

  // About this one message.
  { at: handingOver, needle: 'duplicatedelivery', fault: 'already_accepted' },
  { at: handingOver, needle: 'sendasdenied', fault: 'send_as_denied' },
  { at: handingOver, needle: 'permissions to send as', fault: 'send_as_denied' },
  { at: handingOver, needle: 'not allowed to send as', fault: 'send_as_denied' },
  { at: handingOver, code: ['5.7.60', '5.2.252'], fault: 'send_as_denied' },
  { at: handingOver, code: ['4.5.3', '5.5.3'], fault: 'too_many_recipients' },
  { at: handingOver, code: ['5.3.4', '5.2.3'], fault: 'smtp_message_too_large' },
  { at: handingOver, needle: 'maxsubmissionexceeded', fault: 'smtp_message_too_large' },
  { at: handingOver, needle: 'exceeds fixed maximum', fault: 'smtp_message_too_large' },
  { at: withMail, status: [552], fault: 'smtp_message_too_large' },
  { at: ['rcpt'], code: ['5.1.0-89', '5.2.1', '5.2.2', '5.7.0', '5.7.1'], fault: 'smtp_recipients_refused' },
  { at: ['rcpt'], status: [550, 551, 553], code: ['5.4.1'], fault: 'smtp_recipients_refused' },
  {
    at: withMail,
    code: ['5.6.0-11', '5.7.512', '5.1.20', '5.1.0', '5.1.1', '5.1.7', '5.7.0', '5.7.1'],
    fault: 'smtp_refused',
  },
]

/** @param response the whole reply, as nodemailer keeps it in `response`: code, enhanced code and text of every line */
export function smtpAnswerFault({ stage, response }: { stage: SmtpStage; response: string }): FaultCode {
  const evidence = evidenceIn(stage, response)
  return faultIn(smtpAnswers, evidence) ?? unknownAnswer(stage, Number(evidence.status))
}

/** Row by row what we do not know: RFC 5321 4.2.1, 4yz may succeed later, 5yz will not. */
function unknownAnswer(stage: SmtpStage, status: number): FaultCode {
  // RFC 5321 3.8: with 421 the server hangs up. Before the sign-in, 5yz is the server's trouble as well.
  if (status === 421 || stage === 'connect') return 'smtp_unreachable'
  if (status < 400) return 'smtp_unreachable'
  if (status < 500) return 'smtp_temporary'
  return stage === 'auth' ? 'smtp_auth_refused' : 'smtp_refusal_unclear'
}

/** RFC 5321 4.2: the code begins every line, also those of a multi-line reply (`535-5.7.8 …`), which Gmail gives. */
function evidenceIn(stage: SmtpStage, response: string): Evidence {
  const lines = response.split(/\r?\n/).filter(line => line !== '')
  const parts = lines.map(line => /^(\d{3})?[ -]?(?:([245]\.\d{1,3}\.\d{1,3})\b)?\s*(.*)$/.exec(line))
  return {
    at: stage,
    status: Number(parts[0]?.[1] ?? 0),
    codes: parts.flatMap(part => part?.[2] ?? []),
    text: parts
      .map(part => part?.[3] ?? '')
      .join(' ')
      .toLowerCase(),
  }
}
