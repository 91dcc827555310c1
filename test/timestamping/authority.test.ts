import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash, sign } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as asn1js from 'asn1js'
import fc from 'fast-check'
import { TimeStampResp } from 'pkijs'
import { isDer, sequenceOf } from '../../src/certificates/der.js'
import { HsmUnavailableError, TimestampUnavailableError } from '../../src/errors.js'
import { HASH_ALGORITHMS } from '../../src/keys/algorithms.js'
import { TimestampAuthority, type TimestampSigner } from '../../src/timestamping/authority.js'
import { WatchedClock } from '../../src/timestamping/clock.js'
import { readTimestampToken } from '../../src/timestamping/timestamp-token.js'
import { TstInfoEncoder } from '../../src/timestamping/token.js'
import { EKU, makeUp, type MadeUp } from '../support/made-up-pki.js'
import { TestClock } from '../support/rssp.js'

const POLICY = '1.3.6.1.4.1.32473.1.1'
const OTHER_POLICY = '1.3.6.1.4.1.32473.1.2'
const DIGEST = createHash('sha256').update('a document').digest()
const SHA1 = '1.3.14.3.2.26'

const root = makeUp({ name: 'Root', authority: true })
const issuing = makeUp({ name: 'Issuing', issuer: root, authority: true })
const unit = makeUp({ name: 'Unit', issuer: issuing, eku: [EKU.timeStamping] })

