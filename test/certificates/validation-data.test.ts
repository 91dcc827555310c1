import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as asn1js from 'asn1js'
import { boundedHttp } from '../../src/certificates/bounded-http.js'
import { readOcspRequest } from '../../src/certificates/ocsp/request.js'
import type { RevocationSource } from '../../src/certificates/own-revocation.js'
import { TrustAnchors } from '../../src/certificates/certificate-path.js'
import { knownCertificate } from '../../src/certificates/known-certificate.js'
import { RevocationClient } from '../../src/certificates/revocation-client.js'
import { ValidationDataSource } from '../../src/certificates/validation-data.js'
import { ValidationDataUnavailableError } from '../../src/errors.js'
import {
  EKU,
  makeUp,
  makeUpCrl,
  makeUpOcsp,
  noRevAvail,
  type MadeUp,
  type OcspSettings,
} from '../support/made-up-pki.js'
import { TestClock } from '../support/rssp.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** For answers that come. */
const PATIENCE_MS = 60_000

describe('Validation data', () => {
  let server: Server
  let base: string
  let directory: string
  let root: MadeUp
  let issuing: MadeUp
  let responder: MadeUp
  let signer: MadeUp
  /** What is answered, by path. */
  let answers: Map<string, (body: Buffer, response: ServerResponse) => Buffer | null>
  let asked: string[]
  let clock: TestClock

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'openrssp-validation-'))
    server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const { url = '' } = request
        asked.push(url)
        const answer = answers.get(url)?.(Buffer.concat(chunks), response)
        if (answer) response.end(answer)
        else if (answer === undefined) response.writeHead(404).end()
      })
    })
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    root = makeUp({ name: 'Root', authority: true })
    issuing = makeUp({
      ...{ name: 'Issuing', issuer: root, authority: true },
      crl: `${base}/root.crl`,
    })
    responder = makeUp({
      name: 'Responder',
      issuer: issuing,
      eku: [EKU.ocspSigning],
      noCheck: true,
    })
    signer = newSigner()
  })
  after(() => {
    server.closeAllConnections()
    server.close()
    rmSync(directory, { recursive: true })
  })
  beforeEach(() => {
    clock = new TestClock()
    asked = []
    answers = new Map()
    answers.set('/issuing.cer', () => issuing.certificate)
    answers.set('/root.crl', () => makeUpCrl({ issuer: root }))
    answers.set('/issuing.crl', () => makeUpCrl({ issuer: issuing }))
    answerOcsp({})
  })

  it('is the chain up to the anchor, an OCSP response of the signer and a CRL of the authority', async () => {
    const found = await source().validationData([signer.certificate])
    assert.deepEqual(names(found.certificates), ['Signer', 'Issuing', 'Root'])
    assert.equal(found.ocspResponses.length, 1)
    assert.equal(found.crls.length, 1)
    assert.deepEqual(asked.toSorted(), ['/issuing.cer', '/ocsp', '/root.crl'])
  })

  it('is the same when the chain is brought along, without a request for it', async () => {
    const given = [signer.certificate, issuing.certificate, root.certificate]
    const found = await source().validationData(given)
    assert.deepEqual(names(found.certificates), ['Signer', 'Issuing', 'Root'])
    assert.ok(!asked.includes('/issuing.cer'))
  })

  it('is had once, and kept while it is news', async () => {
    const one = source()
    await Promise.all([1, 2, 3].map(() => one.validationData([signer.certificate])))
    await one.validationData([signer.certificate])
    assert.equal(asked.length, 3)
    clock.advance(2 * 3600)
    answerOcsp({ thisUpdate: clock.now(), nextUpdate: new Date(+clock.now() + HOUR) })
    await one.validationData([signer.certificate])
    assert.deepEqual(asked.slice(3).toSorted(), ['/ocsp', '/root.crl'])
  })

  it('takes the issuer from PEM, and from a PKCS#7', async () => {
    const pem = pemOf(issuing.certificate)
    writeFileSync(join(directory, 'issuing.pem'), pem)
    const p7 = openssl('crl2pkcs7', '-nocrl', '-certfile', 'issuing.pem', '-outform', 'DER')
    for (const bytes of [Buffer.from(pem), p7]) {
      answers.set('/issuing.cer', () => bytes)
      const { certificates } = await source().validationData([signer.certificate])
      assert.deepEqual(names(certificates), ['Signer', 'Issuing', 'Root'])
    }
  })

  it('ends at the anchor, of which nobody is asked', async () => {
    const found = await source([issuing]).validationData([signer.certificate])
    assert.deepEqual(names(found.certificates), ['Signer', 'Issuing'])
    assert.deepEqual(found.crls, [])
  })

  it('takes a response of the authority itself', async () => {
    answerOcsp({ responder: issuing })
    const { ocspResponses } = await source().validationData([signer.certificate])
    assert.equal(ocspResponses.length, 1)
  })

  it('takes a response that names its certificate by SHA-256', async () => {
    answerOcsp({ hash: 'sha256' })
    const { ocspResponses } = await source().validationData([signer.certificate])
    assert.equal(ocspResponses.length, 1)
  })

  it('takes a response without the nonce, which was made beforehand', async () => {
    answerOcsp({ nonce: null })
    const { ocspResponses } = await source().validationData([signer.certificate])
    assert.equal(ocspResponses.length, 1)
  })

  it('takes what openssl answers, as OCSP responder and as CRL', async () => {
    writeFileSync(join(directory, 'issuing.pem'), pemOf(issuing.certificate))
    writeFileSync(join(directory, 'issuing.key'), keyOf(issuing))
    writeFileSync(join(directory, 'responder.pem'), pemOf(responder.certificate))
    writeFileSync(join(directory, 'responder.key'), keyOf(responder))
    const serial = signer.serial.toString('hex').toUpperCase()
    writeFileSync(
      join(directory, 'index.txt'),
      `V\t351231235959Z\t\t${serial}\tunknown\t/CN=Signer\n`,
    )
    writeFileSync(
      join(directory, 'ca.cnf'),
      '[ca]\ndefault_ca=a\n[a]\ndatabase=index.txt\ncertificate=issuing.pem\nprivate_key=issuing.key\ndefault_md=sha256\ndefault_crl_days=7\n',
    )
    answers.set('/ocsp', (body) => {
      writeFileSync(join(directory, 'request.der'), body)
      openssl(
        ...['ocsp', '-index', 'index.txt', '-CA', 'issuing.pem', '-rsigner', 'responder.pem'],
        ...['-rkey', 'responder.key', '-reqin', 'request.der', '-respout', 'response.der'],
        ...['-ndays', '1'],
      )
      return readFileSync(join(directory, 'response.der'))
    })
    const byOcsp = await source().validationData([signer.certificate])
    assert.equal(byOcsp.ocspResponses.length, 1)
    answers.delete('/ocsp')
    openssl('ca', '-gencrl', '-config', 'ca.cnf', '-out', 'issuing.crl')
    const crl = openssl('crl', '-in', 'issuing.crl', '-outform', 'DER')
    answers.set('/issuing.crl', () => crl)
    const byCrl = await source().validationData([signer.certificate])
    assert.equal(byCrl.crls.length, 2)
  })

  it('takes a CRL where OCSP does not hold', async () => {
    const stranger = makeUp({ name: 'Responder', issuer: root, eku: [EKU.ocspSigning] })
    const wrongs: Partial<OcspSettings>[] = [
      { responder: stranger },
      { signedBy: root.key },
      { subject: issuing },
      { status: 'unknown' },
      { responseStatus: 3 },
      { thisUpdate: new Date(Date.now() - 2 * DAY), nextUpdate: new Date(Date.now() - DAY) },
      { thisUpdate: new Date(Date.now() - 2 * DAY), nextUpdate: null },
      { thisUpdate: new Date(Date.now() + HOUR) },
      { nonce: octetString(Buffer.alloc(16, 1)) },
      { responder: makeUp({ name: 'Responder', issuer: issuing }) },
      { responder: makeUp({ name: 'Responder', issuer: issuing, eku: [EKU.serverAuth] }) },
      {
        responder: makeUp({
          ...{ name: 'Responder', issuer: issuing, eku: [EKU.ocspSigning] },
          notAfter: new Date(Date.now() - HOUR),
        }),
      },
      { responder: signer },
    ]
    for (const wrong of wrongs) {
      answerOcsp(wrong)
      const { crls, ocspResponses } = await source().validationData([signer.certificate])
      assert.deepEqual([crls.length, ocspResponses.length], [2, 0], Object.keys(wrong).join())
    }
  })

  it('takes the CRL for a responder that may be asked about', async () => {
    const checked = makeUp({
      ...{ name: 'Responder', issuer: issuing, eku: [EKU.ocspSigning] },
      ...{ crl: `${base}/issuing.crl`, ocsp: `${base}/ocsp` },
    })
    answerOcsp({ responder: checked })
    const found = await source().validationData([signer.certificate])
    assert.deepEqual(names(found.certificates), ['Signer', 'Issuing', 'Root'])
    assert.equal(found.crls.length, 2)
    answers.set('/issuing.crl', () => makeUpCrl({ issuer: issuing, revoked: [checked] }))
    await rejects([signer], /Responder: it is revoked/)
  })

  const crls: [string, () => Buffer, RegExp][] = [
    ['of another key', () => makeUpCrl({ issuer: issuing, signedBy: root.key }), /does not verify/],
    ['of another authority', () => makeUpCrl({ issuer: root }), /another authority/],
    [
      'that is out of date',
      () =>
        makeUpCrl({
          ...{ issuer: issuing, thisUpdate: new Date(Date.now() - 9 * DAY) },
          nextUpdate: new Date(Date.now() - DAY),
        }),
      /out of date/,
    ],
    [
      'of the future',
      () => makeUpCrl({ issuer: issuing, thisUpdate: new Date(Date.now() + HOUR) }),
      /of the future/,
    ],
    [
      'that is only a delta',
      () => makeUpCrl({ issuer: issuing, criticalExtension: '2.5.29.27' }),
      /critical extension/,
    ],
    ['that is cut off', () => makeUpCrl({ issuer: issuing }).subarray(0, 90), /not DER|DER/i],
    ['that is a page', () => Buffer.from('<html>not found</html>'), /DER/],
    ['that is empty', () => Buffer.alloc(0), /DER/],
  ]
  for (const [what, crl, why] of crls) {
    it(`is not to be had with a CRL ${what}, and no OCSP`, async () => {
      answers.delete('/ocsp')
      answers.set('/issuing.crl', crl)
      await rejects([signer], why)
    })
  }

  it('is not to be had of what is revoked, by OCSP or by a CRL', async () => {
    answerOcsp({ status: 'revoked' })
    await rejects([signer], /Signer: it is revoked/)
    answers.delete('/ocsp')
    answers.set('/issuing.crl', () => makeUpCrl({ issuer: issuing, revoked: [issuing, signer] }))
    await rejects([signer], /Signer: it is revoked/)
    answerOcsp({})
    answers.set('/root.crl', () => makeUpCrl({ issuer: root, revoked: [issuing] }))
    await rejects([signer], /Issuing: it is revoked/)
  })

  it('tells those who judge that it is revoked, and what there is when something is not', async () => {
    answerOcsp({ status: 'revoked' })
    answers.delete('/root.crl')
    const found = await source().whatThereIs([signer.certificate])
    assert.deepEqual([found.ocspResponses.length, found.crls.length], [1, 0])
  })

  it('is not to be had below nobody who is trusted', async () => {
    const stranger = makeUp({ name: 'Root', authority: true })
    await rejects([makeUp({ name: 'Other', issuer: stranger })], /Other: its issuer is not known/)
    await rejects([stranger], /Root: its issuer is not known/)
  })

  it('is not to be had of a certificate that says nowhere to ask', async () => {
    await rejects([makeUp({ name: 'Silent', issuer: issuing })], /names no CRL/, [issuing])
  })

  it('needs nothing for certificates that nobody is to ask about', async () => {
    const oneTime = makeUp({
      ...{ name: 'One time', issuer: issuing },
      more: [noRevAvail()],
    })
    const found = await source([issuing]).validationData([oneTime.certificate])
    assert.deepEqual([found.ocspResponses, found.crls, asked], [[], [], []])
  })

  it('asks about a signer who says that only responders need not be asked about', async () => {
    const sly = newSigner({ noCheck: true })
    answerOcsp({ status: 'revoked', subject: sly })
    await rejects([sly], /Signer: it is revoked/, [issuing])
  })

  it('refuses what is no certificate', async () => {
    await assert.rejects(
      source().validationData([Buffer.from('MIIB')]),
      ValidationDataUnavailableError,
    )
  })

  it('ends, however long the chain', async () => {
    answers.set('/endless.cer', () => {
      return makeUp({ name: 'Above', authority: true, caIssuers: `${base}/endless.cer` })
        .certificate
    })
    let last = makeUp({ name: 'Top', authority: true, caIssuers: `${base}/endless.cer` })
    const chain = [last]
    for (let depth = 0; depth < 30; depth += 1) {
      last = makeUp({ name: `Level ${depth}`, issuer: last, authority: true })
      chain.push(last)
    }
    await rejects(chain.toReversed(), /has no end|names no|its issuer/)
  })

  it('is asked for at public addresses alone (S60)', async () => {
    const strict = source([root], boundedHttp({ timeoutMs: PATIENCE_MS }))
    await assert.rejects(
      strict.validationData([signer.certificate]),
      ValidationDataUnavailableError,
    )
    assert.deepEqual(asked, [])
  })

  it('follows no redirect (S60)', async () => {
    answers.set('/ocsp', (_body, response) => redirected(response, '/elsewhere'))
    answers.set('/elsewhere', () => Buffer.alloc(1))
    await source().validationData([signer.certificate])
    assert.ok(!asked.includes('/elsewhere'))
  })

  it('waits for nobody too long, and reads nobody to no end', async () => {
    answers.set('/ocsp', () => null)
    answers.set('/issuing.crl', () => Buffer.alloc(9 * 1024 * 1024, 0x30))
    const hasty = source([root], httpWith(300))
    await assert.rejects(
      hasty.validationData([signer.certificate]),
      unavailable(/timeout|aborted.*too large|too large/),
    )
  })

  it('is not asked for again at once where it failed', async () => {
    answers.delete('/ocsp')
    answers.delete('/issuing.crl')
    const one = source()
    await assert.rejects(one.validationData([signer.certificate]))
    const before = asked.length
    await assert.rejects(one.validationData([signer.certificate]))
    assert.equal(asked.filter((path) => path === '/ocsp').length, 1)
    clock.advance(31)
    await assert.rejects(one.validationData([signer.certificate]))
    assert.ok(asked.length > before)
  })

  it('asks nobody about certificates of our own', async () => {
    const own: RevocationSource = {
      ocspResponse: (der) =>
        Promise.resolve(
          der.equals(signer.certificate)
            ? makeUpOcsp({ subject: signer, issuer: issuing, responder })
            : null,
        ),
      crl: (der) =>
        Promise.resolve(der.equals(issuing.certificate) ? makeUpCrl({ issuer: root }) : null),
    }
    const found = await source([root], undefined, own).validationData([
      ...[signer.certificate, issuing.certificate],
    ])
    assert.deepEqual([found.ocspResponses.length, found.crls.length], [1, 1])
    assert.deepEqual(asked, [])
  })

  it('reads a list of thirty thousand in no time', async () => {
    const many = Array.from({ length: 30_000 }, (_, index) => ({
      serial: Buffer.from(`41${index.toString(16).padStart(16, '0')}`, 'hex'),
    }))
    const crl = makeUpCrl({ issuer: issuing, revoked: many })
    answers.delete('/ocsp')
    answers.set('/issuing.crl', () => crl)
    const begun = process.cpuUsage()
    await source().validationData([signer.certificate])
    const { user } = process.cpuUsage(begun)
    assert.ok(user / 1000 < 5000, `${user / 1000} ms`)
    const longer = makeUpCrl({ issuer: issuing, revoked: [...many, signer] })
    answers.set('/issuing.crl', () => longer)
    await rejects([signer], /Signer: it is revoked/)
  })

  function source(
    anchors: readonly MadeUp[] = [root],
    http = httpWith(PATIENCE_MS),
    own: RevocationSource | null = null,
  ): ValidationDataSource {
    return new ValidationDataSource({
      ...{
        own,
        now: () => clock.now(),
        client: new RevocationClient({ http, now: () => clock.now() }),
      },
      anchors: () => new TrustAnchors(anchors.map((each) => knownCertificate(each.certificate))),
    })
  }

  async function rejects(
    certificates: readonly MadeUp[],
    why: RegExp,
    anchors: readonly MadeUp[] = [root],
  ): Promise<void> {
    const given = certificates.map(({ certificate }) => certificate)
    await assert.rejects(source(anchors).validationData(given), unavailable(why))
  }

  function unavailable(why: RegExp): (error: unknown) => true {
    return (error) => {
      assert.ok(error instanceof ValidationDataUnavailableError, String(error))
      assert.match(error.message, why)
      return true
    }
  }

  function httpWith(timeoutMs: number) {
    return boundedHttp({ timeoutMs, isAllowed: () => true })
  }

  function newSigner(changes: Partial<Parameters<typeof makeUp>[0]> = {}): MadeUp {
    return makeUp({
      ...{ name: 'Signer', issuer: issuing, caIssuers: `${base}/issuing.cer` },
      ...{ ocsp: `${base}/ocsp`, crl: `${base}/issuing.crl` },
      ...changes,
    })
  }

  function answerOcsp(changes: Partial<OcspSettings>): void {
    answers.set('/ocsp', (body) => {
      const { nonce } = readOcspRequest(body)
      return makeUpOcsp({
        ...{ subject: signer, issuer: issuing, responder },
        nonce,
        ...changes,
      })
    })
  }

  function openssl(...options: string[]): Buffer {
    return execFileSync('openssl', options, { cwd: directory, stdio: 'pipe' })
  }
})

function redirected(response: ServerResponse, to: string): null {
  response.writeHead(302, { Location: to }).end()
  return null
}

function names(certificates: readonly Buffer[]): string[] {
  return certificates.map((der) => knownCertificate(der).subject.replace('CN=', ''))
}

const octetString = (bytes: Buffer) =>
  Buffer.from(new asn1js.OctetString({ valueHex: bytes }).toBER())
const keyOf = ({ key }: MadeUp) => key.export({ type: 'pkcs8', format: 'pem' })

function pemOf(certificate: Buffer): string {
  const lines = certificate.toString('base64').replace(/.{64}/g, '$&\n')
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`
}
