import assert from 'node:assert/strict'
import { constants, createPublicKey, createVerify, randomUUID, verify } from 'node:crypto'
import type { Credential } from '../../../src/credentials/credential.js'
import { signingCertificate, signingKey } from '../../../src/credentials/credentials.js'
import { readZip } from '../../../src/documents/asic/zip.js'
import { FORMATS } from '../../../src/documents/formats.js'
import { HsmUnavailableError, TimestampUnavailableError } from '../../../src/errors.js'
import { HASH_ALGORITHMS, pssParams } from '../../../src/keys/algorithms.js'
import type { KeyCustody } from '../../../src/keys/key-custody.js'
import { opensslVerifiesCms } from '../../support/openssl.js'
import { PLAIN_FORMAT, readPlain } from '../../support/plain-format.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  RSA_SHA256,
  SHA256,
  SHA384,
  startRssp,
  type Answer,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../../support/rssp.js'

type Json = Record<string, unknown>

const NOT_AUTHORISED = 'documentDigests or documents are not authorized by the SAD.'
const QES = 'eu_eidas_qes'

describe('POST signatures/signDoc', () => {
  let rssp: Rssp
  let replica: Rssp
  let user: TestUser
  let client: TestClient
  let credential: Credential
  let rsa: Credential
  let service: string
  let tokenFailure: Error | null = null
  /** As the token goes away after so many calls. */
  let tokenFailsAfter = Infinity
  let timestampFailure: Error | null = null
  let timestamps = 0
  /** As the authority fails after it was asked whether it is there. */
  let failAfter = Infinity

  const document = Buffer.from('<contract>What was agreed</contract>')
  const digest = digestOf(document.toString())
  const other = digestOf('another document')

  const proofs = {
    timestamp: () => {
      timestamps += 1
      const failure = timestamps > failAfter ? new TimestampUnavailableError('late') : null
      const error = timestampFailure ?? failure
      return error ? Promise.reject(error) : Promise.resolve(Buffer.from(`stamp ${timestamps}`))
    },
    validationData: () => {
      const [certificates, crls, ocspResponses] = [[], [], [Buffer.from('ocsp')]]
      return Promise.resolve({ certificates, crls, ocspResponses })
    },
  }
  const failing = (real: KeyCustody) =>
    new Proxy(real, {
      get(target, name: keyof KeyCustody) {
        if (name !== 'sign') return target[name]?.bind(target)
        return (...call: Parameters<KeyCustody['sign']>) => {
          tokenFailsAfter -= 1
          const late = tokenFailsAfter < 0 ? new HsmUnavailableError('away since') : null
          const failure = tokenFailure ?? late
          return failure ? Promise.reject(failure) : target.sign(...call)
        }
      },
    })

  before(async () => {
    const { C } = FORMATS
    const overrides = {
      custody: failing,
      documents: { formats: { ...(C ? { C } : {}), X: PLAIN_FORMAT }, proofs },
    }
    rssp = await startRssp(overrides)
    const settings = { policy: { signDocAllowBoth: true } }
    replica = await startRssp({ ...overrides, settings, replicaOf: rssp })
    user = await rssp.addUser()
    client = await rssp.addClient()
    credential = await rssp.addCredential(user, { signatureQualifier: QES })
    rsa = await rssp.addCredential(user, { algorithm: 'rsa-2048' })
    service = await rssp.serviceToken(user, client)
  })
  after(async () => {
    await replica.close()
    await rssp.close()
  })
  afterEach(() => {
    tokenFailure = null
    tokenFailsAfter = Infinity
    timestampFailure = null
    failAfter = Infinity
  })

  /** A SAD for these digests, as a signer agreed to them. */
  async function approved(
    digests: readonly Buffer[] = [digest],
    more: { hashType?: 'dtbsr' | 'sdr' | 'sodr'; credential?: Credential; of?: TestClient } = {},
  ): Promise<string> {
    const { transactions, activations } = rssp.services
    const { hashType, of = client } = more
    const transaction = transactions.prepare(randomUUID(), {
      clientId: of.client_id,
      credential: more.credential ?? credential,
      items: digests.map((each) => {
        return { digest: each, label: null, ...(hashType ? { hashType } : {}) }
      }),
      hashAlgorithm: HASH_ALGORITHMS.sha256,
      numSignatures: digests.length,
      description: null,
      clientData: null,
    })
    return (await activations.grantExplicitly(transaction, ['otp'])).SAD
  }

  const item = (more: Json = {}): Json => ({
    document: document.toString('base64'),
    signature_format: 'X',
    signAlgo: ECDSA_SHA256,
    ...more,
  })
  const digestItem = (more: Json = {}): Json => ({
    hashes: [digest.toString('base64')],
    signature_format: 'X',
    signAlgo: ECDSA_SHA256,
    ...more,
  })
  const request = (SAD: string, more: Json = {}): Json => ({
    ...{ SAD, credentialID: credential.id },
    ...('documents' in more || 'documentDigests' in more ? {} : { documents: [item()] }),
    ...more,
  })
  const call = (body: Json, headers: Record<string, string> = {}, at = rssp): Promise<Answer> =>
    at.call('signatures/signDoc', body, service, headers)
  const signDoc = async (body: Json, headers: Record<string, string> = {}): Promise<Json> => {
    const answer = await call(body, headers)
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
    return answer.body as Json
  }
  const events = async (name: string) =>
    (await rssp.auditEvents()).filter(({ event }) => event === name)

  async function assertRefused(body: Json, words: string, status = 400): Promise<void> {
    const before = (await events('signature.requested')).length
    assertRefusal(await call(body), status, 'invalid_request', words)
    assert.equal((await events('signature.requested')).length, before, 'something was reserved')
  }

  function assertSigned(base64: unknown, by = credential): void {
    const { toBeSigned, value } = readPlain(base64 as string)
    const verify = createVerify('sha256').update(toBeSigned)
    const key = { key: signingCertificate(by).publicKey, format: 'der', type: 'spki' } as const
    assert.ok(verify.verify(key, value, 'base64'))
  }

  describe('signs', () => {
    it('a document whose digest was approved, and what is signed names it', async () => {
      const { DocumentWithSignature: [signed] = [], ...rest } = (await signDoc(
        request(await approved()),
      )) as { DocumentWithSignature?: string[] }
      assert.deepEqual(rest, {})
      assertSigned(signed)
    })

    it('an approved digest, which the bytes to be signed name', async () => {
      const body = request(await approved(), { documentDigests: [digestItem()] })
      const { SignatureObject: [signature] = [] } = (await signDoc(body)) as Record<
        string,
        string[]
      >
      assertSigned(signature)
      assert.ok(readPlain(signature ?? '').toBeSigned.includes(digest.toString('base64')))
    })

    it('a digest that came as bare text and under signature_format x, base64url', async () => {
      const hashes = digest.toString('base64url')
      const item = digestItem({ hashes, signature_format: 'x', hashAlgorithmOID: SHA256 })
      await signDoc(request(await approved(), { documentDigests: [item] }))
    })

    it('with CAdES; openssl verifies it', async () => {
      const SAD = await approved([digest, digest])
      const attached = item({ signature_format: 'C' })
      const detached = item({ signature_format: 'C', signed_envelope_property: 'Detached' })
      const body = (await signDoc(request(SAD, { documents: [attached, detached] }))) as Record<
        string,
        string[]
      >
      const [whole = ''] = body['DocumentWithSignature'] ?? []
      const [apart = ''] = body['SignatureObject'] ?? []
      const { certificates } = credential
      assert.ok(opensslVerifiesCms(Buffer.from(whole, 'base64'), certificates))
      assert.ok(opensslVerifiesCms(Buffer.from(apart, 'base64'), certificates, document))
      assert.ok(!opensslVerifiesCms(Buffer.from(apart, 'base64'), certificates, Buffer.from('x')))
    })

    it('a document into a container, whose signature openssl verifies', async () => {
      const asked = item({ signature_format: 'C', container: 'ASiC-S', referenceUri: 'bill.xml' })
      const body = await signDoc(request(await approved(), { documents: [asked] }))
      const [archive = ''] = body['DocumentWithSignature'] as string[]
      const files = await readZip(Buffer.from(archive, 'base64'))
      const fileNamed = (name: string) => files.find((file) => file.name === name)?.bytes
      assert.deepEqual(fileNamed('bill.xml'), document)
      const signature = fileNamed('META-INF/signature.p7s') ?? Buffer.alloc(0)
      assert.ok(opensslVerifiesCms(signature, credential.certificates, document))
    })

    it('several documents in several formats, in the order of the request', async () => {
      const second = Buffer.from('<annex/>')
      const SAD = await approved([digestOf('<annex/>'), digest, digest])
      const documents = [
        item(),
        item({ signature_format: 'C' }),
        item({ document: second.toString('base64') }),
      ]
      const body = await signDoc(request(SAD, { documents }))
      const [first, cms, last] = body['DocumentWithSignature'] as [string, string, string]
      assertSigned(first)
      assert.equal(Buffer.from(cms, 'base64')[0], 0x30)
      assertSigned(last)
      assert.notEqual(readPlain(first).toBeSigned, readPlain(last).toBeSigned)
    })

    it('several digests of one item', async () => {
      const hashes = [other, digest].map((each) => each.toString('base64'))
      const SAD = await approved([digest, other])
      const body = await signDoc(request(SAD, { documentDigests: [digestItem({ hashes })] }))
      const names = (body['SignatureObject'] as string[]).map((each) => readPlain(each).toBeSigned)
      assert.ok(names[0]?.includes(other.toString('base64')))
      assert.ok(names[1]?.includes(digest.toString('base64')))
    })

    it('with RSASSA-PSS', async () => {
      const signAlgoParams = pssParams(HASH_ALGORITHMS.sha256).toString('base64')
      const pss = item({ signAlgo: '1.2.840.113549.1.1.10', signAlgoParams })
      const SAD = await approved([digest], { credential: rsa })
      await signDoc(request(SAD, { credentialID: rsa.id, documents: [pss] }))
    })

    describe('with another signAlgo in each item', () => {
      const signAlgoParams = pssParams(HASH_ALGORITHMS.sha256).toString('base64')
      const pss = { signAlgo: '1.2.840.113549.1.1.10', signAlgoParams }
      const items = [
        item({ signAlgo: RSA_SHA256 }),
        item(pss),
        item({ signAlgo: '1.2.840.113549.1.1.1', hashAlgorithmOID: SHA256 }),
      ]
      const mixed = async () => {
        const SAD = await approved([digest, digest, digest], { credential: rsa })
        return request(SAD, { credentialID: rsa.id, documents: items })
      }

      it('in the order of the items', async () => {
        const body = await signDoc(await mixed())
        const signed = (body['DocumentWithSignature'] as string[]).map(readPlain)
        const { publicKey } = signingKey(rsa)
        const key = createPublicKey({ key: publicKey, format: 'der', type: 'spki' })
        const verdicts = signed.map(({ toBeSigned, value }) => {
          const [data, signature] = [Buffer.from(toBeSigned), Buffer.from(value, 'base64')]
          const padding = constants.RSA_PKCS1_PSS_PADDING
          return [
            verify('sha256', data, key, signature),
            verify('sha256', data, { key, padding, saltLength: 32 }, signature),
          ]
        })
        assert.deepEqual(verdicts, [
          [true, false],
          [false, true],
          [true, false],
        ])
      })

      it('and gives back what was agreed to while nothing is signed', async () => {
        const asked = await mixed()
        tokenFailure = new HsmUnavailableError('away')
        assert.equal((await call(asked)).status, 503)
        tokenFailure = null
        await signDoc(asked)
      })

      it('and counts all as used when only some of it was signed', async () => {
        const asked = await mixed()
        tokenFailsAfter = 1
        assert.equal((await call(asked)).status, 500)
        tokenFailsAfter = Infinity
        assertRefusal(await call(asked), 400, 'invalid_request', 'Invalid parameter SAD')
      })
    })

    it('in every spelling of a level', async () => {
      const spellings = {
        'B-B': ['Ades-B-B', 'AdES-B-B', 'AdES-B', 'AdES-BB', '', null],
        'B-T': ['ades-b-t', 'AdES-T', 'AdES-BT'],
        'B-LT': ['AdES-LT', 'AdES-BLT'],
        'B-LTA': ['Ades-B-LTA', 'ADES-LTA', 'AdES-BLTA'],
      }
      for (const [level, all] of Object.entries(spellings)) {
        const documents = all.map((conformance_level) => item({ conformance_level }))
        const body = await signDoc(request(await approved(all.map(() => digest)), { documents }))
        for (const each of body['DocumentWithSignature'] as string[]) {
          assert.equal(readPlain(each).level, level)
        }
      }
    })

    it('digests and documents in one call, digests first, where that is allowed', async () => {
      const body = request(await approved([digest, other]), {
        documents: [item({ conformance_level: 'AdES-B-T' })],
        documentDigests: [digestItem({ hashes: other.toString('base64') })],
      })
      const { status, body: answer } = await call(body, {}, replica)
      assert.equal(status, 200, JSON.stringify(answer))
      const { DocumentWithSignature, SignatureObject } = answer as Record<string, string[]>
      assert.equal(readPlain(DocumentWithSignature?.[0] ?? '').level, 'B-T')
      assert.ok(readPlain(SignatureObject?.[0] ?? '').toBeSigned.includes(other.toString('base64')))
    })

    it('items of v2.2, by their members, in either list', async () => {
      const facts = {
        label: 'Contract',
        circumstantialData: 'AA==',
        referenceUri: 'https://x.example',
      }
      for (const more of [
        { documents: [item({ ...facts, documentType: 'sod' })] },
        { documents: [item({ ...facts, documentType: 'SFD' })] },
        { documents: [digestItem(facts)] },
        { documentDigests: [item(facts)] },
      ]) {
        await signDoc(request(await approved(), more))
      }
    })

    it('a large document, whether its length is said beforehand or not', async () => {
      const large = Buffer.alloc(700_001, '<a>ü</a>')
      const documents = [item({ document: large.toString('base64'), signature_format: 'C' })]
      const text = async () => {
        const SAD = await approved([digestOf(large)])
        return JSON.stringify(request(SAD, { documents })).replaceAll('/', '\\/')
      }
      const headers = { authorization: `Bearer ${service}`, 'content-type': 'application/json' }
      const url = `${rssp.baseUrl}/csc/v2/signatures/signDoc`
      for (const body of [await text(), new Blob([await text()]).stream()]) {
        const used = { method: 'POST', headers, body, duplex: 'half' } as RequestInit
        const response = await fetch(url, used)
        assert.equal(response.status, 200)
        const answer = await response.text()
        assert.equal(response.headers.get('content-length'), String(answer.length))
        const [cms = ''] = (JSON.parse(answer) as Json)['DocumentWithSignature'] as string[]
        assert.ok(opensslVerifiesCms(Buffer.from(cms, 'base64'), credential.certificates))
      }
    })

    it('with timestamps and validation data where the level has them', async () => {
      const documents = [item({ conformance_level: 'AdES-B-LT' })]
      const body = await signDoc(request(await approved(), { documents }))
      const [signed = ''] = body['DocumentWithSignature'] as string[]
      const { level, proofs } = readPlain(signed)
      assert.equal(level, 'B-LT')
      assert.match(proofs.join(), /^stamp \d+,ocsp$/)
    })

    it('and returns validation data beside a signature that has none', async () => {
      const more = { returnValidationInfo: true }
      const body = await signDoc(request(await approved(), more))
      assert.deepEqual(body['validationInfo'], { ocsp: [Buffer.from('ocsp').toString('base64')] })
      const other = request(await approved(), { returnValidationInformation: true })
      assert.deepEqual((await signDoc(other))['validationInfo'], body['validationInfo'])
    })

    it('by a kind of signature in the place of a credential', async () => {
      const SAD = await approved()
      const asked = { ...request(SAD), credentialID: null, signatureQualifier: QES }
      await signDoc(asked)
    })

    it('with a credential token as bearer, and as SAD', async () => {
      const approve = () => rssp.credentialToken({ user, client, credential, digests: [digest] })
      const bearer = await rssp.call(
        ...(['signatures/signDoc', { ...request(''), SAD: null }, await approve()] as const),
      )
      assert.equal(bearer.status, 200, JSON.stringify(bearer.body))
      await signDoc(request(await approve()))
    })
  })

  describe('records', () => {
    it('the authorised digest and what was signed in its place, in the audit log and the ledger', async () => {
      // The bytes to sign tell the second: in this one, nothing was signed before.
      rssp.clock.advance(1)
      const body = await signDoc(request(await approved()))
      const [signed = ''] = body['DocumentWithSignature'] as string[]
      const toBeSigned = digestOf(readPlain(signed).toBeSigned).toString('base64')
      const requested = (await events('signature.requested')).at(-1)
      assert.deepEqual(requested?.detail['digests'], [digest.toString('base64')])
      assert.deepEqual(requested.detail['toBeSigned'], [toBeSigned])
      const row = await rssp.services.database.read.authorisedDigest.findFirstOrThrow({
        where: { toBeSigned },
      })
      assert.deepEqual(
        { digest: row.digest, derivation: row.derivation, state: row.state },
        { digest: digest.toString('base64'), derivation: 'prepared', state: 'consumed' },
      )
    })
  })

  describe('refuses, and reserves nothing: (S1, S62)', () => {
    const cases: [string, Json, string][] = [
      [
        'neither documents nor digests',
        { documents: [] },
        'Empty documentDigests and documents objects',
      ],
      [
        'both',
        { documents: [item()], documentDigests: [digestItem()] },
        'Both documentDigests and documents parameters passed',
      ],
      ['documents that are no array', { documents: 'x' }, 'Invalid array parameter documents'],
      ['documents that are no objects', { documents: ['x'] }, 'Invalid array parameter documents'],
      [
        'digests that are no array',
        { documentDigests: digestItem() },
        'Invalid object parameter documentDigests',
      ],
      ...['ASiC-X', 7].map((container): [string, Json, string] => [
        `the container ${container}`,
        { documents: [item({ signature_format: 'C', container })] },
        'Invalid parameter container',
      ]),
      [
        'a container for a digest',
        { documentDigests: [digestItem({ signature_format: 'C', container: 'ASiC-E' })] },
        'Invalid parameter container',
      ],
      [
        'an envelope that a container does not have',
        {
          documents: [
            item({
              ...{ signature_format: 'C', container: 'ASiC-E' },
              signed_envelope_property: 'Attached',
            }),
          ],
        },
        'Invalid parameter signed_envelope_property',
      ],
      [
        'an item without anything to sign',
        { documents: [item({ document: null })] },
        'Invalid array parameter documents',
      ],
      [
        'an item with two things to sign',
        { documents: [{ ...item(), ...digestItem() }] },
        'Invalid array parameter documents',
      ],
      [
        'a digest item without hashes',
        { documentDigests: [digestItem({ hashes: [] })] },
        'Invalid object parameter documentDigests',
      ],
      ...['contract', 7].map((documentType): [string, Json, string] => [
        `the documentType ${documentType}`,
        { documents: [item({ documentType })] },
        'Invalid parameter documentType',
      ]),
      ...['%', 'AA=A', 'AAAAA', '', 42].map((document): [string, Json, string] => [
        `the document ${JSON.stringify(document)}`,
        { documents: [item({ document })] },
        'Invalid Base64 documents string parameter',
      ]),
      ...['%', [''], [42]].map((hashes): [string, Json, string] => [
        `the hashes ${JSON.stringify(hashes)}`,
        { documentDigests: [digestItem({ hashes })] },
        'Invalid Base64 hashes string parameter',
      ]),
      [
        'a digest of another length',
        { documentDigests: [digestItem({ hashes: [digest.subarray(1).toString('base64')] })] },
        'Invalid digest value length',
      ],
      [
        'no signAlgo',
        { documents: [item({ signAlgo: null })] },
        'Missing (or invalid type) string parameter signAlgo',
      ],
      [
        'a signAlgo that is no text',
        { documents: [item({ signAlgo: 5 })] },
        'Missing (or invalid type) string parameter signAlgo',
      ],
      [
        'an unknown signAlgo',
        { documents: [item({ signAlgo: '1.2' })] },
        'Invalid parameter signAlgo',
      ],
      [
        'the signAlgo of another key',
        { documents: [item({ signAlgo: RSA_SHA256 })] },
        'Invalid parameter signAlgo',
      ],
      [
        'the signAlgo of another key in one of several items',
        { documents: [item(), item({ signAlgo: RSA_SHA256 })] },
        'Invalid parameter signAlgo',
      ],
      [
        'PSS without parameters',
        { documents: [item({ signAlgo: '1.2.840.113549.1.1.10' })] },
        'Missing (or invalid type) string parameter signAlgoParams',
      ],
      [
        'a hash that contradicts signAlgo',
        { documents: [item({ hashAlgorithmOID: SHA384 })] },
        'String parameter hashAlgorithmOID contradicts with signAlgo parameter',
      ],
      [
        'an unknown hash',
        { documents: [item({ hashAlgorithmOID: '1.3.14.3.2.26' })] },
        'Invalid parameter hashAlgorithmOID',
      ],
      [
        'no signature_format',
        { documents: [item({ signature_format: null })] },
        'Missing (or invalid type) string parameter signature_format',
      ],
      [
        'a signature_format that is not there',
        { documents: [item({ signature_format: 'Z' })] },
        'Invalid parameter signature_format',
      ],
      ...['AdES-B-X', 'B-B', 7].map((conformance_level): [string, Json, string] => [
        `the level ${conformance_level}`,
        { documents: [item({ conformance_level })] },
        'Invalid parameter conformance_level',
      ]),
      [
        'an envelope of another format',
        { documents: [item({ signed_envelope_property: 'Certification' })] },
        'Invalid parameter signed_envelope_property',
      ],
      [
        'an enveloped signature over a digest',
        { documentDigests: [digestItem({ signed_envelope_property: 'Enveloped' })] },
        'Invalid parameter signed_envelope_property',
      ],
      [
        'properties the format cannot carry, by their names',
        {
          documents: [
            item({
              signed_props: [{ attribute_name: 'Reason' }, { attribute_name: 'SignerRoleV2' }],
            }),
          ],
        },
        'Invalid parameter signed_props (Reason)',
      ],
      [
        'properties that are no list',
        { documents: [item({ signed_props: 'Reason' })] },
        'Invalid parameter signed_props',
      ],
      ['another operationMode', { operationMode: 'B' }, 'Invalid parameter operationMode'],
      [
        'a validity_period that is no number',
        { operationMode: 'A', validity_period: '1' },
        'Invalid parameter validity_period',
      ],
      [
        'a validity_period out of bounds',
        { operationMode: 'A', validity_period: 1e12 },
        'Out of bounds parameter validity_period',
      ],
      [
        'a response_uri at a host nobody allowed',
        { operationMode: 'A', response_uri: 'https://app.example/done' },
        'Invalid parameter response_uri',
      ],
      ['clientData that is no text', { clientData: 5 }, 'Invalid parameter clientData'],
      ['an unknown credential', { credentialID: 'nobody' }, 'Invalid parameter credentialID'],
      [
        'neither credential nor kind of signature',
        { credentialID: null },
        'Missing (or invalid type) string parameter credentialID',
      ],
      [
        'a kind of signature the credential is not for',
        { signatureQualifier: 'eu_eidas_aes' },
        'Invalid parameter signatureQualifier',
      ],
    ]
    let SAD: string
    before(async () => {
      SAD = await approved()
    })
    for (const [title, more, words] of cases) {
      it(title, () => assertRefused(request(SAD, more), words))
    }

    it('after all of which the SAD is as good as before', () => signDoc(request(SAD)))

    it('no SAD, an unknown one, that of another application, one that was used', async () => {
      const of = await rssp.addClient()
      const missing = 'Missing (or invalid type) string parameter SAD'
      await assertRefused({ ...request(''), SAD: null }, missing)
      await assertRefused(request('nobody'), 'Invalid parameter SAD')
      await assertRefused(request(await approved([digest], { of })), 'Invalid parameter SAD')
      const used = await approved()
      await signDoc(request(used))
      await assertRefused(request(used), 'Invalid parameter SAD')
    })

    it('a document that was not approved, at any place of a batch', async () => {
      const foreign = item({ document: Buffer.from('foreign').toString('base64') })
      const SAD = await approved([digest, digest, digest])
      for (let place = 0; place < 3; place += 1) {
        const documents = [item(), item()].toSpliced(place, 0, foreign)
        await assertRefused(request(SAD, { documents }), NOT_AUTHORISED)
      }
      const documentDigests = [digestItem({ hashes: [other.toString('base64')] })]
      await assertRefused(request(SAD, { documentDigests }), NOT_AUTHORISED)
    })

    it('a document that was not approved, with a credential token as 403 invalid_hash', async () => {
      const token = await rssp.credentialToken({ user, client, credential, digests: [other] })
      assertRefusal(
        await rssp.call('signatures/signDoc', { ...request(''), SAD: null }, token),
        403,
        'invalid_hash',
        'Document or documentDigest does not match authroized hash',
      )
    })

    it('more documents than were approved', async () => {
      const documents = [item(), item()]
      await assertRefused(
        ...([
          request(await approved(), { documents }),
          'Numbers of signatures is too high',
        ] as const),
      )
    })

    it('a digest that was approved under another hash algorithm (S5)', async () => {
      const body = request(await approved([digest], { credential: rsa }), {
        credentialID: rsa.id,
        documents: [item({ signAlgo: '1.2.840.113549.1.1.12' })],
      })
      await assertRefused(body, NOT_AUTHORISED)
    })

    it('a document that cannot be signed, saying why, and nothing of its batch', async () => {
      const unfit = Buffer.from('unfit')
      const SAD = await approved([digest, digestOf('unfit')])
      const documents = [item(), item({ document: unfit.toString('base64') })]
      await assertRefused(request(SAD, { documents }), 'The document says it is unfit')
      await signDoc(request(SAD))
    })

    it('a suspended credential, and an expired certificate', async () => {
      const ended = await rssp.addCredential(user)
      const SAD = await approved([digest], { credential: ended })
      const body = request(SAD, { credentialID: ended.id })
      await rssp.services.credentials.suspend(ended.id, 'operator', 'test')
      await assertRefused(body, 'The credential identified by credentialID is disabled')
    })
  })

  describe('holds what was approved to its use (CSC data model, hashType)', () => {
    const signHash = (SAD: string) =>
      rssp.call(
        'signatures/signHash',
        {
          ...{ SAD, credentialID: credential.id, signAlgo: ECDSA_SHA256 },
          hashes: [digest.toString('base64')],
        },
        service,
      )

    for (const hashType of ['sdr', 'sodr'] as const) {
      it(`${hashType} signs no hash`, async () => {
        const SAD = await approved([digest], { hashType })
        assertRefusal(
          ...([await signHash(SAD), 400, 'invalid_request'] as const),
          'Hash is not authorized by the SAD.',
        )
        await signDoc(request(SAD))
      })
    }

    it('dtbsr signs no document and no digest of one', async () => {
      const SAD = await approved([digest], { hashType: 'dtbsr' })
      await assertRefused(request(SAD), NOT_AUTHORISED)
      await assertRefused(request(SAD, { documentDigests: [digestItem()] }), NOT_AUTHORISED)
      assert.equal((await signHash(SAD)).status, 200)
    })

    it('sodr is of a whole document, and not of one prepared elsewhere', async () => {
      const SAD = await approved([digest], { hashType: 'sodr' })
      await assertRefused(request(SAD, { documentDigests: [digestItem()] }), NOT_AUTHORISED)
    })

    it('what was not said is spent on either, once', async () => {
      const token = await rssp.credentialToken({ user, client, credential, digests: [digest] })
      await signDoc(request(token))
      const words = 'Invalid parameter SAD'
      assertRefusal(await signHash(token), 400, 'invalid_request', words)
    })
  })

  describe('when something fails', () => {
    const named = () => ({ 'Idempotency-Key': randomUUID() })

    it('before the key was used: gives everything back', async () => {
      const body = request(await approved())
      tokenFailure = new HsmUnavailableError('away')
      assert.equal((await call(body)).status, 503)
      tokenFailure = null
      await signDoc(body)
    })

    it('at the authority for timestamps: does not use the key', async () => {
      const body = request(await approved(), {
        documents: [item({ conformance_level: 'AdES-B-T' })],
      })
      rssp.clock.advance(90)
      body['SAD'] = await approved()
      timestampFailure = new TimestampUnavailableError('away')
      const before = (await events('signature.requested')).length
      assert.equal((await call(body)).status, 503)
      assert.equal((await events('signature.requested')).length, before)
      timestampFailure = null
      await signDoc(body)
    })

    it('after the key was used: the same request is completed from the recorded signature (S69)', async () => {
      const documents = [item({ conformance_level: 'AdES-B-T' }), item()]
      await signDoc(request(await approved([digest, digest]), { documents }))
      const body = request(await approved([digest, digest]), { documents })
      const headers = named()
      failAfter = timestamps
      assert.equal((await call(body, headers)).status, 503)
      failAfter = Infinity
      const before = (await events('signature.requested')).length
      rssp.clock.advance(2)
      const [first, again] = [await signDoc(body, headers), await signDoc(body, headers)]
      const values = [first, again].map((each) =>
        (each['DocumentWithSignature'] as string[]).map((signed) => readPlain(signed).value),
      )
      assert.deepEqual(values[0], values[1])
      for (const signed of first['DocumentWithSignature'] as string[]) assertSigned(signed)
      assert.equal((await events('signature.requested')).length, before, 'the key was used again')
    })

    it('a name that was used for another document is refused', async () => {
      const headers = named()
      const SAD = await approved([digest, other])
      await signDoc(request(SAD), headers)
      const another = request(SAD, { documents: [item({ signature_format: 'C' })] })
      assertRefusal(
        await call(another, headers),
        400,
        'invalid_request',
        'Idempotency-Key was used for another request',
      )
    })
  })

  describe('later (operationMode A)', () => {
    const later = async (more: Json = {}, headers = {}): Promise<string> => {
      const body = await signDoc(
        request(await approved(), { operationMode: 'A', ...more }),
        headers,
      )
      assert.deepEqual(Object.keys(body), ['responseID'])
      return body['responseID'] as string
    }
    const poll = (responseID: string, at = rssp, token = service) =>
      at.call('signatures/signPolling', { responseID }, token)
    const result = async (responseID: string, at = rssp): Promise<Json> => {
      for (let tries = 0; tries < 500; tries += 1) {
        const answer = await poll(responseID, at)
        if (answer.status === 200) return answer.body as Json
        assert.equal(answer.status, 202, JSON.stringify(answer.body))
      }
      throw new Error('no result')
    }

    it('returns what the answer itself would have held, from every replica', async () => {
      const responseID = await later()
      const body = await result(responseID, replica)
      assertSigned((body['DocumentWithSignature'] as string[])[0])
      assert.deepEqual(await result(responseID), body)
    })

    it('keeps documents and results sealed, and forgets them when their time is over', async () => {
      const responseID = await later({ validity_period: 60_000 })
      await result(responseID)
      const { read } = rssp.services.database
      const rows = await read.documentJob.findMany()
      for (const { request, result } of rows) {
        assert.equal(request, null)
        assert.ok(result && !Buffer.from(result).includes('SignedInfo'))
      }
      rssp.clock.advance(61)
      assertRefusal(
        ...([
          await poll(responseID),
          400,
          'invalid_request',
          'Invalid parameter requestID',
        ] as const),
      )
      await rssp.services.expiredRows.remove(rssp.clock.now())
      const over = { expiresAt: { lt: rssp.clock.now() } }
      assert.equal(await read.documentJob.count({ where: over }), 0)
    })

    it('is for nobody but the application and the person it was made for (S19)', async () => {
      const responseID = await later()
      const stranger = await rssp.serviceToken(user, await rssp.addClient())
      assertRefusal(
        ...([await poll(responseID, rssp, stranger), 400, 'invalid_request'] as const),
        'Invalid parameter requestID',
      )
    })

    it('completes what lacks a timestamp when it is asked for next, also on another replica', async () => {
      const documents = [item({ conformance_level: 'AdES-B-T' })]
      await signDoc(request(await approved(), { documents }))
      await signDoc(request(await approved(), { documents }), {})
      failAfter = timestamps
      const before = (await events('signature.requested')).length
      const responseID = await later({ documents })
      assert.equal((await poll(responseID)).status, 202)
      assert.equal((await poll(responseID, replica)).status, 202)
      failAfter = Infinity
      const body = await result(responseID, replica)
      assertSigned((body['DocumentWithSignature'] as string[])[0])
      assert.equal((await events('signature.requested')).length, before + 1)
    })

    it('names a repeated request the same, and signs once', async () => {
      const headers = { 'Idempotency-Key': randomUUID() }
      const body = request(await approved(), { operationMode: 'A' })
      const [first, again] = [await signDoc(body, headers), await signDoc(body, headers)]
      assert.deepEqual(first, again)
    })
  })

  it('is announced in info with what works', async () => {
    const { body } = await rssp.call('info', {})
    assert.ok(body.methods.includes('signatures/signDoc'))
    assert.deepEqual(body.signature_formats, {
      formats: ['C', 'X'],
      envelope_properties: [
        ['Attached', 'Detached', 'Parallel'],
        ['Enveloped', 'Detached'],
      ],
      allowMix: true,
      containers: [['ASiC-S', 'ASiC-E'], []],
    })
    const levels = ['AdES-B-B', 'AdES-B-T', 'AdES-B-LT', 'AdES-B-LTA']
    assert.deepEqual(body.conformance_levels, levels)
    assert.equal(body.validationInfo, true)
    assert.deepEqual(body.supportedHashTypes, ['dtbsr', 'sdr', 'sodr'])
  })
})
