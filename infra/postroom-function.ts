/** A Lambda with the defaults of this house: Node 24 on arm64, one ESM bundle, its own log group. */

import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Aws, Duration } from 'aws-cdk-lib'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Architecture, LoggingFormat, RecursiveLoop, Runtime, Tracing } from 'aws-cdk-lib/aws-lambda'
import { type ICommandHooks, NodejsFunction, OutputFormat } from 'aws-cdk-lib/aws-lambda-nodejs'
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import { type EnvironmentName, environmentNames } from '../functions/channel/environment.ts'
import { memoryMegabytes } from './memory.ts'
import type { FunctionFolder } from './privileges.ts'
import { timeoutSeconds } from './timeouts.ts'

export interface PostroomFunctionProps {
  /** Folder under functions/; its handler is `functions/<folder>/<folder>.ts`. */
  folder: FunctionFolder | 'console'
  /** Begins the name of its role. */
  systemName: string
  logDays: RetentionDays
  tracing: boolean
  /** All that it may do, besides writing its log and its traces. */
  may: PolicyStatement[]
  environment: Partial<Record<EnvironmentName, string>>
  /** File of the folder that runs in worker threads, without its ending: it gets a bundle of its own, beside the function's. */
  worker?: string
  /** Commands that put more files beside the bundle. */
  filesBeside?(inputDir: string, outputDir: string): string[]
}

/** CommonJS inside an ESM bundle (the AWS SDK, the mail libraries) still calls `require`. */
const requireBanner =
  "import{createRequire as createRequireForCommonJs}from'node:module';const require=createRequireForCommonJs(import.meta.url);"

export class PostroomFunction extends NodejsFunction {
  constructor(scope: Construct, id: string, props: PostroomFunctionProps) {
    const logGroup = new LogGroup(scope, `${id}Logs`, { retention: props.logDays })
    const role = new Role(scope, `${id}Role`, {
      // Fixed: an identity federation at a provider names the role, and would break with a generated name.
      roleName: `${props.systemName}-${props.folder}-${Aws.REGION}`,
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
    })
    for (const statement of [...props.may, mayWriteTo(logGroup)]) role.addToPrincipalPolicy(statement)

    super(scope, id, {
      role,
      entry: fileURLToPath(new URL(`../functions/${props.folder}/${props.folder}.ts`, import.meta.url)),
      projectRoot: fileURLToPath(new URL('..', import.meta.url)),
      depsLockFilePath: fileURLToPath(new URL('../package-lock.json', import.meta.url)),
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      timeout: Duration.seconds(timeoutSeconds[props.folder]),
      memorySize: memoryMegabytes[props.folder],
      environment: Object.fromEntries(
        Object.entries(props.environment).map(([name, value]) => [
          environmentNames[name as EnvironmentName],
          value,
        ]),
      ),
      bundling: {
        format: OutputFormat.ESM,
        target: 'node24',
        mainFields: ['module', 'main'],
        minify: true,
        sourceMap: true,
        sourcesContent: false,
        // The SDK is bundled and pinned: what was tested is what runs, here and on AWS.
        externalModules: [],
        banner: requireBanner,
        ...(props.worker && { commandHooks: bundleBeside(`functions/${props.folder}/${props.worker}`) }),
        ...(props.filesBeside && { commandHooks: { ...noHooks, afterBundling: props.filesBeside } }),
      },
      awsSdkConnectionReuse: false,
      tracing: props.tracing ? Tracing.ACTIVE : Tracing.DISABLED,
      recursiveLoop: RecursiveLoop.TERMINATE,
      loggingFormat: LoggingFormat.JSON,
      logGroup,
    })
  }
}

/** Instead of AWS's managed policy, which may create and write any log group of the account. */
function mayWriteTo(logGroup: LogGroup): PolicyStatement {
  return new PolicyStatement({
    sid: 'WriteLog',
    actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
    resources: [logGroup.logGroupArn],
  })
}

const noHooks: ICommandHooks = { beforeBundling: () => [], beforeInstall: () => [], afterBundling: () => [] }

/** CDK bundles one file for a function; a worker thread needs another. */
function bundleBeside(source: string): ICommandHooks {
  return {
    ...noHooks,
    afterBundling: (inputDir, outputDir) => [
      [
        `npx --no-install esbuild "${inputDir}/${source}.ts" --outfile="${outputDir}/${basename(source)}.mjs"`,
        '--bundle --minify --platform=node --format=esm --target=node24 --main-fields=module,main --log-level=warning',
        `--banner:js="${requireBanner}"`,
      ].join(' '),
    ],
  }
}
