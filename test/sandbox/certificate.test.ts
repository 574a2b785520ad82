/** The certificate of the local mail servers. */
import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { generate } from 'selfsigned'
import { expect, test } from 'vitest'
import { localhostCertificate } from '../../infra/sandbox/certificate.ts'
import { freshFolder, sandboxForTest } from './running-sandbox.ts'

const run = promisify(execFile)
const connectOverTls = `
  const socket = require('node:tls').connect({ host: process.argv[1], port: Number(process.argv[2]), servername: 'localhost' })
  socket.on('secureConnect', () => { console.log('authorized ' + socket.authorized); socket.end() })
  socket.on('error', error => { console.log(error.code); process.exit() })
`

test('is made once and then kept', async () => {
  const folder = await freshFolder()
  const first = await localhostCertificate(folder)
  expect(await localhostCertificate(folder)).toEqual(first)
  expect(await readFile(first.certFile, 'utf8')).toBe(first.cert)
})

test('keeps its key to the owner', async () => {
  const folder = await freshFolder()
  await localhostCertificate(folder)
  expect((await stat(join(folder, 'key.pem'))).mode & 0o777).toBe(0o600)
})

test('is for localhost and 127.0.0.1', async () => {
  const { cert } = await localhostCertificate(await freshFolder())
  const certificate = new X509Certificate(cert)
  expect(certificate.checkHost('localhost')).toBe('localhost')
  expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1')
})

test('cannot vouch for other certificates', async () => {
  const { cert } = await localhostCertificate(await freshFolder())
  expect(new X509Certificate(cert).ca).toBe(false)
})

test('is re-made when fewer than 30 days are left', async () => {
  const folder = await freshFolder()
  await localhostCertificate(folder)
  const inDays = (days: number) => new Date(Date.now() + days * 24 * 60 * 60 * 1000)
  const old = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    notAfterDate: inDays(29),
  })
  await writeFile(join(folder, 'key.pem'), old.private)
  await writeFile(join(folder, 'cert.pem'), old.cert)
  const renewed = await localhostCertificate(folder)
  expect(Date.parse(new X509Certificate(renewed.cert).validTo)).toBeGreaterThan(inDays(360).getTime())
})

test('is trusted by a process that got it by NODE_EXTRA_CA_CERTS, and by no other', async () => {
  const sandbox = await sandboxForTest()
  const argv = ['-e', connectOverTls, '127.0.0.1', String(sandbox.ports.imap)]
  const { NODE_EXTRA_CA_CERTS: _, ...environment } = process.env
  const certFile = join(sandbox.folder, 'certificate', 'cert.pem')
  const trusting = await run(process.execPath, argv, {
    env: { ...environment, NODE_EXTRA_CA_CERTS: certFile },
  })
  expect(trusting.stdout.trim()).toBe('authorized true')
  const other = await run(process.execPath, argv, { env: environment })
  expect(other.stdout.trim()).toBe('DEPTH_ZERO_SELF_SIGNED_CERT')
})
