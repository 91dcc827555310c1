import { strict as assert } from 'node:assert'
import { createHash } from 'node:crypto'
import type { SignatureParameters, SignedProperty } from '../../../src/documents/ades.js'
import { readXades } from '../../../src/documents/xades/xades-reader.js'
import { Xades } from '../../../src/documents/xades/xades.js'
import { UnfitSignedPropertiesError } from '../../../src/errors.js'
import { HASH_ALGORITHMS } from '../../../src/keys/algorithms.js'
import { SigningPki } from '../../support/signing-pki.js'
import { xmlsecVerifies } from '../../support/xmlsec.js'

const DOCUMENT = Buffer.from('<a xmlns="urn:a">x</a>')
const ALGORITHM = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 } as const
const XADES = 'http://uri.etsi.org/01903/v1.3.2#'

const FIT: Readonly<Record<string, string>> = {
  SignerRoleV2: x(
    'SignerRoleV2',
    '<x:ClaimedRoles><x:ClaimedRole>Überprüferin</x:ClaimedRole></x:ClaimedRoles>',
  ),
  SignatureProductionPlaceV2: x(
    'SignatureProductionPlaceV2',
    '<x:City>Köln</x:City><x:StreetAddress>Am Dom 1</x:StreetAddress><x:CountryName>DE</x:CountryName>',
  ),
  CommitmentTypeIndication: x(
    'CommitmentTypeIndication',
    '<x:CommitmentTypeId><x:Identifier>http://uri.etsi.org/01903/v1.2.2#ProofOfApproval</x:Identifier>' +
      '</x:CommitmentTypeId><x:AllSignedDataObjects/>',
  ),
  SignaturePolicyIdentifier: x('SignaturePolicyIdentifier', '<x:SignaturePolicyImplied/>'),
}

const UNFIT: Readonly<Record<string, SignedProperty>> = {
  'one that nobody knows': { name: 'Colour', value: base64('<a/>') },
  'one of another format': { name: 'Reason', value: 'because' },
  'a name that objects have by nature': { name: 'constructor', value: base64('<a/>') },
  'one that we cannot compute': { name: 'SignerRoleV2', value: null },
  'one that we compute, with a value': { name: 'SigningTime', value: '2020-01-01T00:00:00Z' },
  'an empty text': { name: 'SignerRoleV2', value: '' },
  'a text where none has a meaning': { name: 'SignaturePolicyIdentifier', value: 'ours' },
  'XML that is not well-formed': { name: 'SignerRoleV2', value: base64('<x:SignerRoleV2>') },
  'another element': property('SignerRoleV2', FIT['SignatureProductionPlaceV2']),
  'the element of another namespace': property(
    'SignerRoleV2',
    FIT['SignerRoleV2']?.replace(XADES, 'http://uri.etsi.org/01903/v1.1.1#'),
  ),
  'children that it does not have': property(
    'SignerRoleV2',
    x('SignerRoleV2', '<x:City>Köln</x:City>'),
  ),
  'no children': property('SignerRoleV2', x('SignerRoleV2', '')),
  'text between its children': property(
    'SignatureProductionPlaceV2',
    x('SignatureProductionPlaceV2', 'in <x:City>Köln</x:City>'),
  ),
  'an element in no namespace': property(
    'SignerRoleV2',
    x('SignerRoleV2', '<x:ClaimedRoles><x:ClaimedRole><b/></x:ClaimedRole></x:ClaimedRoles>'),
  ),
  'a document type declaration': property('SignerRoleV2', `<!DOCTYPE a>${FIT['SignerRoleV2']}`),
  'the same identifier twice': property(
    'SignatureProductionPlaceV2',
    x('SignatureProductionPlaceV2', '<x:City Id="c" id="c">Köln</x:City>'),
  ),
  'a reference to what is not ours': property(
    'CommitmentTypeIndication',
    x(
      'CommitmentTypeIndication',
      '<x:CommitmentTypeId><x:Identifier>urn:x</x:Identifier></x:CommitmentTypeId>' +
        '<x:ObjectReference>other.xml#x</x:ObjectReference>',
    ),
  ),
  'a commitment to nothing': property(
    'CommitmentTypeIndication',
    x(
      'CommitmentTypeIndication',
      '<x:CommitmentTypeId><x:Identifier>urn:x</x:Identifier></x:CommitmentTypeId>',
    ),
  ),
  'a commitment without an identifier': property(
    'CommitmentTypeIndication',
    x('CommitmentTypeIndication', '<x:CommitmentTypeId/><x:AllSignedDataObjects/>'),
  ),
  'children in another order': property(
    'SignatureProductionPlaceV2',
    x('SignatureProductionPlaceV2', '<x:CountryName>DE</x:CountryName><x:City>Köln</x:City>'),
  ),
  'a policy without a digest': property(
    'SignaturePolicyIdentifier',
    x(
      'SignaturePolicyIdentifier',
      '<x:SignaturePolicyId><x:SigPolicyId><x:Identifier>urn:x</x:Identifier></x:SigPolicyId></x:SignaturePolicyId>',
    ),
  ),
  'a control character in a text': { name: 'SignerRoleV2', value: 'a\u0001b' },
  'more than a megabyte': { name: 'SignerRoleV2', value: 'x'.repeat(1024 * 1024 + 1) },
  'a commitment that is no URI': { name: 'CommitmentTypeIndication', value: 'I promise' },
}

