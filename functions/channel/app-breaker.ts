/**
 * Stands before the token endpoint: an OAuth app that the provider refuses (an expired client secret, say), or that
 * cannot prove itself (its KMS key is disabled), is one trouble of the operator's, and not a thousand broken mailboxes.
 * While it lasts, nobody calls the endpoint but one trial at a time, at growing intervals; the first trial that gets past
 * the app's credentials ends it. Mailboxes whose access token is still good go on meanwhile. A sign-in is always tried,
 * since a person waits for it, and its exchange of the code shows the same as a trial.
 */

import {
  type Behind,
  breakerKey,
  breakerPartition,
  breakerSchema,
  type OpenBreaker,
  type Scope,
  scopesOf,
} from './breaker-row.ts'
import type { Channel } from './channels.ts'
import { type Events, operatorAccount } from './events.ts'
import { describeFault, PostroomError } from './faults.ts'
import { errorForLog, log } from './log.ts'
import { type Item, readItem, type Table } from './table.ts'

/** Says how a call of the token endpoint ended, so that the breaker knows. */
export interface Admission {
  /** Set if this call tries for everybody. */
  trialOf: OpenBreaker | null
}

export interface AppBreaker {
  /** @throws PostroomError the app's fault, with the time until the next trial, while the app is refused */
  admit(channel: Behind): Promise<Admission>
  /** The provider refused the app itself. @throws PostroomError always: the app's fault */
  refused(channel: Behind, admission: Admission, error: PostroomError): Promise<never>
  /** The provider looked past the app's credentials, whatever it then said of the grant. */
  accepted(admission: Admission): Promise<void>
  /** A sign-in's code was exchanged: the provider takes the app, also in the organization that signed in. */
  codeTaken(signIn: Behind): Promise<void>
  /** A sign-in's code was not exchanged; whether that is the app's fault, `error` says. */
  codeRefused(signIn: Omit<Behind, 'identity'>, error: PostroomError): Promise<void>
  /**
   * The channels as an app shall see them: `auth` is `app_fault` while their OAuth app is refused, though nothing of it
   * is stored with them. A reconnect or a setting that is needed in any case stays what it is.
   */
  shown(channels: Channel[]): Promise<Channel[]>
  /**
   * @returns how many apps are refused as a whole, and not by one organization alone; and those that work again, but whose
   *   waiting mail was not rung for yet
   */
  standing(): Promise<{ refusedApps: number; recovered: (OpenBreaker & { waitsUntilMs: number })[] }>
  /** Their waiting mail was rung for. */
  resumed(breaker: OpenBreaker): Promise<void>
}

/** How long until the next trial; the last one repeats. Also how long mail waits at most after the trouble ends. */
const trialAfterMs = [1, 2, 5].map(minutes => minutes * 60_000)
/** An app that is refused again this soon has not recovered: nobody is told a second time. */
const sameEpisodeMs = 10 * 60_000
const waitAfter = (trials: number) => trialAfterMs[Math.min(trials, trialAfterMs.length - 1)] ?? 0
/** What a process has seen of a breaker is good for this long, so that a refresh is seldom more than its own reads. */
const rememberMs = 5_000
/** Access tokens live for about an hour: of an app that nobody has tried for longer there is no mailbox any more. */
const forsakenMs = 2 * 3600_000
/** Those that wait come back spread over this part of a minute, and not before the trial. */
const spreadMs = 15_000

/** Whoever must act in any case, the owner or an administrator, is named before the operator. */
function isShownByApp({ auth, disconnectedAt }: Channel): boolean {
  return auth.state === 'connected' && disconnectedAt === null
}

export interface BreakerServices {
  main: Table
  events: Events
  now(): number
}

