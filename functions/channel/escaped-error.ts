/**
 * What a handler throws, Lambda writes into the log as it is: message, stack and causes, which may quote a mail, an
 * address or a token. So what escapes is logged by the rules of our own log, and goes on to Lambda as a failure without
 * words: the invocation is failed all the same, and alarms and queues see to it.
 */

import { PostroomError } from './faults.ts'
import { errorForLog, log, placesOf } from './log.ts'

/** Around all that a handler does. */
export async function withoutWords<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    log({ event: 'invocation_failed', ...errorForLog(error) })
    throw failureOf(error)
  }
}

/** No class of its own: its name would be minified, and Lambda logs the name of the class. */
function failureOf(error: unknown): Error {
  const name = error instanceof Error ? error.name : typeof error
  const failure = new Error(
    `${error instanceof PostroomError ? error.code : name}: see invocation_failed in the log.`,
  )
  failure.name = name
  const places = error instanceof Error ? placesOf(error) : []
  failure.stack = [`${name}: ${failure.message}`, ...places].join('\n')
  return failure
}
