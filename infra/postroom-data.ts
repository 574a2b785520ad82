/**
 * What must survive: tables, mail, the key that wraps token keys, the OAuth apps' credentials. All of it is retained
 * when its stack is removed; what uses it (postroom.ts) may be taken away and made anew.
 */

import { CfnOutput, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib'
import {
  AttributeType,
  Billing,
  type ITableV2,
  ProjectionType,
  TableEncryptionV2,
  TableV2,
} from 'aws-cdk-lib/aws-dynamodb'
import { Key, KeySpec, KeyUsage } from 'aws-cdk-lib/aws-kms'
import { BlockPublicAccess, Bucket, BucketEncryption, HttpMethods } from 'aws-cdk-lib/aws-s3'
import { Secret } from 'aws-cdk-lib/aws-secretsmanager'
import { Construct } from 'constructs'
import { uploadPrefix } from '../functions/channel/mail-keys.ts'
import { indexNames, keyNames } from '../functions/channel/table-names.ts'
import { readConfiguration } from './configuration.ts'
import type { ConfigurationInput } from './configuration-schema.ts'

const string = (name: string) => ({ name, type: AttributeType.STRING })

export interface PostroomDataProps {
  /** The same as that of the system; only `retention` and `tables` are of use here. */
  configuration?: ConfigurationInput
}

export class PostroomData extends Construct {
  readonly main: ITableV2
  readonly secrets: ITableV2
  readonly mail: Bucket
  readonly tokenKey: Key
  readonly webhookKey: Key
  readonly oauthApps: Secret

  constructor(scope: Construct, id: string, { configuration }: PostroomDataProps = {}) {
    super(scope, id)
    const { retention, tables } = readConfiguration(configuration)
    const { recoveryDays, mailDays } = retention

    const tableDefaults = {
      partitionKey: string(keyNames.partition),
      sortKey: string(keyNames.sort),
      billing: Billing.onDemand(),
      encryption: TableEncryptionV2.dynamoOwnedKey(),
      timeToLiveAttribute: keyNames.expiresAtSeconds,
      pointInTimeRecoverySpecification: {
        pointInTimeRecoveryEnabled: true,
        recoveryPeriodInDays: recoveryDays,
      },
      deletionProtection: true,
      removalPolicy: RemovalPolicy.RETAIN,
    }

    // Channels, sessions, messages, queue rows, events, slots. Both indexes hold keys only: an update that
    // moves no index key costs no index write.
    const main = new TableV2(this, 'Main', {
      ...tableDefaults,
      globalSecondaryIndexes: [
        {
          indexName: indexNames.listing,
          partitionKey: string(keyNames.listingPartition),
          sortKey: string(keyNames.listingSort),
          projectionType: ProjectionType.KEYS_ONLY,
        },
        {
          indexName: indexNames.due,
          partitionKey: string(keyNames.duePartition),
          sortKey: string(keyNames.dueSort),
          projectionType: ProjectionType.KEYS_ONLY,
        },
      ],
    })
    this.main = tables.main ? TableV2.fromTableName(this, 'RestoredMain', tables.main) : main

    // Tokens, OAuth verifiers and wrapped data keys: a table of its own, so that IAM can tell
    // "may read channels" from "may read tokens".
    const secrets = new TableV2(this, 'Secrets', tableDefaults)
    this.secrets = tables.secrets ? TableV2.fromTableName(this, 'RestoredSecrets', tables.secrets) : secrets

    this.tokenKey = new Key(this, 'TokenKey', {
      description: 'Wraps the data keys under which Postroom encrypts OAuth tokens',
      enableKeyRotation: true,
      removalPolicy: RemovalPolicy.RETAIN,
    })

    // Signing secrets of webhooks are made with it and stored nowhere: without the key there are none.
    this.webhookKey = new Key(this, 'WebhookKey', {
      description: 'Makes the secrets with which Postroom signs webhooks',
      keySpec: KeySpec.HMAC_256,
      keyUsage: KeyUsage.GENERATE_VERIFY_MAC,
      removalPolicy: RemovalPolicy.RETAIN,
    })

    this.mail = new Bucket(this, 'Mail', {
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      // A presigned URL is the whole permission, whichever page follows it: the console, or an app's.
      cors: [{ allowedOrigins: ['*'], allowedMethods: [HttpMethods.GET] }],
      removalPolicy: RemovalPolicy.RETAIN,
      lifecycleRules: [
        { abortIncompleteMultipartUploadAfter: Duration.days(1) },
        ...(mailDays ? [{ expiration: Duration.days(mailDays) }] : []),
        // What a message was made of lies with the message; what was never sent goes.
        { prefix: uploadPrefix, expiration: Duration.days(1) },
      ],
    })

    this.oauthApps = new Secret(this, 'OAuthApps', {
      description: 'OAuth client ids and secrets by provider, as JSON in the format of POSTROOM_APPS',
      removalPolicy: RemovalPolicy.RETAIN,
    })

    // CDK exports to another stack what that imports at the moment. This one is deployed first, and CloudFormation takes no
    // export away that a deployed stack still imports: what the configuration may do without stays exported.
    const imported = [main, secrets].flatMap(({ tableName, tableArn }) => [tableName, tableArn])
    for (const value of [...imported, this.mail.bucketRegionalDomainName]) Stack.of(this).exportValue(value)

    new CfnOutput(this, 'LeftByPostroomData', {
      value: [
        main.tableArn,
        secrets.tableArn,
        this.mail.bucketArn,
        this.tokenKey.keyArn,
        this.webhookKey.keyArn,
        this.oauthApps.secretArn,
      ].join(' '),
      description: 'What stays when this stack is removed: see infra/deploy.md, Removing it',
    })
  }
}
