/** The app's calls that need a mailbox's tokens (channel/grant-endpoints.ts), bound to their code. */

import { grantEndpoints } from '../channel/grant-endpoints.ts'
import { type Route, routesWith } from '../channel/route.ts'
import type { ConnectServices } from './connect.ts'
import { disconnect } from './disconnect.ts'
import { importChannel } from './import.ts'
import { answerProbe } from './probe-route.ts'

const route = routesWith<ConnectServices>()

export const grantRoutes: Route<ConnectServices>[] = [
  route(grantEndpoints.importChannel, ({ body, caller, services }) =>
    importChannel(body, { caller, services }),
  ),
  route(grantEndpoints.disconnect, ({ parameters, services }) => disconnect(parameters.id ?? '', services)),
  route(grantEndpoints.probe, ({ parameters, body, services }) =>
    answerProbe(parameters.id ?? '', { tryAll: true, ...body }, services),
  ),
  route(grantEndpoints.reconcileLogin, ({ parameters, body, services }) =>
    answerProbe(parameters.id ?? '', { tryAll: false, ...body }, services),
  ),
]
