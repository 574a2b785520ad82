/** What a call throws, as the error it must be. */

import { PostroomError } from '../../functions/channel/faults.ts'

/** @throws Error if the call succeeds, or what it threw if that is no PostroomError */
export async function thrownBy(call: () => unknown): Promise<PostroomError> {
  try {
    await call()
  } catch (error) {
    if (error instanceof PostroomError) return error
    throw error
  }
  throw new Error('The call succeeded, and should have failed')
}

/** Everything of an error that could reach a log, a page or a row: its texts, and those of its causes. */
export function textsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const own = Object.entries(error)
    .filter(([name]) => name !== 'cause')
    .map(([name, value]) => `${name}: ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
  return [error.message, ...own].join('\n')
}
