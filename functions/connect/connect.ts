/** HTTP that needs grants: a mailbox owner's way from the connect link to a channel; and, for the app, its probe and its end. */

import { openChannels } from '../channel/channels.ts'
import { eventLog, mainTable, queues, secretServices } from '../channel/clients.ts'
import { openConnectSessions } from '../channel/connect-sessions.ts'
import { readEnvironment, readOptional } from '../channel/environment.ts'
import { asPostroomError, PostroomError } from '../channel/faults.ts'
import { openHealth } from '../channel/health.ts'
import { type HttpAnswer, type HttpRequest, problem } from '../channel/http.ts'
import { openIdentities } from '../channel/identities.ts'
import { errorForLog, log } from '../channel/log.ts'
import type { RecheckServices } from '../channel/recheck.ts'
import { openSlots } from '../channel/slots.ts'
import { type BeginServices, showConnectPage, startConsent } from './begin.ts'
import { type CallbackServices, finishConsent } from './callback.ts'
import { continueCheck, isCheck } from './check.ts'
import { type DisconnectServices, disconnect } from './disconnect.ts'
import { answerProbe } from './probe-route.ts'
import { failurePage, noLinks } from './result-pages.ts'

export type ConnectServices = BeginServices & CallbackServices & DisconnectServices & RecheckServices

// called by AWS
let services: ConnectServices | undefined
export async function handler(request: HttpRequest): Promise<HttpAnswer> {
  services ??= buildServices()
  return connect(request, services)
}

// runs once, on cold start: the only place that reads the environment
function buildServices(): ConnectServices {
  const main = mainTable()
  const now = Date.now
  const { secrets, seal, apps, grants, tokens, providers } = secretServices()
  const channels = openChannels({ main })
  return {
    sessions: openConnectSessions({ main, now }),
    channels,
    slots: openSlots({ main }),
    health: openHealth({ channels, events: eventLog(main), now }),
    queues: queues(),
    secrets,
    seal,
    apps,
    grants,
    tokens,
    identities: openIdentities({ main }),
    providers,
    appName: readOptional('appName'),
    publicUrl: readEnvironment('publicUrl'),
    pollIntervalMinutes: Number(readEnvironment('pollIntervalMinutes')),
    now,
  }
}

// runs for every request
export async function connect(request: HttpRequest, services: ConnectServices): Promise<HttpAnswer> {
  try {
    switch (request.routeKey) {
      case 'GET /connect/{ticket}':
        return isCheck(request)
          ? await continueCheck(request, services)
          : await showConnectPage(request, services)
      case 'POST /connect/{ticket}':
        return await startConsent(request, services)
      case 'GET /oauth/{provider}/callback':
        return await finishConsent(request, services)
      case 'DELETE /v1/channels/{id}':
        return await disconnect(request.pathParameters?.id ?? '', services)
      case 'POST /v1/channels/{id}/probe':
        return await answerProbe(request, { tryAll: true, services })
      case 'POST /v1/channels/{id}/reconcile-login':
        return await answerProbe(request, { tryAll: false, services })
      default:
        throw new PostroomError('route_not_found')
    }
  } catch (thrown) {
    const error = asPostroomError(thrown)
    log({ event: 'connect_failed', route: request.routeKey, ...errorForLog(error) })
    return wantsPage(request) ? failurePage(error, noLinks) : problem(error)
  }
}

/** Browsers ask for HTML; programs get the same answer as a problem document. */
function wantsPage(request: HttpRequest): boolean {
  return (request.headers.accept ?? '').includes('text/html')
}
