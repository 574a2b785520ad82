/** A deployment after a restore, as restore.md tells it: the functions get the new tables, and CloudFormation takes the change. */

import { readFile } from 'node:fs/promises'
import type { Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { describe, expect, test } from 'vitest'
import { environmentNames } from '../../functions/channel/environment.ts'
import type { ConfigurationInput } from '../../infra/configuration-schema.ts'
import { buildApp } from './synthesized.ts'
import { faultsOf } from './template-faults.ts'

const page = await readFile(new URL('../../infra/restore.md', import.meta.url), 'utf8')
const [, example = ''] = /```json\n(.*?)```/s.exec(page) ?? []
const shown: ConfigurationInput = JSON.parse(example)

// biome-ignore lint/suspicious/noExplicitAny: a template is JSON
type Json = any
const templatesOf = (configuration?: ConfigurationInput) => {
  const { data, system } = buildApp({ configuration })
  const read = (stack: Stack): Json => Template.fromStack(stack).toJSON()
  return { data: read(data), system: read(system) }
}
const before = templatesOf()
const resources = ({ Resources }: Json, type: string): Json[] =>
  Object.values<Json>(Resources).filter(({ Type }) => Type === type)

const both = { main: 'postroom-main-restored', secrets: 'postroom-secrets-restored' }

describe.each([
  ['the Main table, as the page shows it', shown],
  ['the Secrets table', { tables: { secrets: both.secrets } }],
  ['both', { ...shown, tables: both }],
] as [string, ConfigurationInput][])('%s', (_what, configuration) => {
  const after = templatesOf(configuration)
  const tables = configuration.tables ?? {}

  test('no table is made anew, changed or given up', () => {
    expect(resources(before.data, 'AWS::DynamoDB::GlobalTable')).toHaveLength(2)
    expect(resources(after.data, 'AWS::DynamoDB::GlobalTable')).toEqual(
      resources(before.data, 'AWS::DynamoDB::GlobalTable'),
    )
    expect(resources(after.system, 'AWS::DynamoDB::GlobalTable')).toEqual([])
  })

  test('every function that names a table names the new one, and is told of the mode', () => {
    const environments = resources(after.system, 'AWS::Lambda::Function').map(
      ({ Properties }) => Properties.Environment.Variables,
    )
    for (const [name, table] of [
      [environmentNames.mainTable, tables.main],
      [environmentNames.secretsTable, tables.secrets],
    ] as const) {
      const named = environments.flatMap(variables => (name in variables ? [variables[name]] : []))
      expect(named.length).toBeGreaterThan(2)
      if (table) expect([...new Set(named)]).toEqual([table])
    }
    const modes = environments.flatMap(variables => variables[environmentNames.restored] ?? [])
    expect(modes).toEqual([JSON.stringify(configuration.restored ?? null)])
  })

  test('what functions may do to the old tables they may do to the new ones, and to the old ones no more', () => {
    const granted = (template: Json) =>
      resources(template, 'AWS::IAM::Policy')
        .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
        .filter(statement =>
          [statement.Action].flat().some((action: string) => action.startsWith('dynamodb:')),
        )
    const texts = (template: Json) => granted(template).map(statement => JSON.stringify(statement.Resource))
    expect(granted(after.system).map(({ Sid, Action }) => [Sid, Action])).toEqual(
      granted(before.system).map(({ Sid, Action }) => [Sid, Action]),
    )
    for (const [old, table] of [
      ['Main', tables.main],
      ['Secrets', tables.secrets],
    ]) {
      const oldOne = new RegExp(`OutputFnGetAtt${old}[0-9A-F]{8}Arn`)
      const were = texts(before.system).filter(text => oldOne.test(text)).length
      expect(were).toBeGreaterThan(2)
      expect(texts(after.system).filter(text => oldOne.test(text))).toHaveLength(table ? 0 : were)
      if (table)
        expect(texts(after.system).filter(text => text.includes(`:table/${table}`))).toHaveLength(were)
    }
  })

  test('CloudFormation takes the templates', () => {
    expect([after.data, after.system].flatMap(faultsOf)).toEqual([])
  })
})
