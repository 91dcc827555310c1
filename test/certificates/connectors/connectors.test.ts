import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { boundedHttp } from '../../../src/certificates/bounded-http.js'
import { Ejbca } from '../../../src/certificates/connectors/ejbca/ejbca.js'
import { Est } from '../../../src/certificates/connectors/est/est.js'
import { openIssuer } from '../../../src/certificates/connectors/open-issuer.js'
import {
  RemoteAuthority,
  type Enrolment,
} from '../../../src/certificates/connectors/remote-authority.js'
import { certificateProfile, SIGNER_SETTINGS } from '../../../src/certificates/profiles.js'
import type { GeneratedKey, KeyCustody } from '../../../src/keys/key-custody.js'
import { opensslVerifiesRequest, OtherAuthority, pemOf } from '../../support/other-authority.js'
import { openTestCustody } from '../../support/softhsm.js'

const DAY_MS = 86_400_000
/** Signing of documents. @see RFC 9336 */
const DOCUMENTS = '1.3.6.1.5.5.7.3.36'
const EVA = { commonName: 'Eva Müller', givenName: 'Eva', surname: 'Müller', country: 'DE' }

/** What the peer does with one request. */
type Answer = (request: Buffer, response: ServerResponse, incoming: IncomingMessage) => void

const send = (response: ServerResponse, status: number, type: string, body: string | Buffer) => {
  response.writeHead(status, { 'Content-Type': type }).end(body)
}

