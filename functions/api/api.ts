/** The app's HTTP API under /v1. API Gateway has checked who calls before any of this runs. */

import type { AcceptServices } from '../channel/accept.ts'
import type { ActivationServices } from '../channel/activation.ts'
import { type AppBreaker, openAppBreaker } from '../channel/app-breaker.ts'
import { callerOf, type TokenRules } from '../channel/caller.ts'
import { openChannels } from '../channel/channels.ts'
import {
  channelHealth,
  eventLog,
  jsonVariable,
  mailStore,
  mainTable,
  presigned,
  providers,
  queues,
  systemMetrics,
  webhookPosting,
} from '../channel/clients.ts'
import { openConnectSessions } from '../channel/connect-sessions.ts'
import { type Deliveries, openDeliveries } from '../channel/deliveries.ts'
import { readEnvironment, readOptional } from '../channel/environment.ts'
import { withoutWords } from '../channel/escaped-error.ts'
import type { Events } from '../channel/events.ts'
import { asPostroomError } from '../channel/faults.ts'
import { type HttpAnswer, type HttpRequest, problem } from '../channel/http.ts'
import { openIdentities } from '../channel/identities.ts'
import { errorForLog, log } from '../channel/log.ts'
import { openLoopBrake } from '../channel/loop-brake.ts'
import { openMessages } from '../channel/messages.ts'
import type { Metrics } from '../channel/metrics.ts'
import { openOutbox } from '../channel/outbox.ts'
import type { Presigned } from '../channel/presigned.ts'
import { findRoute } from '../channel/route.ts'
import { openSlots } from '../channel/slots.ts'
import { openThreads } from '../channel/threads.ts'
import type { WebhookRequestServices } from '../channel/webhook-request.ts'
import { openWebhooks, type Webhooks } from '../channel/webhooks.ts'
import { routesFor } from './routes.ts'

export interface ApiServices extends AcceptServices, ActivationServices, WebhookRequestServices {
  events: Events
  metrics: Metrics
  breaker: AppBreaker
  webhooks: Webhooks
  deliveries: Deliveries
  presigned: Presigned
  publicUrl: string
  /** Exact URLs a browser may return to. */
  returnUrls: string[]
  tokenRules: TokenRules
}

// called by AWS
let services: ApiServices | undefined
export function handler(request: HttpRequest): Promise<HttpAnswer> {
  return withoutWords(async () => {
    services ??= buildServices()
    return api(request, services).finally(services.metrics.write)
  })
}

// runs once, on cold start: the only place that reads the environment
function buildServices(): ApiServices {
  const main = mainTable()
  const mail = mailStore()
  const now = Date.now
  const channels = openChannels({ main })
  const metrics = systemMetrics()
  const events = eventLog(main, metrics)
  const ringing = queues()
  return {
    metrics,
    channels,
    events,
    breaker: openAppBreaker({ main, events, now }),
    mail,
    presigned: presigned(),
    sessions: openConnectSessions({ main, now }),
    messages: openMessages({ main, mail }),
    outbox: openOutbox({ main }),
    threads: openThreads({ main }),
    loopBrake: openLoopBrake({ main, now }),
    slots: openSlots({ main }),
    identities: openIdentities({ main }),
    health: channelHealth({ main, channels, events, queues: ringing }),
    webhooks: openWebhooks({ main }),
    deliveries: openDeliveries({ main, now }),
    ...webhookPosting(),
    queues: ringing,
    providers: providers(),
    publicUrl: readEnvironment('publicUrl'),
    returnUrls: (jsonVariable('returnUrls') as unknown[]).map(String),
    tokenRules: { accountClaim: readOptional('accountClaim'), operatorScope: readOptional('operatorScope') },
    pollIntervalMinutes: Number(readEnvironment('pollIntervalMinutes')),
    now,
  }
}

// runs for every request
export async function api(request: HttpRequest, services: ApiServices): Promise<HttpAnswer> {
  const { requestId, http } = request.requestContext
  const { method } = http
  try {
    const { route, parameters } = findRoute(await routesFor(request.rawPath), method, request.rawPath)
    const caller = callerOf(request, services.tokenRules)
    return await route.answerTo(request, { parameters, caller, services })
  } catch (thrown) {
    const error = asPostroomError(thrown)
    if (error.row.status >= 500)
      log({ event: 'api_failed', requestId, method, path: request.rawPath, ...errorForLog(error) })
    return problem(error)
  }
}
