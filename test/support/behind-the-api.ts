/** What tests reach into behind the API of a running system: stored items, objects and the outbound queue. */

import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DeleteObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { openTable } from '../../functions/channel/table.ts'
import type { Json } from '../../infra/local/as-app.ts'
import type { RunningSystem } from './running-system.ts'

/** So long ago that whatever it is the time of is due. */
export const past = '2020-01-01T00:00:00.000Z'

/** Where everything is, and what it is called. */
export function placesOf({ system }: RunningSystem) {
  const { endpoints, outputs, policies } = system.cloud
  const arns = policies.flatMap(({ statements }) => statements).flatMap(({ resources }) => resources)
  const last = (pattern: RegExp) => arns.flatMap(arn => pattern.exec(arn)?.[1] ?? [])[0] ?? ''
  return {
    endpoints,
    outboundQueueUrl: outputs.OutboundQueueUrl,
    mainTable: last(/:table\/([^/]*Main[^/]*)$/),
    secretsTable: last(/:table\/([^/]*Secrets[^/]*)$/),
    bucket: last(/^arn:aws:s3:::([^/]+)$/),
    tokenKeyArn: last(/^(arn:aws:kms:.*)$/),
  }
}

export type Places = ReturnType<typeof placesOf>

/** By default the runner itself, which may do anything; else a function's physical name. */
export const asCaller = (accessKeyId = 'local') => ({
  region: 'us-east-1',
  credentials: { accessKeyId, secretAccessKey: 'local' },
})

export function changeItem(
  { endpoints }: Places,
  TableName: string,
  Key: Record<string, string>,
  values: Json,
) {
  const client = DynamoDBDocumentClient.from(
    new DynamoDBClient({ ...asCaller(), endpoint: endpoints.dynamodb }),
  )
  const names = Object.keys(values)
  return client.send(
    new UpdateCommand({
      TableName,
      Key,
      UpdateExpression: `SET ${names.map(name => `#${name} = :${name}`).join(', ')}`,
      ExpressionAttributeNames: Object.fromEntries(names.map(name => [`#${name}`, name])),
      ExpressionAttributeValues: Object.fromEntries(names.map(name => [`:${name}`, values[name]])),
      ConditionExpression: 'attribute_exists(pk)',
    }),
  )
}

export function changeChannel(places: Places, id: string, values: Json) {
  return changeItem(places, places.mainTable, { pk: `CHANNEL#${id}`, sk: 'CHANNEL' }, values)
}

export async function storedChannel({ endpoints, mainTable }: Places, id: string) {
  const main = openTable(new DynamoDBClient({ ...asCaller(), endpoint: endpoints.dynamodb }), mainTable)
  return (await main.get({ pk: `CHANNEL#${id}`, sk: 'CHANNEL' })) ?? {}
}

/** As if the access token's hour had passed: whoever needs it next refreshes it. */
export async function endToken(places: Places, channelId: string): Promise<void> {
  const { grantId } = await storedChannel(places, channelId)
  const ended = { refreshAtMs: 0, expiresAtMs: 0 }
  await changeItem(places, places.secretsTable, { pk: `GRANT#${grantId}`, sk: 'GRANT' }, ended)
}

async function storedMessage({ endpoints, mainTable }: Places, id: string) {
  const main = openTable(new DynamoDBClient({ ...asCaller(), endpoint: endpoints.dynamodb }), mainTable)
  const item = await main.get({ pk: `MESSAGE#${id}`, sk: 'MESSAGE' })
  return { rawKey: String(item?.rawKey), acceptedAt: String(item?.acceptedAt) }
}

/** As if somebody had deleted a mail's bytes from the bucket. */
export async function deleteRaw(places: Places, messageId: string): Promise<void> {
  const s3 = new S3Client({ ...asCaller(), endpoint: places.endpoints.aws, forcePathStyle: true })
  const { rawKey } = await storedMessage(places, messageId)
  await s3.send(new DeleteObjectCommand({ Bucket: places.bucket, Key: rawKey }))
}

/** The time of a mail that was to be sent later has come, and no doorbell rings. */
export async function makeDue(places: Places, channelId: string, messageId: string): Promise<void> {
  const { acceptedAt } = await storedMessage(places, messageId)
  const row = { pk: `OUTBOX#${channelId}`, sk: `${acceptedAt}#${messageId}` }
  await changeItem(places, places.mainTable, { pk: `MESSAGE#${messageId}`, sk: 'MESSAGE' }, { sendAt: past })
  await changeItem(places, places.mainTable, row, { dueAt: past, dueSk: `${past}#${row.sk}` })
}

/** What an app, or a function, puts on the queue that `send` reads. */
export function queueMessage({ endpoints, outboundQueueUrl }: Places, body: object) {
  const sqs = new SQSClient({ ...asCaller(), endpoint: endpoints.aws, useQueueUrlAsEndpoint: false })
  return sqs.send(new SendMessageCommand({ QueueUrl: outboundQueueUrl, MessageBody: JSON.stringify(body) }))
}
