/** What can be known of the template without an account: CloudFormation would take it, and nothing in it is idle. */

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App, Stack } from 'aws-cdk-lib'
import { Template as Assertions } from 'aws-cdk-lib/assertions'
import { expect, test } from 'vitest'
import type { ConfigurationInput } from '../../infra/configuration-schema.ts'
import { HelpDesk } from '../../infra/example/help-desk.ts'
import { synthesize } from '../../infra/local/synthesize.ts'
import { PostroomData } from '../../infra/postroom.ts'
import { assemblyFolder } from '../support/cache.ts'
import { buildApp } from './synthesized.ts'
import { faultsOf, type Template } from './template-faults.ts'

const everythingOn: ConfigurationInput = {
  name: 'Mailroom',
  region: 'eu-west-1',
  domain: {
    name: 'mail.example.com',
    certificateArn: 'arn:aws:acm:eu-west-1:111111111111:certificate/1',
    hostedZone: { id: 'Z1', name: 'example.com' },
  },
  authentication: {
    type: 'jwt',
    issuer: 'https://login.example.com',
    audience: ['postroom'],
    accountClaim: 'account',
  },
  operations: {
    alarms: true,
    dashboard: true,
    tracing: true,
    email: 'ops@example.com',
    monthlyBudgetUsd: 20,
  },
  retention: { logDays: 30, mailDays: 400, recoveryDays: 7 },
}

const templateOf = (stack: Stack) => Assertions.fromStack(stack).toJSON() as Template
const ourStacks = (configuration?: ConfigurationInput) => {
  const { data, system } = buildApp({ configuration })
  return [templateOf(data), templateOf(system)]
}

function exampleStacks() {
  const app = new App({ analyticsReporting: false, context: { 'aws:cdk:bundling-stacks': [] } })
  const kept = new Stack(app, 'HelpDeskData')
  const desk = new HelpDesk(app, 'HelpDesk', { mailboxes: new PostroomData(kept, 'Mailboxes') })
  return [templateOf(kept), templateOf(desk)]
}

const everyTemplate: [string, () => Template[]][] = [
  ['as it is without configuration', () => ourStacks()],
  ['with everything that can be switched on', () => ourStacks(everythingOn)],
  ['within another app', exampleStacks],
]

test.each(everyTemplate)('CloudFormation takes the template %s', (_which, templates) => {
  expect(templates().flatMap(faultsOf)).toEqual([])
})

test.each([
  ['a type that is none', '"AWS::SQS::Queue"', '"AWS::SQS::Quue"', "Unknown resource type 'AWS::SQS::Quue'"],
  ['a property that is none', '"KeyType":"HASH"', '"KeyTyp":"HASH"', "'KeyTyp' was unexpected"],
  ['a property that is missing', '"FunctionName":', '"Name":', "'FunctionName' is a required property"],
  [
    'a value of another type',
    '"EnableKeyRotation":true',
    '"EnableKeyRotation":"often"',
    'EnableKeyRotation:',
  ],
  ['a number out of range', '"RecoveryPeriodInDays":35', '"RecoveryPeriodInDays":36', 'maximum of 35'],
  ['a value that is none of those allowed', '"PAY_PER_REQUEST"', '"FREE"', "'FREE' is not one of"],
  [
    'a policy that says nothing',
    '"sqs:ReceiveMessage"],"Effect":"Allow"',
    '"sqs:ReceiveMessage"],"Effect":"Perhaps"',
    "'Perhaps' is not one of",
  ],
  ['a reference to nothing', '"Queues":[{"Ref":"', '"Queues":[{"Ref":"No', 'is not one of'],
  ['an attribute that is none', '","Arn"]}', '","Arm"]}', "'Arm' is not one of"],
])('%s is found', (_what, right, wrong, fault) => {
  const spoilt = ourStacks()
    .map(template => JSON.stringify(template))
    .filter(text => text.includes(right))
    .map(text => JSON.parse(text.replace(right, wrong)) as Template)
  expect(spoilt).not.toEqual([])
  for (const template of spoilt) expect(faultsOf(template).join('\n')).toContain(fault)
})

