/** A Lambda with the defaults of this house: Node 24 on arm64, one ESM bundle, its own log group. */

import { fileURLToPath } from 'node:url'
import { Duration } from 'aws-cdk-lib'
import { Architecture, LoggingFormat, RecursiveLoop, Runtime, Tracing } from 'aws-cdk-lib/aws-lambda'
import { NodejsFunction, OutputFormat } from 'aws-cdk-lib/aws-lambda-nodejs'
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import { type EnvironmentName, environmentNames } from '../functions/channel/environment.ts'

export interface PostroomFunctionProps {
  /** Folder under functions/; its handler is `functions/<folder>/<folder>.ts`. */
  folder: 'connect' | 'api' | 'send' | 'schedule' | 'fetch'
  timeoutSeconds: number
  memoryMegabytes: number
  environment: Partial<Record<EnvironmentName, string>>
}

/** CommonJS inside an ESM bundle (the AWS SDK, the mail libraries) still calls `require`. */
const requireBanner =
  "import{createRequire as createRequireForCommonJs}from'node:module';const require=createRequireForCommonJs(import.meta.url);"

export class PostroomFunction extends NodejsFunction {
  constructor(scope: Construct, id: string, props: PostroomFunctionProps) {
    super(scope, id, {
      entry: fileURLToPath(new URL(`../functions/${props.folder}/${props.folder}.ts`, import.meta.url)),
      projectRoot: fileURLToPath(new URL('..', import.meta.url)),
      depsLockFilePath: fileURLToPath(new URL('../package-lock.json', import.meta.url)),
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      timeout: Duration.seconds(props.timeoutSeconds),
      memorySize: props.memoryMegabytes,
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
      },
      awsSdkConnectionReuse: false,
      tracing: Tracing.ACTIVE,
      recursiveLoop: RecursiveLoop.TERMINATE,
      loggingFormat: LoggingFormat.JSON,
      logGroup: new LogGroup(scope, `${id}Logs`, { retention: RetentionDays.TWO_WEEKS }),
    })
  }
}
