/** The call that gives the OpenAPI document, which is loaded and made when somebody asks for it. */

import * as z from 'zod'
import { json } from '../channel/http.ts'
import { type Endpoint, type Route, routesWith } from '../channel/route.ts'
import type { ApiServices } from './api.ts'

/** @param all asked for when the document is: the route that serves it is one of them */
export function openApiRoute(all: () => Endpoint[]): Route<ApiServices> {
  let document: object | undefined
  return routesWith<ApiServices>()(
    {
      method: 'GET',
      path: '/v1/openapi.json',
      operationId: 'getOpenApiDocument',
      summary: 'This document.',
      answer: { status: 200, body: z.record(z.string(), z.unknown()) },
      faults: [],
    },
    async ({ services }) => {
      const { openApiDocument } = await import('./openapi.ts')
      document ??= openApiDocument(all(), services.publicUrl)
      return json(200, document)
    },
  )
}
