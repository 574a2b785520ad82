/** Keeps a view fresh without piling up requests. */

/**
 * Runs one at a time. Asked again meanwhile, it runs once more afterwards, so that the last look is never
 * older than the last call; all calls made meanwhile wait for that one.
 * @param {() => Promise<void>} work must not throw
 * @returns {() => Promise<void>}
 */
export function oneAtATime(work) {
  /** @type {Promise<void> | null} */
  let running = null
  /** @type {Promise<void> | null} */
  let next = null

  function run() {
    running = work().finally(() => {
      running = null
    })
    return running
  }

  return () => {
    if (!running) return run()
    next ??= running.then(() => {
      next = null
      return run()
    })
    return next
  }
}
