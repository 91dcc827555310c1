import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { algorithmIdentifier } from '../../src/certificates/algorithm-identifier.js'
import { NO_URLS, type CertificatePlan } from '../../src/certificates/certificate-plan.js'
import type { SubjectName } from '../../src/certificates/certificate-authority.js'
import { sequenceOf } from '../../src/certificates/der.js'
import { encodeName } from '../../src/certificates/distinguished-name.js'
import { encodeToBeSigned } from '../../src/certificates/to-be-signed.js'
import { HASH_ALGORITHMS } from '../../src/keys/algorithms.js'
import * as asn1js from 'asn1js'

const DAY_MS = 86_400_000

interface Authority {
  readonly name: Buffer
  readonly key: KeyObject
  readonly publicKey: Buffer
  readonly certificate: Buffer
}

/**
 * A certification authority of somebody else, which certifies whatever it is told. Requests are read and
 * messages written by openssl.
 */
export class OtherAuthority {
  readonly root: Authority
  readonly issuing: Authority

  constructor(name = 'Other') {
    this.root = makeAuthority(`${name} Root`, null)
    this.issuing = makeAuthority(`${name} Issuing`, this.root)
  }

  /** What it answers a request: the names and the key are those of the request unless `changes` says else. */
  certify(
    request: Buffer,
    changes: Partial<CertificatePlan> & { subjectName?: Omit<SubjectName, 'email'> } = {},
  ): Buffer {
    const { subjectName, ...others } = changes
    const publicKey = publicKeyOf(request)
    const named = subjectName ? { subject: encodeName(subjectName) } : {}
    const plan = { ...planOf(subjectOf(request), publicKey, this.issuing), ...named, ...others }
    return signedBy(this.issuing.key, encodeToBeSigned(plan))
  }

  /** A certs-only message in Base64, as RFC 7030 has it. */
  certsOnly(...certificates: readonly Buffer[]): string {
    return inFolder((folder) => {
      writeFileSync(join(folder, 'all.pem'), certificates.map(pemOf).join(''))
      const args = ['crl2pkcs7', '-nocrl', '-certfile', 'all.pem', '-outform', 'DER']
      const der = execFileSync('openssl', args, { cwd: folder })
      return (der.toString('base64').match(/.{1,64}/g) ?? []).join('\n')
    })
  }
}

/** Whether openssl finds that the sender of the request has its key. */
export function opensslVerifiesRequest(request: Buffer): boolean {
  const args = ['req', '-inform', 'DER', '-verify', '-noout']
  const options = { input: request, stdio: 'pipe' } as const
  try {
    execFileSync('openssl', args, options)
    return true
  } catch {
    return false
  }
}

export function pemOf(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}

function publicKeyOf(request: Buffer): Buffer {
  const pem = execFileSync('openssl', ['req', '-inform', 'DER', '-pubkey', '-noout'], {
    input: request,
  })
  return execFileSync('openssl', ['pkey', '-pubin', '-outform', 'DER'], { input: pem })
}

/** Name, DER. */
function subjectOf(request: Buffer): Buffer {
  const info = (asn1js.fromBER(request).result as asn1js.Sequence).valueBlock.value[0]
  const name = (info as asn1js.Sequence).valueBlock.value[1]
  return Buffer.from(name?.valueBeforeDecodeView ?? [])
}

function makeAuthority(commonName: string, issuer: Authority | null): Authority {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const name = encodeName({ commonName, country: 'DE' })
  const plan: CertificatePlan = {
    ...planOf(name, spki, issuer ?? { name, publicKey: spki }),
    keyUsage: ['keyCertSign', 'cRLSign'],
    authority: { pathLength: issuer ? 0 : 1 },
  }
  const certificate = signedBy(issuer?.key ?? privateKey, encodeToBeSigned(plan))
  return { name, key: privateKey, publicKey: spki, certificate }
}

function planOf(
  subject: Buffer,
  publicKey: Buffer,
  issuer: Pick<Authority, 'name' | 'publicKey'>,
): CertificatePlan {
  const now = Math.floor(Date.now() / 1000) * 1000
  return {
    serialNumber: Buffer.concat([Buffer.of(0x51), randomBytes(15)]),
    issuer: issuer.name,
    subject,
    notBefore: new Date(now - DAY_MS),
    notAfter: new Date(now + 100 * DAY_MS),
    publicKey,
    issuerPublicKey: issuer.publicKey,
    issuerAlgorithm: { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha384 },
    keyUsage: ['contentCommitment'],
    authority: null,
    policyOids: [],
    extendedKeyUsage: [],
    extendedKeyUsageIsCritical: false,
    urls: NO_URLS,
    ocspNoCheck: false,
    noRevocationAvailable: false,
    qcStatements: null,
    email: undefined,
  }
}

function signedBy(key: KeyObject, tbs: Buffer): Buffer {
  const algorithm = algorithmIdentifier({ scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha384 })
  const bits = new asn1js.BitString({ valueHex: sign('sha384', tbs, key) })
  return sequenceOf(tbs, algorithm, Buffer.from(bits.toBER()))
}

function inFolder<T>(use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'openrssp-other-ca-'))
  try {
    return use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
