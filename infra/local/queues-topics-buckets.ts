/** SQS, SNS and S3 on this machine: fauxqs on loopback with its data on disk, and what the template asks of it. */

import { buildApp } from 'fauxqs'
// fauxqs opens its data folder only in startFauxqs(), which listens on every network interface. These are the parts
// it is made of; they are not among its exports, so the version is pinned.
import { PersistenceManager } from '../../node_modules/fauxqs/dist/persistence.js'
import { S3Store } from '../../node_modules/fauxqs/dist/s3/s3Store.js'
import { SnsStore } from '../../node_modules/fauxqs/dist/sns/snsStore.js'
import { SqsStore } from '../../node_modules/fauxqs/dist/sqs/sqsStore.js'
import { callJson, callQuery } from './engine-call.ts'
import { correctFauxqs } from './fauxqs-corrections.ts'
import { gateFauxqs } from './fauxqs-gate.ts'
import type { Gate } from './gate.ts'
import { type JsonObject, textOf } from './json-shape.ts'
import { LocalError } from './local-error.ts'
import { isFromLocalProgram, loopbackAddress, namesThisMachine, portError } from './loopback.ts'
import { honourPresigned, isDownloadByPage } from './presigned-requests.ts'
import type { Engine } from './tables.ts'
import { region } from './template.ts'

export interface AwsEngine extends Engine {
  /** Makes a bucket unless it is there. */
  ensureBucket(name: string): void
  /**
   * Makes messages visible that were handed out before the start. To be called for queues that only functions read:
   * whoever held these messages ended with the last process, and their visibility time-out may be minutes away.
   */
  returnMessages(queueName: string): void
  /** How many messages lie in a queue: those to come later and those handed out are among them. */
  messagesIn(queueUrl: string): number
  /** Empties a queue at once; of what is handed out, nothing comes back. */
  dropMessages(queueUrl: string): void
  /** Answers every waiting receive at once, so that no forgotten one swallows a message during the shutdown. */
  endReceives(): void
}

/** @throws LocalError if the port is in use or the database in `folder` is damaged */
export async function startAws(options: {
  folder: string
  port: number
  /** Who may do what; without it, everybody everything. */
  gate?: Gate
  /** Pages from here may follow presigned URLs, as the bucket's CORS rule lets every page do on AWS. */
  pageOrigin?: string
}): Promise<AwsEngine> {
  const stores = { sqsStore: new SqsStore(), snsStore: new SnsStore(), s3Store: new S3Store() }
  const { sqsStore, snsStore, s3Store } = stores
  const persistence = openDatabase(options.folder, stores)
  // Only now: while loading, each row read would be written again, and a rewritten queue loses its messages.
  sqsStore.persistence = persistence
  snsStore.persistence = persistence
  s3Store.persistence = persistence
  for (const queue of sqsStore.allQueues()) queue.persistence = persistence

  const app = buildApp({ logger: false, defaultRegion: region, stores })
  correctFauxqs(app, s3Store)
  app.addHook('onRequest', async (request, reply) => {
    const isFromPage =
      isDownloadByPage(request.raw, options.pageOrigin) && namesThisMachine(request.raw, port)
    if (!isFromPage && !isFromLocalProgram(request.raw, port)) return reply.code(403).send()
  })
  honourPresigned(app, options.pageOrigin)
  if (options.gate) gateFauxqs(app, { gate: options.gate, objects: s3Store })
  app.addHook('onClose', async () => persistence.close())

  let port = options.port
  try {
    await app.listen({ port, host: loopbackAddress })
  } catch (error) {
    await app.close()
    throw portError(port, error)
  }
  const address = app.server.address()
  if (typeof address === 'object' && address !== null) port = address.port

  return {
    endpoint: `http://${loopbackAddress}:${port}`,
    port,
    ensureBucket(name) {
      if (!s3Store.hasBucket(name)) s3Store.createBucket(name)
    },
    returnMessages(queueName) {
      for (const message of sqsStore.getQueueByName(queueName)?.inflightMessages.values() ?? []) {
        message.visibilityDeadline = 0
      }
    },
    messagesIn(queueUrl) {
      const { ready = [], delayed = [], inflight = [] } = sqsStore.getQueue(queueUrl)?.inspectMessages() ?? {}
      return ready.length + delayed.length + inflight.length
    },
    dropMessages: queueUrl => sqsStore.getQueue(queueUrl)?.purge(),
    endReceives: () => sqsStore.shutdown(),
    close: async () => {
      await app.close()
    },
  }
}

