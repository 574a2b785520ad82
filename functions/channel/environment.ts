/** The names of the environment variables a function may have, and how they are read. infra/ imports the names. */

import { PostroomError } from './faults.ts'

/** Names by function stand in infra/functions.ts; values come from the template, on AWS and locally alike. */
export const environmentNames = {
  mainTable: 'MAIN_TABLE',
  secretsTable: 'SECRETS_TABLE',
  mailBucket: 'MAIL_BUCKET',
  tokenKeyArn: 'TOKEN_KEY_ARN',
  oauthAppsSecretArn: 'OAUTH_APPS_SECRET_ARN',
  eventsTopicArn: 'EVENTS_TOPIC_ARN',
  outboundQueueUrl: 'OUTBOUND_QUEUE_URL',
  outboundDeadLetterUrl: 'OUTBOUND_DEAD_LETTER_URL',
  pollQueueUrl: 'POLL_QUEUE_URL',
  /** JSON object of queues by provider: those of all others go to `pollQueueUrl`. */
  pollQueueUrls: 'POLL_QUEUE_URLS',
  notifyQueueUrl: 'NOTIFY_QUEUE_URL',
  webhookKeyArn: 'WEBHOOK_KEY_ARN',
  /** `public`, or `loopback` where apps are developed on the same machine. */
  webhookEgress: 'WEBHOOK_EGRESS',
  /** Origin under which people reach `/connect` and providers reach `/oauth`, without a slash at the end. */
  publicUrl: 'PUBLIC_URL',
  /** JSON object of provider entries that replace or add to the built-in ones (provider.ts). */
  providers: 'PROVIDERS',
  /** JSON list of the URLs a connect session may name as `returnUrl`. */
  returnUrls: 'RETURN_URLS',
  /** What the connect page calls the app that sends people there; may be empty. */
  appName: 'APP_NAME',
  pollIntervalMinutes: 'POLL_INTERVAL_MINUTES',
  /** Which claim of a token holds the account, and which scope makes it the operator's (caller.ts). Empty with IAM. */
  accountClaim: 'ACCOUNT_CLAIM',
  operatorScope: 'OPERATOR_SCOPE',
  /** Name of the deployment, for the metrics of two in one account not to add up. */
  systemName: 'SYSTEM_NAME',
  /** JSON: when tables were put back to an earlier time and what then (restored.ts); null: never. */
  restored: 'RESTORED',
  /** JSON of how the console's browser signs in (console/page.ts). */
  consoleSignIn: 'CONSOLE_SIGN_IN',
  /** Origin of the URLs at which S3 hands out large files (presigned.ts): the console's page may call it. */
  mailOrigin: 'MAIL_ORIGIN',
} as const

export type EnvironmentName = keyof typeof environmentNames

/**
 * Reads one variable. Only the "built once at cold start" part of a handler may call this.
 * @throws PostroomError `configuration_invalid` if the variable is absent or empty
 */
export function readEnvironment(name: EnvironmentName): string {
  const variable = environmentNames[name]
  const value = process.env[variable]
  if (!value) {
    throw new PostroomError('configuration_invalid', {
      errors: [{ field: variable, rule: 'must be set', found: '' }],
    })
  }
  return value
}

/** Reads a variable that may be absent. */
export function readOptional(name: EnvironmentName): string | null {
  return process.env[environmentNames[name]] || null
}
