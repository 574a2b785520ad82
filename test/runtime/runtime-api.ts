/**
 * The Lambda Runtime API, as Lambda serves it within an execution environment: the runtime client asks it for work and
 * tells it results.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { FunctionError } from '../../infra/local/function-error.ts'
import { isObject, listOf, parseJson, textOf } from '../../infra/local/json-shape.ts'
import { listenOnLoopback } from '../../infra/local/loopback.ts'

interface Work {
  requestId: string
  /** The event as JSON. */
  payload: string
  functionArn: string
  deadlineMs: number
}

/** What the client does, as it does it. */
export interface RuntimeEvents {
  /** It asks for work, and there is none: from here on Lambda freezes the process. */
  idle(): void
  /** The handler returned; the payload is JSON. */
  answered(requestId: string, payload: string): void
  /** The handler threw. */
  failed(requestId: string, error: FunctionError): void
  /** The function could not be loaded. */
  unusable(error: FunctionError): void
}

export interface RuntimeApi {
  /** As in AWS_LAMBDA_RUNTIME_API. */
  address: string
  /** Hands it over at once if the client has asked, else when it does. */
  give(work: Work): void
  close(): void
}

const root = '/2018-06-01/runtime'

export async function serveRuntimeApi(events: RuntimeEvents): Promise<RuntimeApi> {
  let asking: ServerResponse | undefined
  let waiting: Work | undefined

  function handOver(): void {
    if (!asking || !waiting) return
    const { requestId, payload, functionArn, deadlineMs } = waiting
    asking.writeHead(200, {
      'content-type': 'application/json',
      'lambda-runtime-aws-request-id': requestId,
      'lambda-runtime-deadline-ms': String(deadlineMs),
      'lambda-runtime-invoked-function-arn': functionArn,
      'lambda-runtime-trace-id': 'Root=1-00000000-000000000000000000000000;Sampled=0',
    })
    asking.end(payload)
    asking = undefined
    waiting = undefined
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = '' } = request
    const body = await text(request)
    const [, requestId = '', what] =
      /^\/invocation\/([^/]+)\/(response|error)$/.exec(url.slice(root.length)) ?? []
    if (method === 'GET' && url === `${root}/invocation/next`) {
      asking = response
      if (waiting) handOver()
      else events.idle()
      return
    }
    // Accepted first: whoever hears of it may end the process.
    response.writeHead(202, { 'content-type': 'application/json' })
    await new Promise<void>(resolve => response.end('{"status":"OK"}', resolve))
    if (what === 'response') events.answered(requestId, body)
    else if (what === 'error') events.failed(requestId, errorOf(body))
    else if (url === `${root}/init/error`) events.unusable(errorOf(body))
    else throw new Error(`Lambda has no ${method} ${url}`)
  }

  const server = createServer((request, response) => void answer(request, response))
  const port = await listenOnLoopback(server, 0)
  return {
    address: `127.0.0.1:${port}`,
    give(work) {
      waiting = work
      handOver()
    },
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** @throws if it has not the documented shape: a type, a message, and the stack line by line */
function errorOf(body: string): FunctionError {
  const error = parseJson(body)
  const { errorType, errorMessage, trace } = isObject(error) ? error : {}
  if (textOf(errorType) === undefined || textOf(errorMessage) === undefined || !Array.isArray(trace))
    throw new Error(`This is no error as Lambda documents it: ${body}`)
  return new FunctionError({
    errorType: String(errorType),
    errorMessage: String(errorMessage),
    trace: listOf(trace).map(String),
  })
}
