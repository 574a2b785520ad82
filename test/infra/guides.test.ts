/** What the guides name is there: configuration, outputs, stacks, what stays, commands, files. runbook.test.ts has more. */

import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Template } from 'aws-cdk-lib/assertions'
import { expect, test } from 'vitest'
import { commands } from '../../infra/cli/commands.ts'
import { readConfiguration } from '../../infra/configuration.ts'
import { type PriceName, priceOf } from '../../infra/cost/prices.ts'
import { plainName } from '../../infra/local/template.ts'
import packageJson from '../../package.json' with { type: 'json' }
import { buildApp } from './synthesized.ts'

const folder = new URL('../../infra/', import.meta.url)
const read = (page: string) => readFile(new URL(page, folder), 'utf8')
const pages = [
  'deploy.md',
  'runbook.md',
  'restore.md',
  'register-apps.md',
  'cost.md',
  'scale.md',
  '../README.md',
]

const deploy = await read('deploy.md')
const [, example = ''] = /```json\n(.*?)```/s.exec(deploy) ?? []
const { domain, ...configuration } = JSON.parse(example).context.postroom
const usual = buildApp({ configuration })
const system = Template.fromStack(usual.system)
const data = Template.fromStack(usual.data)
/** With a domain, without its hosted zone, and with an app that trusts roles: what has the most outputs. */
const ofDomain = Template.fromStack(
  buildApp({
    configuration: {
      ...configuration,
      domain: { ...domain, hostedZone: undefined },
      apps: { microsoft: { federatedAudience: 'api://AzureADTokenExchange' } },
    },
  }).system,
)

const numbers = ['no', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten']
const inWords = (count: number) => numbers[count] ?? (count === 19 ? 'nineteen' : String(count))

test('the configuration that deploy.md shows is taken', () => {
  expect(() => readConfiguration({ domain, ...configuration })).not.toThrow()
})

test('each field that deploy.md explains is one of the configuration', () => {
  const known = Object.keys(readConfiguration({}))
  const explained = [...deploy.matchAll(/^- `(\w+)`:/gm)].map(([, field]) => field)
  expect(explained.length).toBeGreaterThan(3)
  // Those without a default are told as unknown fields are not.
  const unknown = explained.filter(field => !known.includes(String(field)))
  for (const field of unknown)
    expect(() => readConfiguration({ [String(field)]: 0 })).not.toThrow('is not a known field')
})

test('deploy.md names every output there is, and none besides', () => {
  // What one stack exports to the other is nothing to read.
  const outputs = [system, data, ofDomain]
    .flatMap(template => Object.keys(template.findOutputs('*')))
    .filter(name => !name.startsWith('Exports'))
  const table = deploy.slice(deploy.indexOf('| output |'), deploy.indexOf('**If it fails**'))
  const named = [...table.matchAll(/^\| (.+?) \||; `(\w+)` is/gm)].flatMap(row => [
    ...row[0].matchAll(/`(\w+)`/g),
  ])
  expect(named.map(([, name]) => name).toSorted()).toEqual([...new Set(outputs)].toSorted())
})

test('the stacks that deploy.md removes are there', () => {
  const stacks = [...deploy.matchAll(/cdk destroy (\w+)/g)].map(([, name]) => name)
  expect(stacks.length).toBeGreaterThan(1)
  expect([usual.system.stackName, usual.data.stackName]).toEqual(expect.arrayContaining(stacks))
})

test('regression: deploy.md said six queues stay; it names all that does, and how many', () => {
  const table = deploy.slice(deploy.indexOf('| left | why'), deploy.indexOf('The outputs `LeftBy'))
  const kept = [system, data].flatMap(template =>
    Object.entries(template.toJSON().Resources as Record<string, { Type: string; DeletionPolicy?: string }>)
      .filter(([, { DeletionPolicy = '' }]) => DeletionPolicy.startsWith('Retain'))
      .map(([id, { Type }]) => ({ name: plainName(id), type: Type })),
  )
  const ofType = (type: string) => kept.filter(one => one.type === type)
  expect(table).toContain(`| ${inWords(ofType('AWS::SQS::Queue').length)} queues |`)
  expect(table).toContain('| log groups |')
  const others = kept.filter(({ type }) => !['AWS::SQS::Queue', 'AWS::Logs::LogGroup'].includes(type))
  expect(others.filter(({ name }) => !table.includes(name))).toEqual([])
})

test('what deploy.md says that each thing left costs is what the calculator takes for it', () => {
  const usd = (...names: PriceName[]) => names.reduce((sum, name) => sum + priceOf(name, 1, false), 0)
  const ofGigabyte = (...names: PriceName[]) => `$${Number((usd(...names) * 1e9).toFixed(3))} a GB`
  const costs = {
    'tables Main': ofGigabyte('dynamodbStoredBytes', 'dynamodbRecoveryBytes'),
    'bucket Mail': ofGigabyte('s3StoredBytes'),
    'keys TokenKey': `$${usd('kmsKeys')} each`,
    'secret OAuthApps': `$${usd('secrets').toFixed(2)} `,
    'log groups': ofGigabyte('logStoredBytes'),
    'stack CDKToolkit': ofGigabyte('s3StoredBytes'),
  }
  const rows = deploy.split('\n').filter(line => line.startsWith('| '))
  for (const [left, cost] of Object.entries(costs))
    expect(rows.find(row => row.startsWith(`| ${left}`))).toContain(cost)
})

test('the numbers of alarms and event source mappings are those of the template', async () => {
  const count = (type: string) => inWords(Object.keys(system.findResources(type)).length)
  expect(deploy.toLowerCase().replace(/\s+/g, ' ')).toContain(`${count('AWS::CloudWatch::Alarm')} alarms`)
  expect(await read('restore.md')).toContain(
    `the ${count('AWS::Lambda::EventSourceMapping')} event source mappings`,
  )
})

test.each(pages)('every command and every file that %s names is there', async page => {
  const text = await read(page)
  const scripts = [...text.matchAll(/npm run ([\w:]+)/g)].map(([, script]) => String(script))
  expect(scripts.filter(script => !(script in packageJson.scripts))).toEqual([])
  const called = [...text.matchAll(/npm run postroom -- ([a-z-]+)/g)].map(([, name]) => String(name))
  const names = commands.map(({ name }) => name.split(' ')[0])
  expect(called.filter(name => !names.includes(name))).toEqual([])
  const files = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, file]) => String(file))
  const missing = files.filter(file => !existsSync(fileURLToPath(new URL(file, new URL(page, folder)))))
  expect(missing).toEqual([])
})
