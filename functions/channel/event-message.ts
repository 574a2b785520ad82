/** A message as an event carries it: as full as SNS's limit allows. The message itself always has the rest. */

import { type Message, type MessageContent, presentMessage } from './messages.ts'

/** SNS takes 256 KiB for everything; this leaves room for what is around the message. */
const limitBytes = 200_000
const shortListLength = 20
const shortestListLength = 10

type Presented = ReturnType<typeof presentMessage> & { attachmentCount?: number }

/** Each step gives up what an app misses least; the first form that fits is the one. */
const forms: ((message: Presented) => Presented)[] = [
  message => message,
  message => ({ ...message, html: null }),
  message => ({ ...message, html: null, text: null }),
  message => ({
    ...message,
    html: null,
    text: null,
    attachments: message.attachments.slice(0, shortListLength),
    attachmentCount: message.attachments.length,
  }),
]

export function presentForEvent(message: Message, content: MessageContent): Presented {
  const presented = presentMessage(message, content)
  const form = forms.find(shorten => fits(shorten(presented)))
  return form ? form(presented) : shortest(presented)
}

function shortest(presented: Presented): Presented {
  const short = {
    html: null,
    text: null,
    from: presented.from.slice(0, shortestListLength),
    to: presented.to.slice(0, shortestListLength),
    cc: presented.cc.slice(0, shortestListLength),
    replyTo: presented.replyTo.slice(0, shortestListLength),
    references: presented.references.slice(-shortestListLength),
    attachments: presented.attachments.slice(0, shortestListLength),
    attachmentCount: presented.attachments.length,
  }
  return { ...presented, ...short }
}

function fits(message: Presented): boolean {
  return Buffer.byteLength(JSON.stringify(message)) <= limitBytes
}
