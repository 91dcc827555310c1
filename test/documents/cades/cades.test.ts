import { strict as assert } from 'node:assert'
import { createHash } from 'node:crypto'
import { isDer } from '../../../src/certificates/der.js'
import type {
  AdesSignature,
  ConformanceLevel,
  EnvelopeProperty,
  SignatureParameters,
} from '../../../src/documents/ades.js'
import { Cades } from '../../../src/documents/cades/cades.js'
import { InvalidParameterError, UnfitDocumentError } from '../../../src/errors.js'
import {
  HASH_ALGORITHMS,
  type HashName,
  type KeyAlgorithm,
  type SignatureAlgorithm,
  type SignatureScheme,
} from '../../../src/keys/algorithms.js'
import {
  archiveImprint,
  setsOutOfOrder,
  parsedSignedData,
  signatureValue,
  signedAttributes,
  signerInfos,
  unsignedAttributes,
} from '../../support/cms.js'
import { SigningPki, type TestSigner } from '../../support/signing-pki.js'

const DOCUMENT = Buffer.from('I owe you ten euros.\n')
const SIGNING_TIME = new Date('2026-11-22T10:11:12.345Z')

const ALGORITHMS: readonly [KeyAlgorithm, SignatureScheme, HashName][] = [
  ['p-256', 'ecdsa', 'sha256'],
  ['p-384', 'ecdsa', 'sha384'],
  ['p-521', 'ecdsa', 'sha512'],
  ['rsa-2048', 'rsa-pkcs1', 'sha256'],
  ['rsa-2048', 'rsa-pkcs1', 'sha384'],
  ['rsa-2048', 'rsa-pss', 'sha256'],
  ['rsa-2048', 'rsa-pss', 'sha512'],
]

const SOME_ALGORITHMS = ALGORITHMS.filter(([, , hash]) => hash !== 'sha256')

