/** What the synthesized template lets each function do. That it is not more than they use: test/system/privileges.test.ts. */

import { expect, test } from 'vitest'
import type { Statement } from '../../infra/local/policies.ts'
import { templatePolicies } from './template-policies.ts'

const policies = await templatePolicies()
const functions = policies.map(({ name }) => name)

function statementsOf(name: string): Statement[] {
  return policies.find(policy => policy.name === name)?.statements ?? []
}

/** Names of the functions that have a statement of this kind. */
function functionsWith(fits: (statement: Statement) => boolean): string[] {
  return functions.filter(name => statementsOf(name).some(fits)).sort()
}

/** Actions and resources without the parts that are the same everywhere. */
function short({ actions, resources }: Statement): string {
  return `${actions.join(' ')} on ${resources.map(arn => arn.replace(/^.*?(?=[^:]*$)/, '')).join(' ')}`
}

test('every function has a policy of its own', () => {
  expect([...functions].sort()).toEqual(['Api', 'Connect', 'Fetch', 'NotifyWebhooks', 'Schedule', 'Send'])
  for (const name of functions) expect(statementsOf(name).length).toBeGreaterThan(3)
})

test('no statement names a wildcard action or all resources', () => {
  const all = functions.flatMap(statementsOf)
  expect(all.flatMap(({ actions }) => actions).filter(action => action.includes('*'))).toEqual([])
  expect(all.filter(({ resources }) => resources.includes('*'))).toEqual([])
})

test('only connect, send and fetch reach tokens, their key and the OAuth apps', () => {
  const opening = ['Connect', 'Fetch', 'Send']
  expect(
    functionsWith(({ resources }) => resources.some(arn => arn.includes('table/PostroomData-Secrets'))),
  ).toEqual(opening)
  expect(functionsWith(({ actions }) => actions.includes('kms:Decrypt'))).toEqual(opening)
  expect(functionsWith(({ actions }) => actions.includes('secretsmanager:GetSecretValue'))).toEqual(opening)
})

test('the token key opens only what Postroom wrapped', () => {
  for (const name of functions) {
    for (const { actions, conditions } of statementsOf(name)) {
      if (!actions.includes('kms:Decrypt')) continue
      expect(conditions).toEqual({ StringEquals: { 'kms:EncryptionContext:app': 'postroom' } })
    }
  }
})

test('only api and notify make the secrets of webhooks', () => {
  expect(functionsWith(({ actions }) => actions.includes('kms:GenerateMac'))).toEqual([
    'Api',
    'NotifyWebhooks',
  ])
})

test('no function may scan a table, or delete mail', () => {
  const forbidden = ['dynamodb:Scan', 's3:DeleteObject']
  expect(functionsWith(({ actions }) => actions.some(action => forbidden.includes(action)))).toEqual([])
})

test('mail is written by direction: fetch what comes in, api and send what goes out', () => {
  const written = Object.fromEntries(
    functions.map(name => [
      name,
      statementsOf(name)
        .filter(({ actions }) => actions.includes('s3:PutObject'))
        .map(short),
    ]),
  )
  expect(written).toEqual({
    Connect: [],
    Api: [
      expect.stringMatching(/^s3:PutObject on .*\/accounts\/\*\/outbound\/\*$/),
      expect.stringMatching(/^s3:PutObject on .*\/uploads\/\*$/),
    ],
    Schedule: [],
    Send: [expect.stringMatching(/^s3:PutObject on .*\/accounts\/\*\/outbound\/\*$/)],
    Fetch: [expect.stringMatching(/^s3:PutObject on .*\/accounts\/\*\/inbound\/\*$/)],
    NotifyWebhooks: [],
  })
})

test('each function writes its own log and no other', () => {
  for (const name of functions) {
    const logs = statementsOf(name).filter(({ actions }) =>
      actions.some(action => action.startsWith('logs:')),
    )
    expect(logs.flatMap(({ resources }) => resources)).toEqual([
      expect.stringMatching(new RegExp(`:log-group:Postroom-${name}Logs[0-9A-F]{8}:\\*$`)),
    ])
  }
})
