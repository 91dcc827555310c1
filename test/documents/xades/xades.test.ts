import { strict as assert } from 'node:assert'
import { constants, createHash, verify, X509Certificate } from 'node:crypto'
import type {
  AdesSignature,
  ConformanceLevel,
  EnvelopeProperty,
  SignatureParameters,
} from '../../../src/documents/ades.js'
import { readXades } from '../../../src/documents/xades/xades-reader.js'
import { Xades } from '../../../src/documents/xades/xades.js'
import { InvalidParameterError, UnfitDocumentError } from '../../../src/errors.js'
import {
  HASH_ALGORITHMS,
  type HashName,
  type KeyAlgorithm,
  type SignatureAlgorithm,
  type SignatureScheme,
} from '../../../src/keys/algorithms.js'
import { readTimestampToken } from '../../../src/timestamping/timestamp-token.js'
import { SigningPki } from '../../support/signing-pki.js'
import { xmlsecVerifies } from '../../support/xmlsec.js'

const DOCUMENT = Buffer.from(
  '<?xml version="1.0" encoding="UTF-8"?>\n<invoice xmlns="urn:test:invoice"><total>10 €</total></invoice>\n',
)
const SIGNING_TIME = new Date('2026-11-22T10:11:12.345Z')
const ENVELOPES = ['Enveloped', 'Enveloping', 'Detached'] as const

const ALGORITHMS: readonly [KeyAlgorithm, SignatureScheme, HashName][] = [
  ['p-256', 'ecdsa', 'sha256'],
  ['p-256', 'ecdsa', 'sha512'],
  ['p-384', 'ecdsa', 'sha384'],
  ['p-521', 'ecdsa', 'sha512'],
  ['rsa-2048', 'rsa-pkcs1', 'sha256'],
  ['rsa-2048', 'rsa-pkcs1', 'sha384'],
  ['rsa-2048', 'rsa-pkcs1', 'sha512'],
  ['rsa-2048', 'rsa-pss', 'sha256'],
  ['rsa-2048', 'rsa-pss', 'sha384'],
  ['rsa-2048', 'rsa-pss', 'sha512'],
]

