/** The policies of the functions' roles, as the synthesized template has them, with ARNs as on this machine. */

import { placeResources } from '../../infra/local/deployment.ts'
import { identify } from '../../infra/local/identities.ts'
import { type FunctionPolicy, readPolicies } from '../../infra/local/policies.ts'
import { synthesize } from '../../infra/local/synthesize.ts'
import { createResolve, readAssembly } from '../../infra/local/template.ts'
import { assemblyFolder } from '../support/cache.ts'

export async function templatePolicies(): Promise<FunctionPolicy[]> {
  const assembly = await readAssembly(await synthesize({ folder: assemblyFolder }))
  const identities = identify(assembly, { url: 'http://localhost', aws: 'http://aws' })
  const resources = placeResources(assembly, { identities, resolve: createResolve(assembly, identities) })
  return [...readPolicies(resources).values()]
}
