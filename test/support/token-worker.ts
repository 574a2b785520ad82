/** A token broker as another process would have it, over the same stores. */

import { openAppBreaker } from '../../functions/channel/app-breaker.ts'
import { openGrants } from '../../functions/channel/grant.ts'
import { openSeal } from '../../functions/channel/seal.ts'
import type { Table } from '../../functions/channel/table.ts'
import { openTokens } from '../../functions/channel/tokens.ts'
import type { Workbench } from './workbench.ts'

/** A process of its own: nothing in memory is shared with another, not even data keys. */
export function newTokenWorker(bench: Workbench, wrap: (table: Table) => Table = table => table) {
  const { stores, channels, apps, providers, events, now } = bench
  const [main, secrets] = [wrap(bench.main), wrap(bench.secrets)]
  const seal = openSeal({ kms: stores.kms, keyArn: stores.keyArn, secrets, now })
  const breaker = openAppBreaker({ main, events, now })
  const grants = openGrants({ secrets, seal, now })
  return openTokens({ channels, grants, apps, providers, breaker, now })
}
