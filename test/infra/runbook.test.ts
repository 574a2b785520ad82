/**
 * A tired operator finds each name that runbook.md uses: in the deployed stacks, the log, the API, the configuration. What it
 * tells them to type is taken as it stands.
 */

import { readdir, readFile } from 'node:fs/promises'
import { Template } from 'aws-cdk-lib/assertions'
import { expect, test } from 'vitest'
import { allEndpoints } from '../../functions/api/routes.ts'
import { eventTypes } from '../../functions/channel/events.ts'
import { faults, PostroomError } from '../../functions/channel/faults.ts'
import { errorForLog } from '../../functions/channel/log.ts'
import { messageDocumentSchema } from '../../functions/channel/message-document.ts'
import { metricUnits } from '../../functions/channel/metrics.ts'
import { forgetSchema, reparseSchema } from '../../functions/channel/queue-bodies.ts'
import { exitCodes } from '../../infra/cli/command.ts'
import { readConfiguration } from '../../infra/configuration.ts'
import { plainName } from '../../infra/local/template.ts'
import { timeoutSeconds } from '../../infra/timeouts.ts'
import { runCli } from '../support/running-cli.ts'
import { buildApp } from './synthesized.ts'

const root = new URL('../../', import.meta.url)
const runbook = await readFile(new URL('infra/runbook.md', root), 'utf8')
const prose = runbook.replaceAll(/^```[\s\S]*?^```$/gm, '')
/** What stands between backticks in the running text, where a line may end within. */
const spans = [...prose.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text.replace(/\s+/g, ' '))

const template = Template.fromStack(buildApp().system).toJSON()
const resources = Object.entries(template.Resources as Record<string, { Type: string; Properties: Json }>)
// biome-ignore lint/suspicious/noExplicitAny: a template is JSON
type Json = any

/** As the names in AWS begin, by the type of what they name. */
const physical = new Map(resources.map(([id, { Type }]) => [`Postroom-${plainName(id)}…`, Type]))
const inTemplate = (type: string) => resources.filter(([, { Type }]) => Type === type)

/** Events and fields of the lines that functions log. */
async function loggedWords(): Promise<string[]> {
  const files = await readdir(new URL('functions/', root), { recursive: true })
  const sources = files.filter(file => file.endsWith('.ts'))
  const texts = await Promise.all(sources.map(file => readFile(new URL(`functions/${file}`, root), 'utf8')))
  const lines = texts.flatMap(text =>
    [...text.matchAll(/\blog\(\{([\s\S]*?)\}\)/g)].map(([, line = '']) => line),
  )
  return lines.flatMap(line =>
    [...line.matchAll(/'(\w+)'|(\w+)(?=\s*[,:}]|\s*$)/g)].map(([, a, b]) => a ?? b ?? ''),
  )
}

/** Fields of our own log lines. */
const logged = errorForLog(new PostroomError('internal', { cause: new Error('x'), evidence: 'x' }))
const logFields = [
  ...Object.keys(logged),
  ...Object.keys(logged.cause as object).map(name => `cause.${name}`),
  'event',
]
const accessLog = JSON.parse(
  inTemplate('AWS::ApiGatewayV2::Stage')[0]?.[1].Properties.AccessLogSettings.Format,
)

const states = JSON.stringify((await allEndpoints()).map(({ answer }) => answer)).matchAll(/"([a-z_]+)"/g)

const known = new Set([
  ...Object.keys(template.Outputs),
  ...Object.keys(timeoutSeconds),
  ...(await loggedWords()),
  ...logFields,
  ...Object.keys(accessLog),
  ...Object.keys(metricUnits),
  ...eventTypes,
  ...Object.keys(faults),
  ...Object.values(faults).map(({ actor }) => actor),
  ...[...states].map(([, word]) => String(word)),
  ...Object.keys(messageDocumentSchema.entries),
  ...[forgetSchema, reparseSchema].flatMap(({ entries }) => Object.keys(entries)),
  // Of an event and of a message of a queue.
  'fault',
  'idempotencyKey',
  'code',
  // What `npm start` writes, and what a shell is told.
  '.postroom/outputs.json',
  'endpoints.aws',
  'POSTROOM_URL',
  'npm start',
])

/** AWS's own words, which nothing here can prove. */
const ofAws = new Set([
  'aws',
  'AWS_REGION',
  'aws sqs',
  '--endpoint-url',
  'Enabled',
  'ENABLED',
  'ConcurrentExecutions',
  'AccessDeniedException',
  'KMSInvalidStateException',
  'ProvisionedThroughputExceededException',
  'SlowDown',
  'ServiceUnavailable',
  // https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
  'platform.report',
  'record.status',
  'record.metrics.maxMemoryUsedMB',
  'record.metrics.memorySizeMB',
  'timeout',
  'error',
])

