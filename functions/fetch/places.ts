/** Where a channel's folders lie in its mailbox. Names are looked up once, and again where one has gone. */

import { type Channel, type Channels, isInbox } from '../channel/channels.ts'
import type { FolderState } from '../channel/imap-glance.ts'
import type { ImapSession } from '../channel/imap-reader.ts'

/** A folder that is not there may be made or renamed any time; asking costs a round trip. */
const lookAgainMs = 3600_000

interface Place {
  /** As in the channel's settings. */
  folder: string
  /** As the server spells it. INBOX has this name everywhere (RFC 3501 5.1). */
  path: string
}

type Places = Pick<Channel, 'folders' | 'folderPaths'>

/** Pure: those whose place is known. */
export function knownPlaces({ folders, folderPaths }: Places): Place[] {
  return folders.flatMap(folder => {
    const path = isInbox(folder) ? 'INBOX' : (folderPaths[folder]?.path ?? null)
    return path === null ? [] : [{ folder, path }]
  })
}

/**
 * Pure: whether the server must be asked where a folder is.
 * @param seen what a glance showed, by path; null: no such folder now
 */
export function mustLook(
  { folders, folderPaths }: Places,
  seen: Map<string, FolderState | null>,
  now: number,
): boolean {
  return folders.some(folder => {
    if (isInbox(folder)) return false
    const known = folderPaths[folder]
    if (!known) return true
    const isGone = known.path === null || seen.get(known.path) === null
    return isGone && Date.parse(known.lookedAt) + lookAgainMs <= now
  })
}

/** Asks the server, and stores on the channel what it said. */
export async function lookUpPlaces(
  channel: Channel,
  session: ImapSession,
  { channels, now }: { channels: Channels; now(): number },
): Promise<Channel> {
  const { pathOf } = await import('../channel/imap-folders.ts')
  const listed = await session.list()
  const lookedAt = new Date(now()).toISOString()
  const folderPaths = Object.fromEntries(
    channel.folders
      .filter(folder => !isInbox(folder))
      .map(folder => [folder, { path: pathOf(folder, listed) ?? null, lookedAt }]),
  )
  await channels.change(channel.id, { folderPaths })
  return { ...channel, folderPaths }
}
