/** A consumer of webhooks to start from: verifies each delivery, takes each event once, answers at once. */

import { createServer, type Server } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { Webhook } from 'standardwebhooks'

/** @param secret as `POST /v1/webhooks` showed it @param take does the work; a repeat of an event never reaches it */
export function createConsumer(secret: string, take: (event: { id: string; type: string }) => void): Server {
  const signer = new Webhook(secret)
  // In an app of several processes this is a table with a unique key.
  const taken = new Set<string>()
  return createServer(async (request, response) => {
    // The bytes as they came: a signature over anything rebuilt from JSON would not match.
    const body = await buffer(request)
    try {
      // Refuses a wrong signature, and a right one that is older than five minutes.
      const event = signer.verify(body, request.headers as Record<string, string>) as {
        id: string
        type: string
      }
      if (!taken.has(event.id)) take(event)
      taken.add(event.id)
      response.writeHead(204).end()
    } catch {
      response.writeHead(401).end()
    }
  })
}
