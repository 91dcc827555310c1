import { strict as assert } from 'node:assert'
import { createHash } from 'node:crypto'
import type {
  AdesSignature,
  ConformanceLevel,
  EnvelopeProperty,
  ProofSources,
  SignatureParameters,
  SignedProperty,
} from '../../../src/documents/ades.js'
import { Pades } from '../../../src/documents/pades/pades.js'
import type { PdfAppearance } from '../../../src/documents/pades/pdf-appearance.js'
import { TimestampUnavailableError, UnfitDocumentError } from '../../../src/errors.js'
import {
  HASH_ALGORITHMS,
  type HashName,
  type KeyAlgorithm,
  type SignatureAlgorithm,
  type SignatureScheme,
} from '../../../src/keys/algorithms.js'
import { signedAttributes, unsignedAttributes } from '../../support/cms.js'
import { onePagePdf, pdfsig, qpdf, qpdfCheck, signaturesIn } from '../../support/pdf-files.js'
import { SigningPki } from '../../support/signing-pki.js'

const SIGNING_TIME = new Date('2026-11-22T10:11:12.345Z')
const DOCUMENT = onePagePdf()
const LEVELS: readonly ConformanceLevel[] = ['B-B', 'B-T', 'B-LT', 'B-LTA']
const ALGORITHMS: readonly [KeyAlgorithm, SignatureScheme, HashName][] = [
  ['p-384', 'ecdsa', 'sha384'],
  ['rsa-2048', 'rsa-pkcs1', 'sha256'],
  ['rsa-2048', 'rsa-pss', 'sha512'],
]
const OIDS = {
  signingTime: '1.2.840.113549.1.9.5',
  signingCertificateV2: '1.2.840.113549.1.9.16.2.47',
  signatureTimestamp: '1.2.840.113549.1.9.16.2.14',
  commitmentType: '1.2.840.113549.1.9.16.2.16',
}

/** A signature dictionary that somebody put there, as far as restrictions go. */
const signatureWith = (method: string, parameters: string) =>
  `<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/ByteRange[0 1 2 3]/Contents<00>/Reference[<</Type/SigRef/TransformMethod/${method}/TransformParams<</Type/TransformParams/V/1.2${parameters}>>>>]>>`
const FIELD = '/Type/Annot/Subtype/Widget/FT/Sig/P 3 0 R/F 132'

