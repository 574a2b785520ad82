/** The owner's configuration: what is not usable is refused with field, rule and value; what is usable takes effect. */

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Match, Template } from 'aws-cdk-lib/assertions'
import { describe, expect, test } from 'vitest'
import { readConfiguration } from '../../infra/configuration.ts'
import { buildApp } from './synthesized.ts'

const certificateArn = 'arn:aws:acm:eu-west-1:111122223333:certificate/0a1b'
const domain = { name: 'mail.example.com', certificateArn }

describe('each value that is not usable is refused with field, rule and value', () => {
  test.each<[object, string]>([
    [{ pollMinutes: 5 }, 'pollMinutes is not a known field; found: 5'],
    [
      { name: 'my mail' },
      'name must be at most 39 letters, digits and dashes, beginning with a letter; found: my mail',
    ],
    [{ region: 'Ireland' }, 'region must be a region, such as eu-west-1; found: Ireland'],
    [
      { domain: { ...domain, name: 'https://mail.example.com' } },
      'domain.name must be a host name in lower case, such as mail.example.com; found: https://mail.example.com',
    ],
    [
      { domain: { ...domain, certificateArn: 'mine' } },
      'domain.certificateArn must be the ARN of a certificate in ACM; found: mine',
    ],
    [
      { domain: { ...domain, hostedZone: { id: 'Z1', name: 'example.org' } } },
      'domain.hostedZone.name must be the domain or a parent of it; found: example.org',
    ],
    [
      { domain, region: 'us-east-1' },
      'domain.certificateArn must be of the region us-east-1; found: eu-west-1',
    ],
    [
      { domain, publicUrl: 'https://mail.example.com' },
      'publicUrl must not be set where there is a domain; found: https://mail.example.com',
    ],
    [
      { publicUrl: 'http://mail.example.com' },
      'publicUrl must be an https URL; found: http://mail.example.com',
    ],
    [
      { publicUrl: 'https://mail.example.com/' },
      'publicUrl must not end with a slash; found: https://mail.example.com/',
    ],
    [{ appName: '' }, 'appName '],
    [{ returnUrls: ['/connected'] }, 'returnUrls.0 must be a URL; found: /connected'],
    ...['javascript:alert(1)', 'data:text/html,x', 'http://desk.example.com'].map(
      (found): [object, string] => [
        { returnUrls: [found] },
        `returnUrls.0 must begin with https://, http://localhost or an installed app's own scheme, such as com.example.desk:; found: ${found}`,
      ],
    ),
    [{ pollIntervalMinutes: 7 }, 'pollIntervalMinutes must be one of 1, 5, 15, 60; found: 7'],
    [{ pollIntervalMinutes: '5' }, 'pollIntervalMinutes must be one of 1, 5, 15, 60; found: "5"'],
    [{ domain: { name: 'mail.example.com' } }, 'domain.certificateArn must be given; found: nothing'],
    [[], 'postroom must be an object; found: a list of 0'],
    [
      { pollConcurrency: { microsoft: 1 } },
      'pollConcurrency.microsoft must be a whole number from 2 to 1000; found: 1',
    ],
    [{ pollConcurrency: { outlook: 5 } }, 'pollConcurrency.outlook must be one of microsoft, google,'],
    [{ retention: { logDays: 15 } }, 'retention.logDays must be one of 1, 3, 5, 7, 14, 30,'],
    [{ retention: { mailDays: 7 } }, 'retention.mailDays must be a whole number from 30 to 36500; found: 7'],
    [
      { retention: { recoveryDays: 36 } },
      'retention.recoveryDays must be a whole number from 1 to 35; found: 36',
    ],
    [{ authentication: { type: 'none' } }, 'authentication.type must be iam or jwt; found: none'],
    [
      {
        authentication: {
          type: 'jwt',
          issuer: 'http://id.example.com',
          audience: ['a'],
          accountClaim: 'sub',
        },
      },
      'authentication.issuer must be an https URL; found: http://id.example.com',
    ],
    [{ tables: { main: 'no' } }, 'tables.main must be the name of a table; found: no'],
    [
      { restored: { at: 'yesterday', mode: 'resume' } },
      'restored.at must be a time in UTC, such as 2026-11-26T12:00:00Z; found: yesterday',
    ],
    [
      { restored: { at: '2026-11-26T12:00:00Z', mode: 'replay' } },
      'restored.mode must be resume or resync; found: replay',
    ],
    [{ apps: { outlook: {} } }, 'apps.outlook must be one of microsoft, google,'],
    [
      { apps: { microsoft: { signingKeyArn: 'alias/mail' } } },
      'apps.microsoft.signingKeyArn must be the ARN of a KMS key; found: alias/mail',
    ],
    [
      { apps: { microsoft: { clientSecret: 'hush' } } },
      'apps.microsoft.clientSecret is not a known field; found: (not shown)',
    ],
    [
      { providers: { microsoft: { tokenEndpoint: 'http://login.example.com' } } },
      'providers.microsoft.tokenEndpoint must be an https URL (http only on loopback); found: http://login.example.com',
    ],
    [{ providers: { mine: { displayName: 'Mine' } } }, 'providers.mine.issuer '],
  ])('%j', (configuration, words) => {
    expect(() => readConfiguration(configuration)).toThrow(words)
  })
})

