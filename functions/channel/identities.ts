/** Which channels, of whatever account, stand on the same person at a provider: asked before a grant is revoked for all of them. */

import * as v from 'valibot'
import type { Channel } from './channels.ts'
import { derivedId } from './identifiers.ts'
import { readItem, type Table } from './table.ts'

type Owner = Pick<Channel, 'provider' | 'identity'>

const partitionOf = ({ provider, identity }: Owner) => {
  const claims = Object.entries(identity).map(([name, value]) => `${name}=${value}`)
  return `IDENTITY#${derivedId('id', provider, ...claims.sort())}`
}

const entrySchema = v.object({ sk: v.string() })

export interface Identities {
  add(owner: Owner, channelId: string): Promise<void>
  remove(owner: Owner, channelId: string): Promise<void>
  /** Ids only: nothing of one account is shown to another. */
  channelsOf(owner: Owner): Promise<string[]>
}

export function openIdentities({ main }: { main: Table }): Identities {
  return {
    async add(owner, channelId) {
      await main.put({ pk: partitionOf(owner), sk: channelId })
    },
    async remove(owner, channelId) {
      await main.remove({ pk: partitionOf(owner), sk: channelId })
    },
    async channelsOf(owner) {
      const items = await main.partition(partitionOf(owner))
      return items.map(item => readItem(entrySchema, item).sk)
    },
  }
}
