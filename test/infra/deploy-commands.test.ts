/**
 * The commands of deploy.md, run one after the other by the CDK CLI itself against an account that only records
 * (test/support/recording-account.ts). What AWS makes of the templates, it cannot tell.
 */

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { synthesize } from '../../infra/local/synthesize.ts'
import packageJson from '../../package.json' with { type: 'json' }
import { assemblyFolder } from '../support/cache.ts'
import {
  accountId,
  type RecordedCall,
  type RecordingAccount,
  startRecordingAccount,
} from '../support/recording-account.ts'
import { type CdkRun, runCdk } from '../support/running-cdk.ts'

const region = 'eu-west-1'
const stackNames = ['PostroomData', 'Postroom']
const templateFile = (stack: string) => join(assemblyFolder, `${stack}.template.json`)

let account: RecordingAccount
let folder: string
let story: Awaited<ReturnType<typeof tellStory>>

/** Every command once, in the order in which deploy.md has them, with what was there after each that matters. */
async function tellStory() {
  const cdk = (...words: string[]) => runCdk([...words, '--no-notices'], account, folder)
  const ready = ['--app', assemblyFolder]
  const deployWords = packageJson.scripts.deploy.split('cdk ')[1]?.split(' ') ?? []
  const deploy = (...words: string[]) => runCdk([...deployWords, ...ready, ...words], account, folder)
  const approved = ['--require-approval', 'never']

  const notBootstrapped = await deploy(...approved)
  const bootstrap = await cdk('bootstrap', ...ready)
  const notApproved = await deploy()
  const executedBeforeApproval = named('ExecuteChangeSet', [...notBootstrapped.calls, ...notApproved.calls])
  account.stacks.failsOnce = true
  const failed = await deploy(...approved)
  const afterFailure = await deploy(...approved)
  unprotectData()
  const first = await deploy(...approved)
  const deployed = {
    templates: stackNames.map(name => account.stacks.body(name)),
    isProtected: stackNames.map(name => account.stacks.isProtected(name)),
    outputs: { ...account.stacks.outputs('PostroomData'), ...account.stacks.outputs('Postroom') },
  }
  const again = await deploy(...approved)
  const noDifference = await cdk('diff', ...ready)
  const setting = JSON.stringify({ retention: { logDays: 7 } })
  const difference = await cdk('diff', '-c', `postroom=${setting}`, '--output', join(folder, 'cdk.out'))
  const destroySystem = await cdk('destroy', 'Postroom', '--force', ...ready)
  const leftBySystem = [...account.stacks.left]
  const deployAfterDestroy = await deploy(...approved)
  const destroyProtected = await cdk('destroy', 'PostroomData', '--force', ...ready)
  const standingWhenProtected = account.stacks.names
  unprotectData()
  const destroyData = await cdk('destroy', 'PostroomData', '--force', ...ready)
  const standingAtTheEnd = account.stacks.names
  const leftByData = account.stacks.left.filter(name => name.startsWith('PostroomData/'))
  return {
    notBootstrapped,
    bootstrap,
    notApproved,
    executedBeforeApproval,
    failed,
    afterFailure,
    first,
    deployed,
    again,
    noDifference,
    difference,
    destroySystem,
    leftBySystem,
    deployAfterDestroy,
    destroyProtected,
    standingWhenProtected,
    destroyData,
    standingAtTheEnd,
    leftByData,
  }
}

/** `aws cloudformation update-termination-protection`, as deploy.md has it. */
function unprotectData(): void {
  const input = { StackName: 'PostroomData', EnableTerminationProtection: 'false' }
  account.stacks.call('UpdateTerminationProtection', input)
}

function named(action: string, calls: RecordedCall[]): Record<string, string>[] {
  return calls.filter(({ name }) => name === `cloudformation ${action}`).map(({ input }) => input)
}

/** The stacks on which the run executed a change set, in order. */
const executedBy = ({ calls }: CdkRun) =>
  named('ExecuteChangeSet', calls).map(({ StackName = '' }) => StackName.split('/')[1] ?? StackName)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postroom-deploy-'))
  account = await startRecordingAccount({ region })
  await synthesize({ folder: assemblyFolder })
  story = await tellStory()
}, 300_000)

afterAll(async () => {
  account.close()
  await rm(folder, { recursive: true, force: true })
})

test('before the account is bootstrapped, deploying changes nothing and says what is missing', () => {
  const { exitCode, text, calls } = story.notBootstrapped
  expect(exitCode).toBe(1)
  expect(text).toContain("Please run 'cdk bootstrap'")
  expect(named('CreateChangeSet', calls)).toEqual([])
})

test('bootstrapping takes the account of the credentials and the region of the environment', () => {
  const { exitCode, text, calls } = story.bootstrap
  expect(exitCode).toBe(0)
  expect(text).toContain(`aws://${accountId}/${region} bootstrapped`)
  expect(named('CreateChangeSet', calls)).toMatchObject([{ StackName: 'CDKToolkit' }])
})

test('without a terminal to ask at, nothing is deployed', () => {
  expect(story.notApproved.exitCode).toBe(1)
  // What deploy.md quotes: CloudFormation's answer to the CLI's attempt to take the unused stack away again.
  expect(story.notApproved.text).toContain(
    'Stack [PostroomData] cannot be deleted while TerminationProtection is enabled',
  )
  expect(story.executedBeforeApproval).toEqual([])
})

test('nothing stands in the way of deploying after that', () => {
  expect(executedBy(story.failed)).toEqual(['PostroomData'])
})

