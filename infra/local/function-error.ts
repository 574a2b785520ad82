/** Why an invocation gave no result, in the terms Lambda reports it. */

/** Error types of the runtime itself; a handler's own errors carry their class's name. */
export const runtimeErrors = {
  timedOut: 'Sandbox.Timedout',
  exited: 'Runtime.ExitError',
} as const

export class FunctionError extends Error {
  override readonly name = 'FunctionError'
  /** One of `runtimeErrors`, or the name of what the handler threw. */
  readonly errorType: string
  readonly errorMessage: string
  readonly trace: string[]

  constructor(reported: { errorType: string; errorMessage: string; trace?: string[] }) {
    super(`${reported.errorType}: ${reported.errorMessage}`)
    this.errorType = reported.errorType
    this.errorMessage = reported.errorMessage
    this.trace = reported.trace ?? []
  }
}
