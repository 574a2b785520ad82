/** Provider entries that lead to a test's own servers. */

import { mergeProviders, type ProviderEntry, type Providers } from '../../functions/channel/provider.ts'

/** The built-in entries; `microsoft` with what a test changes. */
export function providersWith(changes: Partial<ProviderEntry>): Providers {
  return mergeProviders({ microsoft: changes })
}

/** One entry like Microsoft's, with what a test changes. */
export function microsoftWith(changes: Partial<ProviderEntry>): ProviderEntry {
  const entry = providersWith(changes).microsoft
  if (!entry) throw new Error('There is no entry for microsoft')
  return entry
}

/** A TLS port that nothing listens on. */
export const nowhere = { host: '127.0.0.1', port: 1, security: 'tls' } as const