test.each(everyTemplate)(
  'no resource of the template %s is passed over: a property that none has is found in each',
  (_which, stacks) => {
    for (const template of stacks()) {
      for (const resource of Object.values(template.Resources))
        resource.Properties = { ...resource.Properties, Unheard: 1 }
      const found = faultsOf(template).filter(fault => fault.includes("'Unheard' was unexpected"))
      expect(found.map(fault => fault.split(':')[0]).toSorted()).toEqual(
        Object.keys(template.Resources).toSorted(),
      )
    }
  },
)

/** What does its work by standing in the template; all else must be used by something. */
const worksByItself = new Set([
  'AWS::ApiGatewayV2::ApiMapping',
  'AWS::ApiGatewayV2::Route',
  'AWS::ApiGatewayV2::Stage',
  'AWS::Budgets::Budget',
  'AWS::CloudWatch::Alarm',
  'AWS::CloudWatch::Dashboard',
  'AWS::IAM::Policy',
  'AWS::Lambda::EventSourceMapping',
  'AWS::Lambda::Permission',
  'AWS::Route53::RecordSet',
  'AWS::S3::BucketPolicy',
  'AWS::SNS::Subscription',
  'AWS::SNS::TopicPolicy',
  'AWS::SQS::QueuePolicy',
  'AWS::Scheduler::Schedule',
])

/** What only guards or watches a resource makes no use of it. */
const onlyGuards = new Set([
  'AWS::CloudWatch::Alarm',
  'AWS::CloudWatch::Dashboard',
  'AWS::S3::BucketPolicy',
  'AWS::SNS::TopicPolicy',
  'AWS::SQS::QueuePolicy',
])

function idleIn(templates: Template[]): string[] {
  const users = templates.flatMap(({ Resources, Outputs = {} }) => [
    ...Object.entries(Resources).filter(([, { Type }]) => !onlyGuards.has(Type)),
    ['Outputs', Outputs] as const,
  ])
  // What the other stack has stands in the name of an import: `PostroomData:ExportsOutputRefMain…`.
  const isUsed = (id: string) =>
    users.some(
      ([user, itself]) =>
        user !== id &&
        new RegExp(`"(Ref|Fn::GetAtt|DependsOn|Fn::ImportValue)":[^}]*${id}`).test(JSON.stringify(itself)),
    )
  return templates
    .flatMap(({ Resources }) => Object.entries(Resources))
    .filter(([id, { Type }]) => !worksByItself.has(Type) && !isUsed(id))
    .map(([id, { Type }]) => `${Type} ${id}`)
}

test.each([
  ['without configuration', undefined],
  ['with everything that can be switched on', everythingOn],
])('nothing stands in the template %s that nobody uses', (_which, configuration) => {
  expect(idleIn(ourStacks(configuration))).toEqual([])
})

test('a queue that nobody but its own policy names is found', () => {
  const [data, system] = ourStacks()
  const Resources = {
    ...system?.Resources,
    Idle: { Type: 'AWS::SQS::Queue' },
    IdlePolicy: { Type: 'AWS::SQS::QueuePolicy', Properties: { Queues: [{ Ref: 'Idle' }] } },
  }
  expect(idleIn([data as Template, { ...system, Resources }])).toEqual(['AWS::SQS::Queue Idle'])
})

test('made twice, in other processes and folders, bundles and all, the template is the same to the byte', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postroom-template-'))
  try {
    const again = await synthesize({ folder })
    const before = await synthesize({ folder: assemblyFolder })
    for (const stack of ['PostroomData', 'Postroom']) {
      const file = `${stack}.template.json`
      expect(await readFile(join(again, file), 'utf8')).toBe(await readFile(join(before, file), 'utf8'))
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}, 120_000)
