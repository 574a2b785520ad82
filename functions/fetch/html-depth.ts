/**
 * How deep HTML goes, looked at before a whole document is made of it: htmlparser2 takes time by the square of the
 * depth, so that 300 KB of `<b>` keep it busy for 17 seconds. Its own events tell when to stop.
 */

import { Parser } from 'htmlparser2'

/** Chromium's parser flattens what is deeper than this. */
const depthLimit = 512

const tooDeep = new Error('HTML too deep')

export function isTooDeep(html: string): boolean {
  let depth = 0
  const parser = new Parser({
    onopentagname() {
      depth += 1
      if (depth > depthLimit) throw tooDeep
    },
    onclosetag() {
      depth -= 1
    },
  })
  try {
    parser.end(html)
    return false
  } catch (error) {
    if (error === tooDeep) return true
    throw error
  }
}
