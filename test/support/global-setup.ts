/** Once per run: the sandbox's certificate, trusted by every test process, and the template that says what tables there are. */

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { synthesize } from '../../infra/local/synthesize.ts'
import { localhostCertificate } from '../../infra/sandbox/certificate.ts'
import { cacheFolder, templateFolder } from './cache.ts'

export async function setup(): Promise<void> {
  const folder = join(cacheFolder, 'sandbox')
  await mkdir(folder, { recursive: true })
  const { certFile } = await localhostCertificate(folder)
  // Node reads it when a process begins, and the processes that run tests have not begun yet.
  process.env.NODE_EXTRA_CA_CERTS = certFile
  await synthesize({ folder: templateFolder, withoutCode: true })
}
