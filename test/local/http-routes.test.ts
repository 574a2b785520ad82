/** Which route wins, by API Gateway's order. */

import { expect, test } from 'vitest'
import { findRoute, splitPath } from '../../infra/local/http-routes.ts'

function winner(keys: string[], method: string, path: string): string | undefined {
  const routes = keys.map(routeKey => ({ routeKey, isProtected: false, target: routeKey }))
  return findRoute(routes, { method, segments: splitPath(path) })?.route.routeKey
}

const keys = ['$default', 'ANY /a/{proxy+}', 'ANY /a/{id}', 'GET /a/{id}', 'GET /a/b', 'GET /a/{id}/c']

test.for([
  ['GET', '/a/b', 'GET /a/b'],
  ['GET', '/a/x', 'GET /a/{id}'],
  ['POST', '/a/x', 'ANY /a/{id}'],
  ['POST', '/a/b', 'ANY /a/{id}'],
  ['GET', '/a/x/c', 'GET /a/{id}/c'],
  ['GET', '/a/x/d', 'ANY /a/{proxy+}'],
  ['GET', '/b', '$default'],
])('%s %s takes %s', ([method, path, expected]) => {
  expect(winner(keys, String(method), String(path))).toBe(expected)
  expect(winner([...keys].reverse(), String(method), String(path))).toBe(expected)
})

test('a parameter stands for at least one character', () => {
  expect(winner(['GET /a/{id}', 'GET /a/{proxy+}'], 'GET', '/a/')).toBeUndefined()
})
