/**
 * PostroomData is deployed before Postroom, and CloudFormation refuses to take away an export that a deployed stack still
 * imports. So whatever the configuration becomes, what a system of another configuration imports must stay exported.
 */

import { readFile } from 'node:fs/promises'
import { Template } from 'aws-cdk-lib/assertions'
import { expect, test } from 'vitest'
import type { ConfigurationInput } from '../../infra/configuration-schema.ts'
import { buildApp } from './synthesized.ts'

const restore = await readFile(new URL('../../infra/restore.md', import.meta.url), 'utf8')
const [, restored = ''] = /```json\n(.*?)```/s.exec(restore) ?? []

const configurations: Record<string, ConfigurationInput> = {
  'as it is without configuration': {},
  'with the console': {
    authentication: {
      type: 'jwt',
      issuer: 'https://login.example.com',
      audience: ['postroom'],
      accountClaim: 'account',
    },
    console: {
      clientId: 'console',
      authorizationEndpoint: 'https://login.example.com/authorize',
      tokenEndpoint: 'https://login.example.com/token',
    },
  },
  'with the tables of restore.md': JSON.parse(restored),
  'with the least': {
    operations: { alarms: false, dashboard: false },
    tables: { main: 'restored-main', secrets: 'restored-secrets' },
  },
}

const stacks = Object.entries(configurations).map(([name, configuration]) => {
  const { data, system } = buildApp({ configuration })
  const outputs: { Export?: { Name: string } }[] = Object.values(Template.fromStack(data).toJSON().Outputs)
  const imports = JSON.stringify(Template.fromStack(system).toJSON()).matchAll(/"Fn::ImportValue":"([^"]+)"/g)
  return {
    name,
    exported: outputs.flatMap(({ Export }) => Export?.Name ?? []),
    imported: [...new Set([...imports].map(([, name]) => String(name)))],
  }
})

test.each(
  stacks.flatMap(before => stacks.map(after => ({ from: before.name, to: after.name, before, after }))),
)('regression: a deployment from one $from to one $to is not refused', ({ before, after }) => {
  expect(before.imported.length).toBeGreaterThan(3)
  expect(before.imported.filter(name => !after.exported.includes(name))).toEqual([])
})
