/** A text of HTML, for mail that has no other: by html-to-text, which mailparser brings along. */

import { htmlToText } from 'html-to-text'
import { isTooDeep } from './html-depth.ts'

/** @returns null where the HTML is made to be expensive, or shows nothing */
export function htmlToPlainText(html: string): string | null {
  if (isTooDeep(html)) return null
  const text = htmlToText(html, {
    // Lines are the reader's business, and "On … wrote:" must stay in one.
    wordwrap: false,
    limits: { maxInputLength: html.length, maxDepth: 1_000 },
    selectors: [
      { selector: 'img', format: 'skip' },
      { selector: 'a', options: { hideLinkHrefIfSameAsText: true, noAnchorUrl: true } },
      ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map(selector => ({ selector, options: { uppercase: false } })),
      { selector: 'blockquote', options: { trimEmptyLines: false } },
    ],
  })
  return text === '' ? null : text
}
