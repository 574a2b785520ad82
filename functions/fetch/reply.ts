/**
 * What a person wrote in this mail, apart from what they quoted and signed. A guess, by the marks mail programs leave;
 * the whole text always stands beside it. Own rules, since email-reply-parser takes 171 seconds for a hostile text of
 * 31 KB (its RE2 is a native module) and planer keeps signatures: here every line is looked at a fixed number of times.
 */

export interface Reply {
  /** The text without what follows; all of it where nothing was recognised. null without a text. */
  reply: string | null
  /** From the line above the quoted mail to the end. */
  quoted: string | null
  /** From the line `-- ` (RFC 3676 4.3) or "Sent from my phone" to what is quoted. */
  signature: string | null
}

/** Longer lines are no marks. */
const lineLimit = 500
/** "On … wrote:" is broken into at most so many lines. */
const introductionLines = 4

/** Begins and ends as mail programs introduce what they quote: "On … wrote:", "Am … schrieb Ada:", "Le … a écrit :". */
const introductions: [begins: RegExp, ends: RegExp][] = [
  [/^on\s/i, /\bwrote\s*:$/i],
  [/^am\s/i, /\bschrieb\b.*:$/i],
  [/^le\s/i, /\ba écrit\s*:$/i],
  [/^el\s/i, /\bescribió\s*:$/i],
  [/^il\s/i, /\bha scritto\s*:$/i],
  [/^em\s/i, /\bescreveu\s*:$/i],
  [/^op\s/i, /\b(schreef|geschreven)\b.*:$/i],
  [/^den\s/i, /\bskrev\b.*:$/i],
  [/^(w dniu|dnia)\s/i, /\b(pisze|napisał\S*)\s*:$/i],
  [/^\d{4}[-/.年]/, /(wrote|schrieb|写道|のメッセージ|작성)\s*[:：]$/i],
  [/^在/, /写道\s*[:：]$/],
  [/^.{1,200}<\S+@\S+>/, /\b(wrote|schrieb|a écrit)\s*:$/i],
]

/** Outlook and others put the quoted mail's header above it: at least two of these within a few lines. */
const quotedHeader =
  /^\*?(from|sent|to|cc|date|subject|von|gesendet|an|datum|betreff|de|envoyé|à|objet|da|inviato|a|oggetto|enviado|para|asunto|assunto|van|verzonden|aan|onderwerp)\s?\*?\s?:\*?\s/i
const quotedHeaderBegins = /^\*?(from|von|de|da|van)\s?\*?\s?:\*?\s/i
const quotedHeaderLines = 6

const divider =
  /^[-_\s]*(original message|ursprüngliche nachricht|message d['’]origine|messaggio originale|mensaje original|mensagem original|oorspronkelijk bericht|forwarded message|weitergeleitete nachricht|message transféré)[-_\s]*:?$/i

const sentFrom =
  /^(sent from|get outlook for|gesendet mit|von meinem .{1,60} gesendet|gesendet von|envoyé de(puis)?|envoyé à partir|télécharger outlook|obtenez outlook|enviado desde|enviado do|inviato da|verzonden vanaf|verstuurd vanaf|sendt fra)\b/i

export function splitReply(text: string): Reply {
  if (text.trim() === '') return { reply: null, quoted: null, signature: null }
  // Only marks are compared in this form: non-breaking spaces stand before French colons.
  const lines = text.replace(/\r\n?/g, '\n').split('\n')
  const marks = lines.map(line =>
    line
      .slice(0, lineLimit)
      .replace(/[\s\u200e\u200f]+/g, ' ')
      .trim(),
  )
  const quoteAt = quoteBegins(lines, marks)
  const signatureAt = signatureBegins(lines, marks, quoteAt)
  const reply = joined(lines, 0, signatureAt)
  // Somebody who wrote nothing above it forwards, or answers between the lines.
  if (reply === null) return { reply: text.trim(), quoted: null, signature: null }
  return {
    reply,
    signature: joined(lines, signatureAt, quoteAt),
    quoted: joined(lines, quoteAt, lines.length),
  }
}

function joined(lines: string[], from: number, to: number): string | null {
  const text = lines.slice(from, to).join('\n').trim()
  return text === '' ? null : text
}

function quoteBegins(lines: string[], marks: string[]): number {
  const trailing = trailingQuote(marks)
  for (const [at, mark] of marks.entries()) {
    if (at === trailing) return at
    if (divider.test(mark)) return at
    if (isQuotedHeader(marks, at)) return isRule(marks[at - 1]) ? at - 1 : at
    if (introduces(marks, at, trailing)) return at
  }
  return lines.length
}

/** Where everything from here on is quoted with `>`: there is nothing of the writer's own below. */
function trailingQuote(marks: string[]): number {
  let at = marks.length
  let begins = marks.length
  while (at > 0 && (marks[at - 1] === '' || marks[at - 1]?.startsWith('>'))) {
    at -= 1
    if (marks[at] !== '') begins = at
  }
  return begins
}

/** The introduction, perhaps broken into lines, perhaps quoted itself; what follows must be quoted or be the rest. */
function introduces(marks: string[], at: number, trailing: number): boolean {
  let whole = ''
  for (let next = at; next < Math.min(marks.length, at + introductionLines); next++) {
    const mark = (marks[next] ?? '').replace(/^(> ?)+/, '')
    if (mark === '') return false
    whole = whole === '' ? mark : `${whole} ${mark}`
    if (next === at && !introductions.some(([begins]) => begins.test(whole))) return false
    // Without a date or an address it is a sentence of the writer's.
    if (/\d|@/.test(whole) && introductions.some(([begins, ends]) => begins.test(whole) && ends.test(whole)))
      return !answersBelow(marks, next + 1, trailing)
  }
  return false
}

/** Whoever answers between quoted lines wants them read together. */
function answersBelow(marks: string[], from: number, trailing: number): boolean {
  let first = from
  while (first < marks.length && marks[first] === '') first += 1
  return marks[first]?.startsWith('>') === true && trailing > first
}

function isQuotedHeader(marks: string[], at: number): boolean {
  if (!quotedHeaderBegins.test(marks[at] ?? '')) return false
  const block = marks.slice(at, at + quotedHeaderLines)
  const end = block.indexOf('')
  return block.slice(0, end < 0 ? block.length : end).filter(mark => quotedHeader.test(mark)).length >= 3
}

function isRule(mark: string | undefined): boolean {
  return mark !== undefined && /^[_-]{5,}$/.test(mark)
}

function signatureBegins(lines: string[], marks: string[], end: number): number {
  for (let at = 0; at < end; at++) {
    if (/^-- ?$/.test(lines[at] ?? '')) return at
  }
  // A phone's own line stands at the end of what was written.
  const last = marks.slice(0, end).findLastIndex(mark => mark !== '' && !isRule(mark))
  return last >= 0 && sentFrom.test(marks[last] ?? '') ? last : end
}
