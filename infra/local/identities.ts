/** The physical name, ARN and address that each resource of a template has on this machine. */

import { createHash } from 'node:crypto'
import { textOf } from './json-shape.ts'
import { type Assembly, account, type Identity, keyOf, type Resource, region } from './template.ts'

export interface Addresses {
  /** Origin of the HTTP API. */
  url: string
  /** Origin of the engine that carries queues, topics and buckets. */
  aws: string
}

/**
 * Names every resource. Names follow from stack and logical id alone, so that a restart finds the same tables,
 * queues, objects and keys again; only the addresses follow the ports.
 */
export function identify(assembly: Assembly, addresses: Addresses): Map<string, Identity> {
  const identities = new Map<string, Identity>()
  for (const resource of assembly.resources) {
    const identity = identityOf(resource, addresses)
    if (identity) identities.set(keyOf(resource), identity)
  }
  return identities
}

function identityOf(resource: Resource, addresses: Addresses): Identity | undefined {
  const { type, properties } = resource
  const given = (property: string) => textOf(properties[property])
  const generated = `${resource.stack}-${resource.logicalId}`
  const arn = (service: string, rest: string) => `arn:aws:${service}:${region}:${account}:${rest}`

  switch (type) {
    case 'AWS::DynamoDB::GlobalTable':
    case 'AWS::DynamoDB::Table': {
      const name = given('TableName') ?? generated
      return { ref: name, attributes: { Arn: arn('dynamodb', `table/${name}`) } }
    }
    case 'AWS::SQS::Queue': {
      const isFifo = properties.FifoQueue === true
      const name = given('QueueName') ?? generated.slice(0, 75) + (isFifo ? '.fifo' : '')
      // fauxqs itself says `sqs.REGION.localhost`, a host that many machines cannot resolve; it takes this form too.
      const url = `${addresses.aws}/${account}/${name}`
      return { ref: url, attributes: { Arn: arn('sqs', name), QueueName: name, QueueUrl: url } }
    }
    case 'AWS::SNS::Topic': {
      const name = given('TopicName') ?? generated
      return { ref: arn('sns', name), attributes: { TopicArn: arn('sns', name), TopicName: name } }
    }
    case 'AWS::S3::Bucket': {
      // Bucket names have 3 to 63 characters and no capital letters.
      const name = given('BucketName') ?? generated.toLowerCase().slice(0, 63)
      return {
        ref: name,
        attributes: { Arn: `arn:aws:s3:::${name}`, RegionalDomainName: `${name}.s3.${region}.amazonaws.com` },
      }
    }
    case 'AWS::KMS::Key': {
      const id = uuidOf(generated)
      return { ref: id, attributes: { Arn: arn('kms', `key/${id}`), KeyId: id } }
    }
    case 'AWS::SecretsManager::Secret': {
      const id = arn('secretsmanager', `secret:${given('Name') ?? resource.logicalId}`)
      return { ref: id, attributes: { Id: id } }
    }
    case 'AWS::Lambda::Function': {
      const name = given('FunctionName') ?? generated
      return { ref: name, attributes: { Arn: arn('lambda', `function:${name}`) } }
    }
    case 'AWS::IAM::Role':
      // A role's given name holds intrinsics; nothing here depends on it.
      return { ref: generated, attributes: { Arn: `arn:aws:iam::${account}:role/${generated}` } }
    case 'AWS::Logs::LogGroup':
      return { ref: generated, attributes: { Arn: arn('logs', `log-group:${generated}:*`) } }
    case 'AWS::ApiGatewayV2::Api':
      return {
        ref: resource.logicalId,
        attributes: { ApiEndpoint: addresses.url, ApiId: resource.logicalId },
      }
    case 'AWS::Scheduler::Schedule': {
      const name = given('Name') ?? generated
      return { ref: name, attributes: { Arn: arn('scheduler', `schedule/default/${name}`) } }
    }
    case 'AWS::ApiGatewayV2::Authorizer':
    case 'AWS::ApiGatewayV2::Integration':
      return { ref: resource.logicalId, attributes: {} }
    default:
      // Policies and whatever else has no counterpart here.
      return undefined
  }
}

/** A KMS key id looks like a UUID; this one is the same for the same key at every start. */
function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    '-',
  )
}
