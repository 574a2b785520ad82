/** The floor of a first mail out: its row, its key and its bytes by the AWS SDK, nodemailer, and that it is told. Nothing is looked at twice. */

import { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { DecryptCommand, KMSClient } from '@aws-sdk/client-kms'
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { PublishCommand, SNSClient } from '@aws-sdk/client-sns'
import { createTransport } from 'nodemailer'

export interface MailOut {
  table: string
  bucket: string
  objectKey: string
  wrappedKey: string
  topicArn: string
  port: number
  user: string
  accessToken: string
  from: string
  to: string
}

const dynamodb = new DynamoDBClient({})
const s3 = new S3Client({})
const sns = new SNSClient({})
const kms = new KMSClient({})

export async function handler(mail: MailOut): Promise<void> {
  const { table, bucket, objectKey, wrappedKey, topicArn, port, user, accessToken, from, to } = mail
  const key = { pk: { S: 'FLOOR' }, sk: { S: 'MAIL' } }
  await dynamodb.send(new GetItemCommand({ TableName: table, Key: key }))
  await kms.send(new DecryptCommand({ CiphertextBlob: Buffer.from(wrappedKey, 'base64') }))
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: objectKey }))
  const raw = Buffer.from((await Body?.transformToByteArray()) ?? [])
  const auth = { type: 'OAuth2', user, accessToken } as const
  const transport = createTransport({ host: 'localhost', port, secure: true, auth })
  await transport.sendMail({ envelope: { from, to }, raw })
  transport.close()
  await dynamodb.send(new PutItemCommand({ TableName: table, Item: key }))
  await sns.send(new PublishCommand({ TopicArn: topicArn, Message: 'sent' }))
}