describe('PAdES', () => {
  const pades = new Pades({ largestBytes: 200_000 })
  let pki: SigningPki
  before(() => (pki = new SigningPki()))
  after(() => pki.close())

  describe('at each level', () => {
    for (const level of LEVELS) {
      it(`leaves the document as it was and appends a valid signature at ${level} (S62)`, async () => {
        const { bytes, holdsDocument, validationInfo } = await sign(DOCUMENT, { level })
        assert.equal(holdsDocument, true)
        assert.equal(validationInfo, null)
        assert.deepEqual(bytes.subarray(0, DOCUMENT.length), DOCUMENT)
        assert.equal(qpdfCheck(bytes), '')
        const [first] = pdfsig(bytes)
        assert.equal(first?.type, 'ETSI.CAdES.detached')
        assert.equal(first.verdict, 'Signature is Valid.')
        const [{ cms, covered }] = signaturesIn(bytes) as [ReturnType<typeof signaturesIn>[0]]
        assert.deepEqual(pki.opensslCms(cms, covered), covered)
        const hasToken = unsignedAttributes(cms).has(OIDS.signatureTimestamp)
        assert.equal(hasToken, level !== 'B-B')
      })
    }

    it('covers the whole file at B-B and B-T', async () => {
      for (const level of ['B-B', 'B-T'] as const) {
        const { bytes } = await sign(DOCUMENT, { level })
        assert.equal(pdfsig(bytes)[0]?.isTotal, true)
        assert.equal(signaturesIn(bytes)[0]?.coversFile, true)
      }
    })

    it('stores certificates, OCSP responses and CRLs at B-LT, by signature and for all', async () => {
      const { bytes } = await sign(DOCUMENT, { level: 'B-LT' })
      const store = storeOf(bytes)
      assert.match(store, /\/Certs \[(?:\d+ 0 R ?){4,}\]/)
      assert.match(store, /\/OCSPs \[\d+ 0 R \d+ 0 R\]/)
      assert.match(store, /\/CRLs \[\d+ 0 R\]/)
      const contents = /\/Contents <([0-9a-f]+)>/.exec(bytes.toString('latin1'))?.[1] ?? ''
      const key = createHash('sha1').update(Buffer.from(contents, 'hex')).digest('hex')
      assert.ok(store.includes(`/${key.toUpperCase()} `))
    })

    it('does not store a second time what is stored already', async () => {
      const first = await sign(DOCUMENT, { level: 'B-LT' })
      const second = await sign(first.bytes, { level: 'B-LT' })
      const entries = (pdf: Buffer) => /\/Certs \[([^\]]*)\]/.exec(storeOf(pdf))?.[1]?.split('R')
      assert.equal(entries(second.bytes)?.length, entries(first.bytes)?.length)
      assert.equal(storeOf(second.bytes).match(/\/[0-9A-F]{40} /g)?.length, 2)
    })

    it('puts a document time-stamp over all of it at B-LTA', async () => {
      const { bytes } = await sign(DOCUMENT, { level: 'B-LTA' })
      const [, timestamp] = signaturesIn(bytes)
      assert.ok(timestamp?.coversFile)
      const digest = createHash('sha256').update(timestamp.covered).digest()
      assert.ok(pki.opensslTimestamp(timestamp.cms, digest))
      assert.match(
        bytes.toString('latin1'),
        /\/Type \/DocTimeStamp\n[^]*\/SubFilter \/ETSI.RFC3161/,
      )
    })

    it('fails, and keeps nothing back, when no timestamp can be had (S105)', async () => {
      const timestamp = () => Promise.reject(new TimestampUnavailableError('down'))
      const sources = {
        timestamp,
        validationData: (list: readonly Buffer[]) => pki.validationData(list),
      }
      await assert.rejects(sign(DOCUMENT, { level: 'B-T' }, sources), TimestampUnavailableError)
    })

    it('refuses a timestamp that has no room', async () => {
      const timestamp = () => Promise.resolve(Buffer.alloc(40_000, 0x30))
      const sources = {
        timestamp,
        validationData: (list: readonly Buffer[]) => pki.validationData(list),
      }
      await assert.rejects(sign(DOCUMENT, { level: 'B-T' }, sources), {
        kind: 'timestamp-unavailable',
      })
    })
  })

  for (const [key, scheme, hash] of ALGORITHMS) {
    it(`signs with ${key}, ${scheme} and ${hash}`, async () => {
      const { bytes } = await sign(DOCUMENT, { key, algorithm: algorithmOf(scheme, hash) })
      const [{ cms, covered }] = signaturesIn(bytes) as [ReturnType<typeof signaturesIn>[0]]
      assert.deepEqual(pki.opensslCms(cms, covered), covered)
    })
  }

  it('has the certificate but not the time of signing among the signed attributes', async () => {
    const { bytes } = await sign(DOCUMENT)
    const attributes = signedAttributes(signaturesIn(bytes)[0]?.cms ?? Buffer.alloc(0))
    assert.ok(attributes.has(OIDS.signingCertificateV2))
    assert.ok(!attributes.has(OIDS.signingTime))
    assert.match(bytes.toString('latin1'), /\/M \(D:20261122101112Z\)/)
  })

  it('prepares the same bytes each time, encrypted or not', async () => {
    const parameters = parametersOf({ appearance: { rect: RECT, text: 'Ada' } })
    for (const document of [DOCUMENT, qpdf(DOCUMENT, '--encrypt', '', 'owner', '256', '--')]) {
      const one = await pades.prepareDocument(document, parameters)
      const other = await pades.prepareDocument(document, parameters)
      assert.deepEqual(one.toBeSigned, other.toBeSigned)
    }
  })

  it('is found out when a byte before, in or behind the signature changes', async () => {
    const { bytes } = await sign(DOCUMENT)
    const places = [bytes.indexOf('ten euros'), bytes.indexOf('/SubFilter') + 15, bytes.length - 30]
    for (const place of places) {
      const tampered = Buffer.from(bytes)
      tampered.writeUInt8(tampered.readUInt8(place) ^ 1, place)
      assert.notEqual(pdfsig(tampered)[0]?.verdict, 'Signature is Valid.')
      const [found] = signaturesIn(tampered)
      assert.ok(!found || pki.opensslCms(found.cms, found.covered) === null)
    }
  })

  describe('what is said beside the signature', () => {
    it('takes texts as Base64 and as they are', async () => {
      const { bytes } = await sign(DOCUMENT, {
        signedProperties: [
          { name: 'Reason', value: Buffer.from('Zustimmung für Zoë').toString('base64') },
          { name: 'Location', value: 'Test' },
          { name: 'ContactInfo', value: 'ada@example.org' },
          { name: 'Name', value: null },
        ],
      })
      const text = bytes.toString('latin1')
      assert.match(text, /\/Reason \(Zustimmung f\xfcr Zo\xeb\)/)
      assert.match(text, /\/Location \(Test\)/)
      assert.match(text, /\/ContactInfo \(ada@example.org\)/)
      assert.match(text, /\/Name \(signer p-256\)/)
    })

    it('puts attributes of the CMS into the CMS', async () => {
      const value = '1.2.840.113549.1.9.16.6.1'
      const { bytes } = await sign(DOCUMENT, {
        signedProperties: [{ name: 'commitment-type-indication', value }],
      })
      const attributes = signedAttributes(signaturesIn(bytes)[0]?.cms ?? Buffer.alloc(0))
      assert.ok(attributes.has(OIDS.commitmentType))
    })

    it('takes a commitment or a reason, but not both', () => {
      const commitment = { name: '1.2.840.113549.1.9.16.2.16', value: 'proofOfApproval' }
      const reason = { name: 'Reason', value: 'I agree' }
      assert.deepEqual(pades.unfitProperties([commitment]), [])
      assert.deepEqual(pades.unfitProperties([commitment, reason]), [commitment.name])
    })

    it('names the properties that a PDF cannot carry', () => {
      const properties = [
        { name: 'Reason', value: null },
        { name: 'Location', value: 'Berlin' },
        { name: 'Location', value: 'Bonn' },
        { name: 'ContactInfo', value: 'a\u0000b' },
        { name: 'mime-type', value: 'text/plain' },
        { name: 'signing-time', value: null },
        { name: 'commitment-type-indication', value: 'none' },
      ]
      assert.deepEqual(pades.unfitProperties(properties), [
        ...['Reason', 'Location', 'ContactInfo', 'mime-type', 'signing-time'],
        'commitment-type-indication',
      ])
    })
  })

  describe('earlier signatures', () => {
    it('stay valid, whatever follows them', async () => {
      let { bytes } = await sign(DOCUMENT, { envelope: 'Certification' })
      for (const level of LEVELS) bytes = (await sign(bytes, { level })).bytes
      const verdicts = pdfsig(bytes).map(({ verdict }) => verdict)
      assert.deepEqual(verdicts.slice(0, 5), Array(5).fill('Signature is Valid.'))
      assert.equal(qpdfCheck(bytes), '')
    })

    it('are no reason to refuse another after a certification that allows it', async () => {
      const { bytes } = await sign(DOCUMENT, { envelope: 'Certification' })
      assert.match(bytes.toString('latin1'), /\/TransformMethod \/DocMDP[^]*\/P 2/)
      assert.match(bytes.toString('latin1'), /\/Perms <<\n\/DocMDP \d+ 0 R/)
      await sign(bytes, { envelope: 'Revision' })
    })

    it('keep a document from being certified', async () => {
      const signed = await sign(DOCUMENT)
      await refuses(signed.bytes, { envelope: 'Certification' }, /signed already/)
      const certified = await sign(DOCUMENT, { envelope: 'Certification' })
      await refuses(certified.bytes, { envelope: 'Certification' }, /certified already/)
    })

    for (const catalog of ['/Perms<</DocMDP 6 0 R>>', '']) {
      it(`forbid more once certified as final, ${catalog ? 'with' : 'without'} an entry in the catalog`, async () => {
        const final = onePagePdf({
          catalog: `${catalog}/AcroForm<</Fields[5 0 R]/SigFlags 3>>`,
          objects: {
            5: `<<${FIELD}/T(one)/Rect[0 0 0 0]/V 6 0 R>>`,
            6: signatureWith('DocMDP', '/P 1'),
          },
        })
        await refuses(final, {}, /certified as final/)
      })
    }

    it('are no reason to refuse another after a certification that does not say what it allows', async () => {
      const certified = onePagePdf({
        catalog: '/AcroForm<</Fields[5 0 R]/SigFlags 3>>',
        objects: {
          5: `<<${FIELD}/T(one)/Rect[0 0 0 0]/V 6 0 R>>`,
          6: signatureWith('DocMDP', ''),
        },
      })
      await sign(certified)
    })

    for (const lock of ['/Action/Include/Fields[(two)]', '/Action/Exclude/Fields[(three)]']) {
      it(`lock the fields they say they lock: ${lock}`, async () => {
        const locked = onePagePdf({
          catalog: '/AcroForm<</Fields[5 0 R 7 0 R 8 0 R]/SigFlags 3>>',
          objects: {
            5: `<<${FIELD}/T(one)/Rect[0 0 0 0]/V 6 0 R>>`,
            6: signatureWith('FieldMDP', lock),
            7: `<<${FIELD}/T(two)/Rect[0 0 0 0]>>`,
            8: `<<${FIELD}/T(three)/Rect[0 0 0 0]>>`,
          },
        })
        await refuses(locked, { appearance: { fieldName: 'two' } }, /locks the field "two"/)
        await sign(locked, { appearance: { fieldName: 'three' } })
      })
    }

    it('lock everything where their field says so', async () => {
      const locked = onePagePdf({
        catalog: '/AcroForm<</Fields[5 0 R]/SigFlags 3>>',
        objects: {
          5: `<<${FIELD}/T(one)/Rect[0 0 0 0]/V 6 0 R/Lock<</Type/SigFieldLock/Action/All/P 1>>>>`,
          6: '<</Type/Sig/Filter/Adobe.PPKLite>>',
        },
      })
      await refuses(locked, {}, /locks the PDF/)
    })
  })

  describe('the shapes a PDF comes in', () => {
    const SHAPES: Readonly<Record<string, readonly string[]>> = {
      'object streams': ['--object-streams=generate'],
      linearised: ['--linearize'],
      'linearised with object streams': ['--linearize', '--object-streams=generate'],
      'encrypted by RC4, 128 bits': [
        '--allow-weak-crypto',
        '--encrypt',
        '',
        'owner',
        '128',
        '--use-aes=n',
        '--',
      ],
      'encrypted by AES, 128 bits': [
        '--allow-weak-crypto',
        '--encrypt',
        '',
        'owner',
        '128',
        '--use-aes=y',
        '--',
      ],
      'encrypted by AES, 256 bits': ['--encrypt', '', 'owner', '256', '--'],
      'encrypted, with object streams': [
        '--object-streams=generate',
        '--encrypt',
        '',
        'owner',
        '256',
        '--',
      ],
    }
    for (const [shape, options] of Object.entries(SHAPES)) {
      it(`signs one: ${shape}`, async () => {
        const document = qpdf(DOCUMENT, ...options)
        const signedProperties = [{ name: 'Reason', value: 'Approval of it' }]
        const appearance = { rect: RECT, text: 'Ada' }
        const { bytes } = await sign(document, { level: 'B-LTA', signedProperties, appearance })
        assert.deepEqual(bytes.subarray(0, document.length), document)
        assert.equal(qpdfCheck(bytes), '')
        assert.equal(pdfsig(bytes)[0]?.verdict, 'Signature is Valid.')
        assert.equal(bytes.includes('Approval of it'), !shape.startsWith('encrypted'))
        const plain = qpdf(bytes, '--decrypt', '--qdf').toString('latin1')
        assert.match(plain, /\/Reason \(Approval of it\)/)
      })
    }

    it('signs one with both a table and a stream of cross-references', async () => {
      const hybrid = hybridPdf()
      const { bytes } = await sign(hybrid)
      assert.equal(pdfsig(bytes)[0]?.verdict, 'Signature is Valid.')
      assert.equal(qpdfCheck(bytes), '')
    })

    it('signs one whose cross-reference stream has fields of eight octets, as pyHanko writes', async () => {
      const document = withWideFields(onePagePdf(), 8)
      assert.equal(qpdfCheck(document), '')
      const { bytes } = await sign(document)
      assert.equal(pdfsig(bytes)[0]?.verdict, 'Signature is Valid.')
      assert.equal(qpdfCheck(bytes), '')
      const beyond = withWideFields(onePagePdf(), 8, '01')
      await refuses(beyond, {}, /a cross-reference leads out of it/)
    })

    it('keeps the entries of the trailer', async () => {
      const document = onePagePdf({
        trailer: '/Info 5 0 R/ID[<01><02>]',
        objects: { 5: '<</Title(T)>>' },
      })
      const { bytes } = await sign(document)
      const trailer = bytes.toString('latin1').split('trailer').at(-1) ?? ''
      assert.match(trailer, /\/Info 5 0 R/)
      assert.match(trailer, /\/ID \[<01> <[0-9A-Fa-f]{32}>\]/)
      assert.doesNotMatch(trailer, /<02>/)
    })
  })

  describe('fields', () => {
    const form = onePagePdf({
      catalog: '/AcroForm 5 0 R',
      page: '/Annots 9 0 R',
      objects: {
        5: '<</Fields[6 0 R 7 0 R]/DR<<>>>>',
        6: '<</T(parties)/FT/Sig/Kids[8 0 R]>>',
        7: '<</Type/Annot/Subtype/Widget/FT/Tx/T(city)/Rect[10 10 60 20]/P 3 0 R>>',
        8: `<</Type/Annot/Subtype/Widget/Parent 6 0 R/T(buyer)/Rect[100 100 250 150]/P 3 0 R/F 4>>`,
        9: '[7 0 R 8 0 R]',
      },
    })

    it('signs an empty one by its full name, and shows something in it', async () => {
      const { bytes } = await sign(form, { appearance: { fieldName: 'parties.buyer' } })
      assert.equal(pdfsig(bytes)[0]?.verdict, 'Signature is Valid.')
      assert.equal(qpdfCheck(bytes), '')
      const revision = bytes.subarray(form.length).toString('latin1')
      assert.match(revision, /\n8 0 obj\n[^]*\/V \d+ 0 R[^]*\/AP <</)
      assert.doesNotMatch(revision, /\n3 0 obj/)
      await refuses(bytes, { appearance: { fieldName: 'parties.buyer' } }, /signed already/)
    })

    it('makes one of a new name, listed in the form and on the page', async () => {
      const { bytes } = await sign(form, { appearance: { fieldName: 'Seller' } })
      const revision = bytes.subarray(form.length).toString('latin1')
      const [, field] = /\n(\d+) 0 obj\n<<[^>]*\/T \(Seller\)/.exec(revision) ?? []
      assert.match(revision, new RegExp(`/Fields \\[6 0 R 7 0 R ${field} 0 R\\]`))
      assert.match(revision, new RegExp(`\\[7 0 R 8 0 R ${field} 0 R\\]`))
    })

    it('gives what is not seen an appearance of nothing, which PDF/A-1 wants, but no time-stamp', async () => {
      const { bytes } = await sign(form, { level: 'B-LTA' })
      const appended = qpdf(bytes, '--qdf', '--').toString('latin1')
      const widgets = appended.split(/\bendobj\b/).filter((one) => one.includes('/Rect [\n    0\n'))
      const shown = widgets.map((one) => one.includes('/AP <<'))
      assert.deepEqual(shown, [true, false])
    })

    it('refuses those that are not for signatures, and names no field can have', async () => {
      await refuses(form, { appearance: { fieldName: 'city' } }, /not for signatures/)
      await refuses(form, { appearance: { fieldName: 'parties.seller' } }, /No new field/)
      await refuses(form, { appearance: { fieldName: '' } }, /No new field/)
      await refuses(form, { appearance: { fieldName: 'parties.buyer', page: 1 } }, /its place/)
    })

    it('locks what the maker of the field wanted locked', async () => {
      const document = onePagePdf({
        catalog: '/AcroForm<</Fields[5 0 R]>>',
        objects: {
          5: `<<${FIELD}/T(one)/Rect[0 0 0 0]/Lock<</Type/SigFieldLock/Action/Include/Fields[(two)]>>>>`,
        },
      })
      const { bytes } = await sign(document, { appearance: { fieldName: 'one' } })
      assert.match(
        bytes.toString('latin1'),
        /\/FieldMDP[^]*\/Action \/Include\n\/Fields \[\(two\)\][^]*\/Data 1 0 R/,
      )
      await refuses(bytes, { appearance: { fieldName: 'two' } }, /locks the field "two"/)
    })

    it('permits no more than the lock of the field does, as certification and otherwise', async () => {
      const lock = '/Lock<</Type/SigFieldLock/Action/Include/Fields[(two)]/P 1>>'
      const document = onePagePdf({
        catalog: '/AcroForm<</Fields[5 0 R]>>',
        objects: { 5: `<<${FIELD}/T(one)/Rect[0 0 0 0]${lock}>>` },
      })
      for (const envelope of ['Certification', 'Revision'] as const) {
        const { bytes } = await sign(document, { envelope, appearance: { fieldName: 'one' } })
        const said = bytes.toString('latin1').matchAll(/TransformMethod \/(\w+)[^>]*?\/P (\d)/g)
        const permissions = [...said].map(([, method, permission]) => [method, permission])
        const field = ['FieldMDP', '1']
        assert.deepEqual(permissions, envelope === 'Revision' ? [field] : [['DocMDP', '1'], field])
        await refuses(bytes, {}, /no further/)
      }
    })

    it('keeps the box of what the field showed, in whatever order its corners are', async () => {
      const document = onePagePdf({
        catalog: '/AcroForm<</Fields[5 0 R]>>',
        objects: {
          5: `<<${FIELD}/T(one)/Rect[10 10 90 40]/AP<</N 6 0 R>>>>`,
          6: '<</Type/XObject/Subtype/Form/BBox[0 30 80 0]/Length 0>>\nstream\n\nendstream',
        },
      })
      const { bytes } = await sign(document, { appearance: { fieldName: 'one' } })
      const appended = bytes.subarray(document.length).toString('latin1')
      assert.match(appended, /\/BBox \[0 30 80 0\]/)
    })

    it('heeds what the maker of the field demands of the signature', async () => {
      const demanding = (seed: string) =>
        onePagePdf({
          catalog: '/AcroForm<</Fields[5 0 R]>>',
          objects: { 5: `<<${FIELD}/T(one)/Rect[0 0 0 0]/SV<</Type/SV${seed}>>>>` },
        })
      const appearance = { fieldName: 'one' }
      await refuses(
        demanding('/Ff 2/SubFilter[/adbe.pkcs7.detached]'),
        { appearance },
        /of the kind/,
      )
      await refuses(
        demanding('/Ff 64/DigestMethod[(SHA512)]'),
        { appearance },
        /the hash algorithm/,
      )
      await refuses(demanding('/Ff 8/Reasons[(I agree)]'), { appearance }, /the reason "I agree"/)
      await refuses(
        demanding('/Cert<</Ff 1/Subject[<00>]>>'),
        { appearance },
        /certain certificates/,
      )
      await sign(demanding('/SubFilter[/adbe.pkcs7.detached]'), { appearance })
      await sign(demanding('/Ff 8/Reasons[(I agree)]'), {
        appearance,
        signedProperties: [{ name: 'Reason', value: 'I agree' }],
      })
      await sign(demanding('/Ff 8/Reasons[(.)]'), { appearance })
      const REFUSED = {
        '/Ff 1/Filter/Entrust.PPKEF': /the signature handler "Entrust.PPKEF"/,
        '/Ff 4/V 4': /of a version that is not known/,
        '/Ff 32/AddRevInfo true': /revocation data: AdES-B-LT/,
        '/Ff 128/LockDocument/true': /locks the document/,
        '/Ff 256/AppearanceFilter(Logo)': /the appearance "Logo"/,
        '/TimeStamp<</URL(http://tsa)/Ff 1>>': /a timestamp: AdES-B-T/,
        '/MDP<</P 2>>': /a certification/,
      }
      for (const [seed, why] of Object.entries(REFUSED)) {
        await refuses(demanding(seed), { envelope: 'Revision', appearance }, why)
      }
      for (const seed of ['/Ff 8', '/Ff 8/Reasons[(.)]']) {
        const signedProperties = [{ name: 'Reason', value: 'I agree' }]
        await refuses(demanding(seed), { appearance, signedProperties }, /no reason/)
      }
      await refuses(
        demanding('/MDP<</P 0>>'),
        { envelope: 'Certification', appearance },
        /no certification/,
      )
    })

    it('certifies with what the maker of the field wants permitted', async () => {
      for (const [seed, permission] of [
        ['/MDP<</P 3>>', 3],
        ['/MDP<</P 1>>/Ff 128/LockDocument/true', 1],
      ] as const) {
        const document = onePagePdf({
          catalog: '/AcroForm<</Fields[5 0 R]>>',
          objects: { 5: `<<${FIELD}/T(one)/Rect[0 0 0 0]/SV<</Type/SV${seed}>>>>` },
        })
        const { bytes } = await sign(document, {
          ...{ envelope: 'Certification', appearance: { fieldName: 'one' } },
        })
        assert.match(bytes.toString('latin1'), new RegExp(`/DocMDP[^>]*/P ${permission}\\b`))
      }
    })

    it('leaves out of what nobody asked to be shown what cannot be', async () => {
      const signedProperties = [
        { name: 'Reason', value: '\u8CDB\u6210' },
        { name: 'Location', value: 'Oulu' },
      ]
      for (const [rect, shows] of [
        ['100 100 250 150', 3],
        ['100 100 102 102', 0],
      ] as const) {
        const document = onePagePdf({
          catalog: '/AcroForm<</Fields[5 0 R]>>',
          objects: { 5: `<<${FIELD}/T(one)/Rect[${rect}]>>` },
        })
        const appearance = { fieldName: 'one' }
        const { bytes } = await sign(document, { appearance, signedProperties })
        assert.equal(pdfsig(bytes)[0]?.verdict, 'Signature is Valid.')
        assert.equal(qpdfCheck(bytes), '')
        const lines =
          qpdf(bytes, '--qdf', '--')
            .toString('latin1')
            .match(/> Tj T\*/g) ?? []
        assert.equal(lines.length, shows)
        await refuses(document, { appearance: { ...appearance, text: '\u8CDB' } }, /U\+8CDB/)
      }
    })
  })

  describe('a digest computed by somebody else', () => {
    const covered = Buffer.from('what the byte range takes in')
    const digest = createHash('sha256').update(covered).digest()

    it('becomes a CMS signature over it', async () => {
      const { bytes, holdsDocument, validationInfo } = await signDigest('B-T')
      assert.equal(holdsDocument, false)
      assert.equal(validationInfo, null)
      assert.deepEqual(pki.opensslCms(bytes, covered), covered)
      assert.ok(unsignedAttributes(bytes).has(OIDS.signatureTimestamp))
      assert.ok(!signedAttributes(bytes).has(OIDS.signingTime))
    })

    it('comes with what a security store needs at B-LT', async () => {
      const { validationInfo } = await signDigest('B-LT')
      assert.equal(validationInfo?.ocspResponses.length, 2)
      assert.equal(validationInfo.crls.length, 1)
    })

    async function signDigest(level: ConformanceLevel): Promise<AdesSignature> {
      const parameters = parametersOf({ level })
      const prepared = await pades.prepareDigest(digest, parameters)
      const value = pki.signer('p-256').sign(prepared.toBeSigned, parameters.algorithm)
      return prepared.complete(value, pki)
    }
  })

  describe('refuses, saying why', () => {
    const REFUSED: Readonly<Record<string, [Buffer, RegExp]>> = {
      'something else than a PDF': [Buffer.from('I owe you ten euros.'), /not a PDF/],
      nothing: [Buffer.alloc(0), /not a PDF/],
      'a PDF cut off in the middle': [DOCUMENT.subarray(0, 400), /damaged/],
      'cross-references that are elsewhere': [moved(DOCUMENT), /damaged/],
      'a password': [qpdf(DOCUMENT, '--encrypt', 'user', 'owner', '256', '--'), /needs a password/],
      'protection against changes': [
        qpdf(DOCUMENT, '--encrypt', '', 'owner', '256', '--modify=none', '--'),
        /protected against changes/,
      ],
      'a form that is XFA only': [
        onePagePdf({ catalog: '/AcroForm<</Fields[]/XFA(xdp)>>' }),
        /XFA/,
      ],
      'a form that is rendered from XFA': [
        onePagePdf({
          catalog: '/NeedsRendering true/AcroForm<</Fields[5 0 R]/XFA(xdp)>>',
          objects: { 5: '<</FT/Tx/T(city)>>' },
        }),
        /XFA/,
      ],
      'a PDF without pages': [
        onePagePdf({ objects: { 2: '<</Type/Pages/Kids[]/Count 0>>' } }),
        /no pages/,
      ],
      'a PDF without a catalog': [onePagePdf({ objects: { 1: '[]' } }), /damaged/],
      'more than is taken': [
        onePagePdf({ objects: { 5: `(${'x'.repeat(200_000)})` } }),
        /larger than/,
      ],
    }
    for (const [what, [document, reason]] of Object.entries(REFUSED)) {
      it(what, () => refuses(document, {}, reason))
    }
  })

  const RECT = { x: 20, y: 30, width: 120, height: 40 }

  interface Signing {
    readonly level?: ConformanceLevel
    readonly envelope?: EnvelopeProperty
    readonly key?: KeyAlgorithm
    readonly algorithm?: SignatureAlgorithm
    readonly signedProperties?: readonly SignedProperty[]
    readonly appearance?: PdfAppearance
  }

  function parametersOf({ key = 'p-256', ...given }: Signing): SignatureParameters {
    return {
      ...{ level: 'B-B', envelope: 'Revision', algorithm: algorithmOf('ecdsa', 'sha256') },
      ...{ signatory: pki.signer(key), signingTime: SIGNING_TIME, signedProperties: [] },
      referenceUri: null,
      ...given,
    }
  }

  async function sign(
    document: Buffer,
    signing: Signing = {},
    sources: ProofSources = pki,
  ): Promise<AdesSignature> {
    const parameters = parametersOf(signing)
    const { toBeSigned, complete } = bound(await pades.prepareDocument(document, parameters))
    const signer = pki.signer(signing.key ?? 'p-256')
    return complete(signer.sign(toBeSigned, parameters.algorithm), sources)
  }

  async function refuses(document: Buffer, signing: Signing, reason: RegExp): Promise<void> {
    await assert.rejects(pades.prepareDocument(document, parametersOf(signing)), (error) => {
      assert.ok(error instanceof UnfitDocumentError)
      assert.match(error.message, reason)
      return true
    })
  }
})

