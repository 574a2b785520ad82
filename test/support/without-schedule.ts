/** A synthesized app whose clocks stand still: nothing is done that a test did not ask for. */

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Json } from '../../infra/local/as-app.ts'

/** For `changeAssembly` of a running system: disables every schedule of the templates in the folder. */
export async function withoutSchedule(folder: string): Promise<void> {
  for (const file of await readdir(folder)) {
    if (!file.endsWith('.template.json')) continue
    const template = JSON.parse(await readFile(join(folder, file), 'utf8'))
    for (const { Type, Properties } of Object.values<Json>(template.Resources))
      if (Type === 'AWS::Scheduler::Schedule') Properties.State = 'DISABLED'
    await writeFile(join(folder, file), JSON.stringify(template))
  }
}
