/** All that an owner may set at deploy time: the `postroom` object in cdk.json's context, or `-c postroom='{…}'`. */

import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import * as v from 'valibot'
import { providerId, providerOverridesSchema } from '../functions/channel/provider.ts'
import { restoredSchema } from '../functions/channel/restored.ts'
import { pollIntervals } from '../functions/channel/slots.ts'

/** CloudWatch knows these numbers of days only. */
const logDays = Object.values(RetentionDays).filter(
  (days): days is RetentionDays => typeof days === 'number' && days !== RetentionDays.INFINITE,
)

const hostname = v.pipe(
  v.string(),
  v.regex(
    /^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$/,
    'must be a host name in lower case, such as mail.example.com',
  ),
)

const anHttpsUrl = 'must be an https URL'
const httpsUrl = v.pipe(v.string(anHttpsUrl), v.url(anHttpsUrl), v.startsWith('https://', anHttpsUrl))

/**
 * A page at the end of connecting links there, so that no `javascript:` may be among them. An installed app's own scheme
 * is the reverse of a domain (RFC 8252, section 7.1), and has a dot.
 */
const returnUrl = v.pipe(
  v.string(),
  v.url('must be a URL'),
  v.regex(
    /^(https:\/\/|http:\/\/(localhost|127\.0\.0\.1)[:/]|[a-z][a-z0-9-]*(\.[a-z0-9-]+)+:)/,
    "must begin with https://, http://localhost or an installed app's own scheme, such as com.example.desk:",
  ),
)

const tableName = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_.-]{3,255}$/, 'must be the name of a table'))

const kmsKeyArn = v.pipe(
  v.string(),
  v.regex(/^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/.+$/, 'must be the ARN of a KMS key'),
)

function wholeNumber(least: number, most: number) {
  const error = `must be a whole number from ${least} to ${most}`
  return v.pipe(v.number(error), v.safeInteger(error), v.minValue(least, error), v.maxValue(most, error))
}

/** Lambda takes no other numbers for what reads a queue. */
const pollConcurrency = wholeNumber(2, 1_000)

