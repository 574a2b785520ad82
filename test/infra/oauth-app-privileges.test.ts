/** An OAuth app without a client secret: the functions may sign with its key or identify as their role, and no more. */

import { Template } from 'aws-cdk-lib/assertions'
import { expect, test } from 'vitest'
import { buildApp } from './synthesized.ts'

const keyArn = 'arn:aws:kms:eu-west-1:111122223333:key/client'

/** The system as an owner configured it; no code is bundled, only what it may do is looked at. */
const { system } = buildApp({
  configuration: {
    apps: { microsoft: { signingKeyArn: keyArn, federatedAudience: 'api://AzureADTokenExchange' } },
  },
})
const template = Template.fromStack(system)

interface Policy {
  Properties: { PolicyDocument: { Statement: Record<string, unknown>[] } }
}

function statementsOn(action: string): [string, Record<string, unknown>][] {
  const policies: Record<string, Policy> = JSON.parse(
    JSON.stringify(template.findResources('AWS::IAM::Policy')),
  )
  return Object.entries(policies).flatMap(([id, { Properties }]) =>
    Properties.PolicyDocument.Statement.filter(({ Action }) => Action === action).map(
      (statement): [string, Record<string, unknown>] => [id.replace(/RoleDefaultPolicy.*/, ''), statement],
    ),
  )
}

test('with a key in KMS, those that call token endpoints may sign with that key', () => {
  const signing = statementsOn('kms:Sign')
  expect(signing.map(([name]) => name).sort()).toEqual(['Connect', 'Fetch', 'Send'])
  for (const [, statement] of signing) {
    expect(statement.Resource).toBe(keyArn)
    expect(statement.Condition).toEqual({ StringEquals: { 'kms:SigningAlgorithm': 'RSASSA_PSS_SHA_256' } })
  }
})

test('with a federated app, they may identify to its audience; their roles are an output', () => {
  const identifying = statementsOn('sts:GetWebIdentityToken')
  expect(identifying.map(([name]) => name).sort()).toEqual(['Connect', 'Fetch', 'Send'])
  for (const [, { Condition }] of identifying) {
    expect(Condition).toEqual({
      'ForAllValues:StringEquals': { 'sts:IdentityTokenAudience': ['api://AzureADTokenExchange'] },
    })
  }
  expect(Object.keys(template.findOutputs('FederatedSubjects'))).toHaveLength(1)
})
