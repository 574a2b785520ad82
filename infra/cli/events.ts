/** `events`: the log of an account, from anywhere in it, and on as things happen. */

import * as z from 'zod'
import { command, exitCodes } from './command.ts'
import type { Terminal } from './terminal.ts'
import { nextLook } from './waiting.ts'

const eventSchema = z.object({
  id: z.string(),
  type: z.string(),
  accountId: z.string(),
  channelId: z.string().nullable(),
  occurredAt: z.string(),
  data: z.record(z.string(), z.unknown()),
})
type Event = z.infer<typeof eventSchema>
const pageSchema = z.object({ events: z.array(eventSchema), cursor: z.string().nullable() })

export const eventsCommand = command({
  name: 'events',
  words: [],
  says: 'what happened, oldest first; --follow goes on as it happens',
  more: 'The log is kept for 30 days. The account `-` holds what belongs to none.',
  options: {
    account: { type: 'string', value: 'ID', says: 'whose log; a token knows it by itself' },
    after: { type: 'string', value: 'CURSOR', says: 'goes on after this cursor, which each call ends with' },
    type: { type: 'string', value: 'TYPE', says: 'only events of this type', multiple: true },
    follow: { type: 'boolean', says: 'waits for more, until Ctrl-C' },
  },
  async run({ api, terminal, options, signal }) {
    let after = options.after
    for (;;) {
      const { events, cursor } = await api.call(pageSchema, 'GET', '/v1/events', {
        query: { accountId: options.account, after, limit: '100' },
      })
      for (const event of events) {
        if (options.type.length === 0 || options.type.includes(event.type)) show(event, terminal)
      }
      after = cursor ?? after
      if (events.length > 0) continue
      if (!options.follow || !(await nextLook(signal))) break
    }
    if (after) terminal.note(`Go on from here with --after ${after}`)
    return exitCodes.done
  },
})

function show(event: Event, terminal: Terminal): void {
  if (terminal.json) terminal.document(event)
  else
    terminal.line(
      [event.occurredAt, event.type.padEnd(26), event.channelId ?? '-', aboutOf(event)].join('  '),
    )
}

const aboutSchema = z.object({
  message: z.object({ id: z.string(), subject: z.string().nullish() }).optional(),
  channel: z.object({ email: z.string().nullish() }).optional(),
  webhook: z.object({ url: z.string() }).optional(),
  fault: z.object({ code: z.string() }).nullish(),
})

/** What the event is about, in a few words. */
function aboutOf({ data }: Event): string {
  const { message, channel, webhook, fault } = aboutSchema.safeParse(data).data ?? {}
  const subject = message?.subject?.replace(/\s+/g, ' ')
  return [channel?.email, message?.id, subject && `"${subject}"`, webhook?.url, fault?.code]
    .filter(Boolean)
    .join(' ')
}
