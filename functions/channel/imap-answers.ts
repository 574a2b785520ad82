/** What the answers of servers for reading mean, at the sign-in and after it. */

import { type AnswerRow, faultIn } from './answer-row.ts'
import type { FaultCode } from './faults.ts'

/**
 * Exchange lets a token in and then says, to every command, that there is no mailbox behind it; Gmail puts
 * what it means into ALERTs. The first row that fits decides.
 * @see https://www.rfc-editor.org/rfc/rfc5530#section-3
 * @see https://support.google.com/mail/answer/7126229
 */
export const imapAnswers: readonly AnswerRow[] = [
  { needle: 'authenticated but not connected', fault: 'imap_not_connected' },
  { needle: 'not enabled for imap', fault: 'imap_disabled' },
  { needle: 'imap access is disabled', fault: 'imap_disabled' },
  { needle: 'unsupported authentication mechanism', fault: 'imap_disabled' },
  { code: ['CONTACTADMIN'], fault: 'imap_refuses_login' },
  { code: ['WEBALERT'], fault: 'web_login_required' },
  { needle: 'log in via your web browser', fault: 'web_login_required' },
  { needle: 'web login required', fault: 'web_login_required' },

  { needle: 'request is throttled', fault: 'imap_throttled' },
  { needle: 'too many simultaneous connections', fault: 'imap_throttled' },
  { needle: 'account exceeded', fault: 'imap_throttled' },
  { code: ['LIMIT', 'OVERQUOTA', 'THROTTLED'], fault: 'imap_throttled' },
  // A BYE may have its response code anywhere within the text.
  { needle: '[overquota]', fault: 'imap_throttled' },
  { needle: '[limit]', fault: 'imap_throttled' },

  { needle: 'accesstokenexpired', fault: 'imap_session_ended' },
  { needle: 'session expired', fault: 'imap_session_ended' },
  { needle: 'connection is closed. 13', fault: 'imap_session_ended' },

  { code: ['UNAVAILABLE', 'SERVERBUG', 'INUSE'], fault: 'imap_unreachable' },
  { needle: 'server unavailable', fault: 'imap_unreachable' },
  { needle: 'system error', fault: 'imap_unreachable' },
  // Exchange's words for a command it does not understand, or that is too long.
  { status: ['BAD'], needle: 'command argument error', fault: 'command_refused' },
  { status: ['BAD'], needle: 'command error', fault: 'command_refused' },
  { code: ['PRIVACYREQUIRED', 'CLIENTBUG'], fault: 'command_refused' },

  // Only a server that answered AUTHENTICATE with NO refuses a login.
  { at: ['auth'], status: ['NO'], fault: 'imap_auth_refused' },
]

interface ImapAnswer {
  /** Whether it answers AUTHENTICATE, or what comes after it. */
  stage: 'auth' | 'command'
  /** Null where there was no answer: a connection that broke, or a BYE. */
  status: 'NO' | 'BAD' | null
  /** Response code, without its brackets. */
  code: string | null
  text: string
}

/** What we do not know is taken for a passing trouble (RFC 5530: only a code tells more than "it did not work"). */
export function imapAnswerFault({ stage, status, code, text }: ImapAnswer): FaultCode {
  const codes = code === null ? [] : [code.toUpperCase()]
  return faultIn(imapAnswers, { at: stage, status, codes, text: text.toLowerCase() }) ?? 'imap_unreachable'
}

/** Exchange: `Request is throttled. Suggested Backoff Time: 92415 milliseconds`. */
export function suggestedWaitMs(text: string): number | undefined {
  const found = /backoff time[:=\s]+(\d{1,12})/i.exec(text)?.[1]
  return found === undefined ? undefined : Number(found)
}
