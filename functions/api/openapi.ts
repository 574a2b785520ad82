/** The OpenAPI document, made of the very schemas that check requests: it cannot say other than what holds. */

import { STATUS_CODES } from 'node:http'
import * as z from 'zod'
import { accountIdSchema } from '../channel/account-id.ts'
import { faultSchema } from '../channel/channel-health.ts'
import { channelDocumentSchema } from '../channel/channels.ts'
import { sessionDocumentSchema } from '../channel/connect-sessions.ts'
import { eventSchema } from '../channel/events.ts'
import { type FaultCode, faults } from '../channel/faults.ts'
import { messageDocumentSchema } from '../channel/message-document.ts'
import type { Endpoint } from '../channel/route.ts'
import { webhookDocumentSchema } from '../channel/webhooks.ts'
import { messageSchema } from './message-routes.ts'

/** RFC 9457. */
const problemSchema = z.object({
  type: z.literal('about:blank'),
  title: z.string(),
  status: z.int(),
  code: z.string().describe('Stable, for programs.'),
  actor: z.enum(['nobody', 'app', 'owner', 'tenant_admin', 'operator']).describe('Who can end it.'),
  detail: z.string(),
  errors: z.array(z.object({ field: z.string(), rule: z.string(), found: z.string() })),
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

/** All schemas in two passes, requests as they are sent and answers as they come, so that named ones are shared. */
function jsonSchemas(endpoints: Endpoint[]): Schemas {
  const requests = z.registry<{ id: string }>()
  const answers = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(named.requests)) requests.add(schema, { id })
  for (const [id, schema] of Object.entries(named.answers)) answers.add(schema, { id })
  for (const endpoint of endpoints) {
    const { query, headers, body, answer } = endpoint
    if (query) requests.add(wrapped(query), { id: partOf(endpoint, 'Query') })
    if (headers) requests.add(wrapped(headers), { id: partOf(endpoint, 'Headers') })
    if (body) requests.add(wrapped(body), { id: partOf(endpoint, 'Body') })
    if ('body' in answer) answers.add(wrapped(answer.body), { id: partOf(endpoint, 'Answer') })
  }
  const uri = (id: string) => `#/components/schemas/${id}`
  const written = [
    z.toJSONSchema(requests, { io: 'input', uri, override: tidy }),
    z.toJSONSchema(answers, { io: 'output', uri, override: tidyAnswer }),
  ]
  return Object.fromEntries(written.flatMap(({ schemas }) => Object.entries(schemas)))
}

/** One schema may stand at several endpoints, a registry takes each once: this one refers to it. */
function wrapped(schema: z.ZodType): z.ZodType {
  return z.lazy(() => schema)
}

type Override = NonNullable<Parameters<typeof z.toJSONSchema>[1]>['override']

const tidy: Override = ({ jsonSchema }) => {
  delete jsonSchema.$schema
  delete jsonSchema.$id
  // `format` says it; zod's pattern of all leap years helps nobody.
  if (jsonSchema.format !== undefined) delete jsonSchema.pattern
}

/** An answer may get more fields: clients made from this document must not refuse them. */
const tidyAnswer: Override = context => {
  tidy?.(context)
  delete context.jsonSchema.additionalProperties
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
