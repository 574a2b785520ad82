/** Makes of a template's resources what they stand for: tables, queues, functions, and what connects them. */

import type { FunctionDefinition } from './execution-environment.ts'
import { createPool, environmentsPerCaller, type FunctionPool, type PoolOptions } from './function-pool.ts'
import { defineFunction, type FunctionSurroundings } from './functions.ts'
import type { Route } from './http-routes.ts'
import { isObject, listOf, numberOf, objectOf, textOf } from './json-shape.ts'
import { type QueueSource, startQueueSource } from './queue-source.ts'
import { type AwsEngine, ensureQueues, ensureSubscription, ensureTopic } from './queues-topics-buckets.ts'
import { parseRate, startSchedule } from './schedule-clock.ts'
import { ensureTable } from './tables.ts'
import { type Assembly, type Identity, keyOf, type Resolve, type Resource } from './template.ts'
import type { TokenRules } from './token-check.ts'

/** A resource that has a counterpart here, with the intrinsics in its properties resolved. */
export interface PlacedResource extends Resource {
  identity: Identity
}

type Log = (line: object) => void

/** Resolves all properties. A resource without a counterpart gets an empty identity: some only connect others. */
export function placeResources(
  assembly: Assembly,
  { identities, resolve }: { identities: Map<string, Identity>; resolve: Resolve },
): PlacedResource[] {
  return assembly.resources.map(resource => ({
    ...resource,
    properties: objectOf(resolve(resource.stack, resource.properties)),
    identity: identities.get(keyOf(resource)) ?? { ref: resource.logicalId, attributes: {} },
  }))
}

function ofType(resources: PlacedResource[], ...types: string[]): PlacedResource[] {
  return resources.filter(({ type }) => types.includes(type))
}

/** Makes what stores things, in the order in which one refers to the other. What is there stays as it is. */
export async function deployStores(
  resources: PlacedResource[],
  { aws, dynamodb, log }: { aws: AwsEngine; dynamodb: string; log: Log },
): Promise<void> {
  const tables = ofType(resources, 'AWS::DynamoDB::GlobalTable', 'AWS::DynamoDB::Table')
  const queues = ofType(resources, 'AWS::SQS::Queue').map(({ identity, properties }) => ({
    name: identity.attributes.QueueName ?? '',
    url: identity.ref,
    properties,
  }))
  for (const { identity } of ofType(resources, 'AWS::S3::Bucket')) aws.ensureBucket(identity.ref)
  await Promise.all([
    ...tables.map(({ identity, properties }) => ensureTable(dynamodb, { name: identity.ref, properties })),
    ...ofType(resources, 'AWS::SNS::Topic').map(({ identity }) =>
      ensureTopic(aws.endpoint, identity.attributes.TopicName ?? ''),
    ),
    ensureQueues(aws.endpoint, queues),
  ])
  for (const { logicalId, properties } of ofType(resources, 'AWS::SNS::Subscription')) {
    const isCarried = await ensureSubscription(aws.endpoint, properties)
    if (!isCarried) log({ level: 'warn', message: `the subscription ${logicalId} is not delivered locally` })
  }
}

/** @returns a pool per function, none of them with an environment yet */
export function deployFunctions(
  resources: PlacedResource[],
  { surroundings, ...options }: { surroundings: FunctionSurroundings } & PoolOptions,
): Map<string, FunctionPool> {
  const pools = new Map<string, FunctionPool>()
  for (const resource of ofType(resources, 'AWS::Lambda::Function')) {
    const definition = defineFunction(resource, resource.identity, surroundings)
    if (!definition) continue
    // On AWS one queue's backlog leaves room for the next; a pool that all share would not.
    const queues = mappingsOf(resources).filter(({ FunctionName }) =>
      refersTo(definition, FunctionName),
    ).length
    const maxEnvironments = Math.max(1, queues) * environmentsPerCaller
    pools.set(resource.logicalId, createPool(definition, { ...options, maxEnvironments }))
  }
  return pools
}

/** @param reference a function's name or ARN, or a URI of API Gateway that contains the ARN */
function findPool(pools: Map<string, FunctionPool>, reference: unknown): FunctionPool | undefined {
  return [...pools.values()].find(({ definition }) => refersTo(definition, reference))
}

function refersTo({ functionName, arn }: FunctionDefinition, reference: unknown): boolean {
  if (typeof reference !== 'string') return false
  return reference === functionName || reference === arn || reference.includes(`${arn}/`)
}

function mappingsOf(resources: PlacedResource[]): PlacedResource['properties'][] {
  return ofType(resources, 'AWS::Lambda::EventSourceMapping')
    .map(({ properties }) => properties)
    .filter(({ Enabled }) => Enabled !== false)
}