describe('A timestamping authority', () => {
  let directory: string

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'openrssp-tsa-'))
    for (const each of [root, issuing, unit]) {
      writeFileSync(join(directory, `${each.name}.pem`), pem(each.certificate))
    }
  })
  after(() => rmSync(directory, { recursive: true }))

  for (const [hash, certReq] of [
    ['sha256', true],
    ['sha384', false],
    ['sha512', true],
  ] as const) {
    it(`answers openssl with a token that openssl verifies (${hash}, ${certReq ? 'with' : 'without'} certificates)`, async () => {
      const digest = createHash(hash).update('a document').digest('hex')
      const options = ['-digest', digest, `-${hash}`, ...(certReq ? ['-cert'] : [])]
      const query = openssl('ts', '-query', ...options, '-tspolicy', OTHER_POLICY)
      writeFileSync(join(directory, 'query.tsq'), query)
      const { authority } = started()
      writeFileSync(join(directory, 'reply.tsr'), await authority.respond(query, unforeseen))
      const others = certReq ? [] : ['-untrusted', bundle(directory, unit, issuing)]
      const verdict = spawnSync(
        'openssl',
        [
          'ts',
          '-verify',
          '-queryfile',
          'query.tsq',
          '-in',
          'reply.tsr',
          '-CAfile',
          'Root.pem',
          ...others,
        ],
        { cwd: directory, encoding: 'utf8' },
      )
      assert.match(verdict.stdout, /Verification: OK/, verdict.stderr)
      const text = openssl('ts', '-reply', '-in', 'reply.tsr', '-text').toString()
      assert.match(text, new RegExp(`Policy OID: ${OTHER_POLICY.replaceAll('.', '\\.')}`))
      assert.match(text, /Ordering: no/)
      assert.match(text, /Accuracy: 0x01 seconds/)
    })
  }

  it('says less than a second of accuracy in milliseconds', async () => {
    const { authority } = started({ accuracyMilliseconds: 250 })
    writeFileSync(join(directory, 'reply.tsr'), await authority.respond(request(), unforeseen))
    const text = openssl('ts', '-reply', '-in', 'reply.tsr', '-text').toString()
    assert.match(text, /Accuracy: unspecified seconds, 0xFA millis/)
  })

  it('writes DER, whatever the fraction of the second and the nonce', async () => {
    const { authority, clock } = started()
    for (const [index, nonce] of [[1], [0x7f], [0, 0x80], Array<number>(20).fill(9)].entries()) {
      clock.advance(0.1 * index + 0.007)
      const bytes = await authority.respond(request({ nonce: Buffer.from(nonce) }), unforeseen)
      assert.ok(isDer(bytes))
      const token = tokenOf(bytes)
      assert.deepEqual(readTimestampToken(token).nonce, Buffer.from(nonce))
    }
  })

  it('writes the time without zeros at its end, which have no place in DER', () => {
    const tstInfos = new TstInfoEncoder({ accuracyMilliseconds: 1000 })
    for (const [fraction, written] of [
      ['.120', '20260102030400.12Z'],
      ['.005', '20260102030400.005Z'],
      ['.500', '20260102030400.5Z'],
      ['.000', '20260102030400Z'],
    ] as const) {
      const tstInfo = tstInfos.encode({
        ...{ hash: HASH_ALGORITHMS.sha256, digest: DIGEST, withNull: true, policy: POLICY },
        ...{ time: new Date(`2026-01-02T03:04:00${fraction}Z`), nonce: null },
      })
      assert.ok(tstInfo.includes(`\x18${String.fromCharCode(written.length)}${written}`), written)
    }
  })

  it('repeats the imprint exactly as it was sent', async () => {
    const { authority } = started()
    for (const withNull of [true, false]) {
      const query = request({ withNull })
      const imprint = asn1js.fromBER(query).result as asn1js.Sequence
      const [, member] = imprint.valueBlock.value
      assert.ok(member)
      const bytes = Buffer.from(member.toBER())
      assert.ok((await authority.respond(query, unforeseen)).includes(bytes))
    }
  })

  it('puts its certificates into the token only when asked', async () => {
    const { authority } = started()
    const named = async (certReq: boolean) => {
      const token = tokenOf(await authority.respond(request({ certReq }), unforeseen))
      return readTimestampToken(token).material.certificates.map(({ der }) => der)
    }
    assert.deepEqual(await named(false), [])
    const certificates = await named(true)
    const expected = [unit.certificate, issuing.certificate]
    assert.deepEqual(new Set(certificates.map(hex)), new Set(expected.map(hex)))
  })

  it('signs attributes that name its certificate', async () => {
    const { authority } = started()
    const token = readTimestampToken(await authority.timestamp(DIGEST, HASH_ALGORITHMS.sha256))
    assert.deepEqual([token.authority?.der, token.flaws], [unit.certificate, []])
  })

  it('never gives a serial number twice, also not across replicas', async () => {
    const replicas = [started().authority, started().authority]
    const serials = new Set<string>()
    for (let round = 0; round < 50; round += 1) {
      for (const authority of replicas) {
        const token = await authority.timestamp(DIGEST, HASH_ALGORITHMS.sha256)
        const { serialNumber } = readTimestampToken(token)
        assert.match(serialNumber, /^[4-7][0-9A-F]{31}$/)
        serials.add(serialNumber)
      }
    }
    assert.equal(serials.size, 100)
  })

  it('takes up a new key when there is one', async () => {
    const other = makeUp({ name: 'New unit', issuer: issuing, eku: [EKU.timeStamping] })
    let signer = signerOf(unit)
    const { authority } = started({ signer: () => Promise.resolve(signer) })
    await authority.timestamp(DIGEST, HASH_ALGORITHMS.sha256)
    signer = signerOf(other)
    const token = readTimestampToken(await authority.timestamp(DIGEST, HASH_ALGORITHMS.sha256))
    assert.deepEqual([token.authority?.der, token.flaws], [other.certificate, []])
  })

  const refusals: [string, () => Buffer, string][] = [
    ['SHA-1', () => request({ oid: SHA1, digest: Buffer.alloc(20) }), 'badAlg'],
    ['MD5', () => request({ oid: '1.2.840.113549.2.5', digest: Buffer.alloc(16) }), 'badAlg'],
    ['a hash nobody knows', () => request({ oid: '1.2.3' }), 'badAlg'],
    ['a digest of another length', () => request({ digest: Buffer.alloc(20) }), 'badDataFormat'],
    ['an empty digest', () => request({ digest: Buffer.alloc(0) }), 'badDataFormat'],
    ['another version', () => request({ version: 2 }), 'badRequest'],
    ['a policy of somebody else', () => request({ policy: '1.2.3.4' }), 'unacceptedPolicy'],
    ['an extension', () => request({ extension: true }), 'unacceptedExtension'],
    ['a nonce of 65 octets', () => request({ nonce: Buffer.alloc(65, 7) }), 'badRequest'],
    ['nothing', () => Buffer.alloc(0), 'badDataFormat'],
    ['text', () => Buffer.from('GET / HTTP/1.1'), 'badDataFormat'],
    ['half a request', () => request().subarray(0, 30), 'badDataFormat'],
    ['a request and more', () => Buffer.concat([request(), Buffer.from([5, 0])]), 'badDataFormat'],
    ['a length in BER', () => indefinite(request()), 'badDataFormat'],
    ['parameters of a hash', () => request({ parameters: '3000' }), 'badAlg'],
    [
      'a request that is too large',
      () => request({ nonce: Buffer.alloc(5000, 7) }),
      'badDataFormat',
    ],
  ]
  for (const [what, query, failure] of refusals) {
    it(`refuses ${what} with ${failure} and signs nothing`, async () => {
      const { authority, signatures } = started()
      const bytes = await authority.respond(query(), unforeseen)
      assert.deepEqual(failureOf(bytes), failure)
      assert.ok(isDer(bytes))
      assert.equal(signatures(), 0)
    })
  }

  it('answers any octets, and gives a token for none that is no request', async () => {
    const { authority } = started()
    const good = request()
    const changed = fc
      .tuple(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }))
      .map(([at, by]) => {
        const bytes = Buffer.from(good)
        bytes[at] = (bytes[at] ?? 0) ^ by
        return bytes
      })
    const any = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      changed,
    )
    await fc.assert(
      fc.asyncProperty(any, async (bytes) => {
        const { result } = asn1js.fromBER(await authority.respond(Buffer.from(bytes), unforeseen))
        new TimeStampResp({ schema: result })
      }),
      { numRuns: 150 },
    )
  })

  it('says systemFailure when its key is away, and tells its operator', async () => {
    const failures: unknown[] = []
    const signer = {
      ...signerOf(unit),
      sign: () => Promise.reject(new HsmUnavailableError('away')),
    }
    const { authority } = started({ signer: () => Promise.resolve(signer) })
    const bytes = await authority.respond(request(), (error) => void failures.push(error))
    assert.equal(failureOf(bytes), 'systemFailure')
    assert.equal(failures.length, 1)
    await assert.rejects(
      authority.timestamp(DIGEST, HASH_ALGORITHMS.sha256),
      TimestampUnavailableError,
    )
  })

  for (const [what, validity] of [
    ['after the end of its certificate', { notAfter: new Date(Date.now() - 1000) }],
    ['before its beginning', { notBefore: new Date(Date.now() + 3_600_000) }],
  ] as const) {
    it(`gives no token ${what} (S106)`, async () => {
      const other = makeUp({
        name: 'Other unit',
        issuer: issuing,
        eku: [EKU.timeStamping],
        ...validity,
      })
      const { authority, signatures } = started({ signer: () => Promise.resolve(signerOf(other)) })
      assert.equal(failureOf(await authority.respond(request(), unforeseen)), 'systemFailure')
      assert.equal(signatures(), 0)
    })
  }

  it('gives no token while its clock is 1.5 seconds off, and gives one when it is right again (S106)', async () => {
    const { authority, clock, signatures } = started()
    for (const seconds of [1.5, -1.5]) {
      clock.set(seconds)
      assert.equal(failureOf(await authority.respond(request(), unforeseen)), 'timeNotAvailable')
      clock.set(-seconds)
    }
    assert.equal(signatures(), 0)
    assert.equal(failureOf(await authority.respond(request(), unforeseen)), null)
  })

  it('gives no token when the clock was set while the key was waited for (S106)', async () => {
    const made: ReturnType<typeof started> = started({
      signer: () =>
        Promise.resolve({
          ...signerOf(unit),
          sign: (attributes: Buffer) => {
            made.clock.set(30)
            return Promise.resolve(sign('sha256', attributes, unit.key))
          },
        }),
    })
    assert.equal(failureOf(await made.authority.respond(request(), unforeseen)), 'timeNotAvailable')
  })

  function openssl(...options: string[]): Buffer {
    return execFileSync('openssl', options, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] })
  }
})

