/** A Lambda with the defaults of this house: Node 24 on arm64, one ESM bundle, its own log group. */

import { Aws, Duration } from 'aws-cdk-lib'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import {
  Architecture,
  Function as LambdaFunction,
  LoggingFormat,
  RecursiveLoop,
  Runtime,
  Tracing,
} from 'aws-cdk-lib/aws-lambda'
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import { type EnvironmentName, environmentNames } from '../functions/channel/environment.ts'
import { codeOf } from './function-code.ts'
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
  /** Puts more files beside the bundle. */
  filesBeside?(outputFolder: string): void
}

export class PostroomFunction extends LambdaFunction {
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
      code: codeOf(props),
      handler: 'index.handler',
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
