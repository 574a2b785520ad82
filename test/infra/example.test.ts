/** Postroom as a construct of another CDK app: the example, and two systems side by side. */

import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { App, Stack } from 'aws-cdk-lib'
import { Match, Template } from 'aws-cdk-lib/assertions'
import { expect, test } from 'vitest'
import { HelpDesk } from '../../infra/example/help-desk.ts'
import { synthesize } from '../../infra/local/synthesize.ts'
import { Postroom, PostroomData } from '../../infra/postroom.ts'
import manifest from '../../package.json' with { type: 'json' }
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

test('an app that installs the package, written as deploy.md has it, is type-checked and synthesized with all that ours has', async () => {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const folder = await mkdtemp(join(tmpdir(), 'postroom-desk-'))
  const run = async (command: string, ...args: string[]) => {
    const env = { ...process.env, CDK_OUTDIR: join(folder, 'cdk.out'), CDK_VALIDATION: 'false' }
    await promisify(execFile)(command, args, { cwd: folder, env })
  }
  try {
    await run(process.execPath, '--experimental-strip-types', join(root, 'infra', 'package.ts'))
    const tarball = join(root, 'artefacts', `postroom-${manifest.version}.tgz`)
    const installed = join(folder, 'node_modules', 'postroom')
    await mkdir(installed, { recursive: true })
    await run('tar', '-xzf', tarball, '-C', installed, '--strip-components', '1')
    // What it does not declare must not be there.
    const { dependencies, peerDependencies } = JSON.parse(
      await readFile(join(installed, 'package.json'), 'utf8'),
    )
    for (const name of [...Object.keys({ ...dependencies, ...peerDependencies }), '@types/node']) {
      const link = join(folder, 'node_modules', name)
      await mkdir(dirname(link), { recursive: true })
      await symlink(join(root, 'node_modules', name), link)
    }
    const guide = await readFile(join(root, 'infra', 'deploy.md'), 'utf8')
    const [, code = ''] = /```ts\n(.*?)```/s.exec(guide) ?? []
    // In CommonJS, as `cdk init` makes an app.
    await writeFile(
      join(folder, 'app.ts'),
      `import { App, Stack } from 'aws-cdk-lib'\nconst app = new App()\n${code}\napp.synth()\n`,
    )
    const compilerOptions = { module: 'nodenext', strict: true, types: ['node'] }
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['app.ts'] }))
    await run(join(root, 'node_modules', '.bin', 'tsc'), '-p', '.')
    await run(process.execPath, 'app.js')

    const made = join(folder, 'cdk.out')
    await synthesize({ folder: assemblyFolder })
    expect(await resourceTypes(made, ['Kept', 'Desk'])).toEqual(
      await resourceTypes(assemblyFolder, ['PostroomData', 'Postroom']),
    )
    expect(await handlersOf(made)).toEqual(await handlersOf(assemblyFolder))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}, 180_000)

async function resourceTypes(assembly: string, stacks: string[]): Promise<string[]> {
  const templates = await Promise.all(
    stacks.map(async name => JSON.parse(await readFile(join(assembly, `${name}.template.json`), 'utf8'))),
  )
  return templates
    .flatMap(({ Resources }) => Object.values<{ Type: string }>(Resources).map(({ Type }) => Type))
    .sort()
}

/** The files that each bundle starts with. */
async function handlersOf(assembly: string): Promise<string[]> {
  const bundles = (await readdir(assembly)).filter(name => name.startsWith('asset.'))
  const files = await Promise.all(bundles.map(name => readdir(join(assembly, name))))
  return files
    .flat()
    .filter(name => ['index.mjs', 'parse-worker.mjs'].includes(name))
    .sort()
}
