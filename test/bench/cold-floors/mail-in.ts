/** The floor of a first mail in: imapflow, mailparser, and what is kept of it by the AWS SDK. Nothing is looked at twice. */

import { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { DecryptCommand, KMSClient } from '@aws-sdk/client-kms'
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { PublishCommand, SNSClient } from '@aws-sdk/client-sns'
import { ImapFlow } from 'imapflow'
import { simpleParser } from 'mailparser'

export interface MailIn {
  table: string
  bucket: string
  wrappedKey: string
  topicArn: string
  port: number
  user: string
  accessToken: string
}

const dynamodb = new DynamoDBClient({})
const s3 = new S3Client({})
const sns = new SNSClient({})
const kms = new KMSClient({})

export async function handler(mail: MailIn): Promise<void> {
  const { table, bucket, wrappedKey, topicArn, port, user, accessToken } = mail
  const key = { pk: { S: 'FLOOR' }, sk: { S: 'MAIL' } }
  await dynamodb.send(new GetItemCommand({ TableName: table, Key: key }))
  await kms.send(new DecryptCommand({ CiphertextBlob: Buffer.from(wrappedKey, 'base64') }))
  const auth = { user, accessToken }
  const client = new ImapFlow({ host: 'localhost', port, secure: true, auth, logger: false })
  await client.connect()
  await client.mailboxOpen('INBOX', { readOnly: true })
  const found = await client.fetchOne('*', { uid: true, source: true })
  const source = found ? found.source : undefined
  if (!source) throw new Error('There is no mail')
  await client.logout()
  const parsed = await simpleParser(source)
  const put = (Key: string, Body: Buffer | string) =>
    s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body }))
  await Promise.all([
    put('floor/raw.eml', source),
    put('floor/content.json', JSON.stringify({ text: parsed.text, subject: parsed.subject })),
  ])
  await dynamodb.send(new PutItemCommand({ TableName: table, Item: key }))
  await sns.send(new PublishCommand({ TopicArn: topicArn, Message: 'received' }))
}