function bound(prepared: Awaited<ReturnType<Pades['prepareDocument']>>) {
  const { toBeSigned } = prepared
  return { toBeSigned, complete: prepared.complete.bind(prepared) }
}

function algorithmOf(scheme: SignatureScheme, hash: HashName): SignatureAlgorithm {
  const facts = HASH_ALGORITHMS[hash]
  return { scheme, hash: facts, ...(scheme === 'rsa-pss' ? { saltLength: facts.bytes } : {}) }
}

/** The security store and its entries, as text, strings and streams unpacked. */
function storeOf(pdf: Buffer): string {
  const text = pdf.toString('latin1')
  return text.slice(text.lastIndexOf('/Type /DSS'))
}

function moved(pdf: Buffer): Buffer {
  return Buffer.from(pdf.toString('latin1').replace(/startxref\n\d+/, 'startxref\n17'), 'latin1')
}

/** The object that says what the page says stands in the stream alone. @see ISO 32000-1, 7.5.8.4 */
function hybridPdf(): Buffer {
  const extra = { 5: '<</Title(hybrid)>>' }
  const plain = onePagePdf({ objects: extra, trailer: '/Info 5 0 R' }).toString('latin1')
  const table = plain.indexOf('xref\n0')
  const offset = plain.indexOf('5 0 obj')
  const row = Buffer.from([1, offset >> 8, offset & 0xff, 0])
  const stream = [
    `6 0 obj\n<</Type/XRef/Size 7/W[1 2 1]/Index[5 1]/Root 1 0 R/Length ${row.length}>>\nstream\n`,
    row.toString('latin1'),
    '\nendstream\nendobj\n',
  ].join('')
  const hidden = `${String(offset).padStart(10, '0')} 00000 n`
  const rest = plain
    .slice(table)
    .replace(hidden, '0000000000 65535 f')
    .replace('/Info', `/XRefStm ${table}/Info`)
    .replace(/startxref\n\d+/, `startxref\n${table + stream.length}`)
  return Buffer.from(plain.slice(0, table) + stream + rest, 'latin1')
}

/**
 * A file with a stream behind it that takes the place of its cross-reference table.
 * @param octets of each offset @param highest the first of them, hexadecimal
 */
function withWideFields(pdf: Buffer, octets: number, highest = '00'): Buffer {
  const text = pdf.toString('latin1')
  const rows = [...text.matchAll(/^(\d{10}) 00000 n/gm)].map(([, offset]) => Number(offset))
  const row = (offset: number, first = '00') =>
    `01${first}${offset.toString(16).padStart(2 * octets - 2, '0')}0000`
  const all = [...rows.map((offset) => row(offset)), row(pdf.length, highest)]
  const data = Buffer.from(`00${'00'.repeat(octets)}ffff${all.join('')}`, 'hex').toString('latin1')
  const size = all.length + 1
  const entries = `/Type/XRef/W[1 ${octets} 2]/Size ${size}/Root 1 0 R/Length ${data.length}`
  const stream = `${size - 1} 0 obj\n<<${entries}>>\nstream\n${data}\nendstream\nendobj\n`
  return Buffer.from(`${text}${stream}startxref\n${pdf.length}\n%%EOF\n`, 'latin1')
}
