/** What the providers' real words at the sign-in and after it are taken for. */

import { expect, test } from 'vitest'
import type { FaultCode } from '../../functions/channel/faults.ts'
import { imapAnswerFault, suggestedWaitMs } from '../../functions/channel/imap-answers.ts'

const throttled = 'Request is throttled. Suggested Backoff Time: 92415 milliseconds'

test.each<[FaultCode, 'auth' | 'command', 'NO' | 'BAD' | null, string | null, string]>([
  ['imap_auth_refused', 'auth', 'NO', null, 'AUTHENTICATE failed.'],
  ['imap_auth_refused', 'auth', 'NO', 'AUTHENTICATIONFAILED', 'Invalid credentials (Failure)'],
  ['imap_auth_refused', 'auth', 'NO', null, 'Words that nobody has seen yet'],
  ['imap_not_connected', 'auth', null, null, 'User is authenticated but not connected.'],
  ['imap_not_connected', 'command', 'BAD', null, 'User is authenticated but not connected.'],
  [
    'imap_disabled',
    'auth',
    'NO',
    'ALERT',
    'Your account is not enabled for IMAP use. Please visit your Gmail settings page (Failure)',
  ],
  [
    'imap_disabled',
    'auth',
    'NO',
    'ALERT',
    'IMAP access is disabled for your domain. Please contact your domain administrator for questions. (Failure)',
  ],
  [
    'web_login_required',
    'auth',
    'NO',
    'ALERT',
    'Please log in via your web browser: https://support.google.com/mail/accounts/answer/78754 (Failure)',
  ],
  ['imap_throttled', 'auth', 'NO', 'ALERT', 'Too many simultaneous connections. (Failure)'],
  ['imap_throttled', 'command', null, null, '[OVERQUOTA] Account exceeded command or bandwidth limits.'],
  ['imap_throttled', 'auth', 'NO', 'ALERT', 'Account exceeded command or bandwidth limits. (Failure)'],
  ['imap_throttled', 'command', 'NO', 'OVERQUOTA', 'Quota exceeded'],
  ['imap_throttled', 'command', 'NO', 'LIMIT', 'Too many commands'],
  ['imap_throttled', 'command', 'BAD', null, throttled],
  ['imap_throttled', 'auth', 'NO', null, throttled],
  ['imap_session_ended', 'command', null, null, 'Session invalidated - AccessTokenExpired'],
  ['imap_session_ended', 'command', null, null, 'Session expired, please login again.'],
  ['imap_session_ended', 'command', null, null, 'Connection is closed. 13'],
  ['imap_unreachable', 'command', null, null, 'Connection closed. 14'],
  ['imap_unreachable', 'command', 'NO', null, 'Server Unavailable. 15'],
  ['imap_unreachable', 'command', null, null, 'Server Unavailable. 15'],
  ['imap_unreachable', 'auth', 'NO', 'UNAVAILABLE', 'Temporary System Error'],
  ['imap_unreachable', 'command', 'NO', null, 'System Error (Failure)'],
  ['imap_unreachable', 'command', 'NO', 'SERVERBUG', 'Internal error occurred'],
  ['command_refused', 'command', 'BAD', null, 'Command Argument Error. 11'],
  ['command_refused', 'command', 'BAD', null, 'Command Error. 10'],
  ['imap_unreachable', 'command', 'NO', null, 'Words that nobody has seen yet'],
  ['imap_unreachable', 'auth', null, null, 'NoConnection'],
  ['imap_unreachable', 'auth', 'BAD', null, 'Words that nobody has seen yet'],
])('%s, at %s: %s [%s] %s', (fault, stage, status, code, text) => {
  expect(imapAnswerFault({ stage, status, code, text })).toBe(fault)
})

test('the wait a server suggests is read in milliseconds; other answers suggest none', () => {
  expect(suggestedWaitMs(throttled)).toBe(92_415)
  expect(suggestedWaitMs('Server Unavailable. 15')).toBeUndefined()
})
