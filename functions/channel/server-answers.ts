/** What mail servers mean when they refuse a sign-in. Matched on reply code and a short needle, since whole texts change. */

import type { FaultCode } from './faults.ts'

interface AnswerRow {
  /** Lower-case part of the answer. */
  needle: string
  fault: FaultCode
}

/**
 * Exchange answers 535 5.7.139 where an administrator's setting is in the way; 535 5.7.3 alone is ambiguous.
 * @see https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/authenticated-client-smtp-submission
 * @see https://support.google.com/a/answer/3726730
 */
const smtpSignIn: AnswerRow[] = [
  { needle: 'smtpclientauthentication is disabled', fault: 'smtp_disabled' },
  { needle: 'security defaults policy', fault: 'smtp_blocked_by_policy' },
  { needle: 'did not meet the criteria', fault: 'smtp_blocked_by_policy' },
  { needle: 'basic authentication is disabled', fault: 'app_misconfigured' },
  { needle: 'too many login attempts', fault: 'provider_throttled' },
]

/**
 * Exchange lets a token in and then says, to every command, that there is no mailbox behind it; Gmail says
 * in an ALERT that IMAP is off.
 */
const imapSignIn: AnswerRow[] = [
  { needle: 'authenticated but not connected', fault: 'imap_disabled' },
  { needle: 'not enabled for imap', fault: 'imap_disabled' },
  { needle: 'imap access is disabled', fault: 'imap_disabled' },
  { needle: 'request is throttled', fault: 'provider_throttled' },
  // RFC 5530 3 and Gmail's own: not now, which says nothing about the login.
  { needle: '[limit]', fault: 'provider_throttled' },
  { needle: '[overquota]', fault: 'provider_throttled' },
  { needle: '[unavailable]', fault: 'imap_unreachable' },
  { needle: '[serverbug]', fault: 'imap_unreachable' },
  { needle: '[inuse]', fault: 'imap_unreachable' },
  { needle: 'too many simultaneous connections', fault: 'provider_throttled' },
]

/** @param status the SMTP reply code */
export function smtpSignInFault(status: number, answer: string): FaultCode {
  const known = match(smtpSignIn, answer)
  if (known) return known
  if (status === 535 || status === 534 || status === 538) return 'smtp_auth_refused'
  // RFC 5321 4.2.1: 4yz may succeed later, 5yz will not.
  return status >= 500 ? 'smtp_auth_refused' : 'smtp_temporary'
}

/** @param refused whether the server answered the sign-in itself with NO */
export function imapSignInFault(refused: boolean, answer: string): FaultCode {
  return match(imapSignIn, answer) ?? (refused ? 'imap_auth_refused' : 'imap_unreachable')
}

function match(rows: AnswerRow[], answer: string): FaultCode | undefined {
  const text = answer.toLowerCase()
  return rows.find(({ needle }) => text.includes(needle))?.fault
}
