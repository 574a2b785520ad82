/** Which errors are about the OAuth app, or about ourselves, and so say nothing of a mailbox. */

import type { FaultCode, PostroomError } from './faults.ts'

const appFaults: readonly FaultCode[] = [
  'app_credentials_refused',
  'app_refused_in_tenant',
  'app_credential_unavailable',
]

/** Whether an error is about the OAuth app and not about one mailbox. */
export function isAppFault(error: PostroomError): boolean {
  return appFaults.includes(error.code)
}

/** Trouble of our own, with AWS or in the code: counted for an alarm, since no mailbox and no app is to blame. */
export function isOurs(error: PostroomError): boolean {
  return error.row.actor === 'operator' && !isAppFault(error)
}
