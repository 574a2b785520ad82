/** Reads the configuration: each field must hold by itself (configuration-schema.ts), and all together. */

import { PostroomError } from '../functions/channel/faults.ts'
import { parseInput } from '../functions/channel/input.ts'
import { mergeProviders, type Providers } from '../functions/channel/provider.ts'
import { configurationSchema, type PostroomConfiguration } from './configuration-schema.ts'

/** Names each field of the configuration that is not usable, the rule and the value found, a line each. */
export class ConfigurationError extends Error {
  constructor(faults: { field: string; rule: string; found: string }[]) {
    const lines = faults.map(({ field, rule, found }) => `\n  ${field} ${rule}; found: ${found}`)
    super(`The configuration "postroom" is not usable:${lines.join('')}`)
  }
}

/**
 * Checks the configuration once, at synth.
 * @param given the object, or the same as JSON, as `-c` hands it on
 * @throws ConfigurationError
 */
export function readConfiguration(given: unknown): PostroomConfiguration {
  try {
    const value = typeof given === 'string' ? parseJson(given) : (given ?? {})
    const configuration = parseInput(configurationSchema, value, 'configuration_invalid')
    holdTogether(configuration)
    return configuration
  } catch (error) {
    if (!(error instanceof PostroomError)) throw error
    // What is no object at all has no field to name.
    throw new ConfigurationError(
      error.errors.map(fault => (fault.field === 'body' ? { ...fault, field: 'postroom' } : fault)),
    )
  }
}

/** The region that is named, or the only one in which the domain's certificate serves; undefined if either will do. */
export function regionOf({
  region,
  domain,
}: Pick<PostroomConfiguration, 'region' | 'domain'>): string | undefined {
  return region ?? domain?.certificateArn.split(':')[3]
}

/** What no field can say alone. */
function holdTogether(configuration: PostroomConfiguration): void {
  const { region, domain, publicUrl, apps, pollConcurrency, providers, authentication } = configuration
  if (configuration.console && authentication.type !== 'jwt') {
    throw invalid('authentication.type', 'must be jwt where there is a console', authentication.type)
  }
  if (domain && publicUrl) throw invalid('publicUrl', 'must not be set where there is a domain', publicUrl)
  const ofCertificate = regionOf({ domain })
  if (region && ofCertificate && ofCertificate !== region) {
    throw invalid('domain.certificateArn', `must be of the region ${region}`, ofCertificate)
  }
  const known = Object.keys(wholeProviders(providers))
  for (const id of Object.keys(apps)) {
    if (!known.includes(id)) throw invalid(`apps.${id}`, `must be one of ${known.join(', ')}`, id)
  }
  for (const id of Object.keys(pollConcurrency)) {
    if (id === 'others' || known.includes(id)) continue
    throw invalid(`pollConcurrency.${id}`, `must be one of ${[...known, 'others'].join(', ')}`, id)
  }
}

/** An entry may leave out what another holds, so that only together they are complete. */
function wholeProviders(providers: PostroomConfiguration['providers']): Providers {
  try {
    return mergeProviders(providers)
  } catch (cause) {
    if (!(cause instanceof PostroomError)) throw cause
    const errors = cause.errors.map(fault => ({ ...fault, field: `providers.${fault.field}` }))
    throw new PostroomError('configuration_invalid', { cause, errors })
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalid('postroom', 'must be JSON', text.slice(0, 80))
  }
}

function invalid(field: string, rule: string, found: string): PostroomError {
  return new PostroomError('configuration_invalid', { errors: [{ field, rule, found }] })
}
