/** Services that most calls do without: a cold start neither reads nor compiles what they are made of. */

/** Every method answers later, so nobody notices that the first call has to load the service first. */
type Calls<T> = { [Name in keyof T]: (...given: never[]) => Promise<unknown> }

/**
 * Stands for the service that `open` gives, which the first call of any method calls, and no other unless that failed.
 * To be worth anything, `open` imports the service's file itself (`await import(…)`), and nothing else imports that file
 * but for its types. What stands for the service has no properties, and so cannot be spread into another object.
 */
export function openedAtFirstUse<T extends Calls<T>>(open: () => Promise<T>): T {
  let opened: Promise<T> | undefined
  const call =
    (name: keyof T) =>
    async (...given: never[]) => {
      opened ??= open().catch(error => {
        opened = undefined
        throw error
      })
      return (await opened)[name](...given)
    }
  // Whoever awaits it must not take it for a promise.
  return new Proxy({} as T, { get: (_, name) => (name === 'then' ? undefined : call(name as keyof T)) })
}
