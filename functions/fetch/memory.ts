/** Of all mailboxes that are read at once, only so much mail lies in memory. */

export interface Memory {
  /** Waits for its turn, does the work, and makes room again. More than there is at all is given when nobody else holds any. */
  hold<T>(bytes: number, work: () => Promise<T>): Promise<T>
}

export function openMemory(limitBytes: number): Memory {
  let held = 0
  const waiting: { bytes: number; begin(): void }[] = []

  function admit(): void {
    // In order of arrival: a large mail is not overtaken for ever by small ones.
    for (
      let first = waiting[0];
      first && (held === 0 || held + first.bytes <= limitBytes);
      first = waiting[0]
    ) {
      waiting.shift()
      held += first.bytes
      first.begin()
    }
  }

  return {
    async hold(bytes, work) {
      await new Promise<void>(resolve => {
        waiting.push({ bytes, begin: resolve })
        admit()
      })
      try {
        return await work()
      } finally {
        held -= bytes
        admit()
      }
    },
  }
}
