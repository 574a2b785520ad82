/** `probe`: what each mail server answers to each name, with the same token (row S10). */

import { type Api, recheckSchema } from './api.ts'
import type { Options } from './postroom.ts'
import { printTable } from './table.ts'

/** @returns exit code 1 if a server accepts no name at all */
export async function probeChannel(api: Api, options: Options & { channelId: string }): Promise<number> {
  const result = await api.call(
    recheckSchema,
    'POST',
    `/v1/channels/${encodeURIComponent(options.channelId)}/probe`,
  )
  if (options.json) console.log(JSON.stringify(result))
  else {
    const rows = (['imap', 'smtp'] as const).flatMap(protocol =>
      result[protocol].map(({ login, accepted, answer }) => [
        protocol,
        login,
        accepted ? 'yes' : 'no',
        answer,
      ]),
    )
    printTable(['protocol', 'login', 'accepted', 'answer'], rows)
  }
  const works = [result.imap, result.smtp].every(attempts => attempts.some(({ accepted }) => accepted))
  return works ? 0 : 1
}