test('a browser may return to https, to this machine and to an installed app', () => {
  const returnUrls = ['https://desk.example.com/x', 'http://localhost:3000/x', 'com.example.desk:/connected']
  expect(readConfiguration({ returnUrls }).returnUrls).toEqual(returnUrls)
})

test('all faults are told at once', () => {
  expect(() => readConfiguration({ region: 'X', pollIntervalMinutes: 2 })).toThrow(
    /region must be .*\n.*pollIntervalMinutes must be /,
  )
})

test('what the CLI hands on as JSON is read as such, and refused if it is none', () => {
  expect(readConfiguration('{"pollIntervalMinutes": 15}').pollIntervalMinutes).toBe(15)
  expect(() => readConfiguration('pollIntervalMinutes: 15')).toThrow('postroom must be JSON; found: poll')
})

test('whoever synthesizes with a setting that is not usable sees the fault, and no stack trace', async () => {
  const context = JSON.stringify({ postroom: { regoin: 'eu-west-1' } })
  const synth = promisify(execFile)(process.execPath, ['--experimental-strip-types', 'infra/app.ts'], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { ...process.env, CDK_CONTEXT_JSON: context, NODE_NO_WARNINGS: '1' },
  })
  await expect(synth).rejects.toMatchObject({
    code: 1,
    stderr: 'The configuration "postroom" is not usable:\n  regoin is not a known field; found: eu-west-1\n',
  })
})

test('what was read once can be read again', () => {
  const configuration = readConfiguration({ domain, retention: { mailDays: 90 } })
  expect(readConfiguration(configuration)).toEqual(configuration)
})

test('each provider that is named has a queue for its polls and a share of fetch, the others have one together', () => {
  const { system } = buildApp({
    configuration: { pollConcurrency: { google: 4, others: 2, 'microsoft-gcc-high': 6 } },
  })
  const template = Template.fromStack(system)
  const caps = Object.entries(template.findResources('AWS::Lambda::EventSourceMapping')).flatMap(
    ([id, { Properties }]) => {
      const { ScalingConfig, EventSourceArn, BatchSize } = Properties
      const cap = ScalingConfig?.MaximumConcurrency
      return cap
        ? [[id.replace(/ToFetch.*/, ''), cap, BatchSize, EventSourceArn['Fn::GetAtt'][0].slice(0, -8)]]
        : []
    },
  )
  expect(caps.sort()).toEqual([
    ['Poll', 2, 1, 'Poll'],
    ['PollGoogle', 4, 1, 'PollGoogle'],
    ['PollMicrosoft', 20, 1, 'PollMicrosoft'],
    ['PollMicrosoftGccHigh', 6, 1, 'PollMicrosoftGccHigh'],
  ])
})

