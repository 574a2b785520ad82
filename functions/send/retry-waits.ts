/** When a mail that was refused for now is tried again. */

/** The longest waits between attempts; the last one repeats until the message expires. */
const longestWaitsMs = [1, 2, 5, 15, 60, 180].map(minutes => minutes * 60_000)
/** No server that says "later" means at once. */
const shortestWaitMs = 5_000

/**
 * Full jitter: anywhere between the shortest wait and this attempt's longest, so that mails which failed
 * together do not come back together.
 * @param attempt how often it has been refused, from 1
 * @param random from 0 to 1
 */
export function retryWaitMs(attempt: number, random: number): number {
  const longestMs = longestWaitsMs[Math.min(attempt, longestWaitsMs.length) - 1] ?? shortestWaitMs
  return shortestWaitMs + random * (longestMs - shortestWaitMs)
}
