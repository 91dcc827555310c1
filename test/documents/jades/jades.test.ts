import { strict as assert } from 'node:assert'
import { createHash, X509Certificate } from 'node:crypto'
import {
  compactVerify,
  flattenedVerify,
  generalVerify,
  type FlattenedJWS,
  type GeneralJWS,
} from 'jose'
import type {
  AdesSignature,
  ConformanceLevel,
  EnvelopeProperty,
  SignatureParameters,
  SignedProperty,
} from '../../../src/documents/ades.js'
import { Jades } from '../../../src/documents/jades/jades.js'
import {
  InvalidParameterError,
  UnfitDocumentError,
  UnfitSignedPropertiesError,
} from '../../../src/errors.js'
import {
  HASH_ALGORITHMS,
  type HashName,
  type KeyAlgorithm,
  type SignatureAlgorithm,
  type SignatureScheme,
} from '../../../src/keys/algorithms.js'
import { SigningPki, type TestSigner } from '../../support/signing-pki.js'

const DOCUMENT = Buffer.from('{"owed":"ten euros"}\n')
const SIGNING_TIME = new Date('2026-11-22T10:11:12.345Z')

const ALGORITHMS: readonly [KeyAlgorithm, SignatureScheme, HashName, string][] = [
  ['p-256', 'ecdsa', 'sha256', 'ES256'],
  ['p-384', 'ecdsa', 'sha384', 'ES384'],
  ['p-521', 'ecdsa', 'sha512', 'ES512'],
  ['rsa-2048', 'rsa-pkcs1', 'sha256', 'RS256'],
  ['rsa-2048', 'rsa-pkcs1', 'sha384', 'RS384'],
  ['rsa-2048', 'rsa-pss', 'sha256', 'PS256'],
  ['rsa-2048', 'rsa-pss', 'sha512', 'PS512'],
]

