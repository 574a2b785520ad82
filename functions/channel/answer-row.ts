/** The shape of the tables that tell what a server's answer means: evidence on the left, a fault on the right. */

import type { FaultCode } from './faults.ts'

/** Everything given must fit; within a list, one of them. The first row of a table that fits decides. */
export interface AnswerRow {
  /** Where in the conversation. */
  at?: readonly string[]
  /** Reply code (RFC 5321 4.2), IMAP status, or OAuth `error`. */
  status?: readonly (string | number)[]
  /** Enhanced status code (RFC 3463), IMAP response code (RFC 5530), or a provider's own number; `a-b` is a range. */
  code?: readonly string[]
  /** Lower-case part of the text: texts are long and change, what they are about does not. */
  needle?: string
  fault: FaultCode
}

export interface Evidence {
  at: string
  status: string | number | null
  codes: readonly string[]
  /** In lower case. */
  text: string
}

export function faultIn(table: readonly AnswerRow[], evidence: Evidence): FaultCode | undefined {
  return table.find(row => fits(row, evidence))?.fault
}

function fits({ at, status, code, needle }: AnswerRow, evidence: Evidence): boolean {
  if (at && !at.includes(evidence.at)) return false
  if (status && (evidence.status === null || !status.includes(evidence.status))) return false
  if (code && !code.some(wanted => evidence.codes.some(found => isCode(found, wanted)))) return false
  return needle === undefined || evidence.text.includes(needle)
}

/** `5.7.501-503` stands for `5.7.501`, `5.7.502` and `5.7.503`. */
function isCode(found: string, wanted: string): boolean {
  const range = /^(.*?)(\d+)-(\d+)$/.exec(wanted)
  if (!range) return found === wanted
  const [, prefix = '', from, to] = range
  const last = Number(found.slice(prefix.length))
  return found.startsWith(prefix) && last >= Number(from) && last <= Number(to)
}
