/** Who calls the API, and what of it they may see (invariant I6). */

import * as v from 'valibot'
import { accountIdSchema } from './account-id.ts'
import type { Channels } from './channels.ts'
import type { ConnectSessions } from './connect-sessions.ts'
import type { Events } from './events.ts'
import { PostroomError } from './faults.ts'
import type { HttpRequest } from './http.ts'
import type { Messages } from './messages.ts'
import { check } from './schema-check.ts'
import type { Webhooks } from './webhooks.ts'

export interface Caller {
  /** Null for the operator, who may name any account. */
  accountId: string | null
}

/** How a bearer token says whom it stands for. Null where callers sign with IAM, which makes them the operator. */
export interface TokenRules {
  /** The claim that holds the account. */
  accountClaim: string | null
  /** A token with this scope is the operator's. */
  operatorScope: string | null
}

const authorizerSchema = v.object({
  iam: v.optional(v.object({})),
  jwt: v.optional(v.object({ claims: v.record(v.string(), v.unknown()) })),
})

/**
 * API Gateway has verified signature or token before this runs, and says here whose it was. A request it
 * vouches for nobody in is nobody's: a route that lost its authorizer then answers 403, not everything.
 * @throws PostroomError `caller_unknown`
 */
export function callerOf(request: HttpRequest, { accountClaim, operatorScope }: TokenRules): Caller {
  const { authorizer } = request.requestContext as { authorizer?: unknown }
  const { iam, jwt } = check(authorizerSchema, authorizer ?? {}).data ?? {}
  if (iam) return { accountId: null }
  if (jwt) {
    // RFC 8693 4.2: scopes stand in one string, with spaces between them. Entra calls the claim `scp`.
    const scopes = [jwt.claims.scope, jwt.claims.scp].flatMap(claim => String(claim ?? '').split(' '))
    if (operatorScope !== null && scopes.includes(operatorScope)) return { accountId: null }
    const account = check(accountIdSchema, accountClaim === null ? undefined : jwt.claims[accountClaim])
    if (account.success) return { accountId: account.data }
  }
  throw new PostroomError('caller_unknown', {
    errors: [
      { field: accountClaim ?? 'token', rule: 'must be a claim that names an account', found: 'nothing' },
    ],
  })
}

/**
 * The account a call is about: a token's own, or the one an operator names.
 * @throws PostroomError `account_not_allowed`, `request_invalid` if an operator names none
 */
export function accountOf({ accountId }: Caller, given: string | undefined): string {
  if (given !== undefined) {
    if (accountId === null || accountId === given) return given
    throw notAllowed(given)
  }
  if (accountId !== null) return accountId
  throw new PostroomError('request_invalid', {
    errors: [{ field: 'accountId', rule: 'must be given', found: 'nothing' }],
  })
}

/**
 * For what no token of one account may ask, whatever it asks it about.
 * @throws PostroomError `operator_required`
 */
export function requireOperator({ accountId }: Caller): void {
  if (accountId === null) return
  throw new PostroomError('operator_required', {
    errors: [{ field: 'token', rule: 'must be the operator’s', found: 'the token of an account' }],
  })
}

function notAllowed(given: string): PostroomError {
  return new PostroomError('account_not_allowed', {
    errors: [{ field: 'accountId', rule: 'must be the account of the token', found: given.slice(0, 80) }],
  })
}

export interface Viewable {
  channels: Channels
  sessions: ConnectSessions
  events?: Events
  messages?: Messages
  webhooks?: Webhooks
}

/**
 * The services as one account sees them: what belongs to another is not there, whatever id is asked for. A
 * handler is given only this view, so that no handler can forget to check.
 */
export function viewOf<S extends Viewable>(services: S, { accountId }: Caller): S {
  if (accountId === null) return services
  const own = <T extends { accountId: string | null }>(thing: T | undefined) =>
    thing?.accountId === accountId ? thing : undefined
  const ownOnly = (asked: string | null | undefined) => {
    if (asked != null && asked !== accountId) throw notAllowed(asked)
    return accountId
  }
  const { channels, sessions, messages, events, webhooks } = services
  // Each get() is built on its find(), and so finds what the view finds.
  return {
    ...services,
    channels: {
      ...channels,
      find: async id => own(await channels.find(id)),
      findMany: async ids => (await channels.findMany(ids)).filter(own),
      list: (asked, page) => channels.list(ownOnly(asked), page),
    } satisfies Channels,
    sessions: {
      ...sessions,
      find: async id => own(await sessions.find(id)),
    } satisfies ConnectSessions,
    ...(messages && {
      messages: { ...messages, find: async id => own(await messages.find(id)) } satisfies Messages,
    }),
    ...(events && {
      events: {
        ...events,
        find: async id => own(await events.find(id)),
        read: (asked, page) => events.read(ownOnly(asked), page),
      } satisfies Events,
    }),
    ...(webhooks && {
      webhooks: {
        ...webhooks,
        find: async id => own(await webhooks.find(id)),
        list: (asked, page) => webhooks.list(ownOnly(asked), page),
      } satisfies Webhooks,
    }),
  }
}
