/** No mail may stop its mailbox: what cannot be parsed is told with the reason and with its header, its bytes are kept. */

import { describeFault, type Fault, PostroomError } from '../channel/faults.ts'
import type { FetchedMail } from '../channel/imap-reader.ts'
import { type ParsedMail, unreadable } from './parsed-mail.ts'
import type { Parser } from './parser.ts'

interface Reading {
  parsed: ParsedMail
  fault: Fault | null
}

/** Enough for any header that a mail program makes. */
const headBytes = 64 * 1024

/** @param known why there is nothing to parse */
export async function readMail(
  { raw, omittedBytes }: Pick<FetchedMail, 'raw' | 'omittedBytes'>,
  known: PostroomError | undefined,
  parser: Parser,
): Promise<Reading> {
  if (known) return { parsed: unreadable, fault: describeFault(known) }
  if (omittedBytes > 0) {
    const evidence = `${raw.byteLength + omittedBytes} bytes`
    const fault = describeFault(new PostroomError('mail_too_large', { evidence }))
    return { parsed: await readHead(raw, parser), fault }
  }
  try {
    return { parsed: await parser.parse(raw), fault: null }
  } catch (error) {
    if (!(error instanceof PostroomError) || error.code !== 'mail_unreadable') throw error
    return { parsed: await readHead(raw, parser), fault: describeFault(error) }
  }
}

/** Who wrote, to whom and about what, where nothing more can be read. */
async function readHead(raw: Uint8Array, parser: Parser): Promise<ParsedMail> {
  const mail = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).subarray(0, headBytes)
  const ends = ['\r\n\r\n', '\n\n'].map(end => mail.indexOf(end)).filter(at => at >= 0)
  try {
    const head = await parser.parse(mail.subarray(0, Math.min(mail.byteLength, ...ends)))
    return { ...head, text: null, html: null, attachments: [] }
  } catch {
    return unreadable
  }
}