describe('Certification authorities of others', () => {
  let custody: KeyCustody
  let key: GeneratedKey
  let server: Server
  let url: string
  let answer: Answer
  /** Of the last request. */
  let incoming: IncomingMessage
  let asked: number
  /** A machine that is busy is none that does not answer. */
  let timeoutMs: number
  const other = new OtherAuthority()
  const { root, issuing } = other
  const stranger = new OtherAuthority('Stranger')
  const paused: number[] = []

  before(async () => {
    custody = await openTestCustody()
    key = await custody.generate('p-256')
    server = createServer(serve)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${portOf(server)}`
  })
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  beforeEach(() => {
    asked = 0
    paused.length = 0
    timeoutMs = 10_000
  })

  function serve(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      incoming = request
      asked += 1
      if (request.url?.endsWith('/cacerts')) return sendAuthorities(response)
      answer(Buffer.concat(chunks), response, request)
    })
  }

  const sendAuthorities = (response: ServerResponse) => {
    const text = other.certsOnly(issuing.certificate, root.certificate)
    send(response, 200, 'application/pkcs7-mime', text)
  }

  const http = () => boundedHttp({ timeoutMs, isAllowed: () => true })
  const profile = certificateProfile(SIGNER_SETTINGS)
  const issue = (enrolment: Enrolment, wanted = profile) =>
    new RemoteAuthority({
      ...{ enrolment, custody, anchors: [root.certificate], now: () => new Date() },
    }).issue({ ...key, subject: EVA, profile: wanted })

  const est = () =>
    new Est({
      url: `${url}/.well-known/est`,
      http: http(),
      login: { user: 'rssp', password: 'secret' },
      patienceSeconds: 20,
      pause: (seconds) => {
        paused.push(seconds)
        return Promise.resolve()
      },
    })
  const ejbca = () =>
    new Ejbca({
      ...{ url: `${url}/ejbca/ejbca-rest-api`, http: http(), authorityName: 'Issuing' },
      ...{ certificateProfile: 'Signer', endEntityProfile: 'People' },
    })

  const enrolments = { est, ejbca }

  function readEst(sent: Buffer): Buffer {
    return Buffer.from(sent.toString(), 'base64')
  }
  function readEjbca(sent: Buffer): Buffer {
    const { certificate_request: pem } = JSON.parse(sent.toString()) as {
      certificate_request: string
    }
    return Buffer.from(pem.replace(/-----.*?-----/g, ''), 'base64')
  }

  type Changes = Parameters<OtherAuthority['certify']>[1]
  const gives = {
    est:
      (make: (request: Buffer) => Buffer): Answer =>
      (sent, response) =>
        send(
          response,
          200,
          'application/pkcs7-mime; smime-type=certs-only',
          other.certsOnly(make(readEst(sent))),
        ),
    ejbca:
      (make: (request: Buffer) => Buffer): Answer =>
      (sent, response) => {
        const certificate = make(readEjbca(sent)).toString('base64')
        const chain = [issuing.certificate, root.certificate].map((der) => der.toString('base64'))
        const said = { certificate, certificate_chain: chain, response_format: 'DER' }
        send(response, 201, 'application/json', JSON.stringify({ ...said, serial_number: '51' }))
      },
  }

  for (const kind of ['est', 'ejbca'] as const) {
    describe(kind === 'est' ? 'by EST' : 'by the REST interface of EJBCA', () => {
      const makes = (changes: Changes) => gives[kind]((request) => other.certify(request, changes))

      it('certify what is asked for, by a request that proves possession of the key', async () => {
        answer = makes({})
        const { certificate, chain } = await issue(enrolments[kind]())
        assert.deepEqual(chain, [issuing.certificate, root.certificate])
        assert.ok(pemOf(certificate).length > 100)
      })

      const lies: [string, Changes, RegExp][] = [
        ['another key', { publicKey: strangersKey() }, /it is for another key/],
        [
          'another person',
          { subjectName: { ...EVA, commonName: 'Max Müller', givenName: 'Max' } },
          /somebody else/,
        ],
        [
          'nobody by name',
          { subjectName: { commonName: 'Signer 7', country: 'DE' } },
          /somebody else/,
        ],
        [
          'the same name in another country',
          { subjectName: { ...EVA, country: 'AT' } },
          /somebody else/,
        ],
        [
          'a certificate that ended',
          { notAfter: new Date(Date.now() - DAY_MS / 2) },
          /it is expired/,
        ],
        ['one that begins tomorrow', { notBefore: new Date(Date.now() + DAY_MS) }, /not valid yet/],
        [
          'one of an authority',
          { authority: { pathLength: 0 }, keyUsage: ['keyCertSign', 'contentCommitment'] },
          /that of an authority/,
        ],
        ['one for another use', { keyUsage: ['digitalSignature'] }, /for another use/],
        ['one for no signatures', { keyUsage: ['cRLSign'] }, /not for signatures/],
        [
          'one for servers',
          { keyUsage: ['contentCommitment'], extendedKeyUsage: ['1.3.6.1.5.5.7.3.1'] },
          /not for signatures/,
        ],
      ]
      for (const [what, changes, why] of lies) {
        it(`are not believed when they give ${what} (S104)`, async () => {
          answer = makes(changes)
          await assert.rejects(issue(enrolments[kind]()), (error: Error) => {
            assert.equal(error.name, 'UnfitCertificateError')
            assert.match(error.message, why)
            return true
          })
        })
      }

      it('are not believed under another root (S104)', async () => {
        answer = gives[kind]((request) => stranger.certify(request))
        await assert.rejects(issue(enrolments[kind]()), /no chain from it to a trusted root/)
      })

      it('are not believed under another policy than was asked for (S104)', async () => {
        const strict = certificateProfile({ ...SIGNER_SETTINGS, policyOid: '1.2.3.4' })
        answer = makes({ policyOids: ['1.2.3.5'] })
        await assert.rejects(issue(enrolments[kind](), strict), /under another policy/)
        answer = makes({ policyOids: ['1.2.3.4'] })
        await issue(enrolments[kind](), strict)
      })

      it('are not believed without the extended key usage that was asked for (S104)', async () => {
        const strict = certificateProfile({ ...SIGNER_SETTINGS, extendedKeyUsage: [DOCUMENTS] })
        answer = makes({})
        await assert.rejects(issue(enrolments[kind](), strict), /for another use/)
        answer = makes({ extendedKeyUsage: [DOCUMENTS] })
        await issue(enrolments[kind](), strict)
      })

      it('are not believed when the certificate is less qualified than it has to be (S104)', async () => {
        const qcStatements = {
          ...{ compliance: true, sscd: true, type: 'esign' as const },
          disclosures: [{ url: 'https://ca.example/pds', language: 'en' }],
        }
        const strict = certificateProfile({ ...SIGNER_SETTINGS, qcStatements })
        for (const less of [null, { ...qcStatements, sscd: false }]) {
          answer = makes({ qcStatements: less })
          await assert.rejects(issue(enrolments[kind](), strict), /not qualified as it has to be/)
        }
        answer = makes({ qcStatements })
        await issue(enrolments[kind](), strict)
      })

      const faults: Record<string, Answer> = {
        'do not answer in time': () => undefined,
        'hang up': (_, __, { socket }) => socket.destroy(),
        'say that something failed': (_, response) => send(response, 500, 'text/plain', 'oops'),
        'do not know us': (_, response) => send(response, 401, 'text/plain', 'who?'),
        'send us elsewhere': (_, response) => {
          response.writeHead(302, { Location: `${url}/elsewhere` }).end()
        },
        'answer with a page': (_, response) => send(response, 200, 'text/html', '<p>Welcome</p>'),
        'answer with nothing': (_, response) => send(response, 200, 'application/json', ''),
        'answer without an end': (_, response) => {
          send(response, 200, 'application/pkcs7-mime', Buffer.alloc(1_000_000, 0x41))
        },
        'give what is no certificate': (_, response) => {
          const type = kind === 'est' ? 'application/pkcs7-mime' : 'application/json'
          send(response, 200, type, kind === 'est' ? 'MAMCAQE=' : '{"certificate":7}')
        },
      }
      for (const [what, fault] of Object.entries(faults)) {
        it(`give nothing when they ${what} (S104)`, async () => {
          answer = fault
          if (what === 'do not answer in time') timeoutMs = 300
          await assert.rejects(issue(enrolments[kind]()), { name: 'CertificateUnavailableError' })
        })
      }
    })
  }

  describe('over TLS', () => {
    let folder: string
    let secure: Server
    const file = (name: string) => join(folder, name)

    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'openrssp-est-'))
      for (const name of ['server', 'client', 'stranger']) selfSigned(folder, name)
      writeFileSync(file('anchors.pem'), pemOf(root.certificate))
      writeFileSync(file('password'), 'secret\n')
      secure = createSecureServer(
        {
          ...{ cert: readFileSync(file('server.pem')), key: readFileSync(file('server.key')) },
          ...{ ca: readFileSync(file('client.pem')), requestCert: true, rejectUnauthorized: true },
        },
        serve,
      )
      await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve))
    })
    after(() => {
      secure.closeAllConnections()
      secure.close()
      rmSync(folder, { recursive: true })
    })

    const configured = (changes: object = {}) =>
      openIssuer(
        {
          ...{ kind: 'est', url: `https://127.0.0.1:${portOf(secure)}/.well-known/est` },
          ...{ anchorsFile: file('anchors.pem'), tlsCaFile: file('server.pem') },
          ...{ clientCertificateFile: file('client.pem'), clientKeyFile: file('client.key') },
          ...{ user: 'rssp', passwordFile: file('password'), ...changes },
        },
        { issue: () => assert.fail('the embedded authority was asked') },
        { custody, now: () => new Date() },
      ).issue({ ...key, subject: EVA, profile })

    it('see our certificate, and we theirs', async () => {
      let authorization: string | undefined
      answer = (sent, response, request) => {
        authorization = request.headers.authorization
        gives.est((csr) => other.certify(csr))(sent, response, request)
      }
      const { chain } = await configured()
      assert.deepEqual(chain, [issuing.certificate, root.certificate])
      assert.equal(authorization, `Basic ${Buffer.from('rssp:secret').toString('base64')}`)
    })

    it('are told nothing when they are others, and tell nothing to others (S104)', async () => {
      const stranger = { tlsCaFile: file('stranger.pem') }
      const asStranger = {
        clientCertificateFile: file('stranger.pem'),
        clientKeyFile: file('stranger.key'),
      }
      answer = () => assert.fail('a request came')
      for (const changes of [stranger, asStranger]) {
        await assert.rejects(configured(changes), { name: 'CertificateUnavailableError' })
      }
      assert.equal(asked, 0)
    })
  })

  it('by EST: know us by password, but not who only asks for their certificates', async () => {
    const logins: (string | undefined)[] = []
    answer = (sent, response, request) => {
      logins.push(request.headers.authorization)
      assert.equal(request.headers['content-type'], 'application/pkcs10')
      assert.ok(opensslVerifiesRequest(readEst(sent)))
      gives.est((csr) => other.certify(csr))(sent, response, request)
    }
    await issue(est())
    assert.deepEqual(logins, [`Basic ${Buffer.from('rssp:secret').toString('base64')}`])
    assert.equal(incoming.url, '/.well-known/est/cacerts')
    assert.equal(incoming.headers.authorization, undefined)
  })

  it('by EST: may take their time, and are asked again in the same words', async () => {
    const requests: string[] = []
    answer = (sent, response, request) => {
      requests.push(sent.toString())
      if (requests.length < 3) {
        response.writeHead(202, { 'Retry-After': '7' }).end()
        return
      }
      gives.est((csr) => other.certify(csr))(sent, response, request)
    }
    await issue(est())
    assert.deepEqual(paused, [7, 7])
    assert.equal(new Set(requests).size, 1)
  })

  it('by EST: may say by a date when to be asked again', async () => {
    answer = (sent, response, request) => {
      if (asked === 1) {
        const date = new Date(Date.now() + 9_000).toUTCString()
        response.writeHead(202, { 'Retry-After': date }).end()
        return
      }
      gives.est((csr) => other.certify(csr))(sent, response, request)
    }
    await issue(est())
    const [seconds = 0] = paused
    assert.ok(seconds >= 7 && seconds <= 9, String(seconds))
  })

  it('by EST: are not waited for longer than we have patience', async () => {
    answer = (_, response) => response.writeHead(202, { 'Retry-After': '3600' }).end()
    await assert.rejects(issue(est()), /wants us to wait/)
    assert.equal(asked, 1)
    answer = (_, response) => response.writeHead(202).end()
    await assert.rejects(issue(est()), /wants us to wait/)
    assert.equal(
      paused.reduce((sum, each) => sum + each, 0),
      20,
    )
  })

  it('by EJBCA: make an end entity for each key, with a code nobody else knows', async () => {
    const sent: Record<string, string>[] = []
    answer = (bytes, response, request) => {
      sent.push(JSON.parse(bytes.toString()) as Record<string, string>)
      assert.ok(opensslVerifiesRequest(readEjbca(bytes)))
      gives.ejbca((csr) => other.certify(csr))(bytes, response, request)
    }
    await issue(ejbca())
    await issue(ejbca())
    const [first, second] = sent
    assert.equal(incoming.url, '/ejbca/ejbca-rest-api/v1/certificate/pkcs10enroll')
    assert.equal(first?.['username'], `openrssp-${key.keyId}`)
    assert.notEqual(first['password'], second?.['password'])
    assert.deepEqual(
      [first['certificate_profile_name'], first['end_entity_profile_name']],
      ['Signer', 'People'],
    )
    assert.equal(first['certificate_authority_name'], 'Issuing')
  })

  it('by EJBCA: have their words in our log, shortened', async () => {
    answer = (_, response) => {
      const said = { error_code: 400, error_message: `No such profile ${'x'.repeat(1_000)}` }
      send(response, 400, 'application/json', JSON.stringify(said))
    }
    await assert.rejects(issue(ejbca()), (error: Error) => {
      assert.match(error.message, /^EJBCA answered 400: No such profile x+$/)
      return error.message.length < 250
    })
  })
})

const portOf = (server: Server) => (server.address() as AddressInfo).port

/** A key and a certificate of its own for TLS at this machine. */
function selfSigned(folder: string, name: string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`]
  const names = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1']
  execFileSync('openssl', ['req', '-x509', ...key, ...files, ...names], {
    ...{ cwd: folder, stdio: 'pipe' },
  })
}

function strangersKey(): Buffer {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return publicKey.export({ type: 'spki', format: 'der' })
}
