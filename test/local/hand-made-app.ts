/** A synthesized app made by hand: a template and function bundles in a temporary folder, run by the local cloud. */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Cloud, type CloudOptions, startCloud } from '../../infra/local/cloud.ts'

export interface HandMadeApp {
  /** Resources of the one stack, `App`, as in a template; functions are added to them. */
  resources?: Record<string, object>
  outputs?: Record<string, object>
  functions?: Record<string, HandMadeFunction>
}

export interface HandMadeFunction {
  /** The bundle, an ES module that exports `handler`. */
  code: string
  timeoutSeconds?: number
  memoryMegabytes?: number
  variables?: Record<string, unknown>
}

export interface RunningApp {
  cloud: Cloud
  /** What the cloud logged so far. */
  lines: Record<string, unknown>[]
  /** Options of this start, to start once more over the same folder. */
  options: CloudOptions
}

export const apiKey = 'key-of-the-test'

export async function makeFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'postroom-local-'))
}

/** Writes the assembly into a fresh folder and starts it; `end` removes all of it. */
export async function runApp(
  app: HandMadeApp,
  given: Partial<CloudOptions> = {},
): Promise<RunningApp & { end(): Promise<void> }> {
  const root = await makeFolder()
  const lines: Record<string, unknown>[] = []
  const options: CloudOptions = {
    assembly: await writeAssembly(join(root, 'assembly'), app),
    folder: join(root, 'data'),
    port: 0,
    apiKey,
    secrets: {},
    environment: {},
    log: line => lines.push({ ...line }),
    ...given,
  }
  const cloud = await startCloud(options)
  const end = async () => {
    await cloud.close()
    await rm(root, { recursive: true, force: true })
  }
  return { cloud, lines, options, end }
}

async function writeAssembly(folder: string, app: HandMadeApp): Promise<string> {
  const resources: Record<string, object> = { ...app.resources }
  for (const [name, { code, timeoutSeconds = 5, memoryMegabytes = 128, variables = {} }] of Object.entries(
    app.functions ?? {},
  )) {
    await mkdir(join(folder, `asset.${name}`), { recursive: true })
    await writeFile(join(folder, `asset.${name}`, 'index.mjs'), code)
    resources[name] = {
      Type: 'AWS::Lambda::Function',
      Properties: {
        Code: { S3Bucket: 'assets', S3Key: `${name}.zip` },
        Handler: 'index.handler',
        Runtime: 'nodejs24.x',
        Timeout: timeoutSeconds,
        MemorySize: memoryMegabytes,
        Environment: { Variables: variables },
      },
    }
  }
  await mkdir(folder, { recursive: true })
  await writeFile(
    join(folder, 'App.template.json'),
    JSON.stringify({ Resources: resources, Outputs: app.outputs ?? {} }),
  )
  await writeFile(
    join(folder, 'manifest.json'),
    JSON.stringify({
      artifacts: {
        App: { type: 'aws:cloudformation:stack', properties: { templateFile: 'App.template.json' } },
        Tree: { type: 'cdk:tree', properties: { file: 'tree.json' } },
      },
    }),
  )
  return folder
}

/** A route of the HTTP API with its integration. */
export function route(
  id: string,
  { key, to, authorization = 'NONE' }: { key: string; to: string; authorization?: string },
): Record<string, object> {
  return {
    [`${id}Integration`]: {
      Type: 'AWS::ApiGatewayV2::Integration',
      Properties: { IntegrationType: 'AWS_PROXY', IntegrationUri: { 'Fn::GetAtt': [to, 'Arn'] } },
    },
    [id]: {
      Type: 'AWS::ApiGatewayV2::Route',
      Properties: {
        RouteKey: key,
        AuthorizationType: authorization,
        Target: { 'Fn::Join': ['', ['integrations/', { Ref: `${id}Integration` }]] },
      },
    },
  }
}

/** A queue that a function reads, with its dead letters. */
export function queueFor(
  to: string,
  {
    visibilitySeconds = 30,
    maxReceiveCount = 3,
    batchSize = 10,
    maxConcurrency,
  }: {
    visibilitySeconds?: number
    maxReceiveCount?: number
    batchSize?: number
    maxConcurrency?: number
  } = {},
): Record<string, object> {
  return {
    Dead: { Type: 'AWS::SQS::Queue', Properties: {} },
    Work: {
      Type: 'AWS::SQS::Queue',
      Properties: {
        VisibilityTimeout: visibilitySeconds,
        RedrivePolicy: { deadLetterTargetArn: { 'Fn::GetAtt': ['Dead', 'Arn'] }, maxReceiveCount },
      },
    },
    WorkSource: {
      Type: 'AWS::Lambda::EventSourceMapping',
      Properties: {
        BatchSize: batchSize,
        EventSourceArn: { 'Fn::GetAtt': ['Work', 'Arn'] },
        FunctionName: { Ref: to },
        FunctionResponseTypes: ['ReportBatchItemFailures'],
        ...(maxConcurrency && { ScalingConfig: { MaximumConcurrency: maxConcurrency } }),
      },
    },
  }
}

export const queueOutputs = { Work: { Value: { Ref: 'Work' } }, Dead: { Value: { Ref: 'Dead' } } }

/** What an SDK client needs besides the endpoint. */
export const clientDefaults = {
  region: 'us-east-1',
  credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
}
