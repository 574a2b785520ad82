/**
 * Runs inside a worker thread: loads one function's bundle and hands it one event after another, as Lambda's runtime
 * does. Unlike there, it is not frozen between two events, and only handlers that return a promise are known.
 */

import { pathToFileURL } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'

export interface WorkerData {
  file: string
  exportName: string
  functionName: string
  functionArn: string
  memoryMegabytes: number
}

export interface InvocationMessage {
  requestId: string
  /** The event as JSON. */
  payload: string
  deadlineMs: number
}

/** AWS's shape of a function's error. */
export interface ReportedError {
  errorType: string
  errorMessage: string
  trace?: string[]
}

export type WorkerMessage =
  | { kind: 'ready' }
  | { kind: 'unusable'; error: ReportedError }
  | { kind: 'result'; payload: string }
  | { kind: 'error'; error: ReportedError }

// What comes in was written by execution-environment.ts of this very folder.
const definition: WorkerData = workerData
const post = (message: WorkerMessage) => parentPort?.postMessage(message)

try {
  const bundle = await import(pathToFileURL(definition.file).href)
  const handler: unknown = bundle[definition.exportName]
  if (typeof handler !== 'function') {
    post({ kind: 'unusable', error: notExported() })
  } else {
    parentPort?.on('message', async (invocation: InvocationMessage) => {
      try {
        const result = await handler(JSON.parse(invocation.payload), contextOf(invocation))
        // Lambda answers `null` for a handler that returns nothing.
        post({ kind: 'result', payload: JSON.stringify(result) ?? 'null' })
      } catch (error) {
        post({ kind: 'error', error: describe(error) })
      }
    })
    post({ kind: 'ready' })
  }
} catch (error) {
  post({ kind: 'unusable', error: describe(error) })
}

function notExported(): ReportedError {
  return {
    errorType: 'Runtime.HandlerNotFound',
    errorMessage: `${definition.file} exports no function "${definition.exportName}"`,
  }
}

/** @see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-context.html */
function contextOf({ requestId, deadlineMs }: InvocationMessage) {
  return {
    awsRequestId: requestId,
    functionName: definition.functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: definition.functionArn,
    memoryLimitInMB: String(definition.memoryMegabytes),
    logGroupName: `/aws/lambda/${definition.functionName}`,
    logStreamName: 'local',
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, deadlineMs - Date.now()),
  }
}

function describe(error: unknown): ReportedError {
  if (!(error instanceof Error)) return { errorType: typeof error, errorMessage: String(error) }
  return { errorType: error.name, errorMessage: error.message, trace: error.stack?.split('\n') }
}