function openDatabase(
  folder: string,
  stores: { sqsStore: SqsStore; snsStore: SnsStore; s3Store: S3Store },
): PersistenceManager {
  try {
    const persistence = new PersistenceManager(folder)
    persistence.load(stores.sqsStore, stores.snsStore, stores.s3Store)
    return persistence
  } catch (error) {
    throw new LocalError(`The database in ${folder} is damaged or cannot be read.`, { cause: error })
  }
}

export interface QueueDefinition {
  name: string
  url: string
  /** Intrinsics resolved. */
  properties: JsonObject
}

/**
 * Makes queues, or gives those that are there the template's present attributes. All are made before any attribute is
 * set, since a redrive policy names another queue.
 */
export async function ensureQueues(endpoint: string, queues: QueueDefinition[]): Promise<void> {
  const create = ({ name }: QueueDefinition) =>
    callJson(endpoint, { target: 'AmazonSQS.CreateQueue', input: { QueueName: name } })
  const setAttributes = ({ url, properties }: QueueDefinition) =>
    callJson(endpoint, {
      target: 'AmazonSQS.SetQueueAttributes',
      input: { QueueUrl: url, Attributes: queueAttributes(properties) },
    })
  await Promise.all(queues.map(create))
  await Promise.all(queues.map(setAttributes))
}

/** SQS takes every attribute as a string. fauxqs stores the retention period, but no message ever gets too old here. */
function queueAttributes(properties: JsonObject): Record<string, string> {
  // An empty redrive policy takes away one that an earlier template set.
  const attributes: Record<string, string> = { RedrivePolicy: '' }
  for (const name of [
    'VisibilityTimeout',
    'MessageRetentionPeriod',
    'DelaySeconds',
    'ReceiveMessageWaitTimeSeconds',
    'MaximumMessageSize',
    'ContentBasedDeduplication',
    'RedrivePolicy',
  ]) {
    const value = properties[name]
    if (value !== undefined)
      attributes[name] = typeof value === 'object' ? JSON.stringify(value) : String(value)
  }
  return attributes
}

export async function ensureTopic(endpoint: string, name: string): Promise<void> {
  await callQuery(endpoint, { Action: 'CreateTopic', Version: '2010-03-31', Name: name })
}

/**
 * Subscribes a queue to a topic. Repeating it changes nothing.
 * @param subscription.properties of an `AWS::SNS::Subscription`, intrinsics resolved
 * @returns false if the protocol is one that fauxqs takes but never delivers (all but `sqs`)
 */
export async function ensureSubscription(endpoint: string, properties: JsonObject): Promise<boolean> {
  if (properties.Protocol !== 'sqs') return false
  const parameters: Record<string, string> = {
    Action: 'Subscribe',
    Version: '2010-03-31',
    TopicArn: textOf(properties.TopicArn) ?? '',
    Protocol: 'sqs',
    Endpoint: textOf(properties.Endpoint) ?? '',
  }
  let entry = 0
  for (const name of ['RawMessageDelivery', 'FilterPolicy', 'FilterPolicyScope']) {
    const value = properties[name]
    if (value === undefined) continue
    entry += 1
    parameters[`Attributes.entry.${entry}.key`] = name
    parameters[`Attributes.entry.${entry}.value`] =
      typeof value === 'object' ? JSON.stringify(value) : String(value)
  }
  await callQuery(endpoint, parameters)
  return true
}