describe('XAdES', () => {
  const xades = new Xades()
  let pki: SigningPki
  before(() => (pki = new SigningPki()))
  after(() => pki.close())

  for (const [key, scheme, hash] of ALGORITHMS) {
    const algorithm = algorithmOf(scheme, hash)

    it(`signs with ${key}, ${scheme} and ${hash}, over what stands in SignedInfo`, async () => {
      const { bytes } = await sign(DOCUMENT, { key, algorithm })
      const [signature] = readXades(bytes).signatures
      assert.deepEqual(signature?.algorithm, algorithm)
      const { publicKey } = new X509Certificate(pki.signer(key).certificate)
      const padding = constants.RSA_PKCS1_PSS_PADDING
      const pss = scheme === 'rsa-pss' ? { padding, saltLength: algorithm.hash.bytes } : {}
      const { signedInfo, signatureValue } = signature
      assert.ok(verify(hash, signedInfo, { key: publicKey, ...pss }, signatureValue))
      // RFC 9231 methods for PSS are not known to every release of xmlsec1.
      if (scheme !== 'rsa-pss') assert.ok(xmlsec(bytes))
    })
  }

  it('names the algorithms by the URIs of RFC 9231', async () => {
    const methods = []
    for (const [key, scheme, hash] of [2, 6, 8].flatMap((index) =>
      ALGORITHMS.slice(index, index + 1),
    )) {
      const { bytes } = await sign(DOCUMENT, { key, algorithm: algorithmOf(scheme, hash) })
      methods.push(/<ds:SignatureMethod Algorithm="([^"]+)"/.exec(bytes.toString())?.[1])
    }
    assert.deepEqual(methods, [
      'http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384',
      'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512',
      'http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1',
    ])
  })

  for (const envelope of ENVELOPES) {
    describe(envelope, () => {
      it('verifies with xmlsec1, and not once the document was changed', async () => {
        const { bytes, holdsDocument } = await sign(DOCUMENT, { envelope })
        assert.equal(holdsDocument, envelope !== 'Detached')
        assert.ok(xmlsec(bytes))
        const changed = Buffer.from(DOCUMENT.toString().replace('10', '99'))
        if (envelope === 'Detached') assert.ok(!xmlsec(bytes, changed))
        else assert.ok(!xmlsec(exchanged(bytes, '10 €', '99 €')))
      })

      it('reaches each level, with timestamps over what the standard says', async () => {
        for (const level of ['B-T', 'B-LT', 'B-LTA'] as const) {
          const { bytes } = await sign(DOCUMENT, { envelope, level })
          assert.ok(xmlsec(bytes), level)
          const [signature] = readXades(bytes, { find: () => ({ bytes: DOCUMENT }) }).signatures
          assert.deepEqual(signature?.unsignedPropertyNames, PROPERTIES[level])
          const kinds = PROPERTIES[level].filter((name) => name.endsWith('TimeStamp'))
          assert.deepEqual(
            signature.timestamps.map(({ kind, imprintMatches }) => [kind, imprintMatches]),
            kinds.map((kind) => [kind, true]),
          )
        }
      })
    })
  }

  it('timestamps the canonical SignatureValue element', async () => {
    const { bytes } = await sign(DOCUMENT, { level: 'B-T' })
    const [element = '', id = '', value = ''] =
      /<ds:SignatureValue Id="([^"]+)">([^<]+)<\/ds:SignatureValue>/.exec(bytes.toString()) ?? []
    assert.notEqual(element, '')
    const canonical = `<ds:SignatureValue xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="${id}">${value}</ds:SignatureValue>`
    const [timestamp] = readXades(bytes).signatures[0]?.timestamps ?? []
    assert.ok(timestamp)
    const digest = createHash('sha256').update(canonical).digest()
    assert.deepEqual(readTimestampToken(timestamp.token).imprint, digest)
    assert.ok(pki.opensslTimestamp(timestamp.token, digest))
  })

  it('puts what proves the timestamp behind it, and nothing twice', async () => {
    const { bytes } = await sign(DOCUMENT, { level: 'B-LTA' })
    const [signature] = readXades(bytes).signatures
    assert.ok(signature)
    const { certificates, crls, ocspResponses } = signature.embedded
    const all = [...certificates, ...crls, ...ocspResponses].map((each) => each.toString('base64'))
    assert.equal(new Set(all).size, all.length)
    assert.ok(crls.length > 0 && ocspResponses.length > 1)
    assert.deepEqual(signature.embedded.certificates[0], pki.signer('p-256').certificate)
    assert.ok(!signature.keyInfoCertificates.some((each) => each.equals(pki.root)))
  })

  it('encloses any bytes, and their digest is the one that is signed', async () => {
    const document = Buffer.from('25504446002d312e00ff0a', 'hex')
    const { bytes } = await sign(document, { envelope: 'Enveloping' })
    const [reference] = readXades(bytes).signatures[0]?.references ?? []
    assert.deepEqual(reference?.content, document)
    assert.deepEqual(reference.covers, { kind: 'object' })
    const digest = createHash('sha256').update(document).digest('base64')
    assert.ok(bytes.includes(`<ds:DigestValue>${digest}</ds:DigestValue>`))
    assert.ok(xmlsec(bytes))
  })

  it('refers to a detached document by the URI that was asked for, or by none', async () => {
    const named = await sign(DOCUMENT, { envelope: 'Detached', referenceUri: 'a/b%20c.xml' })
    assert.equal(readXades(named.bytes).signatures[0]?.references[0]?.uri, 'a/b%20c.xml')
    const nameless = await sign(DOCUMENT, { envelope: 'Detached', referenceUri: null })
    assert.equal(readXades(nameless.bytes).signatures[0]?.references[0]?.uri, null)
  })

  it('makes the same detached signature from a digest as from the document', async () => {
    const unknown = Buffer.from('I owe you ten euros.\n')
    const parameters = parametersOf({ envelope: 'Detached' })
    const digest = createHash('sha256').update(unknown).digest()
    const fromDigest = await xades.prepareDigest(digest, parameters)
    const fromDocument = await xades.prepareDocument(unknown, parameters)
    assert.deepEqual(fromDigest.toBeSigned, fromDocument.toBeSigned)
  })

  it('prepares the same bytes each time, and others for anything that differs', async () => {
    const toBeSigned = async (document: Buffer, wishes: Wishes) =>
      (await xades.prepareDocument(document, parametersOf(wishes))).toBeSigned.toString('base64')
    for (const envelope of ENVELOPES) {
      const first = await toBeSigned(DOCUMENT, { envelope })
      assert.equal(await toBeSigned(DOCUMENT, { envelope }), first)
      const changed = exchanged(DOCUMENT, '10', '11')
      assert.notEqual(await toBeSigned(changed, { envelope }), first)
      assert.notEqual(await toBeSigned(DOCUMENT, { envelope, key: 'p-384' }), first)
    }
  })

  it('signs several files of a container in one signature', async () => {
    const files = [
      { name: 'a b/ä.txt', bytes: Buffer.from('one'), mediaType: 'text/plain' },
      { name: 'two.xml', bytes: DOCUMENT, mediaType: null },
    ]
    for (const level of ['B-B', 'B-LTA'] as const) {
      const { bytes, holdsDocument } = await complete(
        await xades.prepareContainer(files, parametersOf({ level })),
      )
      assert.equal(holdsDocument, false)
      assert.match(
        bytes.toString(),
        /^<\?xml [^>]*>\n<asic:XAdESSignatures xmlns:asic="http:\/\/uri\.etsi\.org\/02918\/v1\.2\.1#"><ds:Signature /,
      )
      const found: Record<string, Buffer | undefined> = {
        'a%20b/%C3%A4.txt': files[0]?.bytes,
        'two.xml': files[1]?.bytes,
      }
      const [signature] = readXades(bytes, {
        find: (uri) => ({ bytes: found[uri ?? ''] ?? Buffer.alloc(0) }),
      }).signatures
      assert.deepEqual(
        signature?.references.map(({ digestMatches }) => digestMatches),
        [true, true, true],
      )
      assert.ok(signature.timestamps.every(({ imprintMatches }) => imprintMatches === true))
      assert.equal(bytes.toString().split('<xades:DataObjectFormat').length, 3)
    }
  })

  it('refuses an archive timestamp over a document of which it has the digest alone', async () => {
    const parameters = parametersOf({ envelope: 'Detached', level: 'B-LTA' })
    await assert.rejects(xades.prepareDigest(Buffer.alloc(32), parameters), UnfitDocumentError)
  })

  it('refuses envelopes of other formats, and to envelop what is only a digest', async () => {
    for (const envelope of ['Attached', 'Parallel', 'Certification', 'Revision'] as const) {
      await refusesEnvelope(xades.prepareDocument(DOCUMENT, parametersOf({ envelope })))
    }
    for (const envelope of ['Enveloped', 'Enveloping'] as const) {
      await refusesEnvelope(xades.prepareDigest(Buffer.alloc(32), parametersOf({ envelope })))
    }
  })

  it('refuses references that lead nowhere, or back into the signature', async () => {
    for (const referenceUri of [
      '',
      '#id',
      'a b',
      'a"b',
      'ä',
      'http://[',
      'a\nb',
      'x'.repeat(3000),
    ]) {
      const parameters = parametersOf({ envelope: 'Detached', referenceUri })
      await assert.rejects(xades.prepareDocument(DOCUMENT, parameters), UnfitDocumentError)
    }
  })

  it('refuses to enclose what other tools could not read any more', async () => {
    const parameters = parametersOf({ envelope: 'Enveloping' })
    const document = Buffer.alloc(8_000_000)
    await assert.rejects(xades.prepareDocument(document, parameters), UnfitDocumentError)
  })

  interface Wishes {
    readonly key?: KeyAlgorithm
    readonly algorithm?: SignatureAlgorithm
    readonly envelope?: EnvelopeProperty
    readonly level?: ConformanceLevel
    readonly referenceUri?: string | null
  }

  function parametersOf(wishes: Wishes): SignatureParameters {
    return {
      level: wishes.level ?? 'B-B',
      envelope: wishes.envelope ?? 'Enveloped',
      algorithm: wishes.algorithm ?? algorithmOf('ecdsa', 'sha256'),
      signatory: pki.signer(wishes.key ?? 'p-256'),
      signingTime: SIGNING_TIME,
      signedProperties: [],
      referenceUri: wishes.referenceUri === undefined ? 'document.xml' : wishes.referenceUri,
    }
  }

  async function sign(document: Buffer, wishes: Wishes): Promise<AdesSignature> {
    const parameters = parametersOf(wishes)
    return complete(await xades.prepareDocument(document, parameters), wishes.key, parameters)
  }

  async function complete(
    prepared: Awaited<ReturnType<Xades['prepareDocument']>>,
    key: KeyAlgorithm = 'p-256',
    { algorithm }: SignatureParameters = parametersOf({}),
  ): Promise<AdesSignature> {
    const value = pki.signer(key).sign(prepared.toBeSigned, algorithm)
    return prepared.complete(value, pki)
  }

  function xmlsec(bytes: Buffer, document = DOCUMENT): boolean {
    return xmlsecVerifies(bytes, {
      root: pki.read('root.pem'),
      files: { 'document.xml': document },
    })
  }
})