/** A clock that can be moved on, and set while less time passes. */
class SettableClock extends TestClock {
  #seconds = 0
  set(seconds: number): void {
    super.advance(seconds)
    this.#seconds += seconds
  }
  readonly elapsed = () => this.now().getTime() - this.#seconds * 1000
}

function started(
  changes: { signer?: () => Promise<TimestampSigner>; accuracyMilliseconds?: number } = {},
) {
  const clock = new SettableClock()
  let signatures = 0
  const signer = {
    ...signerOf(unit),
    sign(attributes: Buffer) {
      signatures += 1
      return Promise.resolve(sign('sha256', attributes, unit.key))
    },
  }
  const { accuracyMilliseconds = 1000 } = changes
  const authority = new TimestampAuthority({
    signer: changes.signer ?? (() => Promise.resolve(signer)),
    clock: new WatchedClock({
      ...{ now: clock.now, elapsed: clock.elapsed, accuracyMilliseconds, references: [] },
    }),
    policies: [POLICY, OTHER_POLICY],
    accuracyMilliseconds,
  })
  return { authority, clock, signatures: () => signatures }
}

function signerOf({ certificate, key }: MadeUp): TimestampSigner {
  return {
    ...{ certificate, chain: [issuing.certificate, root.certificate] },
    algorithm: { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 },
    sign: (attributes) => Promise.resolve(sign('sha256', attributes, key)),
  }
}