test('with a domain, the API answers under it alone, and people and providers are told of it', () => {
  const { system, postroom } = buildApp({
    configuration: { domain: { ...domain, hostedZone: { id: 'Z1', name: 'example.com' } } },
  })
  const template = Template.fromStack(system)
  expect(postroom.url).toBe('https://mail.example.com')
  template.hasResourceProperties('AWS::ApiGatewayV2::Api', { DisableExecuteApiEndpoint: true })
  template.hasResourceProperties('AWS::ApiGatewayV2::DomainName', {
    DomainName: 'mail.example.com',
    DomainNameConfigurations: [{ CertificateArn: certificateArn, SecurityPolicy: 'TLS_1_2' }],
  })
  template.resourceCountIs('AWS::ApiGatewayV2::ApiMapping', 1)
  template.hasResourceProperties('AWS::Route53::RecordSet', { Name: 'mail.example.com.', Type: 'A' })
  template.hasResourceProperties('AWS::Lambda::Function', {
    Environment: { Variables: { PUBLIC_URL: 'https://mail.example.com' } },
  })
})

test('without a hosted zone the owner is told where to point the name', () => {
  const { system } = buildApp({ configuration: { domain } })
  const template = Template.fromStack(system)
  template.resourceCountIs('AWS::Route53::RecordSet', 0)
  expect(Object.keys(template.findOutputs('DomainTarget'))).toHaveLength(1)
})

test('retention reaches logs, mail and tables', () => {
  const { data, system } = buildApp({
    configuration: { retention: { logDays: 30, mailDays: 90, recoveryDays: 7 } },
  })
  Template.fromStack(system).allResourcesProperties('AWS::Logs::LogGroup', { RetentionInDays: 30 })
  const template = Template.fromStack(data)
  template.hasResourceProperties('AWS::S3::Bucket', {
    LifecycleConfiguration: {
      Rules: Match.arrayWith([{ ExpirationInDays: 90, Status: 'Enabled' }]),
    },
  })
  for (const table of Object.values(template.findResources('AWS::DynamoDB::GlobalTable'))) {
    expect(table.Properties.Replicas[0].PointInTimeRecoverySpecification).toEqual({
      PointInTimeRecoveryEnabled: true,
      RecoveryPeriodInDays: 7,
    })
  }
})

test('restored tables take the place of those made here, in what functions are told and may do', () => {
  const restored = { at: '2026-11-26T12:00:00Z', mode: 'resume' } as const
  const { data, system } = buildApp({ configuration: { tables: { main: 'main-restored' }, restored } })
  const template = Template.fromStack(system)
  template.hasResourceProperties('AWS::Lambda::Function', {
    Environment: { Variables: { MAIN_TABLE: 'main-restored', RESTORED: JSON.stringify(restored) } },
  })
  const policies = JSON.stringify(template.findResources('AWS::IAM::Policy'))
  expect(policies).toContain('table/main-restored')
  expect(policies).not.toContain('ExportsOutputFnGetAttMain')
  // The ones that are replaced are nobody's to delete but the owner's.
  Template.fromStack(data).resourceCountIs('AWS::DynamoDB::GlobalTable', 2)
})

test('regression: with a domain and no region, the stacks were made where its certificate does not serve', () => {
  const { data, system } = buildApp({ configuration: { domain } })
  expect([data.region, system.region]).toEqual(['eu-west-1', 'eu-west-1'])
})

test('a region binds both stacks to it', () => {
  const { data, system } = buildApp({ configuration: { region: 'eu-west-1' } })
  expect([data.region, system.region]).toEqual(['eu-west-1', 'eu-west-1'])
})

test('what must survive is protected, and kept when its stack is removed', () => {
  const { data, system } = buildApp()
  expect([data.terminationProtection, system.terminationProtection]).toEqual([true, false])
  const { Resources } = Template.fromStack(data).toJSON()
  const removable = Object.entries<{ Type: string; DeletionPolicy?: string }>(Resources)
    .filter(([, { DeletionPolicy }]) => DeletionPolicy !== 'Retain')
    .map(([, { Type }]) => Type)
  expect(removable).toEqual(['AWS::S3::BucketPolicy'])
})
