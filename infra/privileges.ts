/**
 * What each function may do on AWS, and to what; everything else is refused. The local runner holds every call against
 * the synthesized policies (infra/local/policies.ts), and test/system/privileges.test.ts finds what is granted in vain. A
 * new statement needs a step in test/system/statement-steps.ts that cannot be taken without it.
 */

import type { ITable } from 'aws-cdk-lib/aws-dynamodb'
import { PolicyStatement, type PolicyStatementProps } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { IBucket } from 'aws-cdk-lib/aws-s3'
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { uploadPrefix } from '../functions/channel/mail-keys.ts'
import { indexNames } from '../functions/channel/table-names.ts'

export type FunctionFolder = 'connect' | 'api' | 'send' | 'schedule' | 'fetch' | 'notify'

export interface Things {
  main: ITable
  secrets: ITable
  tokenKey: IKey
  webhookKey: IKey
  oauthApps: ISecret
  mail: IBucket
  events: ITopic
  outbound: IQueue
  outboundDeadLetters: IQueue
  polls: IQueue[]
  notifications: IQueue
  /** KMS keys that OAuth apps sign in with. */
  clientKeyArns: string[]
  /** Audiences of OAuth apps that trust the functions' roles. */
  federatedAudiences: string[]
}

/** One statement per thing a function touches, so that taking one away breaks exactly what it was for. */
export function privileges(things: Things): Record<FunctionFolder, PolicyStatement[]> {
  const { main, secrets, tokenKey, oauthApps, mail, events, outbound, outboundDeadLetters, polls } = things
  const { notifications, webhookKey } = things
  const listing = `${main.tableArn}/index/${indexNames.listing}`
  const due = `${main.tableArn}/index/${indexNames.due}`
  const outboundMail = mail.arnForObjects('accounts/*/outbound/*')
  const inboundMail = mail.arnForObjects('accounts/*/inbound/*')

  const uploads = mail.arnForObjects(`${uploadPrefix}*`)

  const announce = allow('AnnounceEvents', 'sns:Publish', events.topicArn)
  const ringForSend = allow('RingForSend', 'sqs:SendMessage', outbound.queueArn)
  const askForPoll = allow('AskForPoll', 'sqs:SendMessage', arnsOf(polls))
  const ringForNotify = allow('RingForNotify', 'sqs:SendMessage', notifications.queueArn)
  const signWebhooks = allow('SignWebhooks', 'kms:GenerateMac', webhookKey.keyArn)
  // S3 says "no such key" only to those who may list; to others a missing mail looks like a forbidden one.
  const tellMissingMail = allow('TellMissingMail', 's3:ListBucket', mail.bucketArn)

  const readUploads = allow('ReadUploads', 's3:GetObject', uploads)

  // Only connect, send and fetch may open tokens. The context is the one that channel/seal.ts wraps data keys under.
  const wrapTokens = allow('WrapTokens', ['kms:Decrypt', 'kms:GenerateDataKey'], tokenKey.keyArn, {
    StringEquals: { 'kms:EncryptionContext:app': 'postroom' },
  })
  const readOAuthApps = allow('ReadOAuthApps', 'secretsmanager:GetSecretValue', oauthApps.secretArn)

  return {
    connect: [
      allow('Main', tableActions('GetItem', 'PutItem', 'UpdateItem', 'DeleteItem', 'Query'), main.tableArn),
      allow('Secrets', tableActions('GetItem', 'PutItem', 'UpdateItem', 'DeleteItem'), secrets.tableArn),
      wrapTokens,
      readOAuthApps,
      ...proveOAuthApp(things),
      announce,
      ringForSend,
      askForPoll,
    ],
    api: [
      allow(
        'Main',
        tableActions('GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem', 'DeleteItem'),
        main.tableArn,
      ),
      allow('ListMain', tableActions('Query'), listing),
      allow('WriteMail', 's3:PutObject', outboundMail),
      allow('ReadMail', 's3:GetObject', [outboundMail, inboundMail]),
      // Whoever holds a presigned URL does this in the function's name (channel/presigned.ts).
      allow('SignUploads', 's3:PutObject', uploads),
      readUploads,
      tellMissingMail,
      announce,
      ringForSend,
      askForPoll,
      signWebhooks,
      ringForNotify,
    ],
    send: [
      ...consume('ReceiveOutbound', [outbound]),
      allow(
        'Main',
        tableActions('GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem', 'DeleteItem', 'Query'),
        main.tableArn,
      ),
      allow('Secrets', tableActions('GetItem', 'PutItem', 'UpdateItem'), secrets.tableArn),
      wrapTokens,
      readOAuthApps,
      ...proveOAuthApp(things),
      allow('WriteMail', 's3:PutObject', outboundMail),
      allow('ReadMail', 's3:GetObject', outboundMail),
      readUploads,
      tellMissingMail,
      announce,
      // For notices to owners, which are messages themselves.
      ringForSend,
      allow('BuryRejected', 'sqs:SendMessage', outboundDeadLetters.queueArn),
    ],
    schedule: [
      allow('Main', tableActions('GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem', 'Query'), main.tableArn),
      allow('FindDue', tableActions('Query'), [due, listing]),
      announce,
      ringForSend,
      askForPoll,
      ringForNotify,
    ],
    fetch: [
      ...consume('ReceivePolls', polls),
      allow('Main', tableActions('GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem', 'Query'), main.tableArn),
      allow('Secrets', tableActions('GetItem', 'PutItem', 'UpdateItem', 'DeleteItem'), secrets.tableArn),
      // To count what is stored against what lies in a mailbox.
      allow('ListMain', tableActions('Query'), listing),
      wrapTokens,
      readOAuthApps,
      ...proveOAuthApp(things),
      allow('WriteMail', 's3:PutObject', inboundMail),
      // After a crash between a message's row and its event, to parse it anew, and to tell of a mail that bounced.
      allow('ReadMail', 's3:GetObject', [inboundMail, outboundMail]),
      tellMissingMail,
      announce,
      ringForSend,
    ],
    notify: [
      ...consume('ReceiveNotifications', [notifications]),
      allow(
        'Main',
        tableActions('GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem', 'DeleteItem', 'Query'),
        main.tableArn,
      ),
      allow('FindListening', tableActions('Query'), listing),
      signWebhooks,
      announce,
    ],
  }
}