export const configurationSchema = v.strictObject({
  /**
   * Begins the names of the functions' roles, `{name}-{folder}-{region}`, which other systems bind to. Without it the
   * name of the stack does.
   */
  name: v.optional(
    v.pipe(
      v.string(),
      v.regex(
        /^[A-Za-z][A-Za-z0-9-]{0,38}$/,
        'must be at most 39 letters, digits and dashes, beginning with a letter',
      ),
    ),
  ),
  /** AWS region of both stacks; without it that of the domain's certificate, else the one that the CLI's profile names. */
  region: v.optional(
    v.pipe(v.string(), v.regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'must be a region, such as eu-west-1')),
  ),
  /** A domain of your own for connect pages and API. */
  domain: v.optional(
    v.pipe(
      v.strictObject({
        name: hostname,
        /** A certificate of ACM that covers the name, in the region of the API. */
        certificateArn: v.pipe(
          v.string(),
          v.regex(
            /^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate\/.+$/,
            'must be the ARN of a certificate in ACM',
          ),
        ),
        /** Where the name is to be entered. Without it you point the name at the output `DomainTarget` yourself. */
        hostedZone: v.optional(v.strictObject({ id: v.pipe(v.string(), v.minLength(1)), name: hostname })),
      }),
      v.forward(
        v.check(
          ({ name, hostedZone }) => !hostedZone || `.${name}`.endsWith(`.${hostedZone.name}`),
          'must be the domain or a parent of it',
        ),
        ['hostedZone', 'name'],
      ),
    ),
  ),
  /** Origin people see, if something else stands before the HTTP API. Without a slash at the end. */
  publicUrl: v.optional(
    v.pipe(
      httpsUrl,
      v.check(text => !text.endsWith('/'), 'must not end with a slash'),
    ),
  ),
  /** What people know your app as: the connect page names it. */
  appName: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(80))),
  /** Exact URLs to which a browser may return after connecting; a connect session names one of them. */
  returnUrls: v.optional(v.array(returnUrl), []),
  /** How often a mailbox is polled, in minutes. */
  pollIntervalMinutes: v.optional(
    v.picklist([...pollIntervals], `must be one of ${pollIntervals.join(', ')}`),
    5,
  ),
  /**
   * How many batches of 50 mailboxes are polled at the same time at most, by provider: 50 times that is the most that
   * connections to it can be. A provider that is named has a queue of its own, so that what waits for it holds up no other;
   * `others` is what all the rest share. 20 do for some 70,000 mailboxes of one every 5 minutes, a tenth of which are talking (infra/scale.md).
   * The sum must stay below the concurrent executions of the account: 1,000, of a new one perhaps 10.
   */
  pollConcurrency: v.optional(
    v.objectWithRest(
      {
        microsoft: v.optional(pollConcurrency, 20),
        google: v.optional(pollConcurrency, 20),
        others: v.optional(pollConcurrency, 20),
      },
      pollConcurrency,
    ),
    {},
  ),
  /** How long things are kept. Tables keep everything but what says itself when it ends. */
  retention: v.optional(
    v.strictObject({
      /** Logs of functions and API. */
      logDays: v.optional(v.picklist(logDays, `must be one of ${logDays.join(', ')}`), 14),
      /** Raw mail, texts and attachments. Without it for ever. What is parked longer than that cannot be sent any more. */
      mailDays: v.optional(wholeNumber(30, 36_500)),
      /** How far back a table can be restored to. */
      recoveryDays: v.optional(wholeNumber(1, 35), 35),
    }),
    {},
  ),
  /** Who may call the API under /v1. */
  authentication: v.optional(
    v.variant(
      'type',
      [
        /** Callers sign with AWS credentials (SigV4). They are the operator's own, and may name any account. */
        v.strictObject({ type: v.literal('iam') }),
        /** Callers send a token of this issuer, which stands for one account and sees nothing of another. */
        v.strictObject({
          type: v.literal('jwt'),
          issuer: httpsUrl,
          audience: v.pipe(v.array(v.pipe(v.string(), v.minLength(1))), v.minLength(1)),
          accountClaim: v.pipe(v.string(), v.minLength(1)),
          /** A token with this scope may name any account. Without it, no token may. */
          operatorScope: v.optional(v.pipe(v.string(), v.minLength(1))),
        }),
      ],
      'must be iam or jwt',
    ),
    { type: 'iam' },
  ),
  /**
   * The console, at the origin of the API: an operator signs in at the issuer of `authentication`, whose type must be
   * jwt, and sees what the token may see. Without it no console is served.
   */
  console: v.optional(
    v.strictObject({
      /** A public client (no secret) of the issuer that may return to the origin with a slash at the end. */
      clientId: v.pipe(v.string(), v.minLength(1)),
      /** Both stand in the issuer's `/.well-known/openid-configuration`. */
      authorizationEndpoint: httpsUrl,
      tokenEndpoint: httpsUrl,
      /** What is asked for; without it `openid` and the `operatorScope`. */
      scope: v.optional(v.pipe(v.string(), v.minLength(1))),
      /** What the issuer must be told besides, such as `{"resource": "…"}` or `{"audience": "…"}`. */
      parameters: v.optional(v.record(v.string(), v.string()), {}),
    }),
  ),
  /**
   * OAuth apps, by provider, that prove themselves by something on AWS, which the functions must be allowed to use.
   * Client ids and secrets stand in the OAuthApps secret; an app with a client secret needs no entry here.
   */
  apps: v.optional(
    v.record(
      providerId,
      v.strictObject({
        /** The KMS key whose certificate the app signs in with: `signingKey.kmsKeyArn` of the secret. */
        signingKeyArn: v.optional(kmsKeyArn),
        /** For an app that trusts the functions' roles: `federated.audience` of the secret. */
        federatedAudience: v.optional(v.pipe(v.string(), v.minLength(1))),
      }),
    ),
    {},
  ),
  /** Tables that take the place of those made here: restored from a point in time, under names of their own. */
  tables: v.optional(v.strictObject({ main: v.optional(tableName), secrets: v.optional(tableName) }), {}),
  /**
   * Restore mode, until all has settled: before a message leaves, it is looked for in Sent. What was accepted before and is
   * not found is sent (`resume`) or left to its app as uncertain (`resync`).
   */
  restored: v.optional(restoredSchema),
  /** What tells its owner how it does, and what that may cost (infra/runbook.md, infra/cost.md). */
  operations: v.optional(
    v.pipe(
      v.strictObject({
        /** Is told of alarms and the budget; AWS asks the address once whether it wants that. */
        email: v.optional(v.pipe(v.string(), v.rfcEmail('must be an e-mail address'))),
        /** About $3 a month, the first ten metrics of an account free. */
        alarms: v.optional(v.boolean(), true),
        /** $3 a month, the first three of an account free. */
        dashboard: v.optional(v.boolean(), true),
        /** X-Ray: $5 for a million traces, one for nearly every poll batch; shows how long each call of a function took. */
        tracing: v.optional(v.boolean(), false),
        /** What the whole account may cost in a month; told at 80 and 100 percent. */
        monthlyBudgetUsd: v.optional(wholeNumber(1, 1_000_000)),
      }),
      v.forward(
        v.check(
          ({ monthlyBudgetUsd, email }) => monthlyBudgetUsd === undefined || email !== undefined,
          'must be set where there is a budget',
        ),
        ['email'],
      ),
    ),
    {},
  ),
  /** Provider entries that replace or add to the built-in ones. */
  providers: v.optional(providerOverridesSchema, {}),
})

/** As it is written; what is left out has its default. */
export type ConfigurationInput = v.InferInput<typeof configurationSchema>
export type PostroomConfiguration = v.InferOutput<typeof configurationSchema>
