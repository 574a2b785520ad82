/** Commands that wait ask again every second, until there is an answer or Ctrl-C. */

import { setTimeout as sleep } from 'node:timers/promises'

const lookEveryMs = 1_000

/** @returns false once Ctrl-C was pressed */
export async function nextLook(signal: AbortSignal): Promise<boolean> {
  return sleep(lookEveryMs, true, { signal }).catch(() => false)
}
