/**
 * Google ends the grants of an app whose publishing status is "Testing" seven days after the consent, with the same answer
 * as for any other end. Only the time tells; an operator who is not told sees owners reconnect every week.
 * @see https://developers.google.com/identity/protocols/oauth2#expiration
 */

import type { Channel } from './channels.ts'
import { PostroomError } from './faults.ts'
import type { ProviderEntry } from './provider.ts'

const dayMs = 24 * 3600_000
/** A token is refreshed every hour; so much later at most is the end seen. */
const seenWithinMs = 2 * 3600_000

/** @returns the error, named for what it is if the grant has lived exactly as long as one in testing does */
export function namedByAge(
  error: PostroomError,
  { history }: Channel,
  { grantDaysInTesting }: ProviderEntry,
  nowMs: number,
): PostroomError {
  const consent = history.findLast(({ reason }) => reason === 'consented')
  if (error.code !== 'grant_revoked' || !consent || grantDaysInTesting === undefined) return error
  const overMs = nowMs - Date.parse(consent.at) - grantDaysInTesting * dayMs
  if (overMs < 0 || overMs > seenWithinMs) return error
  return new PostroomError('grant_ended_in_testing', { cause: error, evidence: error.evidence })
}
