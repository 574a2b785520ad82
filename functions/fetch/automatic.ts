/** Whether a program wrote a mail, by the headers that say so: nobody should answer it automatically. */

import type { Report } from './delivery-report.ts'
import type { Headers } from './headers.ts'

export interface Automatic {
  /**
   * `delivery_report`: a mail server tells what became of a mail. `complaint`: a provider passes on that somebody
   * called a mail spam (RFC 5965). `read_receipt` (RFC 8098). `auto_reply`: out of office and the like.
   * `auto_generated`: any other program. `list`: through a mailing list; a person may have written it.
   * `bulk`: newsletters and notifications. `loop`: it came back to us, or passed more servers than any mail should.
   */
  kind:
    | 'delivery_report'
    | 'complaint'
    | 'read_receipt'
    | 'auto_reply'
    | 'auto_generated'
    | 'list'
    | 'bulk'
    | 'loop'
  /** The header that says so. */
  evidence: string
}

/** RFC 5321 6.3 has servers give up at 100; no honest mail passes 50. */
const hopsLimit = 50
const evidenceLength = 200

/** Exchange says "auto-generated" of an absence notice too, and puts this before the subject, by the mailbox's language. */
const absenceSubject =
  /^(automatic reply|auto(matic)?[- ]?reply|out of office|automatische antwort|abwesenheitsnotiz|abwesend|réponse automatique|absence du bureau|risposta automatica|respuesta automática|resposta automática|automatisch antwoord|autosvar|automaattinen vastaus|odpowiedź automatyczna|自動応答|自动答复)\b[: ]?/iu

/** @param report what the mail reports, if it is a report at all */
export function automaticOf(headers: Headers, report: Report | null): Automatic | null {
  const says = (kind: Automatic['kind'], name: string): Automatic => ({
    kind,
    evidence: `${name}: ${headers.first(name.toLowerCase()) ?? ''}`.slice(0, evidenceLength).toWellFormed(),
  })
  const value = (name: string) => headers.first(name)?.toLowerCase()
  const has = (name: string) => headers.first(name) !== undefined

  if (report?.kind === 'complaint') return { kind: 'complaint', evidence: report.evidence }
  if (report) return { kind: 'delivery_report', evidence: report.evidence }
  if (/report-type="?disposition-notification/i.test(headers.first('content-type') ?? ''))
    return says('read_receipt', 'Content-Type')
  if (headers.all('received').length > hopsLimit)
    return { kind: 'loop', evidence: `${headers.all('received').length} Received headers` }
  if (has('x-loop')) return says('loop', 'X-Loop')

  // RFC 3834 5; parameters may follow, and "no" says that a person wrote it.
  const submitted = value('auto-submitted')?.split(/[;\s(]/)[0]
  const isAbsence = absenceSubject.test(headers.first('subject') ?? '')
  if (submitted === 'auto-replied') return says('auto_reply', 'Auto-Submitted')
  if (submitted !== undefined && submitted !== '' && submitted !== 'no')
    return says(
      isAbsence && has('x-auto-response-suppress') ? 'auto_reply' : 'auto_generated',
      'Auto-Submitted',
    )
  for (const name of [
    'X-Autoreply',
    'X-Autorespond',
    'X-Autoresponder',
    'X-Auto-Reply-From',
    'X-Mail-Autoreply',
  ]) {
    if (has(name.toLowerCase()) && value(name.toLowerCase()) !== 'no') return says('auto_reply', name)
  }
  const precedence = value('precedence')
  if (precedence === 'auto_reply') return says('auto_reply', 'Precedence')
  const isFromNobody = headers.first('return-path')?.replaceAll(' ', '') === '<>'
  if (isFromNobody && isAbsence) return says('auto_reply', 'Subject')

  if (has('list-id') || precedence === 'list') return says('list', has('list-id') ? 'List-Id' : 'Precedence')
  if (precedence === 'bulk' || precedence === 'junk') return says('bulk', 'Precedence')
  if (has('list-unsubscribe')) return says('bulk', 'List-Unsubscribe')
  // RFC 5321 4.5.5: an empty sender is how a program says that it wants no answer.
  if (isFromNobody) return says('auto_generated', 'Return-Path')
  return null
}

/** RFC 2919: what stands in angle brackets, else the whole of what somebody wrote there. */
export function listIdOf(headers: Headers): string | null {
  const value = headers.first('list-id')
  if (value === undefined || value === '') return null
  return (/<([^<>\s]{1,255})>/.exec(value)?.[1] ?? value).slice(0, 255).toWellFormed().toLowerCase()
}
