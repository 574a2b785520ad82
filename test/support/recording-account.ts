/**
 * An AWS account on this machine, as far as the CDK CLI sees one: STS, SSM parameters, S3 objects and CloudFormation
 * stacks (recorded-stacks.ts), with every call written down. Nothing is made: a stack is its template, and roles and bucket
 * of the CLI are there once it has bootstrapped. The CLI finds it by `AWS_ENDPOINT_URL`.
 */

import { createServer, type IncomingMessage } from 'node:http'
import { listenOnLoopback } from '../../infra/local/loopback.ts'
import { RecordedStacks, Refusal } from './recorded-stacks.ts'

export const accountId = '111122223333'

export interface RecordedCall {
  /** Such as `cloudformation CreateChangeSet`, `s3 PUT`. */
  name: string
  /** Fields of the form, names of the JSON, or bucket and key. */
  input: Record<string, string>
}

export interface RecordingAccount {
  calls: RecordedCall[]
  stacks: RecordedStacks
  /** By `bucket/key`. */
  objects: Map<string, Buffer>
  /** What a process needs so that AWS is this account, and nothing else can be. */
  environment: Record<string, string>
  close(): void
}

export async function startRecordingAccount({ region }: { region: string }): Promise<RecordingAccount> {
  const calls: RecordedCall[] = []
  const objects = new Map<string, Buffer>()
  const stacks = new RecordedStacks({
    account: accountId,
    region,
    readTemplate: url => objects.get(new URL(url).pathname.slice(1))?.toString(),
  })

  const server = createServer(async (request, response) => {
    const body = await bodyOf(request)
    const service = serviceOf(request)
    try {
      const answer = answerOf(service, request, body)
      response.writeHead(200, {
        'content-type': typeof answer === 'string' ? 'text/xml' : 'application/json',
      })
      response.end(typeof answer === 'string' ? answer : JSON.stringify(answer))
    } catch (error) {
      const { code, message, status } =
        error instanceof Refusal ? error : new Refusal('Double', String(error), 500)
      response.writeHead(status, { 'x-amzn-errortype': code })
      response.end(
        service === 'ssm'
          ? JSON.stringify({ __type: code, message })
          : `<ErrorResponse>${toXml({ Error: { Type: 'Sender', Code: code, Message: message } })}</ErrorResponse>`,
      )
    }
  })

  function answerOf(service: string, request: IncomingMessage, body: Buffer): string | object {
    if (service === 's3') return s3(request, body)
    if (service === 'ssm') {
      const action = String(request.headers['x-amz-target']).split('.')[1] ?? ''
      const input = JSON.parse(body.toString())
      calls.push({ name: `ssm ${action}`, input })
      return ssm(action, input)
    }
    const { Action: action = '', ...input } = Object.fromEntries(new URLSearchParams(body.toString()))
    calls.push({ name: `${service} ${action}`, input })
    const result = service === 'sts' ? sts(action, input) : stacks.call(action, input)
    return `<${action}Response><${action}Result>${toXml(result)}</${action}Result></${action}Response>`
  }

  function sts(action: string, { RoleArn = '' }: Record<string, string>): object {
    if (action === 'GetCallerIdentity') {
      return { Account: accountId, UserId: 'AIDASTRANGER', Arn: `arn:aws:iam::${accountId}:user/stranger` }
    }
    if (action !== 'AssumeRole') throw new Refusal('InvalidAction', `${action} is not known here`)
    if (stacks.bootstrapVersion === undefined)
      throw new Refusal(
        'AccessDenied',
        `not authorized to perform: sts:AssumeRole on resource: ${RoleArn}`,
        403,
      )
    return {
      Credentials: {
        AccessKeyId: 'ASIASTRANGER',
        SecretAccessKey: 'secret',
        SessionToken: 'token',
        Expiration: '2100-01-01T00:00:00Z',
      },
      AssumedRoleUser: { Arn: RoleArn, AssumedRoleId: 'AROASTRANGER' },
    }
  }

  function ssm(action: string, { Name = '' }: Record<string, string>): object {
    const Value = stacks.bootstrapVersion
    if (action !== 'GetParameter' || Value === undefined) throw new Refusal('ParameterNotFound', Name)
    return { Parameter: { Name, Value, Type: 'String' } }
  }

  function s3(request: IncomingMessage, body: Buffer): string {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://s3')
    const [bucket = '', ...key] = decodeURIComponent(pathname).slice(1).split('/')
    const name = key.join('/')
    calls.push({ name: `s3 ${request.method}`, input: { bucket, key: name, query: String(searchParams) } })
    if (stacks.bootstrapVersion === undefined)
      throw new Refusal('NoSuchBucket', `The specified bucket does not exist: ${bucket}`, 404)
    if (request.method === 'PUT') {
      objects.set(`${bucket}/${name}`, decodeChunks(request, body))
      return ''
    }
    if (searchParams.has('location')) return `<LocationConstraint>${region}</LocationConstraint>`
    if (searchParams.has('encryption')) return '<ServerSideEncryptionConfiguration/>'
    if (searchParams.has('list-type')) {
      const prefix = `${bucket}/${searchParams.get('prefix')}`
      const found = [...objects.keys()].filter(known => known.startsWith(prefix))
      const contents = found.map(known => `<Contents><Key>${known.slice(bucket.length + 1)}</Key></Contents>`)
      return `<ListBucketResult><KeyCount>${found.length}</KeyCount>${contents.join('')}</ListBucketResult>`
    }
    throw new Refusal('NotImplemented', `S3 ${request.method} ${request.url} is not known here`, 501)
  }

  const port = await listenOnLoopback(server, 0)
  return {
    calls,
    stacks,
    objects,
    environment: {
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: 'AKIASTRANGER',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_CONFIG_FILE: '/nonexistent',
      AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
      AWS_EC2_METADATA_DISABLED: 'true',
    },
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** The credential scope of the signature names it: `Credential=AKIA…/20300101/eu-west-1/s3/aws4_request`. */
function serviceOf(request: IncomingMessage): string {
  return (
    /Credential=[^/]+\/\d+\/[^/]+\/([^/]+)\//.exec(request.headers.authorization ?? '')?.[1] ?? 'unsigned'
  )
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** A body of unknown length comes in `aws-chunked` pieces: size in hexadecimal, line break, bytes, line break. */
function decodeChunks(request: IncomingMessage, body: Buffer): Buffer {
  if (!String(request.headers['content-encoding'] ?? '').includes('aws-chunked')) return body
  const pieces: Buffer[] = []
  for (let at = 0; ; ) {
    const end = body.indexOf('\r\n', at)
    const size = Number.parseInt(body.toString('latin1', at, end), 16)
    if (!size) return Buffer.concat(pieces)
    pieces.push(body.subarray(end + 2, end + 2 + size))
    at = end + 2 + size + 2
  }
}

/** As the AWS Query protocol writes it: a list's items are called `member`. */
function toXml(value: unknown): string {
  if (Array.isArray(value)) return value.map(item => `<member>${toXml(item)}</member>`).join('')
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value)
      .filter(([, inner]) => inner !== undefined)
      .map(([name, inner]) => `<${name}>${toXml(inner)}</${name}>`)
      .join('')
  }
  return String(value).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