function request(
  changes: {
    version?: number
    oid?: string
    digest?: Buffer
    withNull?: boolean
    /** Of the hash, DER in hexadecimal. */
    parameters?: string
    policy?: string
    nonce?: Buffer
    certReq?: boolean
    extension?: boolean
  } = {},
): Buffer {
  const {
    version = 1,
    oid = HASH_ALGORITHMS.sha256.oid,
    digest = DIGEST,
    withNull = true,
  } = changes
  const parameters = Buffer.from(changes.parameters ?? (withNull ? '0500' : ''), 'hex')
  const algorithm = sequenceOf(
    Buffer.from(new asn1js.ObjectIdentifier({ value: oid }).toBER()),
    parameters,
  )
  const extensions = new asn1js.Constructed({
    idBlock: { tagClass: 3, tagNumber: 0 },
    value: [
      new asn1js.Sequence({
        value: [
          new asn1js.ObjectIdentifier({ value: '1.2.3.4.5' }),
          new asn1js.OctetString({ valueHex: new Uint8Array([5, 0]) }),
        ],
      }),
    ],
  })
  const fields = [
    new asn1js.Integer({ value: version }),
    new asn1js.Sequence({
      value: [asn1js.fromBER(algorithm).result, new asn1js.OctetString({ valueHex: digest })],
    }),
    ...(changes.policy ? [new asn1js.ObjectIdentifier({ value: changes.policy })] : []),
    ...(changes.nonce ? [new asn1js.Integer({ valueHex: changes.nonce })] : []),
    ...(changes.certReq ? [new asn1js.Boolean({ value: true })] : []),
    ...(changes.extension ? [extensions] : []),
  ]
  return Buffer.from(new asn1js.Sequence({ value: fields }).toBER())
}

/** The same with the outer length left open, which BER allows. */
function indefinite(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x30, 0x80]), bytes.subarray(2), Buffer.alloc(2)])
}

function readResponse(bytes: Buffer): TimeStampResp {
  return new TimeStampResp({ schema: asn1js.fromBER(bytes).result })
}

function tokenOf(bytes: Buffer): Buffer {
  const { timeStampToken } = readResponse(bytes)
  assert.ok(timeStampToken)
  return Buffer.from(timeStampToken.toSchema().toBER())
}

const FAILURES: Readonly<Record<number, string>> = {
  ...{ 0: 'badAlg', 2: 'badRequest', 5: 'badDataFormat', 14: 'timeNotAvailable' },
  ...{ 15: 'unacceptedPolicy', 16: 'unacceptedExtension', 25: 'systemFailure' },
}

/** Null for a token. */
function failureOf(bytes: Buffer): string | null {
  const { status, timeStampToken } = readResponse(bytes)
  const code: number = status.status
  if (code === 0) return null
  assert.equal(code, 2)
  assert.equal(timeStampToken, undefined)
  const bits = [...Buffer.from(status.failInfo?.valueBlock.valueHexView ?? [])]
    .map((byte) => byte.toString(2).padStart(8, '0'))
    .join('')
  return FAILURES[bits.indexOf('1')] ?? `bit ${bits.indexOf('1')}`
}

function unforeseen(error: unknown): void {
  throw error
}

function bundle(directory: string, ...entities: MadeUp[]): string {
  const text = entities.map(({ certificate }) => pem(certificate)).join('')
  writeFileSync(join(directory, 'untrusted.pem'), text)
  return 'untrusted.pem'
}

const hex = (bytes: Buffer) => bytes.toString('hex')

function pem(certificate: Buffer): string {
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}
