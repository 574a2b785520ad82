/** The error a person meets when the local cloud cannot start: its message is one plain sentence. */

export class LocalError extends Error {
  override readonly name = 'LocalError'
}

/**
 * The code of a system or LevelDB error (`EADDRINUSE`, `LEVEL_LOCKED`), also where it is only the cause of another.
 * @returns undefined for anything that carries no code
 */
export function errorCodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const inner = errorCodeOf(error.cause)
  if (inner !== undefined) return inner
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
