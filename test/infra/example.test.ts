/** Postroom as a construct of another CDK app: the example, and two systems side by side. */

import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { App, Stack } from 'aws-cdk-lib'
import { Match, Template } from 'aws-cdk-lib/assertions'
import { expect, test } from 'vitest'
import { HelpDesk } from '../../infra/example/help-desk.ts'
import { synthesize } from '../../infra/local/synthesize.ts'
import { Postroom, PostroomData } from '../../infra/postroom.ts'
import { assemblyFolder } from '../support/cache.ts'

/** Nothing is bundled: what is looked at is how things hang together. */
const newApp = () => new App({ analyticsReporting: false, context: { 'aws:cdk:bundling-stacks': [] } })

const example = (() => {
  const app = newApp()
  const kept = new Stack(app, 'HelpDeskData')
  const desk = new HelpDesk(app, 'HelpDesk', { mailboxes: new PostroomData(kept, 'Mailboxes') })
  return { kept: Template.fromStack(kept), desk: Template.fromStack(desk) }
})()

test('in the example, what must survive lies in one stack and what uses it in the other', () => {
  const kept = [
    'AWS::DynamoDB::GlobalTable',
    'AWS::S3::Bucket',
    'AWS::KMS::Key',
    'AWS::SecretsManager::Secret',
  ]
  expect(kept.map(type => Object.keys(example.kept.findResources(type)).length)).toEqual([2, 1, 2, 1])
  expect(kept.map(type => Object.keys(example.desk.findResources(type)).length)).toEqual([0, 0, 0, 0])
  expect(Object.keys(example.desk.findResources('AWS::Lambda::Function'))).toHaveLength(6)
})

test('in the example, the app hears of the events it wants, sends by the queue, and may call /v1 and nothing else', () => {
  example.desk.hasResourceProperties('AWS::SNS::Subscription', {
    FilterPolicy: { type: ['message.received', 'message.bounced', 'channel.reconnect_required'] },
  })
  example.desk.hasResourceProperties('AWS::IAM::Policy', {
    PolicyDocument: {
      Statement: Match.arrayWith([
        Match.objectLike({ Action: Match.arrayWith(['sqs:SendMessage']) }),
        Match.objectLike({
          Action: 'execute-api:Invoke',
          Resource: { 'Fn::Join': ['', Match.arrayWith([Match.stringLikeRegexp('/\\*/\\*/v1/\\*$')])] },
        }),
      ]),
    },
  })
})

function roleNames(stack: Stack): string[] {
  const roles = Template.fromStack(stack).findResources('AWS::IAM::Role')
  return Object.values(roles)
    .flatMap(({ Properties }) => Properties.RoleName?.['Fn::Join']?.[1]?.[0] ?? [])
    .sort()
}

test('two systems stand in one stack, each with tables and role names of its own', () => {
  const stack = new Stack(newApp(), 'Both')
  new Postroom(stack, 'Live', { configuration: { name: 'Live' } })
  new Postroom(stack, 'Trial', { configuration: { name: 'Trial' } })
  expect(Object.keys(Template.fromStack(stack).findResources('AWS::DynamoDB::GlobalTable'))).toHaveLength(4)
  expect(roleNames(stack)).toEqual(
    ['Live', 'Trial'].flatMap(name =>
      ['api', 'connect', 'fetch', 'notify', 'schedule', 'send'].map(folder => `${name}-${folder}-`),
    ),
  )
})

test('two systems whose roles would have the same names are refused at synth', () => {
  const app = newApp()
  new Postroom(new Stack(app, 'One'), 'Mailboxes', { configuration: { name: 'Mail' } })
  expect(() => new Postroom(new Stack(app, 'Two'), 'Mailboxes', { configuration: { name: 'Mail' } })).toThrow(
    'name must be another for each Postroom of an account and region; found: Mail',
  )
  const elsewhere = new Stack(app, 'Three', { env: { region: 'eu-west-1' } })
  expect(() => new Postroom(elsewhere, 'Mailboxes', { configuration: { name: 'Mail' } })).not.toThrow()
})

test('the same name in another region is another system', () => {
  const app = newApp()
  for (const region of ['eu-west-1', 'us-east-1']) {
    const stack = new Stack(app, `In-${region}`, { env: { region } })
    expect(() => new Postroom(stack, 'Mailboxes', { configuration: { name: 'Mail', region } })).not.toThrow()
  }
})

test('an app in a folder of its own, written as deploy.md has it, is synthesized with the very bundles that ours has', async () => {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const guide = await readFile(join(root, 'infra', 'deploy.md'), 'utf8')
  const [, code = ''] = /```ts\n(.*?)```/s.exec(guide) ?? []
  const folder = await mkdtemp(join(tmpdir(), 'postroom-desk-'))
  try {
    // What `npm i ../postroom` makes.
    await mkdir(join(folder, 'node_modules'))
    await symlink(root, join(folder, 'node_modules', 'postroom'))
    await symlink(join(root, 'node_modules', 'aws-cdk-lib'), join(folder, 'node_modules', 'aws-cdk-lib'))
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
    await writeFile(
      join(folder, 'app.ts'),
      `import { App, Stack } from 'aws-cdk-lib'\nconst app = new App()\n${code}\napp.synth()\n`,
    )
    const environment = { ...process.env, CDK_OUTDIR: join(folder, 'cdk.out'), CDK_VALIDATION: 'false' }
    await promisify(execFile)(process.execPath, ['--experimental-strip-types', 'app.ts'], {
      cwd: folder,
      env: environment,
    })
    const made = await readdir(join(folder, 'cdk.out'))
    expect(made).toEqual(expect.arrayContaining(['Kept.template.json', 'Desk.template.json']))
    await synthesize({ folder: assemblyFolder })
    const isBundle = (name: string) => name.startsWith('asset.')
    expect(made.filter(isBundle)).toEqual((await readdir(assemblyFolder)).filter(isBundle))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}, 120_000)
