import { execFileSync, spawnSync } from 'node:child_process'
import {
  constants,
  createPrivateKey,
  generateKeyPairSync,
  sign,
  type KeyObject,
  X509Certificate,
} from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ProofSources, Signatory, ValidationData } from '../../src/documents/ades.js'
import {
  KEY_ALGORITHMS,
  type HashAlgorithm,
  type KeyAlgorithm,
  type SignatureAlgorithm,
} from '../../src/keys/algorithms.js'

/** Somebody with a key outside any token, for tests of what surrounds a signature value. */
export interface TestSigner extends Signatory {
  readonly key: KeyObject
  /** PKCS#1 octets, or a DER ECDSA-Sig-Value. */
  sign(toBeSigned: Buffer, algorithm: SignatureAlgorithm): Buffer
}

/**
 * Root, issuing authority, signers, timestamping authority and OCSP responder, all of them the
 * openssl command: nothing of it shares code with the service.
 */
export class SigningPki implements ProofSources {
  readonly directory = mkdtempSync(join(tmpdir(), 'openrssp-pki-'))
  readonly #signers = new Map<string, TestSigner>()
  readonly #root: Buffer
  readonly #issuing: Buffer
  #crl: Buffer | undefined

  constructor() {
    writeFileSync(this.path('openssl.cnf'), CONFIGURATION)
    writeFileSync(this.path('index.txt'), '')
    writeFileSync(this.path('tsa-serial'), '01')
    writeFileSync(this.path('serial'), '1000')
    this.#newKey('root', 'p-256')
    this.#openssl(
      'req',
      '-x509',
      '-new',
      '-key',
      'root.key',
      '-out',
      'root.pem',
      '-days',
      '3650',
      ...[
        ...[
          '-subj',
          '/C=DE/O=Test/CN=Test Root CA',
          '-config',
          'openssl.cnf',
          '-extensions',
          'root',
        ],
      ],
    )
    this.#certify('issuing', 'p-256', '/C=DE/O=Test/CN=Test Issuing CA', 'issuing', 'root')
    this.#certify('tsa', 'p-256', '/C=DE/O=Test/CN=Test TSA', 'tsa_extensions', 'issuing')
    this.#certify('ocsp', 'p-256', '/C=DE/O=Test/CN=Test OCSP', 'ocsp', 'issuing')
    this.#root = this.#der('root')
    this.#issuing = this.#der('issuing')
    writeFileSync(this.path('chain.pem'), this.read('issuing.pem') + this.read('root.pem'))
  }

  close(): void {
    rmSync(this.directory, { recursive: true })
  }

  /** Of a file that openssl reads and writes. */
  path(name: string): string {
    return join(this.directory, name)
  }

  read(name: string): string {
    return readFileSync(this.path(name), 'utf8')
  }

  /** DER. */
  get root(): Buffer {
    return this.#root
  }

  /** The same one each time; a name makes another with such a key. */
  signer(keyAlgorithm: KeyAlgorithm, name = 'signer'): TestSigner {
    const file = `${name}-${keyAlgorithm}`
    const known = this.#signers.get(file)
    if (known) return known
    this.#certify(
      file,
      keyAlgorithm,
      `/C=DE/O=Test/CN=${name} ${keyAlgorithm}`,
      'signer',
      'issuing',
    )
    const key = createPrivateKey(this.read(`${file}.key`))
    const certificate = this.#der(file)
    const signer: TestSigner = {
      key,
      certificate,
      chain: [this.#issuing, this.#root],
      sign: (toBeSigned, algorithm) => signWith(key, toBeSigned, algorithm),
    }
    this.#signers.set(file, signer)
    return signer
  }

  timestamp(digest: Buffer, hash: HashAlgorithm): Promise<Buffer> {
    const hex = digest.toString('hex')
    const query = ['ts', '-query', '-digest', hex, `-${hash.name}`, '-cert', '-out', 'query.tsq']
    this.#openssl(...query)
    this.#openssl(
      'ts',
      '-reply',
      '-config',
      'openssl.cnf',
      '-queryfile',
      'query.tsq',
      ...[...['-token_out', '-out', 'token.der', '-chain', 'chain.pem']],
    )
    return Promise.resolve(readFileSync(this.path('token.der')))
  }

  /** OCSP for end entities, a CRL of the root for the issuing authority. */
  validationData(certificates: readonly Buffer[]): Promise<ValidationData> {
    const ends = certificates.filter((der) => !new X509Certificate(der).ca)
    return Promise.resolve({
      certificates: [...certificates, this.#issuing, this.#root, this.#der('ocsp')],
      crls: [this.crl],
      ocspResponses: ends.map((certificate) => this.#ocspResponse(certificate)),
    })
  }

  /** Of the root, DER. */
  get crl(): Buffer {
    return (this.#crl ??= this.#newCrl())
  }

  /** What is signed, if `openssl cms` finds the signature good; `content` is for detached ones. */
  opensslCms(cms: Buffer, content?: Buffer, options: readonly string[] = []): Buffer | null {
    writeFileSync(this.path('verified.der'), cms)
    writeFileSync(this.path('content'), content ?? '')
    const { status, stdout } = spawnSync(
      'openssl',
      [
        ...['cms', '-verify', '-binary', '-inform', 'DER', '-in', 'verified.der'],
        ...['-CAfile', 'root.pem', '-purpose', 'any', ...options],
        ...(content === undefined ? [] : ['-content', 'content']),
      ],
      { cwd: this.directory, maxBuffer: 2 ** 28 },
    )
    return status === 0 ? stdout : null
  }

  /** Whether `openssl ts` finds the token good and over that digest. */
  opensslTimestamp(token: Buffer, digest: Buffer): boolean {
    writeFileSync(this.path('verified.tst'), token)
    const { status } = spawnSync(
      'openssl',
      [
        ...['ts', '-verify', '-digest', digest.toString('hex'), '-in', 'verified.tst'],
        ...['-token_in', '-CAfile', 'root.pem', '-untrusted', 'chain.pem'],
      ],
      { cwd: this.directory },
    )
    return status === 0
  }

  /** A CMS signature with the content inside, by `openssl cms`. */
  opensslSign(content: Buffer, name: string, options: readonly string[]): Buffer {
    writeFileSync(this.path('content'), content)
    return this.#openssl(
      'cms',
      '-sign',
      '-binary',
      '-nodetach',
      '-in',
      'content',
      ...[...['-signer', `${name}.pem`, '-inkey', `${name}.key`, '-outform', 'DER', ...options]],
    )
  }

  #newCrl(): Buffer {
    this.#openssl('ca', '-gencrl', '-config', 'openssl.cnf', '-crldays', '30', '-out', 'root.crl')
    return this.#openssl('crl', '-in', 'root.crl', '-outform', 'DER')
  }

  #ocspResponse(certificate: Buffer): Buffer {
    writeFileSync(this.path('asked.pem'), new X509Certificate(certificate).toString())
    this.#openssl(
      'ocsp',
      '-sha256',
      '-issuer',
      'issuing.pem',
      '-cert',
      'asked.pem',
      ...[...['-no_nonce', '-reqout', 'request.der']],
    )
    this.#openssl(
      'ocsp',
      '-index',
      'index.txt',
      '-CA',
      'issuing.pem',
      '-rsigner',
      'ocsp.pem',
      ...[
        ...[
          '-rkey',
          'ocsp.key',
          '-reqin',
          'request.der',
          '-respout',
          'response.der',
          '-ndays',
          '7',
        ],
      ],
    )
    return readFileSync(this.path('response.der'))
  }

  #certify(
    name: string,
    keyAlgorithm: KeyAlgorithm,
    subject: string,
    extensions: string,
    issuer: string,
  ): void {
    this.#newKey(name, keyAlgorithm)
    this.#openssl(
      'req',
      '-new',
      '-key',
      `${name}.key`,
      '-subj',
      subject,
      ...[...['-out', 'request.csr', '-config', 'openssl.cnf']],
    )
    this.#openssl(
      'x509',
      '-req',
      '-in',
      'request.csr',
      '-CA',
      `${issuer}.pem`,
      ...[
        ...['-CAkey', `${issuer}.key`, '-CAserial', 'serial', '-days', '365', '-sha256'],
        ...['-extfile', 'openssl.cnf', '-extensions', extensions, '-out', `${name}.pem`],
      ],
    )
    const { serialNumber } = new X509Certificate(this.read(`${name}.pem`))
    const entry = ['V', '351231235959Z', '', serialNumber, 'unknown', subject].join('\t')
    writeFileSync(this.path('index.txt'), `${entry}\n`, { flag: 'a' })
  }

  #newKey(name: string, keyAlgorithm: KeyAlgorithm): void {
    const { family, bits, curveName } = KEY_ALGORITHMS[keyAlgorithm]
    const { privateKey } =
      family === 'ec'
        ? generateKeyPairSync('ec', { namedCurve: curveName ?? '' })
        : generateKeyPairSync('rsa', { modulusLength: bits })
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' })
    writeFileSync(this.path(`${name}.key`), pem)
  }

  #der(name: string): Buffer {
    return Buffer.from(new X509Certificate(this.read(`${name}.pem`)).raw)
  }

  #openssl(...options: string[]): Buffer {
    return execFileSync('openssl', options, {
      cwd: this.directory,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  }
}

function signWith(
  key: KeyObject,
  toBeSigned: Buffer,
  { scheme, hash, saltLength }: SignatureAlgorithm,
): Buffer {
  if (scheme !== 'rsa-pss') return sign(hash.name, toBeSigned, key)
  const padding = constants.RSA_PKCS1_PSS_PADDING
  return sign(hash.name, toBeSigned, { key, padding, saltLength: saltLength ?? hash.bytes })
}

const CONFIGURATION = `
[req]
distinguished_name = subject
prompt = no
[subject]
CN = unused
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[issuing]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[signer]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, nonRepudiation
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[tsa_extensions]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[ocsp]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = OCSPSigning
noCheck = ignored
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[ca]
default_ca = revocation
[revocation]
database = index.txt
certificate = root.pem
private_key = root.key
default_md = sha256
[tsa_defaults]
serial = tsa-serial
crypto_device = builtin
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
[tsa]
default_tsa = tsa_defaults
`
