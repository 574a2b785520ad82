/** A Sent folder in memory: what lies in it, what was looked for, and under whose name. */

import { PostroomError } from '../../functions/channel/faults.ts'
import type { OpenSentFolder } from '../../functions/channel/sent-folder.ts'

export interface PlayedSentFolder {
  open: OpenSentFolder
  /** By our id: the Message-ID under which it lies there. */
  holds: Map<string, string>
  /** Our ids of what was looked for, and by which login, in order. */
  looks: { id: string; user: string }[]
  /** The Message-ID of each copy that was filed, in order. */
  filed: string[]
  isReachable: boolean
  /** What opening it ends in instead. */
  refusal: PostroomError | null
  /** Runs within each look. */
  duringLook: () => Promise<void>
}

export function playSentFolder(): PlayedSentFolder {
  const folder: PlayedSentFolder = {
    holds: new Map(),
    looks: [],
    filed: [],
    isReachable: true,
    refusal: null,
    duringLook: async () => undefined,

    async open({ user }) {
      if (folder.refusal) throw folder.refusal
      if (!folder.isReachable) throw new PostroomError('imap_unreachable')
      return {
        async find({ id }) {
          folder.looks.push({ id, user })
          await folder.duringLook()
          const messageId = folder.holds.get(id)
          return messageId === undefined ? undefined : { messageId }
        },
        async append(raw) {
          const headerOf = (name: string) =>
            new RegExp(`^${name}: (.*)\\r$`, 'im').exec(Buffer.from(raw).toString())?.[1] ?? ''
          folder.filed.push(headerOf('Message-ID'))
          folder.holds.set(headerOf('X-Postroom-Id'), headerOf('Message-ID'))
        },
        close: async () => undefined,
      }
    },
  }
  return folder
}