/** Starts to poll for every enabled event source mapping whose source is a queue. Filters are not applied. */
export function startQueueSources(
  resources: PlacedResource[],
  { aws, pools, log }: { aws: AwsEngine; pools: Map<string, FunctionPool>; log: Log },
): QueueSource[] {
  const sources: QueueSource[] = []
  for (const properties of mappingsOf(resources)) {
    const pool = findPool(pools, properties.FunctionName)
    const queue = ofType(resources, 'AWS::SQS::Queue').find(
      ({ identity }) => identity.attributes.Arn === properties.EventSourceArn,
    )
    if (!pool || !queue) continue
    const { ref: queueUrl, attributes } = queue.identity
    aws.returnMessages(attributes.QueueName ?? '')
    sources.push(
      startQueueSource({
        endpoint: aws.endpoint,
        queueUrl,
        queueArn: attributes.Arn ?? '',
        pool,
        // Lambda's default for SQS is the most that one receive can bring.
        batchSize: Math.min(numberOf(properties.BatchSize) ?? 10, 10),
        maxConcurrency: numberOf(objectOf(properties.ScalingConfig).MaximumConcurrency),
        reportsItemFailures: listOf(properties.FunctionResponseTypes).includes('ReportBatchItemFailures'),
        log,
      }),
    )
  }
  return sources
}

/** @returns stops all of them */
export function startSchedules(
  resources: PlacedResource[],
  { pools, now, log }: { pools: Map<string, FunctionPool>; now(): number; log: Log },
): () => void {
  const stops: (() => void)[] = []
  for (const { logicalId, properties, identity } of ofType(resources, 'AWS::Scheduler::Schedule')) {
    const target = objectOf(properties.Target)
    const pool = findPool(pools, target.Arn)
    const intervalMs = parseRate(textOf(properties.ScheduleExpression) ?? '')
    if (!pool || properties.State === 'DISABLED') continue
    if (intervalMs === undefined) {
      log({ level: 'warn', message: `the schedule ${logicalId} is not at a rate(…) and never fires locally` })
      continue
    }
    stops.push(
      startSchedule({
        intervalMs,
        input: textOf(target.Input),
        arn: identity.attributes.Arn ?? '',
        now,
        fire: event => {
          pool.invoke(event).catch(error => {
            const { errorType, errorMessage, trace } = error
            log({ level: 'error', function: pool.definition.name, errorType, errorMessage, trace })
          })
        },
      }),
    )
  }
  return () => {
    for (const stop of stops) stop()
  }
}

/**
 * The routes of all HTTP APIs whose integration is a function. Any authorizer but one for tokens counts as one that
 * asks for the key.
 */
export function routesOf(
  resources: PlacedResource[],
  pools: Map<string, FunctionPool>,
): Route<FunctionPool>[] {
  const routes: Route<FunctionPool>[] = []
  for (const { stack, properties } of ofType(resources, 'AWS::ApiGatewayV2::Route')) {
    const routeKey = textOf(properties.RouteKey)
    const integrationId = textOf(properties.Target)?.replace('integrations/', '')
    const integration = ofType(resources, 'AWS::ApiGatewayV2::Integration').find(
      candidate => candidate.stack === stack && candidate.identity.ref === integrationId,
    )
    const target = findPool(pools, integration?.properties.IntegrationUri)
    if (routeKey === undefined || !target) continue
    const isProtected = ![undefined, 'NONE'].includes(textOf(properties.AuthorizationType))
    const authorizer = ofType(resources, 'AWS::ApiGatewayV2::Authorizer').find(
      candidate => candidate.stack === stack && candidate.identity.ref === properties.AuthorizerId,
    )
    routes.push({ routeKey, isProtected, token: tokenRulesOf(authorizer), target })
  }
  return routes
}

function tokenRulesOf(authorizer: PlacedResource | undefined): TokenRules | undefined {
  const { Issuer, Audience } = objectOf(authorizer?.properties.JwtConfiguration)
  const issuer = textOf(Issuer)
  return issuer === undefined ? undefined : { issuer, audience: listOf(Audience).map(String) }
}

/** Every output that has a value, by its name. */
export function outputsOf(assembly: Assembly, resolve: Resolve): Record<string, string> {
  const outputs: Record<string, string> = {}
  for (const { stack, name, value } of assembly.outputs) {
    const resolved = resolve(stack, value)
    if (resolved !== undefined && !isObject(resolved)) outputs[name] = String(resolved)
  }
  return outputs
}