const PROPERTIES = {
  'B-T': ['SignatureTimeStamp'],
  'B-LT': [
    'SignatureTimeStamp',
    'TimeStampValidationData',
    'CertificateValues',
    'RevocationValues',
  ],
  'B-LTA': [
    ...['SignatureTimeStamp', 'TimeStampValidationData', 'CertificateValues', 'RevocationValues'],
    'ArchiveTimeStamp',
  ],
} as const

async function refusesEnvelope(preparing: Promise<unknown>): Promise<void> {
  await assert.rejects(preparing, (error: unknown) => {
    assert.ok(error instanceof InvalidParameterError)
    assert.equal(error.parameter, 'signed_envelope_property')
    return true
  })
}

/** In plain text, or in what is enclosed as Base64. */
function exchanged(bytes: Buffer, old: string, replacement: string): Buffer {
  const text = bytes.toString()
  if (text.includes(old)) return Buffer.from(text.replace(old, replacement))
  return Buffer.from(
    text.replace(/(<ds:Object [^>]*>)([^<]+)/, (_, tag: string, content: string) => {
      const inside = Buffer.from(content, 'base64').toString().replace(old, replacement)
      return tag + Buffer.from(inside).toString('base64')
    }),
  )
}

function algorithmOf(scheme: SignatureScheme, name: HashName): SignatureAlgorithm {
  const hash = HASH_ALGORITHMS[name]
  return scheme === 'rsa-pss' ? { scheme, hash, saltLength: hash.bytes } : { scheme, hash }
}
