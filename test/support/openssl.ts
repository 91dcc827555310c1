import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SignatureAlgorithm } from '../../src/keys/algorithms.js'

/** Whether the openssl command, which shares no code with ours, takes the signature. */
export function opensslVerifies(
  publicKey: Buffer,
  digest: Buffer,
  signature: Buffer,
  { scheme, hash, saltLength }: SignatureAlgorithm,
): boolean {
  const files = { 'key.der': publicKey, digest, signature }
  const pss = ['rsa_padding_mode:pss', `rsa_pss_saltlen:${saltLength}`, `rsa_mgf1_md:${hash.name}`]
  const options = [`digest:${hash.name}`, ...(scheme === 'rsa-pss' ? pss : [])]
  return inDirectoryWith(files, (directory) => {
    const { status } = spawnSync(
      'openssl',
      [
        ...['pkeyutl', '-verify', '-pubin', '-keyform', 'DER', '-inkey', 'key.der'],
        ...['-in', 'digest', '-sigfile', 'signature'],
        ...options.flatMap((option) => ['-pkeyopt', option]),
      ],
      { cwd: directory },
    )
    return status === 0
  })
}

/** What `openssl verify` says of a chain, certificates as DER. */
export function opensslVerifiesChain(
  certificate: Buffer,
  intermediate: Buffer,
  root: Buffer,
  options: readonly string[] = [],
): { ok: boolean; output: string } {
  const files = {
    'leaf.pem': pem(certificate),
    'issuing.pem': pem(intermediate),
    'root.pem': pem(root),
  }
  return inDirectoryWith(files, (directory) => {
    const { status, stdout, stderr } = spawnSync(
      'openssl',
      [
        ...['verify', '-x509_strict', '-CAfile', 'root.pem', '-untrusted', 'issuing.pem'],
        ...[...options, 'leaf.pem'],
      ],
      { cwd: directory, encoding: 'utf8' },
    )
    return { ok: status === 0, output: stdout + stderr }
  })
}

/** Whether `openssl cms` takes the signature of a chain, leaf first; `content` is for detached ones. */
export function opensslVerifiesCms(
  cms: Buffer,
  chain: readonly Buffer[],
  content?: Buffer,
  options: readonly string[] = [],
): boolean {
  const files = {
    'cms.der': cms,
    'root.pem': pem(chain.at(-1) ?? Buffer.alloc(0)),
    ...(content ? { content } : {}),
  }
  return inDirectoryWith(files, (directory) => {
    const { status } = spawnSync(
      'openssl',
      [
        ...['cms', '-verify', '-binary', '-inform', 'DER', '-in', 'cms.der'],
        ...['-CAfile', 'root.pem', '-purpose', 'any', ...(content ? ['-content', 'content'] : [])],
        ...options,
      ],
      { cwd: directory },
    )
    return status === 0
  })
}

/** The certificate in words. */
export function opensslText(certificate: Buffer, ...options: string[]): string {
  return execFileSync('openssl', ['x509', '-inform', 'DER', '-noout', ...options], {
    input: certificate,
    encoding: 'utf8',
  })
}

function pem(certificate: Buffer): string {
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}

function inDirectoryWith<T>(files: Record<string, string | Buffer>, use: (path: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'openrssp-openssl-'))
  try {
    for (const [name, content] of Object.entries(files))
      writeFileSync(join(directory, name), content)
    return use(directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
}
