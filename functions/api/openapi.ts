/** The OpenAPI document, made of the very schemas that check requests: it cannot say other than what holds. */

import { STATUS_CODES } from 'node:http'
import { type ConversionConfig, toJsonSchema, toJsonSchemaDefs } from '@valibot/to-json-schema'
import * as v from 'valibot'
import { accountIdSchema } from '../channel/account-id.ts'
import { faultSchema } from '../channel/channel-health.ts'
import { channelDocumentSchema } from '../channel/channels.ts'
import { sessionDocumentSchema } from '../channel/connect-sessions.ts'
import { eventSchema } from '../channel/events.ts'
import { type FaultCode, faults } from '../channel/faults.ts'
import { messageDocumentSchema } from '../channel/message-document.ts'
import type { Endpoint } from '../channel/route.ts'
import { integer } from '../channel/single-values.ts'
import { webhookDocumentSchema } from '../channel/webhooks.ts'
import { messageSchema } from './message-routes.ts'

/** RFC 9457. */
const problemSchema = v.object({
  type: v.literal('about:blank'),
  title: v.string(),
  status: integer,
  code: v.pipe(v.string(), v.description('Stable, for programs.')),
  actor: v.pipe(
    v.picklist(['nobody', 'app', 'owner', 'tenant_admin', 'operator']),
    v.description('Who can end it.'),
  ),
  detail: v.string(),
  errors: v.array(v.object({ field: v.string(), rule: v.string(), found: v.string() })),
})

/** What gets a name of its own; everything else is written out where it stands. */
const named = {
  requests: { AccountId: accountIdSchema, NewMessage: messageDocumentSchema },
  answers: {
    Channel: channelDocumentSchema,
    ConnectSession: sessionDocumentSchema,
    Event: eventSchema,
    Fault: faultSchema,
    Message: messageSchema,
    Problem: problemSchema,
    Webhook: webhookDocumentSchema,
  },
}

/** What API Gateway answers by itself, without a body of ours. */
const byGateway = {
  '401': { description: 'No valid signature, token or key.' },
  '429': { description: 'Too many calls: wait and repeat.' },
}

/** What is larger than Lambda can give back (message-routes.ts). */
const elsewhere = {
  '302': {
    description:
      'The bytes are many, and lie at this URL for 15 minutes. It carries its own permission: to be fetched without a credential.',
    headers: { Location: { required: true, schema: { type: 'string', format: 'uri' } } },
  },
}

export function openApiDocument(endpoints: Endpoint[], serverUrl: string) {
  const schemas = jsonSchemas(endpoints)
  const paths: Record<string, Record<string, object>> = {}
  for (const endpoint of endpoints) {
    paths[endpoint.path] = {
      ...paths[endpoint.path],
      [endpoint.method.toLowerCase()]: operationOf(endpoint, schemas),
    }
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Postroom',
      version: '1',
      summary: 'A real mailbox for any app: connect, send, receive.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: serverUrl }],
    security: [{ bearer: [] }],
    paths,
    components: {
      schemas: Object.fromEntries(
        Object.keys({ ...named.requests, ...named.answers }).map(name => [name, schemas[name]]),
      ),
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'Locally the key of the data folder; on AWS a token of your issuer, or instead SigV4.',
        },
      },
    },
  }
}

type JsonSchema = Record<string, unknown>
type Schemas = Record<string, JsonSchema>

const partOf = ({ operationId }: Endpoint, part: 'Query' | 'Headers' | 'Body' | 'Answer') =>
  `${operationId}${part}`

/** Requests as they are sent and answers as they come; what has a name is referred to by it. */
function jsonSchemas(endpoints: Endpoint[]): Schemas {
  const requests = writer(named.requests, { typeMode: 'input', overrideSchema: undefined })
  const answers = writer(named.answers, { typeMode: 'output', overrideSchema: asAnswered })
  const parts = endpoints.flatMap((endpoint): [string, JsonSchema][] => {
    const { query, headers, body, answer } = endpoint
    return [
      ...(query ? [[partOf(endpoint, 'Query'), requests.write(query)] as const] : []),
      ...(headers ? [[partOf(endpoint, 'Headers'), requests.write(headers)] as const] : []),
      ...(body ? [[partOf(endpoint, 'Body'), requests.write(body)] as const] : []),
      ...('body' in answer ? [[partOf(endpoint, 'Answer'), answers.write(answer.body)] as const] : []),
    ].map(([name, schema]) => [name, schema])
  })
  return { ...requests.definitions, ...answers.definitions, ...Object.fromEntries(parts) }
}

