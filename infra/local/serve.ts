/** The child of start.ts: serves until its parent goes, however it goes. */

import { LocalError } from './local-error.ts'
import { readSettings } from './settings.ts'
import { startSystem } from './system.ts'

async function serve(): Promise<void> {
  const settings = await readSettings(process.env)
  const system = await startSystem(settings, {
    progress: console.log,
    log: line => console.log(JSON.stringify(line)),
  })
  console.log(`Postroom is ready: ${system.url}`)
  if (system.sandbox) console.log(`Sandbox mail provider: ${system.sandbox.origin}`)
  console.log(`API key: in ${settings.folder}/api-key; queue and topic: in ${settings.folder}/outputs.json`)

  let stopping: Promise<void> | undefined
  const stop = () => {
    stopping ??= system.close()
    stopping.then(
      () => process.exit(0),
      () => process.exit(1),
    )
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  // The parent's end closes the channel, whether it was asked to stop, crashed or was killed.
  process.on('disconnect', stop)
  if (!process.connected) stop()
}

try {
  await serve()
} catch (error) {
  if (!(error instanceof LocalError)) throw error
  console.error(error.message)
  process.exit(1)
}
