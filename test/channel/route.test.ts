/** Which call a request is, and what is said where it is none. */

import { expect, test } from 'vitest'
import { cursorSchema, writeCursor } from '../../functions/channel/paging.ts'
import { findRoute, readBody } from '../../functions/channel/route.ts'
import { check, parse } from '../../functions/channel/schema-check.ts'
import { httpRequest } from '../support/http-requests.ts'
import { thrownBy } from '../support/thrown-error.ts'

const routes = [
  { method: 'GET' as const, path: '/v1/things' },
  { method: 'GET' as const, path: '/v1/things/{id}' },
  { method: 'DELETE' as const, path: '/v1/things/{id}' },
  { method: 'GET' as const, path: '/v1/things/{id}/parts/{index}' },
]

test('a path finds its route and its parameters, decoded', () => {
  expect(findRoute(routes, 'GET', '/v1/things/a%20b/parts/7')).toMatchObject({
    route: { path: '/v1/things/{id}/parts/{index}' },
    parameters: { id: 'a b', index: '7' },
  })
  expect(findRoute(routes, 'DELETE', '/v1/things/x').route.method).toBe('DELETE')
})

test.each([
  '/v1',
  '/v1/things/',
  '/v1/things//parts/1',
  '/v1/thing',
  '/V1/things',
  '/v1/things/%ZZ',
  '/v1/things/a/parts',
  '',
  '/v1/things/a/b/c/d',
])('the path %j is none of the API’s', async path => {
  const error = await thrownBy(() => findRoute(routes, 'GET', path))
  expect(error.code).toBe('route_not_found')
  expect(error.errors).toMatchObject([{ field: 'path', found: path }])
})

test('an encoded slash stays within its parameter', () => {
  expect(findRoute(routes, 'GET', '/v1/things/a%2Fparts%2F1').parameters).toEqual({ id: 'a/parts/1' })
})

test('another method is refused, naming those there are', async () => {
  const error = await thrownBy(() => findRoute(routes, 'POST', '/v1/things/x'))
  expect(error.code).toBe('method_not_allowed')
  expect(error.errors).toEqual([{ field: 'method', rule: 'must be GET, DELETE', found: 'POST' }])
})

test('a path of megabytes is not repeated whole', async () => {
  const error = await thrownBy(() => findRoute(routes, 'GET', `/${'x'.repeat(1_000_000)}`))
  expect(error.message.length).toBeLessThan(300)
})

test('a body is read as JSON, however API Gateway packed it', () => {
  const plain = httpRequest('POST /', { body: { a: 'ä' } })
  const packed = { ...plain, body: Buffer.from(plain.body ?? '').toString('base64'), isBase64Encoded: true }
  expect(readBody(plain)).toEqual({ a: 'ä' })
  expect(readBody(packed)).toEqual({ a: 'ä' })
})

test.each(['', '{', 'secret text', '{"a":1}}'])('the body %j is no JSON, and is not repeated', async body => {
  const error = await thrownBy(() => readBody(httpRequest('POST /', { body })))
  expect(error.code).toBe('json_invalid')
  expect(error.errors).toMatchObject([
    { field: 'body', found: body === '' ? 'nothing' : `${body.length} bytes` },
  ])
  expect(error.message).not.toContain('secret')
})

test('a cursor brings back the place it was made of', () => {
  const place = '2026-11-24T10:00:00.000Z#msg_1'
  expect(parse(cursorSchema, writeCursor(place))).toBe(place)
  expect(writeCursor(null)).toBeNull()
})

test.each([
  '',
  '!!!',
  Buffer.from('a\nb').toString('base64url'),
  Buffer.from('ä').toString('base64url'),
  Buffer.from('x'.repeat(401)).toString('base64url'),
])('the cursor %j is none', cursor => {
  expect(check(cursorSchema, cursor).success).toBe(false)
})
