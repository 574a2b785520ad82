/** What gets out of a handler: Lambda logs it as it is, so it must hold no words of a mail, a provider or a person. */

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { withoutWords } from '../../functions/channel/escaped-error.ts'
import { PostroomError } from '../../functions/channel/faults.ts'

let logged = ''
beforeEach(() => {
  logged = ''
  vi.spyOn(process.stdout, 'write').mockImplementation(text => {
    logged += text
    return true
  })
})
afterEach(() => void vi.restoreAllMocks())

async function escapedFrom(work: () => Promise<unknown>): Promise<Error> {
  try {
    await withoutWords(work)
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('Nothing escaped')
}

const everythingOf = (error: Error) =>
  [error.message, error.stack, error.cause, JSON.stringify(error), String(error), logged].join('\n')

describe('an error that quotes what it choked on', () => {
  const words = ['eyJ0eXAiOiJKV1QifQ.secret', 'ada@contoso.example', 'Dear Bob']
  const text = `Bad token ${words[0]}\n    at ${words[1]} (file.ts:1:1)\nin: ${words[2]}`

  test.each([
    ['by itself', () => new TypeError(text)],
    ['in its cause', () => new TypeError('No', { cause: new Error(text) })],
    ['as a PostroomError', () => new PostroomError('internal', { cause: new Error(text) })],
    ['as no error at all', () => text],
  ])('gets out without the words, %s', async (_how, make) => {
    const escaped = await escapedFrom(async () => {
      throw make()
    })
    for (const word of words) expect(everythingOf(escaped)).not.toContain(word)
  })

  test('keeps its class and the places it came through', async () => {
    const escaped = await escapedFrom(async () => {
      throw new TypeError(text)
    })
    expect(escaped.name).toBe('TypeError')
    expect(escaped.stack).toMatch(/^TypeError: .*\n {4}at .*escaped-error\.test\.ts:\d+:\d+\)?/)
  })
})

test('what does not fail is passed on', async () => {
  expect(await withoutWords(async () => 42)).toBe(42)
  expect(logged).toBe('')
})

test.each(['api', 'connect', 'console', 'fetch', 'notify', 'schedule', 'send'])(
  '%s lets nothing out as it is, and says in the log what it was',
  async name => {
    const { handler } = await import(`../../functions/${name}/${name}.ts`)
    // Its environment is empty here.
    await expect(handler({ Records: [] }, {})).rejects.toThrow(
      'configuration_invalid: see invocation_failed in the log.',
    )
    expect(JSON.parse(logged)).toMatchObject({
      event: 'invocation_failed',
      code: 'configuration_invalid',
      errors: [{ rule: 'must be set' }],
    })
  },
)