/** What proves to a provider which OAuth app we are, where that is no client secret (channel/client-credential.ts). */
function proveOAuthApp({ clientKeyArns, federatedAudiences }: Things): PolicyStatement[] {
  const sign = allow('SignAsOAuthApp', 'kms:Sign', clientKeyArns, {
    StringEquals: { 'kms:SigningAlgorithm': 'RSASSA_PSS_SHA_256' },
  })
  // The action knows no resources: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_outbound_policies.html
  const identify = allow('IdentifyAsOAuthApp', 'sts:GetWebIdentityToken', '*', {
    'ForAllValues:StringEquals': { 'sts:IdentityTokenAudience': federatedAudiences },
  })
  return [...(clientKeyArns.length > 0 ? [sign] : []), ...(federatedAudiences.length > 0 ? [identify] : [])]
}

function allow(
  sid: string,
  actions: string | string[],
  resources: string | string[],
  conditions?: PolicyStatementProps['conditions'],
): PolicyStatement {
  return new PolicyStatement({ sid, actions: [actions].flat(), resources: [resources].flat(), conditions })
}

/** What Lambda itself does with the function's role for an event source mapping. */
function consume(sid: string, queues: IQueue[]): PolicyStatement[] {
  return [allow(sid, ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'], arnsOf(queues))]
}

function arnsOf(queues: IQueue[]): string[] {
  return queues.map(({ queueArn }) => queueArn)
}

function tableActions(...names: string[]): string[] {
  return names.map(name => `dynamodb:${name}`)
}
