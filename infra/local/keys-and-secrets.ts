/** KMS and Secrets Manager on this machine: the few operations Postroom calls, in AWS JSON 1.1. */

import { constants, createHmac, type KeyObject, randomBytes, sign } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { Gate } from './gate.ts'
import { isObject, type JsonObject, numberOf, objectOf, parseJson, textOf } from './json-shape.ts'
import { seal, sealingKeyId, unseal } from './key-seal.ts'
import { isFromLocalProgram, listenOnLoopback, loopbackAddress } from './loopback.ts'
import { keysAndSecretsAccess } from './requested-access.ts'
import type { Engine } from './tables.ts'

export interface KeysAndSecretsOptions {
  port: number
  masterKey: Buffer
  keyArns: string[]
  /** Private RSA keys by the ARN of the KMS key they stand for: for signing only. */
  signingKeys?: Map<string, KeyObject>
  /** Value of each secret by its ARN. */
  secrets: Map<string, string>
  /** Who may do what; without it, everybody everything. */
  gate?: Gate
}

/** An error that an SDK's client can tell by its type. */
class ServiceError extends Error {}

/** @throws LocalError if the port is in use */
export async function startKeysAndSecrets(options: KeysAndSecretsOptions): Promise<Engine> {
  const operations = operationsOf(options)
  const { gate } = options
  let port = options.port

  const server = createServer(async (request, response) => {
    const reply = (status: number, body: object) => {
      const content = JSON.stringify(body)
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(content)
    }
    try {
      if (!isFromLocalProgram(request, port)) throw new ServiceError('AccessDeniedException')
      const target = String(request.headers['x-amz-target'])
      const operation = operations[target]
      if (!operation) throw new ServiceError('UnknownOperationException')
      const input = await readInput(request)
      const caller = gate?.callerOf(request)
      const keyId = sealingKeyId(bytesOf(input.CiphertextBlob)) ?? ''
      const refusal = caller && gate?.refusal(caller, keysAndSecretsAccess(target, input, keyId))
      if (refusal) throw new ServiceError('AccessDeniedException', { cause: refusal })
      reply(200, operation(input))
    } catch (error) {
      if (error instanceof ServiceError) {
        reply(400, { __type: error.message, message: String(error.cause ?? error.message) })
      } else reply(500, { __type: 'InternalFailure', message: String(error) })
    }
  })
  port = await listenOnLoopback(server, port)

  return {
    endpoint: `http://${loopbackAddress}:${port}`,
    port,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function readInput(request: IncomingMessage): Promise<JsonObject> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const input = parseJson(Buffer.concat(chunks).toString())
  if (!isObject(input)) throw new ServiceError('SerializationException')
  return input
}

/** @see https://docs.aws.amazon.com/kms/latest/APIReference/API_Operations.html */
function operationsOf(
  options: KeysAndSecretsOptions,
): Record<string, ((input: JsonObject) => object) | undefined> {
  const { masterKey } = options

  function findKey(given: unknown): { arn: string; keyId: string } {
    const arn = options.keyArns.find(known => known === given || known.endsWith(`:key/${given}`))
    if (arn === undefined) throw new ServiceError('NotFoundException')
    return { arn, keyId: arn.slice(arn.lastIndexOf('/') + 1) }
  }

  function sealFor(input: JsonObject, plain: Buffer): { KeyId: string; CiphertextBlob: string } {
    const { arn, keyId } = findKey(input.KeyId)
    const sealed = seal(masterKey, plain, { keyId, context: contextOf(input) })
    return { KeyId: arn, CiphertextBlob: sealed.toString('base64') }
  }

  return {
    'TrentService.DescribeKey': input => {
      const { arn, keyId } = findKey(input.KeyId)
      return {
        KeyMetadata: {
          Arn: arn,
          KeyId: keyId,
          Enabled: true,
          KeyState: 'Enabled',
          KeyUsage: 'ENCRYPT_DECRYPT',
        },
      }
    },
    'TrentService.GenerateDataKey': input => {
      const bytes = input.KeySpec === 'AES_128' ? 16 : (numberOf(input.NumberOfBytes) ?? 32)
      const plain = randomBytes(bytes)
      return { ...sealFor(input, plain), Plaintext: plain.toString('base64') }
    },
    'TrentService.Encrypt': input => sealFor(input, bytesOf(input.Plaintext)),
    'TrentService.Decrypt': input => {
      const sealed = bytesOf(input.CiphertextBlob)
      const keyId = sealingKeyId(sealed)
      const plain = unseal(masterKey, sealed, contextOf(input))
      if (plain === undefined) throw new ServiceError('InvalidCiphertextException')
      const { arn } = findKey(keyId)
      if (input.KeyId !== undefined && findKey(input.KeyId).arn !== arn) {
        throw new ServiceError('IncorrectKeyException')
      }
      return { KeyId: arn, Plaintext: plain.toString('base64') }
    },
    'TrentService.Sign': input => {
      const arn = textOf(input.KeyId) ?? ''
      const key = options.signingKeys?.get(arn)
      if (!key) throw new ServiceError('NotFoundException')
      if (input.SigningAlgorithm !== 'RSASSA_PSS_SHA_256') throw new ServiceError('InvalidKeyUsageException')
      const { RSA_PKCS1_PSS_PADDING: padding, RSA_PSS_SALTLEN_DIGEST: saltLength } = constants
      const signature = sign('sha256', bytesOf(input.Message), { key, padding, saltLength })
      return {
        KeyId: arn,
        Signature: signature.toString('base64'),
        SigningAlgorithm: input.SigningAlgorithm,
      }
    },
    'TrentService.GenerateMac': input => {
      const { arn } = findKey(input.KeyId)
      // One key of its own for each ARN, and none of them the master key.
      const key = createHmac('sha256', masterKey).update(arn).digest()
      const mac = createHmac('sha256', key).update(bytesOf(input.Message)).digest('base64')
      return { KeyId: arn, MacAlgorithm: 'HMAC_SHA_256', Mac: mac }
    },
    'secretsmanager.GetSecretValue': input => {
      const arn = textOf(input.SecretId) ?? ''
      const value = options.secrets.get(arn)
      if (value === undefined) throw new ServiceError('ResourceNotFoundException')
      return { ARN: arn, Name: arn.split(':').at(-1), SecretString: value, VersionStages: ['AWSCURRENT'] }
    },
  }
}

function bytesOf(base64: unknown): Buffer {
  return Buffer.from(textOf(base64) ?? '', 'base64')
}

function contextOf(input: JsonObject): Record<string, string> {
  return Object.fromEntries(Object.entries(objectOf(input.EncryptionContext)).map(([k, v]) => [k, String(v)]))
}
