/** One call to an engine over its wire protocol. The SDK's clients would cost each start a quarter of a second apiece. */

import { isObject, type JsonObject, parseJson, textOf } from './json-shape.ts'
import { region } from './template.ts'

/**
 * The engines read the region out of the credential scope, the gate before them the caller; nobody checks the
 * signature.
 * @param caller access key; `local` may do anything
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
function signedAs(caller: string) {
  const authorization = `AWS4-HMAC-SHA256 Credential=${caller}/20000101/${region}/local/aws4_request, SignedHeaders=host, Signature=0`
  return { authorization, 'x-amz-date': '20000101T000000Z' }
}

export class EngineError extends Error {
  override readonly name = 'EngineError'
  /** The service's error code, such as `ResourceNotFoundException`. */
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/**
 * Calls an AWS JSON 1.0 operation (DynamoDB, SQS).
 * @param call.target value of `X-Amz-Target`, such as `AmazonSQS.SendMessage`
 * @param call.caller physical name of the function on whose behalf it is made, if any
 * @throws EngineError with the service's code
 */
export async function callJson(
  endpoint: string,
  call: { target: string; input: object; caller?: string },
): Promise<JsonObject> {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: {
      ...signedAs(call.caller ?? 'local'),
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': call.target,
    },
    body: JSON.stringify(call.input),
  })
  const text = await response.text()
  const answer = parseJson(text)
  if (response.ok && isObject(answer)) return answer
  // `com.amazonaws.dynamodb.v20120810#ResourceNotFoundException`: the part after the sign is the code.
  const type = isObject(answer) ? textOf(answer.__type) : undefined
  const code = type?.split('#').at(-1) ?? `HTTP ${response.status}`
  const reason = isObject(answer) ? (textOf(answer.message) ?? textOf(answer.Message)) : undefined
  throw new EngineError(code, `${call.target}: ${code}: ${reason ?? text.slice(0, 200)}`)
}

/**
 * Calls an AWS Query operation (SNS): a form in, XML out, which nobody here needs to read.
 * @throws EngineError with the HTTP status as its code
 */
export async function callQuery(endpoint: string, parameters: Record<string, string>): Promise<void> {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: signedAs('local'),
    body: new URLSearchParams(parameters),
  })
  const text = await response.text()
  if (!response.ok) {
    throw new EngineError(`HTTP ${response.status}`, `${parameters.Action}: ${text.slice(0, 300)}`)
  }
}
