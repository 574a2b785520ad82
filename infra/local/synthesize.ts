/** Synthesizes the CDK app in a child process, unless its sources are the same as last time. */

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LocalError } from './local-error.ts'

export interface SynthesizeOptions {
  /** Where the assembly goes; made if absent, replaced if its sources changed. */
  folder: string
  /** Synthesizes even if nothing changed. */
  force?: boolean
  /**
   * The template alone, without the functions' code: for whoever needs the tables only. It is made anew when
   * the stacks change, not when a function does.
   */
  withoutCode?: boolean
  /** Told once, and only if there is something to wait for. */
  progress?(text: string): void
}

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Stands in a finished assembly and holds the digest of the sources it was made from. */
const stampFile = '.sources'

/**
 * Brings the folder up to date. The assembly is made beside it and takes its place only when it is whole, so that a
 * killed run leaves the old one or none.
 * @returns the folder
 * @throws LocalError with what the child wrote if the app cannot be synthesized
 */
export async function synthesize(options: SynthesizeOptions): Promise<string> {
  const { folder, force = false, withoutCode = false, progress } = options
  const digest = await digestSources(withoutCode)
  if (!force && (await stampOf(folder)) === digest) return folder

  progress?.('Bundling the functions; this takes a few seconds and happens only after a change.')
  const fresh = `${folder}.${process.pid}.new`
  const stale = `${folder}.${process.pid}.old`
  await mkdir(dirname(folder), { recursive: true })
  try {
    await runApp(fresh, withoutCode)
    await writeFile(join(fresh, stampFile), digest)
    // Another process was quicker, and may run from it by now.
    if (!force && (await stampOf(folder)) === digest) return folder
    await rename(folder, stale).catch(() => {}) // absent at the first run
    await rename(fresh, folder).catch(async error => {
      // Another process was quicker; what it made serves as well if it is of the same sources.
      if ((await stampOf(folder)) !== digest) throw error
    })
  } finally {
    await Promise.all([fresh, stale].map(path => rm(path, { recursive: true, force: true })))
  }
  return folder
}

async function stampOf(folder: string): Promise<string | undefined> {
  return readFile(join(folder, stampFile), 'utf8').catch(() => undefined)
}

/** Covers all that decides what is synthesized: functions, the CDK app, its configuration, the packages' versions. */
async function digestSources(withoutCode: boolean): Promise<string> {
  const functions = await readdir(join(root, 'functions'), { recursive: true, withFileTypes: true })
  const infra = await readdir(join(root, 'infra'))
  const tableNames = join(root, 'functions', 'channel', 'table-names.ts')
  const files = [
    ...functions
      .filter(entry => entry.isFile())
      .map(entry => join(entry.parentPath, entry.name))
      .filter(file => !withoutCode || file === tableNames),
    ...infra.filter(name => name.endsWith('.ts')).map(name => join(root, 'infra', name)),
    join(root, 'package-lock.json'),
    join(root, 'cdk.json'),
  ].sort()
  const hash = createHash('sha256')
  for (const file of files) {
    const content = await readFile(file)
    hash.update(`${file}\0${content.length}\0`).update(content)
  }
  return hash.digest('hex')
}

async function runApp(outputFolder: string, withoutCode: boolean): Promise<void> {
  const child = spawn(
    process.execPath,
    ['--experimental-strip-types', '--disable-warning=ExperimentalWarning', join(root, 'infra', 'app.ts')],
    {
      cwd: root,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env,
        CDK_OUTDIR: outputFolder,
        // CDK's own check of the template takes 4 s of CPU, and whoever deploys has it still (`cdk synth`, `cdk deploy`).
        CDK_VALIDATION: 'false',
        // CDK's own switch: of no stack the code is bundled.
        ...(withoutCode && { CDK_CONTEXT_JSON: JSON.stringify({ 'aws:cdk:bundling-stacks': [] }) }),
      },
    },
  )
  // A child must not outlive us, and 'exit' is the last moment to see to it.
  const killChild = () => child.kill('SIGKILL')
  process.once('exit', killChild)
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    errors += text
  })
  const code = await new Promise(resolve => {
    child.once('error', resolve)
    child.once('close', resolve)
  })
  process.off('exit', killChild)
  if (code !== 0) throw new LocalError(`The CDK app cannot be synthesized:\n${errors.trim() || String(code)}`)
}
