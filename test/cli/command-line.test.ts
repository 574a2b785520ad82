import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { commonOptions, exitCodes, exitMeanings } from '../../infra/cli/command.ts'
import { commands } from '../../infra/cli/commands.ts'
import { runCli } from '../support/running-cli.ts'

test('the help lists every command and every exit code', async () => {
  const { code, stdout } = await runCli(['help'])
  expect(code).toBe(exitCodes.done)
  for (const { name, says } of commands) expect(stdout).toMatch(new RegExp(`  ${name}\\b.*${escaped(says)}`))
  for (const meaning of Object.values(exitMeanings)) expect(stdout).toContain(meaning)
})

test('help of a command, asked for either way, lists its options', async () => {
  const asked = await runCli(['help', 'reconcile-logins'])
  expect(asked).toEqual(await runCli(['reconcile-logins', '--help']))
  expect(asked.stdout).toContain('Usage: npm run postroom -- reconcile-logins [options]')
  expect(asked.stdout).toMatch(/--apply +stores what works/)
})

test('no name stands twice in the table, and an option is of one kind in every command', () => {
  const names = commands.map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  const kinds = new Map<string, string>()
  for (const { name, options } of [{ name: 'all', options: commonOptions }, ...commands]) {
    for (const [option, { type, ...rest }] of Object.entries(options)) {
      const kind = `${type} ${'multiple' in rest && rest.multiple === true}`
      expect(`${name} --${option} ${kinds.get(option) ?? kind}`).toBe(`${name} --${option} ${kind}`)
      kinds.set(option, kind)
    }
  }
})

test.each([
  [[], 'Which command?'],
  [['chanels'], 'There is no command chanels.'],
  [['probe'], 'probe needs CHANNEL.'],
  [['probe', 'ch_1', 'ch_2'], 'probe takes no "ch_2".'],
  [['channels', '--apply'], 'channels takes no --apply.'],
  [['channels', '--colour'], "Unknown option '--colour'"],
  [['reparse'], 'reparse needs either a message id or --channel ID.'],
])('wrong words %j are told with the help, and exit code 2', async (words, message) => {
  const { code, stdout, stderr } = await runCli(words)
  expect({ code, stdout }).toEqual({ code: exitCodes.usage, stdout: '' })
  expect(stderr).toContain(message)
  expect(stderr).toContain('Usage: npm run postroom')
})

test('regression: an unknown option was told in a half sentence with the whole help; now with that of its command', async () => {
  const { stderr } = await runCli(['events', '--acount', 'acme'])
  expect(stderr).toMatch(/^Unknown option '--acount'\.\n\nUsage: npm run postroom -- events /)
})

test('a Postroom that does not answer is told with its URL, and exit code 5', async () => {
  const environment = { POSTROOM_URL: 'http://127.0.0.1:1', POSTROOM_API_KEY: 'k' }
  const { code, stderr } = await runCli(['channels'], { environment })
  expect(code).toBe(exitCodes.unreachable)
  expect(stderr).toBe('Postroom does not answer at http://127.0.0.1:1. Is it running?\n')
})

test('a URL that is none is a wrong call', async () => {
  const { code, stderr } = await runCli(['channels'], { environment: { POSTROOM_URL: 'localhost:4400' } })
  expect(code).toBe(exitCodes.usage)
  expect(stderr).toContain('POSTROOM_URL must be an http or https URL')
})

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

// `cost --explain | head` ended with Node's own words about a broken pipe, and its code for a crash.
test('who reads along may have had enough, which is no trouble', async () => {
  const script = fileURLToPath(new URL('../../infra/cli/postroom.ts', import.meta.url))
  const child = spawn(process.execPath, ['--experimental-strip-types', '--no-warnings', script, 'help'])
  child.stdout.destroy()
  const said = text(child.stderr)
  expect(await once(child, 'close')).toEqual([exitCodes.done, null])
  expect(await said).toBe('')
})
