/** HTTP that needs grants: a mailbox owner's way from the connect link to a channel; and, for the app, its probe and its end. */

import { callerOf, type TokenRules } from '../channel/caller.ts'
import { openChannels } from '../channel/channels.ts'
import {
  channelHealth,
  eventLog,
  mainTable,
  queues,
  secretServices,
  systemMetrics,
} from '../channel/clients.ts'
import { openConnectSessions } from '../channel/connect-sessions.ts'
import { readEnvironment, readOptional } from '../channel/environment.ts'
import { withoutWords } from '../channel/escaped-error.ts'
import { asPostroomError } from '../channel/faults.ts'
import { type HttpAnswer, type HttpRequest, problem } from '../channel/http.ts'
import { openIdentities } from '../channel/identities.ts'
import { errorForLog, log } from '../channel/log.ts'
import type { Metrics } from '../channel/metrics.ts'
import type { RecheckServices } from '../channel/recheck.ts'
import { openReconnectLinks } from '../channel/reconnect-link.ts'
import { findRoute } from '../channel/route.ts'
import { openSlots } from '../channel/slots.ts'
import { type BeginServices, showConnectPage, startConsent } from './begin.ts'
import type { CallbackServices } from './callback.ts'
import type { DisconnectServices } from './disconnect.ts'
import { failurePage, noLinks } from './result-pages.ts'
import { isCheck } from './ticket.ts'

export type ConnectServices = BeginServices &
  CallbackServices &
  DisconnectServices &
  RecheckServices & { metrics: Metrics; tokenRules: TokenRules }

// called by AWS
let services: ConnectServices | undefined
export function handler(request: HttpRequest): Promise<HttpAnswer> {
  return withoutWords(async () => {
    services ??= buildServices()
    return connect(request, services).finally(services.metrics.write)
  })
}

// runs once, on cold start: the only place that reads the environment
function buildServices(): ConnectServices {
  const main = mainTable()
  const now = Date.now
  const metrics = systemMetrics()
  const events = eventLog(main, metrics)
  const { secrets, seal, apps, grants, tokens, breaker, providers } = secretServices({ main, events })
  const channels = openChannels({ main })
  const publicUrl = readEnvironment('publicUrl')
  const ringing = queues()
  return {
    metrics,
    sessions: openConnectSessions({ main, now }),
    channels,
    links: openReconnectLinks({ main, channels, publicUrl, now }),
    slots: openSlots({ main }),
    health: channelHealth({ main, channels, events, queues: ringing }),
    queues: ringing,
    secrets,
    seal,
    apps,
    grants,
    tokens,
    breaker,
    identities: openIdentities({ main }),
    providers,
    appName: readOptional('appName'),
    publicUrl,
    tokenRules: { accountClaim: readOptional('accountClaim'), operatorScope: readOptional('operatorScope') },
    pollIntervalMinutes: Number(readEnvironment('pollIntervalMinutes')),
    now,
  }
}

// runs for every request. A person's way begins at the link's page: what comes later is loaded when it comes.
export async function connect(request: HttpRequest, services: ConnectServices): Promise<HttpAnswer> {
  try {
    switch (request.routeKey) {
      case 'GET /connect/{ticket}':
        return isCheck(request)
          ? await (await import('./check.ts')).continueCheck(request, services)
          : await showConnectPage(request, services)
      case 'POST /connect/{ticket}':
        return await startConsent(request, services)
      case 'GET /oauth/{provider}/callback':
        return await (await import('./callback.ts')).finishConsent(request, services)
      default:
        return await answerApp(request, services)
    }
  } catch (thrown) {
    const error = asPostroomError(thrown)
    const { requestId } = request.requestContext
    log({ event: 'connect_failed', requestId, route: request.routeKey, ...errorForLog(error) })
    return wantsPage(request) ? failurePage(error, noLinks) : problem(error)
  }
}

/** What an app asks: API Gateway has checked who calls. */
async function answerApp(request: HttpRequest, services: ConnectServices): Promise<HttpAnswer> {
  const { grantRoutes } = await import('./grant-routes.ts')
  const { method } = request.requestContext.http
  const { route, parameters } = findRoute(grantRoutes, method, request.rawPath)
  const caller = callerOf(request, services.tokenRules)
  return route.answerTo(request, { parameters, caller, services })
}

/** Browsers ask for HTML; programs get the same answer as a problem document. */
function wantsPage(request: HttpRequest): boolean {
  return (request.headers.accept ?? '').includes('text/html')
}
