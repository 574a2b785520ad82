/**
 * What CloudFormation would refuse of a template, found without an account: AWS's own validator, which comes with
 * aws-cdk-lib and brings the published schemas of all resources. It knows types, properties, values and their ranges,
 * statements of roles' policies, and what `Ref` and `Fn::GetAtt` name; not the policies of queues, topics, keys and who may
 * assume a role, nor what a service refuses only when asked.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App, CloudFormationValidatePlugin } from 'aws-cdk-lib'

export interface Template {
  Resources: Record<string, { Type: string; Properties?: Record<string, unknown> }>
  Outputs?: Record<string, unknown>
}

/** Made once: it takes seconds to begin. */
const validator = new CloudFormationValidatePlugin()
/** The validator wants the app that a template is of; it makes no use of it. */
const appConstruct = new App()

/** @returns one line for each thing that CloudFormation would not take: `Logical id: property: rule` */
export function faultsOf(template: Template): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'postroom-faults-'))
  try {
    const templatePath = join(folder, 'template.json')
    writeFileSync(templatePath, JSON.stringify(template))
    const stack = { stackConstructPath: '', templatePath, accountId: undefined, region: undefined }
    const { violations } = validator.validate({
      templatePaths: [templatePath],
      stackTemplates: [stack],
      appConstruct,
    })
    return violations.flatMap(({ description, violatingResources }) =>
      violatingResources.map(({ resourceLogicalId }) => `${resourceLogicalId}: ${description}`),
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
