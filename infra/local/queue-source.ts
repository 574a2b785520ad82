/** An event source mapping: receives a queue's messages, hands them to a function in batches, deletes what succeeded. */

import { callJson } from './engine-call.ts'
import type { FunctionError } from './function-error.ts'
import { environmentsPerCaller, type FunctionPool } from './function-pool.ts'
import { isObject, type JsonObject, listOf, objectOf, textOf } from './json-shape.ts'
import { region } from './template.ts'

export interface QueueSourceOptions {
  /** Origin of the engine that carries queues. */
  endpoint: string
  queueUrl: string
  queueArn: string
  pool: FunctionPool
  /** 1 to 10. Lambda can gather more than SQS's ten per receive; this does not, nor does it wait for a batch to fill. */
  batchSize: number
  /** Most invocations at a time; here never more than the environments of one caller, which is Lambda's least. */
  maxConcurrency?: number
  reportsItemFailures: boolean
  log(line: object): void
}

export interface QueueSource {
  queueUrl: string
  /** Takes no further message. Resolves once those in hand are done with. The engine must end its receives first. */
  stop(): Promise<void>
}

interface Message {
  MessageId: string
  ReceiptHandle: string
  [part: string]: unknown
}

const longPollSeconds = 20
const pauseAfterFailureMs = 1_000

export function startQueueSource(options: QueueSourceOptions): QueueSource {
  const maxConcurrency = Math.min(options.maxConcurrency ?? environmentsPerCaller, environmentsPerCaller)
  const running = new Set<Promise<void>>()
  let stopping = false

  async function poll(): Promise<void> {
    await readAttributes(options).catch(reportAndPause)
    while (!stopping) {
      if (running.size >= maxConcurrency) {
        await Promise.race(running)
        continue
      }
      const messages = await receive(options).catch(async error => {
        if (!stopping) await reportAndPause(error)
        return []
      })
      // Messages that come in while stopping are dropped unread: the next start makes them visible again.
      if (messages.length === 0 || stopping) continue
      const batch = handleBatch(options, messages).catch(reportAndPause)
      running.add(batch)
      void batch.then(() => running.delete(batch))
    }
    await Promise.all(running)
  }

  async function reportAndPause(error: unknown): Promise<void> {
    options.log({ level: 'error', queue: options.queueArn, message: String(error) })
    await new Promise(resolve => setTimeout(resolve, pauseAfterFailureMs))
  }

  const polling = poll()
  return {
    queueUrl: options.queueUrl,
    stop() {
      stopping = true
      return polling
    },
  }
}

/** Lambda looks at a queue's attributes to scale its pollers; here it only shows whether the role may. */
async function readAttributes({ pool, endpoint, queueUrl }: QueueSourceOptions): Promise<void> {
  await callJson(endpoint, {
    target: 'AmazonSQS.GetQueueAttributes',
    caller: pool.definition.functionName,
    input: { QueueUrl: queueUrl, AttributeNames: ['ApproximateNumberOfMessages'] },
  })
}

/** Lambda's poller acts with the function's own role. */
async function receive({ pool, endpoint, queueUrl, batchSize }: QueueSourceOptions): Promise<Message[]> {
  const answer = await callJson(endpoint, {
    target: 'AmazonSQS.ReceiveMessage',
    caller: pool.definition.functionName,
    input: {
      QueueUrl: queueUrl,
      MaxNumberOfMessages: batchSize,
      WaitTimeSeconds: longPollSeconds,
      MessageSystemAttributeNames: ['All'],
      MessageAttributeNames: ['All'],
    },
  })
  return listOf(answer.Messages).filter(isMessage)
}

function isMessage(value: unknown): value is Message {
  return isObject(value) && typeof value.MessageId === 'string' && typeof value.ReceiptHandle === 'string'
}

/** What is not deleted comes back after the queue's visibility time-out, until the queue gives it to the dead letters. */
async function handleBatch(options: QueueSourceOptions, messages: Message[]): Promise<void> {
  const { pool, endpoint, queueUrl, queueArn, log } = options
  let result: unknown
  try {
    result = await pool.invoke({ Records: messages.map(message => toRecord(message, queueArn)) })
  } catch (error) {
    // pool.invoke() rejects with nothing else.
    const { errorType, errorMessage, trace } = error as FunctionError
    log({ level: 'error', function: pool.definition.name, errorType, errorMessage, trace })
    return
  }
  const failed = options.reportsItemFailures ? failedItems(result, messages) : new Set()
  const done = messages.filter(({ MessageId }) => !failed.has(MessageId))
  if (done.length === 0) return
  await callJson(endpoint, {
    target: 'AmazonSQS.DeleteMessageBatch',
    caller: pool.definition.functionName,
    input: {
      QueueUrl: queueUrl,
      Entries: done.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle })),
    },
  })
}

/**
 * Reads a partial batch response. Nothing named is a success of the whole batch; anything malformed, or an id that is
 * not of this batch, is a failure of the whole batch.
 * @returns ids of the messages that failed
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
 */
export function failedItems(result: unknown, messages: { MessageId: string }[]): Set<string> {
  const all = new Set(messages.map(({ MessageId }) => MessageId))
  if (result === null) return new Set()
  if (!isObject(result)) return all
  const failures = result.batchItemFailures ?? []
  if (!Array.isArray(failures)) return all
  const ids = failures.map(failure => textOf(objectOf(failure).itemIdentifier) ?? '')
  return ids.every(id => all.has(id)) ? new Set(ids) : all
}

/** @see https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event */
function toRecord(message: Message, queueArn: string): object {
  const attributes = Object.entries(objectOf(message.MessageAttributes))
  return {
    messageId: message.MessageId,
    receiptHandle: message.ReceiptHandle,
    body: message.Body,
    // ApproximateReceiveCount, SentTimestamp, SenderId, ApproximateFirstReceiveTimestamp: all strings, as SQS sends them.
    attributes: objectOf(message.Attributes),
    messageAttributes: Object.fromEntries(
      attributes.map(([name, value]) => [name, toAttribute(objectOf(value))]),
    ),
    md5OfBody: message.MD5OfBody,
    eventSource: 'aws:sqs',
    eventSourceARN: queueArn,
    awsRegion: region,
  }
}

function toAttribute({ StringValue, BinaryValue, DataType }: JsonObject): object {
  return {
    stringValue: StringValue,
    binaryValue: BinaryValue,
    stringListValues: [],
    binaryListValues: [],
    dataType: DataType,
  }
}
