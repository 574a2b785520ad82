/** How long each function may run at one call. Queues keep a message hidden for longer than that. */

import type { FunctionFolder } from './privileges.ts'

/** API Gateway waits 30 seconds for an answer, and no longer. */
const httpSeconds = 29

export const timeoutSeconds: Record<FunctionFolder | 'console', number> = {
  connect: httpSeconds,
  api: httpSeconds,
  /** Gives out files it holds in memory. */
  console: 5,
  /** One drain: one SMTP session, including a slow server's wait after the final dot. */
  send: 300,
  /** Less than the minute after which it is called again. */
  schedule: 50,
  fetch: 120,
  notify: 60,
}
