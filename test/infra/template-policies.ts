/** The policies of the functions' roles, as the synthesized template has them, with ARNs as on this machine. */

import { placeResources } from '../../infra/local/deployment.ts'
import { identify } from '../../infra/local/identities.ts'
import { readPolicies, type Statement } from '../../infra/local/policies.ts'
import { synthesize } from '../../infra/local/synthesize.ts'
import { createResolve, readAssembly } from '../../infra/local/template.ts'
import { assemblyFolder } from '../support/cache.ts'

/** Statements by the function's name, such as `Send`. */
export async function templatePolicies(): Promise<Map<string, Statement[]>> {
  const assembly = await readAssembly(await synthesize({ folder: assemblyFolder }))
  const identities = identify(assembly, { url: 'http://localhost', aws: 'http://aws' })
  const resources = placeResources(assembly, { identities, resolve: createResolve(assembly, identities) })
  return new Map([...readPolicies(resources).values()].map(({ name, statements }) => [name, statements]))
}
