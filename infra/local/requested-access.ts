/** What a call on the wire asks for, in IAM's words: action, resource and condition keys, service by service. */

import { listOf, objectOf, textOf } from './json-shape.ts'
import type { Access } from './policies.ts'
import { account, region } from './template.ts'

const arn = (service: string, rest: string) => `arn:aws:${service}:${region}:${account}:${rest}`

/**
 * @param target value of `X-Amz-Target`, such as `DynamoDB_20120810.GetItem`
 * @see https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
 */
export function dynamodbAccess(target: string, given: unknown): Access[] {
  const input = objectOf(given)
  const action = `dynamodb:${operationOf(target)}`
  const access = (table: string, part: unknown): Access => {
    const { IndexName } = objectOf(part)
    const index = textOf(IndexName)
    return {
      action,
      resource: arn('dynamodb', `table/${table}${index === undefined ? '' : `/index/${index}`}`),
      context: leadingKeys(objectOf(part)),
    }
  }
  const tables = Object.entries(objectOf(input.RequestItems))
  if (tables.length > 0) return tables.map(([table, part]) => access(table, part))
  return [access(textOf(input.TableName) ?? '', input)]
}

/** Values of the partition key that a call names; it is called `pk` wherever an item is named whole. */
function leadingKeys(input: Record<string, unknown>): Record<string, string[]> {
  const named = [input.Key, input.Item, ...listOf(input.Keys)].map(key => objectOf(objectOf(key).pk).S)
  // A query names it first, and always by a placeholder: `pk = :pk AND …`.
  const placeholder = /^\s*\S+\s*=\s*(:\w+)/.exec(textOf(input.KeyConditionExpression) ?? '')?.[1]
  const queried = placeholder && objectOf(objectOf(input.ExpressionAttributeValues)[placeholder]).S
  const keys = [...named, queried].filter(key => typeof key === 'string')
  return keys.length > 0 ? { 'dynamodb:LeadingKeys': keys } : {}
}

/** @param target such as `AmazonSQS.SendMessage` */
export function sqsAccess(target: string, given: unknown): Access[] {
  // IAM knows no batch actions: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
  const action = `sqs:${operationOf(target).replace(/Batch$/, '')}`
  const queue = (textOf(objectOf(given).QueueUrl) ?? '').split('/').at(-1) ?? ''
  return [{ action, resource: arn('sqs', queue), context: {} }]
}

/** @param form of AWS's Query protocol, as SNS takes it */
export function snsAccess(form: unknown): Access[] {
  const { Action, TopicArn } = objectOf(form)
  return [{ action: `sns:${textOf(Action)}`, resource: textOf(TopicArn) ?? '', context: {} }]
}

export interface ObjectRequest {
  method: string
  bucket: string
  /** Empty for a call about the bucket itself. */
  key: string
  query: Record<string, unknown>
  /** Whether the key names an object that is there. */
  exists: boolean
}

/** @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html */
export function s3Access({ method, bucket, key, query, exists }: ObjectRequest): Access[] {
  const on = (action: string, resource: string): Access => ({ action, resource, context: {} })
  const bucketArn = `arn:aws:s3:::${bucket}`
  const objectArn = `${bucketArn}/${key}`
  if (key === '') {
    if (method === 'POST' && 'delete' in query) return [on('s3:DeleteObject', `${bucketArn}/*`)]
    return [on(method === 'GET' || method === 'HEAD' ? 's3:ListBucket' : 's3:CreateBucket', bucketArn)]
  }
  const suffix = 'tagging' in query ? 'Tagging' : ''
  switch (method) {
    case 'GET':
    case 'HEAD':
      // Whoever may not list is told 403 for a key that is not there, not 404:
      // https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
      return [on(`s3:GetObject${suffix}`, objectArn), ...(exists ? [] : [on('s3:ListBucket', bucketArn)])]
    case 'DELETE':
      return [on(`s3:DeleteObject${suffix}`, objectArn)]
    default:
      return [on(`s3:PutObject${suffix}`, objectArn)]
  }
}

/**
 * KMS and Secrets Manager.
 * @param target such as `TrentService.Decrypt`
 * @param keyId of the key that a call means without naming it
 */
export function keysAndSecretsAccess(target: string, given: unknown, keyId: string): Access[] {
  const input = objectOf(given)
  if (target.startsWith('secretsmanager.')) {
    const secret = textOf(input.SecretId) ?? ''
    return [{ action: `secretsmanager:${operationOf(target)}`, resource: secret, context: {} }]
  }
  const key = textOf(input.KeyId) ?? keyId
  const context = Object.entries(objectOf(input.EncryptionContext)).map(([name, value]) => [
    `kms:EncryptionContext:${name}`,
    [String(value)],
  ])
  return [
    {
      action: `kms:${operationOf(target)}`,
      resource: key.startsWith('arn:') ? key : arn('kms', `key/${key}`),
      context: Object.fromEntries(context),
    },
  ]
}

function operationOf(target: string): string {
  return target.slice(target.indexOf('.') + 1)
}
