/** Makes and keeps the TLS certificate of the local mail servers: localhost and 127.0.0.1, self-signed. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const dayMs = 24 * 60 * 60 * 1000
const validMs = 365 * dayMs
const renewBelowMs = 30 * dayMs

/**
 * Makes (once) and returns a certificate for localhost and 127.0.0.1, as `key.pem` (mode 0600) and `cert.pem` in
 * the folder. It is re-made when fewer than 30 days are left, or when the pair cannot be read.
 *
 * A process trusts it by NODE_EXTRA_CA_CERTS. It is no authority (basicConstraints CA:FALSE): OpenSSL takes a
 * self-signed certificate as its own anchor, and so nobody who gets hold of the key can vouch for other hosts.
 *
 * @param folder is created where it is missing
 * @throws {Error} the file system's own, where the folder cannot be written
 */
export async function localhostCertificate(
  folder: string,
): Promise<{ key: string; cert: string; certFile: string }> {
  const keyFile = join(folder, 'key.pem')
  const certFile = join(folder, 'cert.pem')
  const kept = await readPair(keyFile, certFile)
  if (kept) return { ...kept, certFile }
  // Loaded only now: a certificate is made once, and whoever launches Postroom is to stay small.
  const { generate } = await import('selfsigned')
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() - dayMs),
    notAfterDate: new Date(Date.now() + validMs),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  })
  await mkdir(folder, { recursive: true })
  await replaceFile(keyFile, made.private)
  await replaceFile(certFile, made.cert)
  return { key: made.private, cert: made.cert, certFile }
}

/** The stored pair if it belongs together and lives long enough, else undefined. */
async function readPair(
  keyFile: string,
  certFile: string,
): Promise<{ key: string; cert: string } | undefined> {
  try {
    const [key, cert] = await Promise.all([readFile(keyFile, 'utf8'), readFile(certFile, 'utf8')])
    const certificate = new X509Certificate(cert)
    const leftMs = Date.parse(certificate.validTo) - Date.now()
    return leftMs >= renewBelowMs && certificate.checkPrivateKey(createPrivateKey(key))
      ? { key, cert }
      : undefined
  } catch {
    // Missing, cut off or not PEM: nothing depends on an old certificate, so a new one is made.
    return undefined
  }
}

/** A crash leaves the old file or the new one, never half of one. */
async function replaceFile(file: string, content: string): Promise<void> {
  await writeFile(`${file}.new`, content, { mode: 0o600 })
  await rename(`${file}.new`, file)
}
