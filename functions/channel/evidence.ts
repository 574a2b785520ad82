/** What a server said, as evidence: one short line that a log, an event and a page may carry. */

const lengthLimit = 300

/**
 * Longer runs of token letters are left out: a server that echoes our AUTH line would otherwise put the
 * access token into our own events. Hosts and times have dots and colons between, and stay.
 */
const tokenLike = /[A-Za-z0-9+/_=-]{32,}/g

export function evidenceOf(text: string): string {
  return text.replace(tokenLike, '[…]').replace(/\s+/g, ' ').trim().slice(0, lengthLimit)
}