describe('CAdES', () => {
  const cades = new Cades()
  let pki: SigningPki
  before(() => (pki = new SigningPki()))
  after(() => pki.close())

  for (const [key, scheme, hash] of ALGORITHMS) {
    describe(`with ${key}, ${scheme} and ${hash}`, () => {
      const algorithm = algorithmOf(scheme, hash)

      it('makes an attached signature that openssl verifies', async () => {
        const { bytes, holdsDocument } = await sign(DOCUMENT, { key, algorithm })
        assert.equal(holdsDocument, true)
        assert.deepEqual(pki.opensslCms(bytes), DOCUMENT)
      })

      it('makes a detached signature that openssl verifies over that document alone', async () => {
        const { bytes, holdsDocument } = await sign(DOCUMENT, {
          ...{ key, algorithm },
          envelope: 'Detached',
        })
        assert.equal(holdsDocument, false)
        assert.deepEqual(pki.opensslCms(bytes, DOCUMENT), DOCUMENT)
        assert.equal(pki.opensslCms(bytes, Buffer.from('I owe you 10000 euros.\n')), null)
      })
    })
  }

  it('makes the same detached signature from a digest as from the document', async () => {
    const parameters = parametersOf({ envelope: 'Detached' })
    const fromDocument = await cades.prepareDocument(DOCUMENT, parameters)
    const fromDigest = await cades.prepareDigest(digestOf(DOCUMENT, 'sha256'), parameters)
    assert.deepEqual(fromDigest.toBeSigned, fromDocument.toBeSigned)
  })

  it('prepares the same bytes each time', async () => {
    const signedProperties = [{ name: 'content-identifier', value: null }]
    const parameters = { ...parametersOf({}), signedProperties }
    const [one, other] = await Promise.all(
      [1, 2].map(() => cades.prepareDocument(DOCUMENT, parameters)),
    )
    assert.deepEqual(one?.toBeSigned, other?.toBeSigned)
  })

  it('makes nothing but a detached signature from a digest', async () => {
    for (const envelope of ['Attached', 'Parallel', 'Enveloped'] as const) {
      const parameters = parametersOf({ envelope })
      await assert.rejects(
        cades.prepareDigest(digestOf(DOCUMENT, 'sha256'), parameters),
        new InvalidParameterError('signed_envelope_property'),
      )
    }
  })

  describe('the structure', () => {
    it('is DER throughout', async () => {
      const { bytes } = await sign(DOCUMENT, { level: 'B-LTA' })
      assert.ok(isDer(bytes))
      assert.deepEqual(setsOutOfOrder(bytes), [])
    })

    it('holds the certificates of the chain once each, without the trust anchor', async () => {
      const { certificate, chain } = pki.signer('p-256')
      const { certificates } = parsedSignedData((await sign(DOCUMENT, {})).bytes)
      assert.deepEqual(hexes(certificates), hexes([certificate, ...chain.slice(0, 1)]))
    })

    it('has version 1, and 5 with OCSP responses inside', async () => {
      assert.equal(parsedSignedData((await sign(DOCUMENT, {})).bytes).version, 1)
      assert.equal(parsedSignedData((await sign(DOCUMENT, { level: 'B-LT' })).bytes).version, 5)
    })

    it('signs content type, digest, time and certificate, and names the algorithms', async () => {
      const attributes = signedAttributes((await sign(DOCUMENT, {})).bytes)
      assert.deepEqual([...attributes.keys()].toSorted(), [
        '1.2.840.113549.1.9.16.2.47',
        '1.2.840.113549.1.9.3',
        '1.2.840.113549.1.9.4',
        '1.2.840.113549.1.9.5',
        '1.2.840.113549.1.9.52',
      ])
      const digest = digestOf(DOCUMENT, 'sha256').toString('hex')
      assert.equal(attributes.get('1.2.840.113549.1.9.4'), `0420${digest}`)
      const time = Buffer.from('261122101112Z').toString('hex')
      assert.equal(attributes.get('1.2.840.113549.1.9.5'), `170d${time}`)
    })

    it('names the certificate by SHA-256 without saying so, and by other hashes with their names', async () => {
      const { certificate } = pki.signer('p-256')
      const oid = '1.2.840.113549.1.9.16.2.47'
      const sha256 = signedAttributes((await sign(DOCUMENT, {})).bytes).get(oid) ?? ''
      const id = digestOf(certificate, 'sha256').toString('hex')
      assert.match(sha256, new RegExp(`^30[0-9a-f]{2}30[0-9a-f]{2}30[0-9a-f]{2}0420${id}30`))
      const algorithm = algorithmOf('ecdsa', 'sha512')
      const sha512 = signedAttributes((await sign(DOCUMENT, { algorithm })).bytes).get(oid) ?? ''
      const digest = digestOf(certificate, 'sha512').toString('hex')
      assert.ok(sha512.includes(`300b0609608648016503040203${'0440'}${digest}`))
    })

    it('takes content of any size, none included', async () => {
      for (const size of [0, 1, 127, 128, 65_536, 3_000_000]) {
        const document = Buffer.alloc(size, 0x2e)
        assert.deepEqual(pki.opensslCms((await sign(document, {})).bytes), document)
      }
    })
  })

  describe('the levels', () => {
    it('has a timestamp over the signature value from B-T on', async () => {
      for (const [key, scheme, hash] of SOME_ALGORITHMS) {
        const algorithm = algorithmOf(scheme, hash)
        const { bytes } = await sign(DOCUMENT, { key, algorithm, level: 'B-T' })
        const [token] = unsignedAttributes(bytes).get('1.2.840.113549.1.9.16.2.14') ?? []
        assert.ok(token)
        assert.ok(pki.opensslTimestamp(token, digestOf(signatureValue(bytes), hash)))
        assert.ok(!pki.opensslTimestamp(token, digestOf(DOCUMENT, hash)))
        assert.deepEqual(pki.opensslCms(bytes), DOCUMENT)
      }
    })

    it('holds CRLs and whole OCSP responses in the SignedData from B-LT on', async () => {
      const { bytes } = await sign(DOCUMENT, { level: 'B-LT' })
      assert.deepEqual(pki.opensslCms(bytes), DOCUMENT)
      const { crls } = parsedSignedData(bytes)
      const ocspResponse = /^a18.{2,8}06082b060105050710023082/
      assert.equal(crls.filter((crl) => ocspResponse.test(crl.toString('hex'))).length, 2)
      assert.equal(crls.filter((crl) => crl.equals(pki.crl)).length, 1)
      assert.equal(crls.length, 3)
    })

    for (const [key, scheme, hash] of SOME_ALGORITHMS) {
      it(`has an archive timestamp over all of it at B-LTA (${key}, ${hash})`, async () => {
        const algorithm = algorithmOf(scheme, hash)
        const { bytes } = await sign(DOCUMENT, {
          ...{ key, algorithm },
          ...({ level: 'B-LTA', envelope: 'Detached' } as const),
        })
        assert.deepEqual(pki.opensslCms(bytes, DOCUMENT), DOCUMENT)
        const [token] = unsignedAttributes(bytes).get('0.4.0.1733.2.4') ?? []
        assert.ok(token)
        assert.ok(pki.opensslTimestamp(token, archiveImprint(bytes, token, DOCUMENT, hash)))
      })
    }
  })

  describe('in parallel', () => {
    it('puts a second signer beside the first, and openssl verifies both', async () => {
      const first = await sign(DOCUMENT, { level: 'B-LTA' })
      const algorithm = algorithmOf('rsa-pss', 'sha384')
      const second = await sign(first.bytes, {
        ...{ key: 'rsa-2048', algorithm },
        ...({ envelope: 'Parallel', level: 'B-T' } as const),
      })
      assert.equal(second.holdsDocument, true)
      assert.deepEqual(pki.opensslCms(second.bytes), DOCUMENT)
      const [signer] = signerInfos(first.bytes)
      assert.ok(signer)
      assert.equal(signerInfos(second.bytes).length, 2)
      assert.ok(signerInfos(second.bytes).some((one) => one.equals(signer)))
    })

    it('takes signatures of openssl, streamed ones with indefinite lengths too', async () => {
      pki.signer('p-384', 'first')
      for (const options of [[], ['-stream', '-indef'], ['-keyid'], ['-nocerts']]) {
        const existing = pki.opensslSign(DOCUMENT, 'first-p-384', options)
        const { bytes } = await sign(existing, { envelope: 'Parallel' })
        const more = options.includes('-nocerts') ? ['-certfile', pki.path('first-p-384.pem')] : []
        assert.deepEqual(pki.opensslCms(bytes, undefined, more), DOCUMENT)
        assert.equal(signerInfos(bytes).length, 2)
        assert.equal(parsedSignedData(bytes).version, options.includes('-keyid') ? 3 : 1)
      }
    })

    it('refuses a detached signature, whose content nobody has', async () => {
      const { bytes } = await sign(DOCUMENT, { envelope: 'Detached' })
      await assertUnfit(bytes, 'The signature to add to is detached: it does not hold its content')
    })

    it('refuses archive timestamps of old, which another signer would break', async () => {
      const { bytes } = await sign(DOCUMENT, { level: 'B-LTA' })
      // the archive-time-stamp-v3 under the name of long-term-validation, which is as long
      bytes.set([0x02], bytes.indexOf(Buffer.from('060604008d450204', 'hex')) + 7)
      const message = 'A signature there has an archive timestamp that another signer would break'
      await assertUnfit(bytes, message)
    })

    it('refuses what is no signature', async () => {
      const truncated = (await sign(DOCUMENT, {})).bytes.subarray(0, -1)
      const longer = Buffer.concat([(await sign(DOCUMENT, {})).bytes, Buffer.from([0])])
      const message = 'The document to add a signature to is no CMS signature'
      for (const bytes of [DOCUMENT, Buffer.alloc(0), pki.root, truncated, longer]) {
        await assertUnfit(bytes, message)
      }
    })

    it('refuses a timestamp, which has one signer for good', async () => {
      const token = await pki.timestamp(digestOf(DOCUMENT, 'sha256'), HASH_ALGORITHMS.sha256)
      await assertUnfit(token, 'A timestamp takes no second signature')
    })
  })

  async function assertUnfit(document: Buffer, message: string) {
    const parameters = parametersOf({ envelope: 'Parallel' })
    await assert.rejects(
      cades.prepareDocument(document, parameters),
      (error: unknown) => error instanceof UnfitDocumentError && error.message === message,
    )
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
    const prepared = await cades.prepareDocument(document, parameters)
    const value = parameters.signatory.sign(prepared.toBeSigned, parameters.algorithm)
    return prepared.complete(value, pki)
  }
})

function algorithmOf(scheme: SignatureScheme, name: HashName): SignatureAlgorithm {
  const hash = HASH_ALGORITHMS[name]
  return scheme === 'rsa-pss' ? { scheme, hash, saltLength: hash.bytes } : { scheme, hash }
}

function digestOf(bytes: Buffer, hash: string): Buffer {
  return createHash(hash).update(bytes).digest()
}

function hexes(elements: readonly Buffer[]): string[] {
  return elements.map((element) => element.toString('hex')).toSorted()
}