describe('JAdES', () => {
  const jades = new Jades()
  let pki: SigningPki
  before(() => (pki = new SigningPki()))
  after(() => pki.close())

  for (const [key, scheme, hash, alg] of ALGORITHMS) {
    it(`makes attached and detached ${alg} signatures that jose verifies`, async () => {
      const algorithm = algorithmOf(scheme, hash)
      const attached = await sign(DOCUMENT, { key, algorithm })
      const verified = await flattenedVerify(jwsIn(attached), keyOf(key))
      assert.deepEqual(Buffer.from(verified.payload), DOCUMENT)
      assert.equal(verified.protectedHeader?.alg, alg)
      assert.equal(attached.holdsDocument, true)

      const detached = await sign(DOCUMENT, { key, algorithm, envelope: 'Detached' })
      assert.equal(detached.holdsDocument, false)
      const { sigD } = await verifiedHeader(detached, key)
      assert.deepEqual(sigD, {
        mId: 'http://uri.etsi.org/19182/ObjectIdByURIHash',
        pars: [`ni:///${hash.replace('sha', 'sha-')};${digestOf(DOCUMENT, hash, 'base64url')}`],
        hashM: hash.replace('sha', 'S'),
        hashV: [digestOf(DOCUMENT, hash, 'base64url')],
      })
    })
  }

  it('has the header parameters of a baseline signature, and iat instead of sigT', async () => {
    const { certificate, chain } = pki.signer('p-256')
    assert.deepEqual(await verifiedHeader(await sign(DOCUMENT, {}), 'p-256'), {
      alg: 'ES256',
      'x5t#S256': digestOf(certificate, 'sha256', 'base64url'),
      x5c: [certificate, chain[0]].map((der) => der?.toString('base64')),
      iat: Math.floor(SIGNING_TIME.getTime() / 1000),
    })
  })

  it('names the certificate by x5t#o under other hashes than SHA-256', async () => {
    const algorithm = algorithmOf('ecdsa', 'sha384')
    const header = await verifiedHeader(await sign(DOCUMENT, { key: 'p-384', algorithm }), 'p-384')
    const { certificate } = pki.signer('p-384')
    assert.equal(header['x5t#S256'], undefined)
    assert.deepEqual(header['x5t#o'], {
      digAlg: 'S384',
      digVal: digestOf(certificate, 'sha384', 'base64url'),
    })
  })

  it('makes the same detached signature from a digest as from the document', async () => {
    const parameters = parametersOf({ envelope: 'Detached' })
    const fromDocument = await jades.prepareDocument(DOCUMENT, parameters)
    const fromDigest = await jades.prepareDigest(sha256(DOCUMENT), parameters)
    assert.deepEqual(fromDigest.toBeSigned, fromDocument.toBeSigned)
  })

  it('says critical what a verifier has to understand, and calls the data as it was told', async () => {
    const parameters = {
      ...parametersOf({ envelope: 'Detached' }),
      referenceUri: 'bills/4711.json',
    }
    const { bytes } = await completed(await jades.prepareDocument(DOCUMENT, parameters), parameters)
    const header = await verifiedHeader({ bytes }, 'p-256')
    assert.deepEqual(header.crit, ['b64', 'sigD'])
    assert.equal(header.b64, false)
    assert.deepEqual((header['sigD'] as { pars: string[] }).pars, ['bills/4711.json'])
    await assert.rejects(flattenedVerify({ ...jwsIn({ bytes }), payload: '' }, keyOf('p-256')))
  })

  it('does not verify with another payload', async () => {
    const jws = {
      ...jwsIn(await sign(DOCUMENT, {})),
      payload: Buffer.from('{}').toString('base64url'),
    }
    await assert.rejects(flattenedVerify(jws, keyOf('p-256')))
  })

  it('refuses a curve with a hash that JWS does not know together', async () => {
    await assert.rejects(
      sign(DOCUMENT, { algorithm: algorithmOf('ecdsa', 'sha384') }),
      new InvalidParameterError('signAlgo'),
    )
  })

  it('makes nothing but a detached signature from a digest, and no archive timestamp', async () => {
    for (const envelope of ['Attached', 'Parallel', 'Enveloping'] as const) {
      await assert.rejects(
        jades.prepareDigest(sha256(DOCUMENT), parametersOf({ envelope })),
        new InvalidParameterError('signed_envelope_property'),
      )
    }
    await assert.rejects(
      jades.prepareDigest(sha256(DOCUMENT), parametersOf({ envelope: 'Detached', level: 'B-LTA' })),
      UnfitDocumentError,
    )
  })

  it('attaches no empty document, which would look like a detached one', async () => {
    await assert.rejects(sign(Buffer.alloc(0), {}), UnfitDocumentError)
    await sign(Buffer.alloc(0), { envelope: 'Detached' })
  })

  describe('the levels', () => {
    it('has a timestamp over the encoded signature value from B-T on', async () => {
      const algorithm = algorithmOf('rsa-pss', 'sha512')
      const jws = jwsIn(await sign(DOCUMENT, { key: 'rsa-2048', algorithm, level: 'B-T' }))
      await flattenedVerify(jws, keyOf('rsa-2048'))
      const [sigTst, ...others] = elementsOf(jws)
      assert.deepEqual(others, [])
      const imprint = createHash('sha512').update(jws.signature).digest()
      assert.ok(pki.opensslTimestamp(tokenIn(sigTst, 'sigTst'), imprint))
    })

    it('holds what proves signature and timestamp from B-LT on, each once', async () => {
      const jws = jwsIn(await sign(DOCUMENT, { level: 'B-LT' }))
      const [, xVals, rVals, tstVD, ...others] = elementsOf(jws)
      assert.deepEqual(others, [])
      const certificates = valuesIn(xVals, 'x509Cert')
      assert.equal(certificates.length, 2)
      for (const der of certificates) assert.doesNotThrow(() => new X509Certificate(der))
      const values = rVals?.['rVals'] as Record<string, { val: string }[]>
      assert.deepEqual(
        values['crlVals']?.map(({ val }) => val),
        [pki.crl.toString('base64')],
      )
      assert.equal(values['ocspVals']?.length, 1)
      const ofTimestamp = tstVD?.['tstVD'] as { rVals: Record<string, unknown[]> }
      assert.deepEqual(Object.keys(ofTimestamp), ['rVals'])
      assert.deepEqual(Object.keys(ofTimestamp.rVals), ['ocspVals'])
      assert.equal(ofTimestamp.rVals['ocspVals']?.length, 1)
    })

    for (const envelope of ['Attached', 'Detached'] as const) {
      it(`has an archive timestamp over all of it at B-LTA (${envelope})`, async () => {
        const signed = await sign(DOCUMENT, { level: 'B-LTA', envelope })
        await verifiedHeader(signed, 'p-256')
        const jws = jwsIn(signed)
        const elements = jws.header?.['etsiU'] as string[]
        const data = envelope === 'Attached' ? DOCUMENT.toString('base64url') : DOCUMENT.toString()
        const covered = `${data}.${jws.protected}.${jws.signature}.${elements.slice(0, -1).join('')}`
        const token = tokenIn(elementsOf(jws).at(-1), 'arcTst')
        assert.ok(pki.opensslTimestamp(token, sha256(Buffer.from(covered))))
      })
    }
  })

  describe('in parallel', () => {
    it('puts a second signature beside those of any serialisation', async () => {
      const { bytes: flattened } = await sign(DOCUMENT, { level: 'B-T' })
      const { protected: header, payload, signature } = jwsIn({ bytes: flattened })
      const compact = Buffer.from(`${header}.${payload}.${signature}\n`)
      await compactVerify(compact.toString().trim(), keyOf('p-256'))
      const algorithm = algorithmOf('ecdsa', 'sha384')
      for (const existing of [flattened, compact]) {
        const second = await sign(existing, { key: 'p-384', algorithm, envelope: 'Parallel' })
        const third = await sign(second.bytes, { envelope: 'Parallel', level: 'B-T' })
        const jws = JSON.parse(third.bytes.toString()) as GeneralJWS
        assert.equal(jws.signatures.length, 3)
        assert.equal(jws.signatures[0]?.signature, signature)
        for (const [at, key] of (['p-256', 'p-384', 'p-256'] as const).entries()) {
          const one = { ...jws, signatures: jws.signatures.slice(at, at + 1) }
          const verified = await generalVerify(one, keyOf(key))
          assert.deepEqual(Buffer.from(verified.payload), DOCUMENT)
        }
      }
    })

    it('leaves unsigned header parameters of others as they are', async () => {
      const { bytes } = await sign(DOCUMENT, { level: 'B-LTA' })
      const second = await sign(bytes, { envelope: 'Parallel' })
      const { signatures } = JSON.parse(second.bytes.toString()) as GeneralJWS
      assert.deepEqual(signatures[0]?.header, jwsIn({ bytes }).header)
    })

    it('refuses what is no signature over an encoded payload inside it', async () => {
      const { bytes: detached } = await sign(DOCUMENT, { envelope: 'Detached' })
      const jws = jwsIn(await sign(DOCUMENT, {}))
      const refused: readonly [string, RegExp][] = [
        [detached.toString(), /is detached/],
        [`${jws.protected}..${jws.signature}`, /is detached/],
        ['', /no JSON Web Signature/],
        ['[]', /no JSON Web Signature/],
        ['null', /no JSON Web Signature/],
        ['{"payload":"e30"}', /no JSON Web Signature/],
        ['{"payload":"e30","signatures":[]}', /no JSON Web Signature/],
        ['{"payload":"e30","signatures":[7]}', /no JSON Web Signature/],
        [JSON.stringify({ ...jws, payload: 'not base64url!' }), /no JSON Web Signature/],
        [JSON.stringify({ ...jws, protected: 'bm8gSlNPTg' }), /no JSON Web Signature/],
        [JSON.stringify({ ...jws, header: 7 }), /no JSON Web Signature/],
        [JSON.stringify({ ...jws, signatures: [jws] }), /no JSON Web Signature/],
        [
          JSON.stringify({ ...jws, ...protectedBy({ alg: 'ES256', b64: false }) }),
          /not over an enc/,
        ],
        [
          JSON.stringify({ ...jws, payload: '{}', ...protectedBy({ alg: 'ES256', b64: false }) }),
          /not over an enc/,
        ],
      ]
      for (const [text, words] of refused) {
        await assert.rejects(
          sign(Buffer.from(text), { envelope: 'Parallel' }),
          (error: unknown) => error instanceof UnfitDocumentError && words.test(error.message),
          text,
        )
      }
    })
  })

  describe('signed properties', () => {
    const policy = { id: { id: 'urn:oid:1.2.3' }, digAlg: 'S256', digVal: 'AAAA' }

    it('go into the protected header, from text or JSON, or Base64 of either', async () => {
      const signedProperties: SignedProperty[] = [
        { name: 'cty', value: 'json' },
        { name: 'srCms', value: 'proofOfApproval' },
        { name: 'sigPl', value: '{"addressCountry":"DE"}' },
        { name: 'srAts', value: Buffer.from('clerk').toString('base64') },
        { name: 'sigPId', value: Buffer.from(JSON.stringify(policy)).toString('base64') },
      ]
      assert.deepEqual(jades.unfitProperties(signedProperties), [])
      const parameters = { ...parametersOf({}), signedProperties }
      const prepared = await jades.prepareDocument(DOCUMENT, parameters)
      const header = await verifiedHeader(await completed(prepared, parameters), 'p-256')
      assert.equal(header.cty, 'json')
      assert.deepEqual(header['srCms'], [
        { commId: { id: 'http://uri.etsi.org/01903/v1.2.2#ProofOfApproval' } },
      ])
      assert.deepEqual(header['sigPl'], { addressCountry: 'DE' })
      assert.deepEqual(header['srAts'], {
        claimed: [{ mediaType: 'text/plain', encoding: 'binary', qVals: ['clerk'] }],
      })
      assert.deepEqual(header['sigPId'], policy)
      assert.equal(header.crit, undefined)
    })

    it('name the type of detached data beside their address', async () => {
      const parameters = {
        ...parametersOf({ envelope: 'Detached' }),
        signedProperties: [{ name: 'cty', value: 'text/plain' }],
      }
      const prepared = await jades.prepareDocument(DOCUMENT, parameters)
      const header = await verifiedHeader(await completed(prepared, parameters), 'p-256')
      assert.equal(header.cty, undefined)
      assert.deepEqual((header['sigD'] as { ctys: string[] }).ctys, ['text/plain'])
    })

    it('take a timestamp over this payload alone', async () => {
      const payload = Buffer.from(DOCUMENT.toString('base64url'))
      const token = await pki.timestamp(sha256(payload), HASH_ALGORITHMS.sha256)
      const value = token.toString('base64')
      const parameters = {
        ...parametersOf({}),
        signedProperties: [{ name: 'adoTst', value }],
      }
      const prepared = await jades.prepareDocument(DOCUMENT, parameters)
      const header = await verifiedHeader(await completed(prepared, parameters), 'p-256')
      assert.deepEqual(header['adoTst'], { tstTokens: [{ val: value }] })
      await assert.rejects(
        jades.prepareDocument(Buffer.from('{}'), parameters),
        new UnfitSignedPropertiesError(['adoTst']),
      )
    })

    it('are named where they are unknown, come twice or have no good value', () => {
      const unfit: SignedProperty[] = [
        { name: 'alg', value: 'none' },
        { name: 'crit', value: '["exp"]' },
        { name: '__proto__', value: '{}' },
        { name: 'constructor', value: '{}' },
        { name: 'mime-type', value: 'text/plain' },
        { name: 'srCms', value: null },
        { name: 'sigPl', value: '{"planet":"Mars"}' },
        { name: 'sigPl', value: 'Berlin' },
        { name: 'srAts', value: '{}' },
        { name: 'sigPId', value: '1.2.3' },
        { name: 'adoTst', value: 'no token' },
        { name: 'cty', value: '' },
      ]
      assert.deepEqual(
        jades.unfitProperties(unfit),
        unfit.map(({ name }) => name),
      )
    })
  })

  function keyOf(key: KeyAlgorithm) {
    return new X509Certificate(pki.signer(key).certificate).publicKey
  }

  async function verifiedHeader({ bytes }: Pick<AdesSignature, 'bytes'>, key: KeyAlgorithm) {
    const jws = jwsIn({ bytes })
    const whole = 'payload' in jws ? jws : { ...(jws as FlattenedJWS), payload: '' }
    const { protectedHeader } = await flattenedVerify(whole, keyOf(key), { crit: { sigD: true } })
    assert.ok(protectedHeader)
    return protectedHeader
  }

  interface Wish {
    readonly key?: KeyAlgorithm
    readonly algorithm?: SignatureAlgorithm
    readonly level?: ConformanceLevel
    readonly envelope?: EnvelopeProperty
  }

  function parametersOf(wish: Wish): SignatureParameters & { signatory: TestSigner } {
    return {
      level: wish.level ?? 'B-B',
      envelope: wish.envelope ?? 'Attached',
      algorithm: wish.algorithm ?? algorithmOf('ecdsa', 'sha256'),
      signatory: pki.signer(wish.key ?? 'p-256'),
      signingTime: SIGNING_TIME,
      signedProperties: [],
      referenceUri: null,
    }
  }

  async function sign(document: Buffer, wish: Wish): Promise<AdesSignature> {
    const parameters = parametersOf(wish)
    return completed(await jades.prepareDocument(document, parameters), parameters)
  }

  function completed(
    prepared: Awaited<ReturnType<Jades['prepareDocument']>>,
    { signatory, algorithm }: ReturnType<typeof parametersOf>,
  ): Promise<AdesSignature> {
    return prepared.complete(signatory.sign(prepared.toBeSigned, algorithm), pki)
  }
})

