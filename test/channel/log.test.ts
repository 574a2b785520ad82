/** A log line is one line of JSON, with the time and the level, and tells nothing that an error quotes. */

import { expect, onTestFinished, test, vi } from 'vitest'
import { PostroomError } from '../../functions/channel/faults.ts'
import { errorForLog, log } from '../../functions/channel/log.ts'

function written(): string[] {
  const lines: string[] = []
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation(line => lines.push(String(line)) > 0)
  onTestFinished(() => spy.mockRestore())
  return lines
}

test('a line is one JSON object whose fields stand at the top, with time and level', () => {
  const lines = written()
  log({ event: 'fetch_failed', channelId: 'ch_1', words: 'a\nb' })
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(/^[^\n]*\n$/)
  expect(JSON.parse(lines[0] ?? '')).toEqual({
    timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
    level: 'INFO',
    event: 'fetch_failed',
    channelId: 'ch_1',
    words: 'a\nb',
  })
})

test('of a foreign error neither message nor cause is told, only its name and where it was', () => {
  const error = new Error('Bearer secret-token', { cause: 'refresh-secret' })
  expect(JSON.stringify(errorForLog(error))).not.toContain('secret')
  const ours = new PostroomError('smtp_temporary', { cause: error, evidence: '451 4.7.0' })
  const line = errorForLog(ours)
  expect(line).toMatchObject({ code: 'smtp_temporary', evidence: '451 4.7.0', cause: { name: 'Error' } })
  expect(JSON.stringify(line)).not.toContain('secret')
})
