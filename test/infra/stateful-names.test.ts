/**
 * What holds data keeps its logical id from release to release: CloudFormation takes another id for another resource, makes
 * an empty one and leaves the full one behind. What other systems bind to keeps its name.
 *
 * What the last release deployed was recorded by test/upgrade/record.ts. What must change of it takes a migration that
 * deploy.md tells.
 */

import { readFile } from 'node:fs/promises'
import { Template } from 'aws-cdk-lib/assertions'
import { expect, test } from 'vitest'
import type { Recording } from '../upgrade/recording.ts'
import { breaksOf, summaryOf } from './released-template.ts'
import { buildApp } from './synthesized.ts'

const { data, system } = buildApp()

/** What release 0.1.0 has deployed. */
const { templates: released }: Recording = JSON.parse(
  await readFile(new URL('../upgrade/release-0.1.0.json', import.meta.url), 'utf8'),
)
/** Added since, and to be kept from here on as well. */
const since = {
  PollMicrosoftBBBA3618: 'AWS::SQS::Queue',
  PollGoogleE54F7997: 'AWS::SQS::Queue',
}

const summaries = () => ({
  PostroomData: summaryOf(Template.fromStack(data).toJSON()),
  Postroom: summaryOf(Template.fromStack(system).toJSON()),
})

test('the stacks keep their names: everything in them has its name from there', () => {
  expect([data.stackName, system.stackName]).toEqual(['PostroomData', 'Postroom'])
})

test('an update of release 0.1.0 replaces nothing that holds data or is known elsewhere, and takes no export from it', () => {
  const { PostroomData, Postroom } = released
  expect(Object.keys(PostroomData?.kept ?? {}).sort()).toEqual([
    'Mail6A3D1F64',
    'Main54E5BC70',
    'OAuthApps1C7958BF',
    'SecretsA3BCC2E9',
    'TokenKeyD1D1A236',
    'WebhookKeyFF363931',
  ])
  expect(Object.keys(Postroom?.kept ?? {})).toEqual(
    expect.arrayContaining(['EventsD32975C2', 'Outbound93131C1F', 'Notify29C25B1B', 'Http36EFD62B']),
  )
  expect(Postroom?.imports.length).toBeGreaterThan(5)
  expect(breaksOf(released, summaries())).toEqual([])
})

test('what was added since keeps its logical id', () => {
  const { kept } = summaries().Postroom
  for (const [id, type] of Object.entries(since)) expect(kept[id]?.type).toBe(type)
})

type Today = ReturnType<typeof summaries>

test.each<[what: string, change: (today: Today) => void, found: RegExp]>([
  [
    'a table under another id',
    ({ PostroomData: { kept } }) => delete kept.Main54E5BC70,
    /^Main54E5BC70: is gone/,
  ],
  [
    'a resource of another type',
    ({ Postroom: { kept } }) => Object.assign(kept.EventsD32975C2 ?? {}, { type: 'AWS::SQS::Queue' }),
    /^EventsD32975C2: is gone/,
  ],
  [
    'a table with a name of its own',
    ({ PostroomData: { kept } }) => Object.assign(kept.Main54E5BC70?.fixed ?? {}, { TableName: 'main' }),
    /^Main54E5BC70\.TableName: its change replaces it/,
  ],
  [
    'another key of a table',
    ({ PostroomData: { kept } }) => Object.assign(kept.SecretsA3BCC2E9?.fixed ?? {}, { KeySchema: [] }),
    /^SecretsA3BCC2E9\.KeySchema: its change replaces it/,
  ],
  [
    'another use of a KMS key',
    ({ PostroomData: { kept } }) =>
      Object.assign(kept.WebhookKeyFF363931?.fixed ?? {}, { KeySpec: 'HMAC_512' }),
    /^WebhookKeyFF363931\.KeySpec: its change replaces it/,
  ],
  [
    'an index less',
    ({ PostroomData: { kept } }) => Object.assign(kept.Main54E5BC70 ?? {}, { indexes: ['listing'] }),
    /^Main54E5BC70: the release before still reads the index due/,
  ],
  [
    'two indexes more',
    ({ PostroomData: { kept } }) => kept.Main54E5BC70?.indexes?.push('one', 'two'),
    /^Main54E5BC70: 2 new indexes in one update/,
  ],
  [
    'an export less',
    ({ PostroomData }) => {
      PostroomData.exports = {}
    },
    /:ExportsOutput\S+: is still imported/,
  ],
  [
    'a role under another name',
    ({ Postroom: { kept } }) => {
      for (const { type, fixed } of Object.values(kept)) if (type === 'AWS::IAM::Role') fixed.RoleName = 'x'
    },
    /^\w+\.RoleName: its change replaces it/,
  ],
])('%s would be found', (_what, change, found) => {
  const today = summaries()
  change(today)
  expect(breaksOf(released, today)[0]).toMatch(found)
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
