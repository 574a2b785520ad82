/**
 * Which file has the calls of a path. The first request for one loads it: a cold start compiles no other, nor builds the
 * schemas of its requests and answers.
 */

import type { Endpoint, Route } from '../channel/route.ts'
import type { ApiServices } from './api.ts'

type Routes = Route<ApiServices>[]

/** By what the path is about: the messages of a channel are messages. */
const files: Record<string, () => Promise<Routes>> = {
  'connect-sessions': async () => (await import('./connect-session-routes.ts')).connectSessionRoutes,
  channels: async () => (await import('./channel-routes.ts')).channelRoutes,
  messages: async () => (await import('./message-routes.ts')).messageRoutes,
  uploads: async () => (await import('./upload-routes.ts')).uploadRoutes,
  events: async () => (await import('./event-routes.ts')).eventRoutes,
  webhooks: async () => (await import('./webhook-routes.ts')).webhookRoutes,
  'openapi.json': async () => (await import('./openapi-route.ts')).openApiRoutes,
}

/** @returns all calls that the path may mean; none if it is not the API's */
export async function routesFor(path: string): Promise<Routes> {
  const [, , collection = '', , partOfIt = ''] = path.split('/')
  const named = [partOfIt, collection].find(name => Object.hasOwn(files, name))
  return named === undefined ? [] : ((await files[named]?.()) ?? [])
}

/** Also those that `connect` answers. */
export async function allEndpoints(): Promise<Endpoint[]> {
  const { grantEndpoints } = await import('../channel/grant-endpoints.ts')
  const ours = await Promise.all(Object.values(files).map(load => load()))
  return [...ours.flat(), ...Object.values(grantEndpoints)]
}
