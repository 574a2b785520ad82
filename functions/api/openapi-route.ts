/** The call that gives the OpenAPI document, which is made when somebody first asks for it. */

import * as v from 'valibot'
import { json } from '../channel/http.ts'
import { routesWith } from '../channel/route.ts'
import type { ApiServices } from './api.ts'
import { openApiDocument } from './openapi.ts'
import { allEndpoints } from './routes.ts'

let document: object | undefined

export const openApiRoutes = [
  routesWith<ApiServices>()(
    {
      method: 'GET',
      path: '/v1/openapi.json',
      operationId: 'getOpenApiDocument',
      summary: 'This document.',
      answer: { status: 200, body: v.record(v.string(), v.unknown()) },
      faults: [],
    },
    async ({ services }) => {
      document ??= openApiDocument(await allEndpoints(), services.publicUrl)
      return json(200, document)
    },
  ),
]