type EtsiElement = Record<string, unknown>

function jwsIn({ bytes }: Pick<AdesSignature, 'bytes'>): FlattenedJWS {
  return JSON.parse(bytes.toString()) as FlattenedJWS
}

function elementsOf({ header }: FlattenedJWS): EtsiElement[] {
  const elements = (header?.['etsiU'] ?? []) as string[]
  return elements.map((one) => JSON.parse(Buffer.from(one, 'base64url').toString()) as EtsiElement)
}

function tokenIn(element: EtsiElement | undefined, name: string): Buffer {
  const { tstTokens } = element?.[name] as { tstTokens: { val: string }[] }
  assert.equal(tstTokens.length, 1)
  return Buffer.from(tstTokens[0]?.val ?? '', 'base64')
}

function valuesIn(element: EtsiElement | undefined, member: string): Buffer[] {
  const values = element?.['xVals'] as Record<string, { val: string }>[]
  return values.map((value) => Buffer.from(value[member]?.val ?? '', 'base64'))
}

function protectedBy(header: object): { protected: string } {
  return { protected: Buffer.from(JSON.stringify(header)).toString('base64url') }
}

function algorithmOf(scheme: SignatureScheme, name: HashName): SignatureAlgorithm {
  const hash = HASH_ALGORITHMS[name]
  return scheme === 'rsa-pss' ? { scheme, hash, saltLength: hash.bytes } : { scheme, hash }
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest()
}

function digestOf(bytes: Buffer, hash: string, encoding: 'base64url'): string {
  return createHash(hash).update(bytes).digest(encoding)
}