/** Whether it is a field of the configuration, such as `operations.email`. */
function isConfigured(path: string): boolean {
  if (!/^\w+(\.\w+)*$/.test(path)) return false
  const given = path.split('.').reduceRight<unknown>((value, field) => ({ [field]: value }), 0)
  try {
    readConfiguration(given)
    return true
  } catch (error) {
    return error instanceof Error && !error.message.includes('is not a known field')
  }
}

const routes = (await allEndpoints()).map(({ method, path }) => `${method} ${path}`)
const isCommand = (text: string) => /^(npm run|npx cdk|aws [a-z]+ [a-z-]+|filter)\b/.test(text)

test('each name in the text is one that can be found', () => {
  expect(spans.length).toBeGreaterThan(80)
  const unknown = spans.filter(
    text =>
      !known.has(text) &&
      !ofAws.has(text) &&
      !physical.has(text) &&
      !routes.includes(text) &&
      !isCommand(text) &&
      !isConfigured(text),
  )
  expect(unknown).toEqual([])
})

test.each(['OutboundToSend', 'input_invalid', 'channel_unknown', 'operations.mail', 'Postroom-Sned…'])(
  'a name that nobody sees is found: %s',
  name => {
    expect([known, ofAws, physical].some(names => names.has(name)) || isConfigured(name)).toBe(false)
  },
)

test('the table of names has every function, its log and its queues, each as what it is', () => {
  const rows = [...runbook.matchAll(/^\| (\w+) \| (.+?) \| (.+?) \| (.+?) \| (.*?) ?\|$/gm)].filter(
    ([, name = '']) => name in timeoutSeconds,
  )
  expect(rows.map(([, name]) => name).toSorted()).toEqual(
    Object.keys(timeoutSeconds)
      .filter(name => name !== 'console')
      .toSorted(),
  )
  const typesIn = (cell = '') => [...cell.matchAll(/`([^`]+…)`/g)].map(([, name = '']) => physical.get(name))
  for (const [, , fn, log, queues, deadLetters] of rows) {
    expect(typesIn(fn)).toEqual(['AWS::Lambda::Function'])
    expect(typesIn(log)).toEqual(['AWS::Logs::LogGroup'])
    const elsewhere = ['AWS::Scheduler::Schedule', 'AWS::Logs::LogGroup']
    for (const type of typesIn(queues)) expect(['AWS::SQS::Queue', ...elsewhere]).toContain(type)
    for (const type of typesIn(deadLetters)) expect(type).toBe('AWS::SQS::Queue')
  }
  const queues = inTemplate('AWS::SQS::Queue').map(([id]) => `Postroom-${plainName(id)}…`)
  expect(queues.filter(name => !rows.some(([row]) => row.includes(`\`${name}\``)))).toEqual([])
})

test('what it points at in italics is an alarm or a part of the dashboard', () => {
  const alarms = inTemplate('AWS::CloudWatch::Alarm').map(([, { Properties }]) =>
    String(Properties.AlarmName).replace('Postroom-', ''),
  )
  const [dashboard] = inTemplate('AWS::CloudWatch::Dashboard')
  const body = JSON.stringify(dashboard)
  const parts = [...prose.matchAll(/(?<![*\w])\*([A-Z][^*]*)\*(?!\*)/g)].map(([, name = '']) =>
    name.replace(/\s+/g, ' '),
  )
  expect(parts.length).toBeGreaterThan(3)
  const isKnown = (name: string) => alarms.includes(name) || body.includes(`\\"title\\":\\"${name}\\"`)
  expect(parts.filter(name => !isKnown(name))).toEqual([])
})

const calls = [
  ...runbook
    .replaceAll(/\s+/g, ' ')
    .matchAll(/npm run (?:--silent )?postroom -- ([^`|]+?)(?=`| \||``| npm run)/g),
].map(([, words = '']) => words.trim())

test.each([...new Set(calls)])('the CLI understands: %s', async line => {
  const words = line.split(' ')
  // It would bundle a function; its words are those of every command.
  if (words[0] === 'stack') words.push('--help')
  const { code, stderr } = await runCli(words, {
    environment: { POSTROOM_URL: 'http://127.0.0.1:9', POSTROOM_API_KEY: 'key-of-this-test-only' },
  })
  expect(stderr).not.toContain('Usage')
  expect([exitCodes.unreachable, exitCodes.done]).toContain(code)
})
