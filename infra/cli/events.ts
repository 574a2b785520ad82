/** `events`: the log of an account, from anywhere in it, and on as things happen. */

import * as v from 'valibot'
import { check } from '../../functions/channel/schema-check.ts'
import { command, exitCodes } from './command.ts'
import type { Terminal } from './terminal.ts'
import { nextLook } from './waiting.ts'

const eventSchema = v.object({
  id: v.string(),
  type: v.string(),
  accountId: v.string(),
  channelId: v.nullable(v.string()),
  occurredAt: v.string(),
  data: v.record(v.string(), v.unknown()),
})
type Event = v.InferOutput<typeof eventSchema>
const pageSchema = v.object({ events: v.array(eventSchema), cursor: v.nullable(v.string()) })

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

const aboutSchema = v.object({
  message: v.optional(v.object({ id: v.string(), subject: v.nullish(v.string()) })),
  channel: v.optional(v.object({ email: v.nullish(v.string()) })),
  webhook: v.optional(v.object({ url: v.string() })),
  fault: v.nullish(v.object({ code: v.string() })),
})

/** What the event is about, in a few words. */
function aboutOf({ data }: Event): string {
  const { message, channel, webhook, fault } = check(aboutSchema, data).data ?? {}
  const subject = message?.subject?.replace(/\s+/g, ' ')
  return [channel?.email, message?.id, subject && `"${subject}"`, webhook?.url, fault?.code]
    .filter(Boolean)
    .join(' ')
}