describe('XAdES, signed properties', () => {
  const xades = new Xades()
  let pki: SigningPki
  before(() => (pki = new SigningPki()))
  after(() => pki.close())

  for (const [name, element] of Object.entries(FIT)) {
    it(`signs ${name} as it was sent, as Base64 and as it is`, async () => {
      for (const value of [
        base64(element),
        base64(`\ufeff<?xml version="1.0"?>\n${element}`),
        element,
      ]) {
        const signed = await sign([{ name, value }])
        assert.ok(signed.includes(element))
        assert.ok(readXades(signed).signatures[0]?.signedPropertyNames.includes(name))
        assert.ok(xmlsecVerifies(signed, { root: pki.read('root.pem') }))
      }
    })
  }

  it('takes plain text, or Base64 of it, for a role, a place and a commitment', async () => {
    const signed = await sign([
      { name: 'SignerRoleV2', value: 'Überprüferin & <Chefin>' },
      { name: 'SignatureProductionPlaceV2', value: base64('Köln') },
      { name: 'CommitmentTypeIndication', value: base64('proofOfApproval') },
      { name: 'CommitmentTypeIndication', value: '1.2.840.113549.1.9.16.6.1' },
    ])
    const text = signed.toString()
    assert.match(text, /<xades:ClaimedRole>Überprüferin &amp; &lt;Chefin&gt;<\/xades:ClaimedRole>/)
    assert.match(text, /<xades:City>Köln<\/xades:City>/)
    assert.match(text, /01903\/v1\.2\.2#ProofOfApproval<\/xades:Identifier>/)
    assert.match(text, /"OIDAsURN">urn:oid:1\.2\.840\.113549\.1\.9\.16\.6\.1</)
    assert.ok(xmlsecVerifies(signed, { root: pki.read('root.pem') }))
  })

  it('puts them in the order of the schema, not in that of the request', async () => {
    const names = [
      ...['CommitmentTypeIndication', 'SignerRoleV2', 'SignatureProductionPlaceV2'],
      'SignaturePolicyIdentifier',
    ]
    const signed = await sign(names.map((name) => property(name, FIT[name])))
    assert.deepEqual(readXades(signed).signatures[0]?.signedPropertyNames, [
      ...['SigningTime', 'SigningCertificateV2', 'SignaturePolicyIdentifier'],
      ...[
        'SignatureProductionPlaceV2',
        'SignerRoleV2',
        'DataObjectFormat',
        'CommitmentTypeIndication',
      ],
    ])
  })

  it('takes the names of what every signature has anyway, without a value', async () => {
    const names = ['SigningTime', 'SigningCertificateV2', 'DataObjectFormat']
    const signed = await sign(names.map((name) => ({ name, value: null })))
    assert.deepEqual(readXades(signed).signatures[0]?.signedPropertyNames, names)
  })

  for (const [name, unfit] of Object.entries(UNFIT)) {
    it(`names ${name}, and signs nothing`, async () => {
      const fit = { name: 'SignatureProductionPlaceV2', value: 'Köln' }
      const properties = unfit.name === fit.name ? [unfit] : [fit, unfit]
      assert.deepEqual(xades.unfitProperties(properties), [unfit.name])
      await refuses(sign(properties), unfit.name)
    })
  }

  it('names what may be there once and is there twice', () => {
    const role = { name: 'SignerRoleV2', value: 'Chefin' }
    assert.deepEqual(xades.unfitProperties([role, role]), ['SignerRoleV2'])
  })

  describe('timestamps that came with the request', () => {
    const canonical = '<a xmlns="urn:a">x</a>'

    it('are signed when they are over this document, and get their own proof', async () => {
      const all = await timestamp('AllDataObjectsTimeStamp', canonical)
      const one = await timestamp('IndividualDataObjectsTimeStamp', canonical, 'sha512')
      const signed = await sign([all, one], { level: 'B-LT' })
      const [signature] = readXades(signed).signatures
      assert.deepEqual(
        signature?.timestamps.map(({ kind, imprintMatches }) => [kind, imprintMatches]),
        [
          ['AllDataObjectsTimeStamp', true],
          ['IndividualDataObjectsTimeStamp', true],
          ['SignatureTimeStamp', true],
        ],
      )
      // The one that names a reference decides what it is called.
      assert.equal(signature.references[0]?.id, 'document')
      assert.ok(xmlsecVerifies(signed, { root: pki.read('root.pem') }))
    })

    it('are refused when they are over another, or are no timestamps', async () => {
      const name = 'AllDataObjectsTimeStamp'
      await refuses(sign([await timestamp(name, '<a xmlns="urn:a">y</a>')]), name)
      const element = x(
        name,
        `<x:EncapsulatedTimeStamp>${base64('token')}</x:EncapsulatedTimeStamp>`,
      )
      await refuses(sign([property(name, element)]), name)
    })

    it('are refused when the name that they give is taken', async () => {
      const name = 'IndividualDataObjectsTimeStamp'
      const document = Buffer.from('<a xmlns="urn:a" Id="document">x</a>')
      const over = await timestamp(name, document.toString())
      await refuses(sign([over], { document }), name)
    })

    async function timestamp(
      name: string,
      over: string,
      hash: 'sha256' | 'sha512' = 'sha256',
    ): Promise<SignedProperty> {
      const digest = createHash(hash).update(over).digest()
      const token = await pki.timestamp(digest, HASH_ALGORITHMS[hash])
      const isIndividual = name.startsWith('Individual')
      const include = isIndividual ? '<x:Include URI="#document" referencedData="true"/>' : ''
      const encapsulated = `<x:EncapsulatedTimeStamp>${token.toString('base64')}</x:EncapsulatedTimeStamp>`
      return property(name, x(name, include + encapsulated))
    }
  })

  async function sign(
    signedProperties: readonly SignedProperty[],
    { document = DOCUMENT, level = 'B-B' }: Wishes = {},
  ): Promise<Buffer> {
    const signer = pki.signer('p-256')
    const prepared = await xades.prepareDocument(document, {
      ...{ level, signedProperties },
      envelope: 'Enveloped',
      algorithm: ALGORITHM,
      signatory: signer,
      signingTime: new Date('2026-11-22T10:11:12Z'),
      referenceUri: null,
    })
    const value = signer.sign(prepared.toBeSigned, ALGORITHM)
    return (await prepared.complete(value, pki)).bytes
  }
})

interface Wishes {
  readonly document?: Buffer
  readonly level?: SignatureParameters['level']
}

/** A property of XAdES under a prefix that is not ours. */
function x(name: string, content: string): string {
  return `<x:${name} xmlns:x="${XADES}">${content}</x:${name}>`
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}

function property(name: string, element = ''): SignedProperty {
  return { name, value: base64(element) }
}

async function refuses(signing: Promise<unknown>, name: string): Promise<void> {
  await assert.rejects(signing, (error: unknown) => {
    assert.ok(error instanceof UnfitSignedPropertiesError)
    assert.equal(error.message, `Invalid parameter signed_props (${name})`)
    return true
  })
}
