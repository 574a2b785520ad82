/**
 * What holds data keeps its logical id from release to release: CloudFormation takes another id for another resource, makes
 * an empty one and leaves the full one behind. What other systems bind to keeps its name.
 *
 * An entry may be added here with a new resource. One that must change takes a migration that deploy.md tells.
 */

import type { Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { expect, test } from 'vitest'
import { buildApp } from './synthesized.ts'

const { data, system } = buildApp()

/** As of release 0.1.0. */
const storing = {
  Main54E5BC70: 'AWS::DynamoDB::GlobalTable',
  SecretsA3BCC2E9: 'AWS::DynamoDB::GlobalTable',
  Mail6A3D1F64: 'AWS::S3::Bucket',
  TokenKeyD1D1A236: 'AWS::KMS::Key',
  WebhookKeyFF363931: 'AWS::KMS::Key',
  OAuthApps1C7958BF: 'AWS::SecretsManager::Secret',
}

/** As of release 0.1.0: queues hold messages, apps subscribe to the topic, the API's address is in redirect URIs. */
const boundTo = {
  EventsD32975C2: 'AWS::SNS::Topic',
  Outbound93131C1F: 'AWS::SQS::Queue',
  OutboundDeadLettersE7FEDD18: 'AWS::SQS::Queue',
  PollC3D9C052: 'AWS::SQS::Queue',
  PollDeadLetters74A660F3: 'AWS::SQS::Queue',
  PollMicrosoftBBBA3618: 'AWS::SQS::Queue',
  PollGoogleE54F7997: 'AWS::SQS::Queue',
  Notify29C25B1B: 'AWS::SQS::Queue',
  NotifyDeadLetters9789CAC7: 'AWS::SQS::Queue',
  Http36EFD62B: 'AWS::ApiGatewayV2::Api',
}

function typesOf(stack: Stack, ids: object): Record<string, string | undefined> {
  const { Resources } = Template.fromStack(stack).toJSON()
  return Object.fromEntries(Object.keys(ids).map(id => [id, Resources[id]?.Type]))
}

test('the stacks keep their names: everything in them has its name from there', () => {
  expect([data.stackName, system.stackName]).toEqual(['PostroomData', 'Postroom'])
})

test('what holds data keeps its logical id', () => {
  expect(typesOf(data, storing)).toEqual(storing)
})

test('what others are bound to keeps its logical id', () => {
  expect(typesOf(system, boundTo)).toEqual(boundTo)
})

test('an output names each resource that stays when its stack is removed', () => {
  for (const stack of [data, system]) {
    const { Resources, Outputs } = Template.fromStack(stack).toJSON()
    const [name = ''] = Object.keys(Outputs).filter(output => output.startsWith('LeftBy'))
    const named = JSON.stringify(Outputs[name])
    const kept = Object.entries<{ DeletionPolicy?: string; Type: string }>(Resources)
      .filter(([, { DeletionPolicy, Type }]) => DeletionPolicy === 'Retain' && Type !== 'AWS::Logs::LogGroup')
      .map(([id]) => id)
    expect(kept.length).toBeGreaterThan(5)
    expect(kept.filter(id => !named.includes(`"${id}"`))).toEqual([])
  }
})

test('roles keep the names by which a federation knows them', () => {
  const roles = Object.values(Template.fromStack(system).findResources('AWS::IAM::Role'))
  const names = roles.flatMap(({ Properties }) => Properties.RoleName?.['Fn::Join']?.[1]?.[0] ?? [])
  expect(names.sort()).toEqual(
    ['api', 'connect', 'fetch', 'notify', 'schedule', 'send'].map(folder => `Postroom-${folder}-`),
  )
})
