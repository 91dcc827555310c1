import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash, sign } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as asn1js from 'asn1js'
import { boundedHttp } from '../../src/certificates/bounded-http.js'
import { TrustAnchors } from '../../src/certificates/certificate-path.js'
import { elementsIn, sequenceOf } from '../../src/certificates/der.js'
import { knownCertificate } from '../../src/certificates/known-certificate.js'
import { RefusedRequestError, TimestampUnavailableError } from '../../src/errors.js'
import { HASH_ALGORITHMS } from '../../src/keys/algorithms.js'
import { createLogger } from '../../src/observability/logger.js'
import type { ExternalAuthority } from '../../src/timestamping/client.js'
import { ExternalAuthorities } from '../../src/timestamping/external-authorities.js'
import { TimestampRefusal } from '../../src/timestamping/refusal.js'
import { parseTimestampRequest, type TimestampRequest } from '../../src/timestamping/request.js'
import { grantedResponse, rejectedResponse } from '../../src/timestamping/response.js'
import { readTimestampToken } from '../../src/timestamping/timestamp-token.js'
import {
  TokenEncoder,
  TstInfoEncoder,
  type TimestampStatement,
} from '../../src/timestamping/token.js'
import { EKU, makeUp, type MadeUp } from '../support/made-up-pki.js'

const POLICY = '1.3.6.1.4.1.32473.1.1'
const SHA256 = HASH_ALGORITHMS.sha256
const DIGEST = createHash('sha256').update('a document').digest()
const DAY = 86_400_000

const root = makeUp({ name: 'Root', authority: true })
const issuing = makeUp({ name: 'Issuing', issuer: root, authority: true })
const unit = makeUp({ name: 'Unit', issuer: issuing, eku: [EKU.timeStamping] })
const stranger = makeUp({ name: 'Root', authority: true })

/** What an authority does with a request; what it does not say is as it should be. */
interface Manner {
  readonly statement?: (request: TimestampRequest) => Partial<TimestampStatement>
  readonly tstInfo?: (tstInfo: Buffer) => Buffer
  readonly signer?: MadeUp
  readonly chain?: readonly MadeUp[]
  /** Whom the signed attributes and the signer identifier name, when another signs. */
  readonly signature?: (attributes: Buffer) => Buffer
  readonly withoutCertificates?: boolean
  readonly token?: (token: Buffer) => Buffer
  readonly answer?: (response: ServerResponse, reply: () => Buffer) => void
}

