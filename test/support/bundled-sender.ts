/** What the deployed `send` needs to run: its bundle out of the synthesized app, engines, and channels with mail in their outboxes. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { accept } from '../../functions/channel/accept.ts'
import type { Channel } from '../../functions/channel/channels.ts'
import { environmentNames } from '../../functions/channel/environment.ts'
import type { ProviderEntry } from '../../functions/channel/provider.ts'
import { objectOf, textOf } from '../../infra/local/json-shape.ts'
import { synthesize } from '../../infra/local/synthesize.ts'
import { plainName, readAssembly, region } from '../../infra/local/template.ts'
import { assemblyFolder } from './cache.ts'
import { appsSecretArn, type RunningEngines, type Stores } from './running-engines.ts'
import { providersWith } from './test-providers.ts'
import { addChannel, openWorkbench, type Workbench } from './workbench.ts'

/** @returns the file of a function's code, such as `Send`'s, brought up to date, and what the template itself says of its environment */
export async function bundleOf(name: string): Promise<{ file: string; variables: Record<string, string> }> {
  const folder = await synthesize({ folder: assemblyFolder })
  const { resources } = await readAssembly(folder)
  const found = resources.find(
    ({ type, logicalId }) => type === 'AWS::Lambda::Function' && plainName(logicalId) === name,
  )
  const key = textOf(objectOf(found?.properties.Code).S3Key) ?? ''
  const file = join(folder, `asset.${key.replace(/\.zip$/, '')}`, 'index.mjs')
  await readFile(file)
  const given = Object.entries(objectOf(objectOf(found?.properties.Environment).Variables))
  const plain = given.flatMap(([variable, value]) => (typeof value === 'string' ? [[variable, value]] : []))
  return { file, variables: Object.fromEntries(plain) }
}

export interface SendingGround {
  bench: Workbench
  /** The environment variables of `send` and `api`. */
  environment: Record<string, string>
  channels: Channel[]
  /** Accepts a reply for each of the channels in turn. @returns the event that rings for them all */
  queue(count: number, text: string): Promise<{ Records: object[] }>
}

export async function openSendingGround(
  { endpoints }: RunningEngines,
  options: { stores: Stores; port: number; channelCount: number; provider?: Partial<ProviderEntry> },
): Promise<SendingGround> {
  const { stores, port, channelCount, provider } = options
  const entry: Partial<ProviderEntry> = {
    ...provider,
    smtp: { host: 'localhost', port, security: 'tls' },
    limits: { smtpConnections: 1_000, messagesPerMinute: 1_000_000, messageBytes: 50 * 1024 * 1024 },
  }
  const clock = { now: Date.now, advance: () => undefined }
  const bench = openWorkbench(stores, { providers: providersWith(entry), clock })
  const channels: Channel[] = []
  for (let index = 0; index < channelCount; index++) {
    const name = `person-${index}@contoso.example`
    channels.push(await addChannel(bench, { login: { imap: name, smtp: name } }))
  }
  const variables = {
    mainTable: stores.mainTable,
    secretsTable: stores.secretsTable,
    mailBucket: stores.bucket,
    tokenKeyArn: stores.keyArn,
    oauthAppsSecretArn: appsSecretArn,
    eventsTopicArn: stores.topicArn,
    outboundDeadLetterUrl: `${endpoints.aws}/000000000000/dead`,
    outboundQueueUrl: `${endpoints.aws}/000000000000/outbound`,
    pollQueueUrl: `${endpoints.aws}/000000000000/poll`,
    pollQueueUrls: '{}',
    notifyQueueUrl: `${endpoints.aws}/000000000000/notify`,
    webhookKeyArn: stores.keyArn,
    webhookEgress: 'loopback',
    pollIntervalMinutes: '5',
    returnUrls: '[]',
    systemName: 'postroom',
    publicUrl: 'http://localhost:4400',
    providers: JSON.stringify({ microsoft: entry }),
  } satisfies Partial<Record<keyof typeof environmentNames, string>>
  let accepted = 0
  return {
    bench,
    channels,
    environment: {
      ...Object.fromEntries(
        Object.entries(variables).map(([name, value]) => [Reflect.get(environmentNames, name), value]),
      ),
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
      AWS_ENDPOINT_URL: endpoints.aws,
      AWS_ENDPOINT_URL_DYNAMODB: endpoints.dynamodb,
      AWS_ENDPOINT_URL_KMS: endpoints.kms,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: endpoints.kms,
    },
    async queue(count, text) {
      for (let index = 0; index < count; index++) {
        const channel = channels[index % channels.length] as Channel
        const document = { to: [{ address: 'customer@outside.example' }], subject: `Reply ${index}`, text }
        await accept({ channel, idempotencyKey: `key-${++accepted}`, document }, bench)
      }
      const Records = channels.map(({ id }) => ({ messageId: id, body: JSON.stringify({ channelId: id }) }))
      return { Records }
    },
  }
}