export function openAppBreaker({ main, events, now }: BreakerServices): AppBreaker {
  const seen = new Map<string, { breaker: OpenBreaker | undefined; untilMs: number }>()
  const told = new Set<string>()

  function remember(scope: Scope, item: Item | undefined): OpenBreaker | undefined {
    const breaker = item && readItem(breakerSchema, item)
    seen.set(breakerKey(scope).sk, { breaker, untilMs: now() + rememberMs })
    return breaker
  }

  async function look(scope: Scope): Promise<OpenBreaker | undefined> {
    return remember(scope, await main.get(breakerKey(scope)))
  }

  /** What holds this channel back, if anything does. */
  async function openFor(channel: Behind): Promise<OpenBreaker | undefined> {
    const breakers = await Promise.all(
      scopesOf(channel).map(scope => {
        const known = seen.get(breakerKey(scope).sk)
        return known && known.untilMs > now() ? known.breaker : look(scope)
      }),
    )
    return breakers.find(breaker => breaker?.isOpen)
  }

  /** The app's fault for one more channel; its account is told once an episode, and so is the operator. */
  async function faultFor(
    { accountId }: Pick<Behind, 'accountId'>,
    breaker: OpenBreaker,
    cause?: unknown,
  ): Promise<PostroomError> {
    const { fault, nextTrialAtMs } = breaker
    const waitMs = Math.max(0, nextTrialAtMs - now()) + Math.random() * spreadMs
    const error = new PostroomError(fault.code, {
      cause,
      evidence: fault.evidence ?? undefined,
      retryAfterMs: Math.ceil(waitMs),
    })
    // What may pass by itself, as a bad second of KMS, is told once the first trial has failed as well.
    if (error.row.action === 'retry' && breaker.trials === 0) return error
    for (const account of [operatorAccount, accountId]) await tell(account, breaker, error)
    return error
  }

  async function tell(accountId: string, breaker: OpenBreaker, error: PostroomError): Promise<void> {
    const { provider, clientId, tenantId, since } = breaker
    const episode = `${breakerKey(breaker).sk} ${since}`
    const telling = `${accountId} ${episode}`
    if (told.has(telling)) return
    try {
      await events.announce({
        type: 'app.fault',
        accountId,
        channelId: null,
        occurredAt: since,
        subject: episode,
        data: { provider, clientId, tenantId, fault: describeFault(error) },
      })
      told.add(telling)
    } catch (thrown) {
      // The next one to be refused tells it.
      log({ event: 'app_fault_untold', accountId, ...errorForLog(thrown) })
    }
  }

  async function open(scope: Scope, error: PostroomError): Promise<OpenBreaker | undefined> {
    const at = now()
    const before = await look(scope)
    if (before?.isOpen) return before
    const isSame = before !== undefined && at - (before.closedAtMs ?? 0) < sameEpisodeMs
    const { since, trials } = isSame ? before : { since: new Date(at).toISOString(), trials: 0 }
    const breaker: OpenBreaker = {
      ...scope,
      isOpen: 1,
      since,
      trials,
      closedAtMs: null,
      nextTrialAtMs: at + waitAfter(trials),
      fault: { code: error.code, evidence: error.evidence ?? null },
      isToBeResumed: 0,
    }
    // Of many that are refused at once, the first opens it.
    const condition = { exists: undefined, atMost: { isOpen: 0 } }
    const opened = await main.update(breakerKey(scope), { set: breaker }, condition)
    if (!opened) return look(scope)
    log({ event: 'app_fault', ...scope, ...errorForLog(error) })
    return remember(scope, opened)
  }

  async function claimTrial(breaker: OpenBreaker): Promise<OpenBreaker | undefined> {
    const trials = breaker.trials + 1
    const claimed = await main.update(
      breakerKey(breaker),
      { set: { trials, nextTrialAtMs: now() + waitAfter(trials) } },
      { equals: { since: breaker.since, trials: breaker.trials, isOpen: 1 } },
    )
    return claimed && remember(breaker, claimed)
  }

  async function close(breaker: OpenBreaker): Promise<void> {
    const closed = await main.update(
      breakerKey(breaker),
      { set: { isOpen: 0, closedAtMs: now(), isToBeResumed: 1 } },
      { equals: { since: breaker.since, isOpen: 1 } },
    )
    if (!closed) return
    remember(breaker, closed)
    const { provider, clientId, tenantId } = breaker
    log({ event: 'app_recovered', provider, clientId, tenantId })
  }

  return {
    async admit(channel) {
      const breaker = await openFor(channel)
      if (!breaker) return { trialOf: null }
      if (breaker.nextTrialAtMs > now()) throw await faultFor(channel, breaker)
      const trialOf = await claimTrial(breaker)
      if (trialOf) return { trialOf }
      const latest = await look(breaker)
      if (!latest?.isOpen) return { trialOf: null }
      throw await faultFor(channel, latest)
    },

    async refused(channel, { trialOf }, error) {
      const scopes = scopesOf(channel)
      const scope = error.code === 'app_refused_in_tenant' ? scopes.at(-1) : scopes[0]
      if (!scope) throw error
      if (trialOf && breakerKey(trialOf).sk === breakerKey(scope).sk) {
        throw await faultFor(channel, trialOf, error)
      }
      // Tried for all organizations, and refused by this one alone: the app itself is accepted again.
      if (trialOf?.tenantId === null) await close(trialOf)
      const breaker = await open(scope, error)
      throw breaker ? await faultFor(channel, breaker, error) : error
    },

    async accepted({ trialOf }) {
      if (trialOf) await close(trialOf)
    },

    async codeTaken(signIn) {
      for (const scope of scopesOf(signIn)) {
        const breaker = await look(scope)
        if (breaker?.isOpen) await close(breaker)
      }
    },

    async codeRefused(signIn, error) {
      // Which organization has refused the app, a code does not say.
      if (error.code !== 'app_credentials_refused') return
      const breaker = await open(
        { provider: signIn.provider, clientId: signIn.clientId, tenantId: null },
        error,
      )
      if (breaker) await faultFor(signIn, breaker, error)
    },

    async shown(channels) {
      const working = channels.filter(isShownByApp)
      const items = await main.getMany(working.flatMap(scopesOf).map(breakerKey))
      const open = items
        .filter(item => item !== undefined)
        .map(item => readItem(breakerSchema, item))
        .filter(({ isOpen }) => isOpen)
      const refusals = new Map(open.map(breaker => [breakerKey(breaker).sk, breaker]))
      return channels.map(channel => {
        const [refusal] = scopesOf(channel).flatMap(scope => refusals.get(breakerKey(scope).sk) ?? [])
        if (!refusal || !isShownByApp(channel)) return channel
        const { code, evidence } = refusal.fault
        const fault = describeFault(new PostroomError(code, { evidence: evidence ?? undefined }))
        return { ...channel, auth: { state: 'app_fault', fault, since: refusal.since } }
      })
    },

    async standing() {
      const breakers = (await main.partition(breakerPartition)).map(item => readItem(breakerSchema, item))
      return {
        refusedApps: breakers.filter(
          ({ isOpen, tenantId, nextTrialAtMs }) =>
            isOpen === 1 && tenantId === null && now() - nextTrialAtMs < forsakenMs,
        ).length,
        recovered: breakers
          .filter(({ isOpen, isToBeResumed }) => isOpen === 0 && isToBeResumed === 1)
          .map(breaker => ({ ...breaker, waitsUntilMs: breaker.nextTrialAtMs + spreadMs })),
      }
    },

    async resumed(breaker) {
      await main.update(
        breakerKey(breaker),
        { set: { isToBeResumed: 0 } },
        { equals: { since: breaker.since } },
      )
    },
  }
}
