/** The template's Lambda functions: what each runs and what its environment says. */

import { devNull } from 'node:os'
import { join } from 'node:path'
import type { FunctionDefinition } from './execution-environment.ts'
import { numberOf, objectOf, textOf } from './json-shape.ts'
import { localSecret } from './presigned-requests.ts'
import { type Assembly, type Identity, plainName, type Resource, region } from './template.ts'

export interface Endpoints {
  aws: string
  dynamodb: string
  kms: string
}

export interface FunctionSurroundings {
  assembly: Assembly
  endpoints: Endpoints
  /** Values that replace what the template gives to a variable of this name. */
  overrides: Record<string, string>
}

/**
 * @param resource with intrinsics resolved
 * @returns undefined if the function's code is no folder of the assembly or not JavaScript
 */
export function defineFunction(
  resource: Resource,
  identity: Identity,
  surroundings: FunctionSurroundings,
): FunctionDefinition | undefined {
  const { properties } = resource
  const folder = assetFolder(resource)
  const [module, exportName] = (textOf(properties.Handler) ?? '').split('.')
  if (!folder || !module || !exportName || !textOf(properties.Runtime)?.startsWith('nodejs')) return undefined

  const memoryMegabytes = numberOf(properties.MemorySize) ?? 128
  return {
    name: plainName(resource.logicalId),
    functionName: identity.ref,
    arn: identity.attributes.Arn ?? '',
    file: join(surroundings.assembly.folder, folder, `${module}.mjs`),
    exportName,
    memoryMegabytes,
    // Lambda's own default is 3 seconds.
    timeoutMs: (numberOf(properties.Timeout) ?? 3) * 1000,
    environment: {
      ...variablesOf(properties, surroundings.overrides),
      ...sdkEnvironment(surroundings.endpoints, identity.ref),
      AWS_LAMBDA_FUNCTION_NAME: identity.ref,
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMegabytes),
    },
  }
}

/** CDK names the folder in the metadata only if the CLI asks for it; else the folder follows from the object's name. */
function assetFolder({ metadata, properties }: Resource): string | undefined {
  const key = textOf(objectOf(properties.Code).S3Key)
  return textOf(metadata['aws:asset:path']) ?? (key && `asset.${key.replace(/\.zip$/, '')}`)
}

function variablesOf(
  properties: Record<string, unknown>,
  overrides: Record<string, string>,
): Record<string, string> {
  const variables: Record<string, string> = {}
  for (const [name, value] of Object.entries(objectOf(objectOf(properties.Environment).Variables))) {
    const resolved = overrides[name] ?? value
    if (resolved !== undefined) variables[name] = String(resolved)
  }
  return variables
}

/**
 * Points the real SDK at the local engines; functions have no local branch. The access key tells whose call it is
 * (gate.ts); a signature is checked of presigned URLs only (presigned-requests.ts).
 */
function sdkEnvironment({ aws, dynamodb, kms }: Endpoints, functionName: string): Record<string, string> {
  return {
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: functionName,
    AWS_SECRET_ACCESS_KEY: localSecret,
    AWS_ENDPOINT_URL: aws,
    AWS_ENDPOINT_URL_DYNAMODB: dynamodb,
    AWS_ENDPOINT_URL_KMS: kms,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: kms,
    // There are no profiles on Lambda, so this machine's must not decide anything either.
    AWS_CONFIG_FILE: devNull,
    AWS_SHARED_CREDENTIALS_FILE: devNull,
  }
}
