/** Asks, before fauxqs answers a function's call, whether the template allows it; refuses as SQS, SNS and S3 do. */

import type { buildApp } from 'fauxqs'
import type { S3Store } from '../../node_modules/fauxqs/dist/s3/s3Store.js'
import { hasObject } from './fauxqs-corrections.ts'
import type { Gate } from './gate.ts'
import { objectOf, textOf } from './json-shape.ts'
import type { Access } from './policies.ts'
import { s3Access, snsAccess, sqsAccess } from './requested-access.ts'

type App = ReturnType<typeof buildApp>

export function gateFauxqs(app: App, { gate, objects }: { gate: Gate; objects: S3Store }): void {
  app.addHook('preHandler', async (request, reply) => {
    const caller = gate.callerOf(request.raw)
    if (caller === undefined) return
    const target = textOf(request.headers['x-amz-target'])
    const { bucket, '*': key = '' } = objectOf(request.params)
    const service = target !== undefined ? 'sqs' : bucket !== undefined ? 's3' : 'sns'
    const accesses: Record<typeof service, () => Access[]> = {
      sqs: () => sqsAccess(target ?? '', request.body),
      sns: () => snsAccess(request.body),
      s3: () =>
        s3Access({
          method: request.method,
          bucket: String(bucket),
          key: String(key),
          query: objectOf(request.query),
          exists: hasObject(objects, { bucket, key }),
        }),
    }
    const message = gate.refusal(caller, accesses[service]())
    if (message === undefined) return
    const [type, body] = refusals[service](message)
    return reply.code(403).type(type).send(body)
  })
}

const refusals: Record<'sqs' | 'sns' | 's3', (message: string) => [type: string, body: string]> = {
  sqs: message => [
    'application/x-amz-json-1.0',
    JSON.stringify({ __type: 'com.amazonaws.sqs#AccessDeniedException', message }),
  ],
  sns: message => [
    'text/xml',
    `<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>AuthorizationError</Code><Message>${escapeXml(message)}</Message></Error></ErrorResponse>`,
  ],
  s3: message => [
    'application/xml',
    `<Error><Code>AccessDenied</Code><Message>${escapeXml(message)}</Message></Error>`,
  ],
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
