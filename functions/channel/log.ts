/**
 * One JSON line per event: channel, message, code, milliseconds. Never a token, a code, a secret or a body.
 * Written to stdout by ourselves: where functions log JSON, Lambda's `console` puts what it is given into a field
 * `message`, and a text that is JSON becomes a text in there, whose fields CloudWatch Logs Insights does not find.
 */

import { PostroomError } from './faults.ts'

export function log(line: { event: string } & Record<string, unknown>): void {
  const timestamp = new Date().toISOString()
  process.stdout.write(`${JSON.stringify({ timestamp, level: 'INFO', ...line })}\n`)
}

/** An error as a log shows it. Messages and causes of foreign errors may quote what they choked on: left out. */
export function errorForLog(error: unknown): Record<string, unknown> {
  if (error instanceof PostroomError) {
    const { code, evidence, errors, cause } = error
    return { code, evidence, errors, ...(cause !== undefined && { cause: errorForLog(cause) }) }
  }
  if (!(error instanceof Error)) return { name: typeof error }
  return { name: error.name, at: placesOf(error)[0]?.trim() }
}

/** The lines `    at function (file:line:column)` of a stack. A message, which may have lines just like them, is left out. */
export function placesOf({ stack = '', message }: Error): string[] {
  const begin = stack.indexOf(message)
  const places = begin < 0 ? '' : stack.slice(begin + message.length)
  return places.split('\n').filter(line => line.startsWith('    at '))
}