describe('External timestamping authorities', () => {
  let server: Server
  let manner: Manner = {}
  let requests: { path: string; authorization: string | undefined; request: TimestampRequest }[] =
    []
  let milliseconds = 0

  before(async () => {
    server = createServer((incoming, response) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('end', () => {
        const request = parseTimestampRequest(Buffer.concat(chunks))
        const { url: path = '', headers } = incoming
        requests.push({ path, authorization: headers.authorization, request })
        const { answer = plain } = path === '/good' ? {} : manner
        answer(response, () => reply(request, path === '/good' ? {} : manner))
      })
    })
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  })
  beforeEach(() => {
    manner = {}
    requests = []
    milliseconds = 0
  })
  after(() => {
    server.closeAllConnections()
    server.close()
  })

  it('give a token over the digest, with a nonce of ours and their certificates', async () => {
    const token = readTimestampToken(await authorities().timestamp(DIGEST, SHA256))
    const [{ request } = { request: null }] = requests
    assert.deepEqual(token.imprint, DIGEST)
    assert.ok(request?.certReq && request.nonce && request.nonce.length === 8)
    assert.deepEqual(token.nonce, request.nonce)
  })

  it('may call themselves by the name in their certificate, and add what need not be known', async () => {
    manner = { tstInfo: (info) => withMembers(info, named('unit', true), extension(false)) }
    await authorities().timestamp(DIGEST, SHA256)
  })

  it('are asked with the nonce of the application where it has one', async () => {
    const nonce = Buffer.from('00ff01', 'hex')
    const token = readTimestampToken(await authorities().timestamp(DIGEST, SHA256, nonce))
    assert.deepEqual(token.nonce, nonce)
  })

  it('are asked for the policy and with the login that are configured', async () => {
    const login = { user: 'rssp', password: 'of no importance' }
    await authorities([{ policy: POLICY, login }]).timestamp(DIGEST, SHA256)
    const [{ request, authorization } = { request: null, authorization: '' }] = requests
    assert.equal(request?.policy, POLICY)
    assert.equal(authorization, `Basic ${Buffer.from('rssp:of no importance').toString('base64')}`)
  })

  it('may be openssl', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'openrssp-tsa-'))
    try {
      manner = { answer: (response) => plain(response, () => opensslReply(directory)) }
      await authorities([{}], (body) =>
        writeFileSync(join(directory, 'query.tsq'), body),
      ).timestamp(...([DIGEST, SHA256] as const))
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it('get no digest of a wrong length', async () => {
    await assert.rejects(authorities().timestamp(DIGEST.subarray(1), SHA256), RefusedRequestError)
    assert.deepEqual(requests, [])
  })

  const tsa = (settings: Parameters<typeof makeUp>[0]) => ({
    signer: makeUp({ issuer: issuing, ...settings }),
  })
  const late = (ms: number) => ({ statement: () => ({ time: new Date(Date.now() + ms) }) })
  const faults: [string, Manner, RegExp][] = [
    [
      'over another digest',
      { statement: () => ({ digest: Buffer.alloc(32, 1) }) },
      /another digest/,
    ],
    [
      'over the digest of another algorithm',
      { statement: () => ({ hash: HASH_ALGORITHMS.sha512, digest: Buffer.alloc(64) }) },
      /another digest/,
    ],
    ['without the nonce', { statement: () => ({ nonce: null }) }, /nonce is another/],
    ['with another nonce', { statement: () => ({ nonce: Buffer.from([7]) }) }, /nonce is another/],
    ['under another policy', { statement: () => ({ policy: '1.2.3.4' }) }, /policy is another/],
    ['of tomorrow', late(DAY), /seconds off/],
    ['of yesterday', late(-DAY), /seconds off/],
    [
      'of yesterday, give or take a week',
      {
        ...late(-DAY),
        tstInfo: (info) => withAccuracy(info, 7 * 86_400),
      },
      /seconds off|not exact enough/,
    ],
    [
      'of now, give or take an hour',
      { tstInfo: (info) => withAccuracy(info, 3600) },
      /not exact enough/,
    ],
    [
      'whose signature is of something else',
      { signature: () => sign('sha256', DIGEST, unit.key) },
      /does not verify/,
    ],
    [
      'signed by another key',
      { signature: (bytes) => sign('sha256', bytes, stranger.key) },
      /does not verify/,
    ],
    ['without the certificate of its signer', { withoutCertificates: true }, /not inside/],
    [
      'of nobody we trust',
      {
        signer: makeUp({ name: 'Unit', issuer: stranger, eku: [EKU.timeStamping] }),
        chain: [stranger],
      },
      /not certified/,
    ],
    [
      'whose signer is certified by no authority',
      {
        signer: makeUp({ name: 'Unit', issuer: unit, eku: [EKU.timeStamping] }),
        chain: [unit, issuing],
      },
      /not certified/,
    ],
    ['whose chain has a gap', { chain: [] }, /not certified/],
    [
      'of a certificate that has expired',
      tsa({ name: 'Unit', eku: [EKU.timeStamping], notAfter: new Date(Date.now() - DAY / 2) }),
      /not certified/,
    ],
    ['of a key for anything', tsa({ name: 'Unit' }), /not for timestamps alone/],
    [
      'of a key for servers',
      tsa({ name: 'Unit', eku: [EKU.serverAuth] }),
      /not for timestamps alone/,
    ],
    [
      'of a key for servers, too',
      tsa({ name: 'Unit', eku: [EKU.timeStamping, EKU.serverAuth] }),
      /not for timestamps alone/,
    ],
    [
      'of a key whose use is not critical',
      tsa({ name: 'Unit', eku: [EKU.timeStamping], ekuCritical: false }),
      /not for timestamps alone/,
    ],
    [
      'that is cut off',
      { token: (token) => token.subarray(0, 200) },
      /TimeStampResp|ContentInfo|one element/,
    ],
    ['that is changed', { token: changedSerial }, /signed digest is of something else/],
    [
      'that calls itself by the name of another',
      { tstInfo: (info) => withMembers(info, named('Issuing')) },
      /names another authority/,
    ],
    [
      'with a critical extension nobody knows',
      { tstInfo: (info) => withMembers(info, extension(true)) },
      /critical extension is unknown: 1\.2\.3\.4/,
    ],
  ]
  for (const [what, wrong, why] of faults) {
    it(`are not believed with a token ${what} (S105)`, async () => {
      manner = wrong
      await rejectsBecause(authorities([{ policy: POLICY }]), why)
    })
  }

  const answers: [string, (response: ServerResponse, reply: () => Buffer) => void, RegExp][] = [
    [
      'a refusal',
      (response) =>
        plain(response, () => rejectedResponse(new TimestampRefusal('badAlg', 'Not that'))),
      /refuses with status 2: Not that/,
    ],
    ['status 500', (response) => void response.writeHead(500).end(), /status 500/],
    [
      'a redirect',
      (response) => void response.writeHead(302, { Location: 'http://127.0.0.1:1/' }).end(),
      /status 302/,
    ],
    [
      'a page',
      (response, reply) =>
        void response.writeHead(200, { 'Content-Type': 'text/html' }).end(reply()),
      /something else/,
    ],
    ['nothing', (response) => plain(response, () => Buffer.alloc(0)), /TimeStampResp/],
    [
      'a granted response without a token',
      (response) => plain(response, () => Buffer.from('30053003020100', 'hex')),
      /without a token/,
    ],
    [
      'more than a token can be',
      (response) => plain(response, () => Buffer.alloc(300_000, 0x30)),
      /too large/,
    ],
    [
      'a connection that breaks',
      (response) => void response.destroy(),
      /socket hang up|ECONNRESET/,
    ],
  ]
  for (const [what, answer, why] of answers) {
    it(`give no timestamp when they answer ${what} (S105)`, async () => {
      manner = { answer }
      await rejectsBecause(authorities(), why)
    })
  }

  it('give no timestamp when they answer nothing at all (S105)', async () => {
    manner = { answer: () => undefined }
    await rejectsBecause(authorities([{}], undefined, 400), /timeout|aborted/)
  })

  it('follow each other when one fails', async () => {
    manner = { answer: (response) => void response.writeHead(503).end() }
    await authorities([{}, { url: address('/good') }]).timestamp(DIGEST, SHA256)
    assert.deepEqual(
      requests.map(({ path }) => path),
      ['/tsa', '/good'],
    )
  })

  it('are passed over after three failures, and tried again half a minute later', async () => {
    manner = { answer: (response) => void response.writeHead(503).end() }
    const two = authorities([{}, { url: address('/good') }])
    const asked = async () => {
      requests = []
      await two.timestamp(DIGEST, SHA256)
      return requests.map(({ path }) => path)
    }
    for (let round = 0; round < 3; round += 1) await asked()
    assert.deepEqual(await asked(), ['/good'])
    milliseconds += 31_000
    assert.deepEqual(await asked(), ['/tsa', '/good'])
    assert.deepEqual(await asked(), ['/good'])
    manner = {}
    milliseconds += 31_000
    assert.deepEqual(await asked(), ['/tsa'])
  })

  it('are asked all the same when there is nobody else', async () => {
    manner = { answer: (response) => void response.writeHead(503).end() }
    const one = authorities()
    for (let round = 0; round < 4; round += 1) await rejectsBecause(one, /status 503/)
    manner = {}
    await one.timestamp(DIGEST, SHA256)
  })

  function address(path: string): URL {
    return new URL(path, `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  }

  function authorities(
    settings: readonly Partial<ExternalAuthority>[] = [{}],
    seen: (body: Buffer) => void = () => undefined,
    timeoutMs = 60_000,
  ) {
    const http = boundedHttp({ timeoutMs, isAllowed: () => true })
    return new ExternalAuthorities(
      settings.map((each) => ({
        ...{ url: address('/tsa'), policy: null, login: null },
        anchors: new TrustAnchors([knownCertificate(root.certificate)]),
        ...each,
      })),
      {
        http: (url, question) => {
          seen(question.body ?? Buffer.alloc(0))
          return http(url, question)
        },
        now: () => new Date(),
        toleranceSeconds: 60,
        logger: createLogger('silent'),
        elapsed: () => milliseconds,
      },
    )
  }
})

async function rejectsBecause(source: ExternalAuthorities, why: RegExp): Promise<void> {
  await assert.rejects(source.timestamp(DIGEST, SHA256), (error) => {
    assert.ok(error instanceof TimestampUnavailableError)
    assert.match(String(error.cause), why)
    return true
  })
}

function plain(response: ServerResponse, reply: () => Buffer): void {
  response.writeHead(200, { 'Content-Type': 'application/timestamp-reply' }).end(reply())
}

const tstInfos = new TstInfoEncoder({ accuracyMilliseconds: 1000 })

function reply(request: TimestampRequest, manner: Manner): Buffer {
  const { signer = unit, chain = [issuing, root] } = manner
  const tokens = new TokenEncoder({
    ...{ certificate: signer.certificate, chain: chain.map(({ certificate }) => certificate) },
    algorithm: { scheme: 'ecdsa', hash: SHA256 },
  })
  const statement = { ...request, policy: request.policy ?? POLICY, time: new Date() }
  const plain = tstInfos.encode({ ...statement, ...manner.statement?.(request) })
  const tstInfo = manner.tstInfo?.(plain) ?? plain
  const attributes = tokens.signedAttributes(tstInfo)
  const signature = manner.signature?.(attributes) ?? sign('sha256', attributes, signer.key)
  const withCertificates = !manner.withoutCertificates
  const token = tokens.encode({ tstInfo, signature, withCertificates })
  return grantedResponse(manner.token?.(token) ?? token)
}

/** Members that our own authority does not write, in the order of their tags. */
function withMembers(tstInfo: Buffer, ...members: asn1js.AsnType[]): Buffer {
  return sequenceOf(...elementsIn(tstInfo), ...members.map((each) => Buffer.from(each.toBER())))
}

/** Instead of what our own authority declares. */
function withAccuracy(tstInfo: Buffer, seconds: number): Buffer {
  const accuracy = new asn1js.Sequence({ value: [new asn1js.Integer({ value: seconds })] })
  const members = [...elementsIn(tstInfo)]
  const [version, policy, imprint, serial, time, , ...rest] = members
  const before = [version, policy, imprint, serial, time].filter((each) => each !== undefined)
  return sequenceOf(...before, Buffer.from(accuracy.toBER()), ...rest)
}

/** tsa: a directoryName behind an explicit tag. @param isPrintable of another type than in the certificate */
function named(commonName: string, isPrintable = false): asn1js.AsnType {
  const text = isPrintable ? asn1js.PrintableString : asn1js.Utf8String
  const attribute = new asn1js.Sequence({
    value: [new asn1js.ObjectIdentifier({ value: '2.5.4.3' }), new text({ value: commonName })],
  })
  const name = new asn1js.Sequence({ value: [new asn1js.Set({ value: [attribute] })] })
  return tagged(0, tagged(4, name))
}

function extension(critical: boolean): asn1js.AsnType {
  const value = [
    new asn1js.ObjectIdentifier({ value: '1.2.3.4' }),
    ...(critical ? [new asn1js.Boolean({ value: true })] : []),
    new asn1js.OctetString({ valueHex: new Uint8Array([5, 0]) }),
  ]
  return tagged(1, new asn1js.Sequence({ value }))
}

function tagged(tagNumber: number, ...value: asn1js.AsnType[]): asn1js.AsnType {
  return new asn1js.Constructed({ idBlock: { tagClass: 3, tagNumber }, value })
}

/** Another serial number, which nothing but the signature protects. */
function changedSerial(token: Buffer): Buffer {
  const serial = Buffer.from(readTimestampToken(token).serialNumber, 'hex')
  const at = token.indexOf(serial)
  assert.ok(at > 0)
  const changed = Buffer.from(token)
  changed.writeUInt8(changed.readUInt8(at + 5) ^ 1, at + 5)
  return changed
}

/** What `openssl ts -reply` makes of the query in the folder. */
function opensslReply(directory: string): Buffer {
  const pem = (bytes: Buffer) =>
    `-----BEGIN CERTIFICATE-----\n${bytes.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`
  const files = {
    'unit.pem': pem(unit.certificate),
    'unit.key': unit.key.export({ type: 'pkcs8', format: 'pem' }),
    'chain.pem': pem(issuing.certificate) + pem(root.certificate),
    serial: '01',
    'openssl.cnf': [
      ...['[tsa]', 'default_tsa = unit', '[unit]', 'serial = serial', 'signer_digest = sha256'],
      ...[`default_policy = ${POLICY}`, 'digests = sha256', 'ess_cert_id_alg = sha256', ''],
    ].join('\n'),
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
  execFileSync(
    'openssl',
    [
      ...['ts', '-reply', '-config', 'openssl.cnf', '-queryfile', 'query.tsq', '-out', 'reply.tsr'],
      ...['-signer', 'unit.pem', '-inkey', 'unit.key', '-chain', 'chain.pem'],
    ],
    { cwd: directory, stdio: 'pipe' },
  )
  return readFileSync(join(directory, 'reply.tsr'))
}
