/**
 * The operator's command line: `npm run postroom -- COMMAND`.
 *
 * Exit codes: 0 done; 1 something did not work, said in one sentence; 2 the call's words are wrong.
 */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Api, ApiError, openApi } from './api.ts'
import { listChannels } from './channels.ts'
import { probeChannel } from './probe.ts'
import { reconcileLogins } from './reconcile-logins.ts'
import { reparseMessages } from './reparse.ts'

const usage = `Usage: npm run postroom -- COMMAND [options]

  channels                 every channel, its logins and its health
  probe CHANNEL            what each mail server says to each name of this mailbox, with the same token
  reconcile-logins         what each channel's logins would be, by a fresh sign-in and a probe; changes nothing
  reconcile-logins --apply stores what works. Safe on live channels; --after CURSOR goes on where it stopped
  reparse MESSAGE          parses a received mail once more; --channel ID: all that this channel received

  --account ID   only the channels of this account
  --json         one JSON document a line, for programs

The API is at POSTROOM_URL (http://localhost:4400); its key in POSTROOM_API_KEY, else in the data folder
POSTROOM_DATA (.postroom).`

export interface Options {
  account: string | undefined
  apply: boolean
  after: string | undefined
  json: boolean
}

class UsageError extends Error {}

async function run(words: string[]): Promise<number> {
  const { values, positionals } = parseWords(words)
  const [command, ...rest] = positionals
  const options: Options = {
    account: values.account,
    apply: values.apply ?? false,
    after: values.after,
    json: values.json ?? false,
  }
  switch (command) {
    case 'channels':
      return listChannels(await openLocalApi(), options)
    case 'probe':
      if (rest[0] === undefined) throw new UsageError('probe needs a channel id')
      return probeChannel(await openLocalApi(), { ...options, channelId: rest[0] })
    case 'reconcile-logins':
      return reconcileLogins(await openLocalApi(), options)
    case 'reparse':
      if ((rest[0] === undefined) === (values.channel === undefined))
        throw new UsageError('reparse needs a message id or --channel ID')
      return reparseMessages(await openLocalApi(), {
        ...options,
        messageId: rest[0],
        channelId: values.channel,
      })
    default:
      throw new UsageError(command ? `There is no command ${command}` : 'Which command?')
  }
}

function parseWords(words: string[]) {
  try {
    return parseArgs({
      args: words,
      allowPositionals: true,
      options: {
        account: { type: 'string' },
        channel: { type: 'string' },
        apply: { type: 'boolean' },
        after: { type: 'string' },
        json: { type: 'boolean' },
      },
    })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : 'unknown')
  }
}

async function openLocalApi(): Promise<Api> {
  const { POSTROOM_URL, POSTROOM_API_KEY, POSTROOM_DATA } = process.env
  const keyFile = join(POSTROOM_DATA || '.postroom', 'api-key')
  const apiKey = POSTROOM_API_KEY || (await readFile(keyFile, 'utf8').catch(() => ''))
  if (apiKey === '')
    throw new ApiError(`There is no API key: set POSTROOM_API_KEY, or start Postroom once (${keyFile}).`)
  return openApi({ url: POSTROOM_URL || 'http://localhost:4400', apiKey: apiKey.trim() })
}

try {
  process.exitCode = await run(process.argv.slice(2))
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`${error.message}.\n\n${usage}`)
    process.exitCode = 2
  } else if (error instanceof ApiError) {
    console.error(error.message)
    process.exitCode = 1
  } else throw error
}
