/** Waits for what follows from what a test did, however long it takes. */

import { vi } from 'vitest'
import type { System } from '../../infra/local/system.ts'

/** Long enough for anything on a busy machine; nothing waits for it to pass. */
export const patience = { timeout: 25_000, interval: 5 }

/** Until no function of the system has anything left to do. */
export async function quiet({ cloud }: System): Promise<void> {
  await vi.waitUntil(() => {
    const { invocations, messages } = cloud.inWork()
    return invocations === 0 && messages === 0
  }, patience)
}
