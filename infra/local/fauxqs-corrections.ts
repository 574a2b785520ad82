/** What fauxqs 2.4.1 gets wrong and Postroom would stumble over, put right at its door. Remove what a new version mends. */

import type { buildApp } from 'fauxqs'
import type { S3Store } from '../../node_modules/fauxqs/dist/s3/s3Store.js'
import { isObject, listOf, objectOf, textOf } from './json-shape.ts'

/** fauxqs stops at 11 MiB; a mail of 25 MB, base64 and all, must pass. S3 itself takes 5 GB. */
const bodyLimitBytes = 100 * 1024 * 1024

/** Parts of an object that have their own PUT. fauxqs does not know them and would overwrite the object itself. */
const subresources = ['tagging', 'acl', 'retention', 'legal-hold', 'torrent']

export function correctFauxqs(app: ReturnType<typeof buildApp>, objects: S3Store): void {
  app.removeContentTypeParser('*')
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: bodyLimitBytes }, (_request, body, done) => {
    done(null, body)
  })

  app.addHook('preHandler', async (request, reply) => {
    avoidZeroVisibility(request.body)

    if (request.method !== 'PUT') return
    if (subresources.some(name => name in objectOf(request.query))) {
      return reply.code(501).type('application/xml').send('<Error><Code>NotImplemented</Code></Error>')
    }
    // A conditional write: S3 refuses it with 412 if the key is taken, fauxqs overwrites.
    // https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    const { bucket, '*': key } = objectOf(request.params)
    if (request.headers['if-none-match'] === '*' && hasObject(objects, { bucket, key })) {
      const error = '<Error><Code>PreconditionFailed</Code><Condition>If-None-Match</Condition></Error>'
      return reply.code(412).type('application/xml').send(error)
    }
  })
}

/** With its data on disk fauxqs loses a message whose visibility is set to 0 (until a restart); 1 second is the least. */
function avoidZeroVisibility(body: unknown): void {
  if (!isObject(body)) return
  for (const change of [body, ...listOf(body.Entries)]) {
    if (isObject(change) && 'ReceiptHandle' in change && change.VisibilityTimeout === 0)
      change.VisibilityTimeout = 1
  }
}

export function hasObject(objects: S3Store, { bucket, key }: { bucket: unknown; key: unknown }): boolean {
  try {
    return objects.headObject(textOf(bucket) ?? '', textOf(key) ?? '') !== undefined
  } catch {
    return false
  }
}