test('a stack of data that could not be made is in the way until its protection is taken off', () => {
  expect(story.failed.exitCode).toBe(1)
  expect(story.afterFailure.exitCode).toBe(1)
  expect(story.afterFailure.text).toContain(
    'Stack [PostroomData] cannot be deleted while TerminationProtection is enabled',
  )
  expect(executedBy(story.afterFailure)).toEqual([])
  expect(story.first.exitCode).toBe(0)
})

test('data is deployed before the system that imports it', () => {
  expect(executedBy(story.first)).toEqual(stackNames)
})

test('CloudFormation is given the templates as they were synthesized, to the byte', async () => {
  const synthesized = await Promise.all(stackNames.map(name => readFile(templateFile(name), 'utf8')))
  expect(story.deployed.templates).toEqual(synthesized)
})

test('each template and each bundle is uploaded once, and not again by a second deployment', async () => {
  const uploadsOf = ({ calls }: CdkRun) =>
    calls.filter(({ name }) => name === 's3 PUT').map(({ input }) => String(input.key))
  const uploads = [story.notApproved, story.failed, story.afterFailure, story.first].flatMap(uploadsOf)
  expect(new Set(uploads).size).toBe(uploads.length)
  expect(uploads.filter(key => key.endsWith('.json'))).toHaveLength(stackNames.length)
  const bundles = (await readdir(assemblyFolder)).filter(name => name.startsWith('asset.'))
  expect(uploads.filter(key => key.endsWith('.zip'))).toHaveLength(bundles.length)
  expect(uploadsOf(story.again)).toEqual([])
})

test('each stack is made by the role of bootstrapping, with leave to name roles and without a parameter', () => {
  const changeSets = named('CreateChangeSet', story.first.calls)
  const RoleARN = `arn:aws:iam::${accountId}:role/cdk-hnb659fds-cfn-exec-role-${accountId}-${region}`
  expect(changeSets).toMatchObject(stackNames.map(StackName => ({ StackName, RoleARN, Parameters: '' })))
  for (const input of changeSets) expect(Object.values(input)).toContain('CAPABILITY_NAMED_IAM')
})

test('the stack that holds the data is protected before anything is made in it, the other is not', () => {
  const { calls } = story.notApproved
  expect(named('UpdateTerminationProtection', calls)).toMatchObject([
    { StackName: 'PostroomData', EnableTerminationProtection: 'true' },
  ])
  expect(story.deployed.isProtected).toEqual([true, false])
})

test('every output is printed by its name', () => {
  const printed = [...story.first.text.matchAll(/^Postroom(?:Data)?\.(\w+) = (.+)$/gm)]
  expect(Object.fromEntries(printed.map(([, name, value]) => [name, value]))).toEqual(story.deployed.outputs)
  expect(story.deployed.outputs).toHaveProperty('Url')
})

test('a second deployment executes nothing and says so of both stacks', () => {
  expect(story.again.exitCode).toBe(0)
  expect(executedBy(story.again)).toEqual([])
  for (const stack of stackNames) expect(story.again.text).toContain(`${stack} (no changes)`)
})

test('diff tells of nothing when nothing differs', () => {
  expect(story.noDifference.exitCode).toBe(0)
  expect(story.noDifference.text).toContain('Number of stacks with differences: 0')
})

test('diff shows what a changed setting changes, function code not among it, and executes nothing', () => {
  const { exitCode, text, calls } = story.difference
  expect(exitCode).toBe(0)
  expect(text).toContain('Number of stacks with differences: 1')
  const changed = [...text.matchAll(/^\[[~+-]\] (\S+)/gm)].map(([, type]) => type)
  expect([...new Set(changed)]).toEqual(['AWS::Logs::LogGroup'])
  expect(text).toMatch(/\[-\] 14\s+└─ \[\+\] 7/)
  expect(named('ExecuteChangeSet', calls)).toEqual([])
})

test('removing the system leaves its queues and log groups, and the data untouched', () => {
  expect(story.destroySystem.exitCode).toBe(0)
  expect(story.leftBySystem).toEqual(retainedOf('Postroom'))
  expect(named('DeleteStack', story.destroySystem.calls)).toHaveLength(1)
})

test('deployed again after that, the system is made anew and finds the data as it was', () => {
  expect(story.deployAfterDestroy.exitCode).toBe(0)
  expect(executedBy(story.deployAfterDestroy)).toEqual(['Postroom'])
  expect(story.deployAfterDestroy.text).toContain('PostroomData (no changes)')
})

test('removing the data is refused while it is protected; the system is gone by then', () => {
  const { exitCode, text } = story.destroyProtected
  expect(exitCode).toBe(1)
  // deploy.md warns of it: the CLI takes the stacks that depend on this one first.
  expect(text).toContain('Including depending stacks: Postroom')
  expect(text).toContain('Stack [PostroomData] cannot be deleted while TerminationProtection is enabled')
  expect(story.standingWhenProtected).toEqual(['CDKToolkit', 'PostroomData'])
})

test('without protection the stack goes, and all that holds data stays', () => {
  expect(story.destroyData.exitCode).toBe(0)
  expect(story.standingAtTheEnd).toEqual(['CDKToolkit'])
  expect(story.leftByData).toEqual(retainedOf('PostroomData'))
  expect(story.leftByData).toHaveLength(6)
})

function retainedOf(stack: string): string[] {
  const { Resources } = JSON.parse(story.deployed.templates[stackNames.indexOf(stack)] ?? '')
  return Object.entries(Resources as Record<string, { DeletionPolicy?: string }>)
    .filter(([, { DeletionPolicy }]) => DeletionPolicy?.startsWith('Retain'))
    .map(([id]) => `${stack}/${id}`)
}
