/** The readable form of a mail, in S3 beside its raw bytes. Attachments lie under numbers, whatever they call themselves. */

import type { mailKeys } from '../channel/mail-keys.ts'
import type { MailStore } from '../channel/mail-store.ts'
import type { MessageContent, Messages } from '../channel/messages.ts'
import type { ParsedMail } from './parsed-mail.ts'

export async function storeContent(
  { text, html, htmlSanitized, reply, quoted, signature, attachments }: ParsedMail,
  keys: ReturnType<typeof mailKeys.inbound>,
  { messages, mail }: { messages: Messages; mail: MailStore },
): Promise<MessageContent> {
  const content: MessageContent = {
    text,
    html,
    htmlSanitized,
    reply,
    quoted,
    signature,
    attachments: attachments.map(({ bytes, ...attachment }, index) => ({
      ...attachment,
      sizeBytes: bytes.byteLength,
      key: keys.attachment(index),
    })),
  }
  for (const [index, { bytes }] of attachments.entries()) {
    await mail.put(keys.attachment(index), bytes, 'application/octet-stream')
  }
  await messages.writeContent(keys.content, content)
  return content
}
