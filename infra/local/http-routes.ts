/** Which of the HTTP API's routes a request takes, by API Gateway's order of preference. */

import type { TokenRules } from './token-check.ts'

export interface Route<Target> {
  /** As in the template: `GET /connect/{ticket}`, `ANY /v1/{proxy+}`, `$default`. */
  routeKey: string
  /** Whether a caller must prove who it is (AuthorizationType AWS_IAM). */
  isProtected: boolean
  /** Where it proves it by a token (AuthorizationType JWT): whose tokens are taken. */
  token?: TokenRules
  target: Target
}

export interface Match<Target> {
  route: Route<Target>
  pathParameters: Record<string, string>
}

/**
 * Finds the route for a request: an exact segment beats a `{parameter}`, which beats a greedy `{proxy+}`; at equal
 * paths the method beats ANY. `$default` takes what is left.
 * @param request.path with percent-encoding decoded per segment
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
 */
export function findRoute<Target>(
  routes: Route<Target>[],
  request: { method: string; segments: string[] },
): Match<Target> | undefined {
  let best: { rank: string; match: Match<Target> } | undefined
  for (const route of routes) {
    const matched = matchRoute(route.routeKey, request)
    if (matched && (best === undefined || matched.rank < best.rank)) {
      best = { rank: matched.rank, match: { route, pathParameters: matched.pathParameters } }
    }
  }
  return best?.match
}

/** The rank holds one digit per segment, the most exact first, then one for the method; the least one wins. */
function matchRoute(
  routeKey: string,
  { method, segments }: { method: string; segments: string[] },
): { rank: string; pathParameters: Record<string, string> } | undefined {
  if (routeKey === '$default') return { rank: '9', pathParameters: {} }
  const [routeMethod, path = ''] = routeKey.split(' ')
  if (routeMethod !== method && routeMethod !== 'ANY') return undefined

  const pathParameters: Record<string, string> = {}
  const pattern = splitPath(path)
  let rank = ''
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index]
    const name = /^\{(.+?)(\+?)\}$/.exec(part)
    // A parameter stands for at least one character.
    if (segment === undefined || (name && segment === '' && !name[2])) return undefined
    if (name?.[1] && name[2]) {
      const rest = segments.slice(index).join('/')
      if (rest === '') return undefined
      pathParameters[name[1]] = rest
      return { rank: `${rank}3${routeMethod === 'ANY' ? 1 : 0}`, pathParameters }
    }
    if (name?.[1]) pathParameters[name[1]] = segment
    else if (part !== segment) return undefined
    rank += name ? '2' : '1'
  }
  if (segments.length !== pattern.length) return undefined
  return { rank: `${rank}0${routeMethod === 'ANY' ? 1 : 0}`, pathParameters }
}

/** `/v1/channels` is `['v1', 'channels']`, `/` is `['']`. */
export function splitPath(path: string): string[] {
  return path.split('/').slice(1)
}

/**
 * Whether a path lies under a protected greedy route such as `ANY /v1/{proxy+}`, or is its root. Such a path is never
 * answered without the key, whether or not a route exists for its method.
 * @param path fully decoded
 */
export function isUnderProtectedRoute(routes: Route<unknown>[], path: string): boolean {
  return routes.some(({ routeKey, isProtected }) => {
    const prefix = /^\S+ (\/.+)\/\{[^/]+\+\}$/.exec(routeKey)?.[1]
    return isProtected && prefix !== undefined && (path === prefix || path.startsWith(`${prefix}/`))
  })
}