type Way = Pick<ConversionConfig, 'typeMode' | 'overrideSchema'>

function writer(definitions: Record<string, v.GenericSchema>, way: Way) {
  const config: ConversionConfig = {
    ...way,
    target: 'draft-2020-12',
    // What only code can check has no words in JSON Schema, and flags of a pattern neither: `u` is what it means there.
    errorMode: 'ignore',
    overrideRef: ({ referenceId }) => `#/components/schemas/${referenceId}`,
    overrideAction: ({ valibotAction, jsonSchema }) =>
      valibotAction.type === 'safe_integer' ? { ...jsonSchema, type: 'integer' as const } : undefined,
  }
  return {
    definitions: toJsonSchemaDefs(definitions, config) as Schemas,
    write(schema: v.GenericSchema): JsonSchema {
      const { $schema, $defs, ...written } = toJsonSchema(schema, { ...config, definitions })
      return written
    },
  }
}

/** What has a default is always there. An answer may get more fields: clients made from this must not refuse them. */
const asAnswered: Way['overrideSchema'] = ({ valibotSchema, jsonSchema }) => {
  if (!('entries' in valibotSchema)) return
  const { additionalProperties, ...open } = jsonSchema
  const entries = Object.entries(
    valibotSchema.entries as Record<string, v.GenericSchema & { default?: unknown }>,
  )
  const isMissing = ({ type, default: given }: { type: string; default?: unknown }) =>
    /^(exact_optional|optional|nullish)$/.test(type) && given === undefined
  return { ...open, required: entries.filter(([, entry]) => !isMissing(entry)).map(([name]) => name) }
}

function operationOf(endpoint: Endpoint, schemas: Schemas) {
  const { operationId, summary, path, body, bodyIsOptional, answer } = endpoint
  const parameters = [
    ...[...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: 'string' },
    })),
    ...parametersOf('query', schemas[partOf(endpoint, 'Query')]),
    ...parametersOf('header', schemas[partOf(endpoint, 'Headers')]),
  ]
  const content =
    'bytes' in answer
      ? { [answer.bytes]: {} }
      : { 'application/json': { schema: schemas[partOf(endpoint, 'Answer')] } }
  return {
    operationId,
    summary,
    tags: [path.split('/')[2]],
    ...(parameters.length > 0 && { parameters }),
    ...(body && {
      requestBody: {
        required: !bodyIsOptional,
        content: { 'application/json': { schema: schemas[partOf(endpoint, 'Body')] } },
      },
    }),
    responses: {
      [answer.status]: { description: STATUS_CODES[answer.status], content },
      ...('bytes' in answer && elsewhere),
      ...problemsOf(endpoint.faults),
      ...byGateway,
    },
  }
}

function parametersOf(place: 'query' | 'header', schema: JsonSchema | undefined) {
  const properties = (schema?.properties ?? {}) as Schemas
  const required = (schema?.required ?? []) as string[]
  return Object.entries(properties).map(([name, { description, ...property }]) => ({
    name,
    in: place,
    required: required.includes(name),
    ...(description !== undefined && { description }),
    schema: property,
  }))
}

/** By status, with the codes it may carry. */
function problemsOf(codes: readonly FaultCode[]) {
  const everywhere: FaultCode[] = ['caller_unknown', 'internal']
  const byStatus = Map.groupBy([...codes, ...everywhere], code => faults[code].status)
  const content = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } }
  return Object.fromEntries(
    [...byStatus].map(([status, list]) => [
      status,
      { description: list.map(code => `\`${code}\`: ${faults[code].summary}`).join('\n\n'), content },
    ]),
  )
}
