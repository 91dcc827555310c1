import { strict as assert } from 'node:assert'
import fc from 'fast-check'
import type { SignatureParameters } from '../../../src/documents/ades.js'
import { prepare } from '../../../src/documents/xades/prepared-signature.js'
import { enveloped } from '../../../src/documents/xades/subjects.js'
import { readXades } from '../../../src/documents/xades/xades-reader.js'
import { Xades } from '../../../src/documents/xades/xades.js'
import { ServiceError, UnfitDocumentError } from '../../../src/errors.js'
import { HASH_ALGORITHMS } from '../../../src/keys/algorithms.js'
import { mutated } from '../../support/mutated.js'
import { SigningPki } from '../../support/signing-pki.js'

const ALGORITHM = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 } as const
const DS = 'http://www.w3.org/2000/09/xmldsig#'
/** On a machine that has other things to do, too. */
const MOST_MILLISECONDS = 30_000

describe('XAdES, hostile input (S61, S64)', () => {
  const xades = new Xades()
  let pki: SigningPki
  let signed: Buffer
  before(async () => {
    pki = new SigningPki()
    const document = Buffer.from(
      '<a xmlns="urn:a" xmlns:b="urn:b" Id="x"><b:c d="&lt;">ä</b:c><!-- --></a>',
    )
    signed = await sign(document, 'B-LTA')
  })
  after(() => pki.close())

  it('reads or refuses whatever becomes of a signature, and never fails otherwise', () => {
    fc.assert(
      fc.property(mutated(signed), (bytes) => {
        const reading = readOrRefuse(bytes)
        const [own] = reading?.signatures ?? []
        // What still holds in full is what was signed.
        if (
          own?.propertiesAreSigned &&
          own.references.every(({ digestMatches }) => digestMatches)
        ) {
          assert.equal(reading?.signatures.length, 1)
        }
      }),
      { numRuns: 200 },
    )
  })

  it('signs or refuses any bytes', async () => {
    const pieces = fc.constantFrom(
      ...[
        '<a>',
        '</a>',
        '<a/>',
        '<!--',
        '-->',
        '<?x ?>',
        '<![CDATA[',
        ']]>',
        ' b="',
        '"',
        '&',
        '&#',
      ],
      ...[
        'xmlns=""',
        'xmlns:p="urn:p"',
        '<p:q',
        '>',
        '/>',
        '\r\n',
        '\ufeff',
        '<?xml version="1.0"?>',
      ],
      ...[`<ds:Signature xmlns:ds="${DS}">`, '</ds:Signature>', 'Id="x"', '\0', 'é', '𝄞'],
    )
    const texts = fc.array(pieces, { maxLength: 25 }).map((all) => Buffer.from(all.join('')))
    const documents = fc.oneof(
      texts,
      fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    )
    await fc.assert(
      fc.asyncProperty(documents, async (document) => {
        const prepared = await refused(xades.prepareDocument(document, parameters('Enveloped')))
        if (prepared !== null) assert.ok(prepared.toBeSigned.length > 0)
      }),
      { numRuns: 300 },
    )
  })

  it('signs any tree of elements, attributes, text, comments and namespaces', async () => {
    await fc.assert(
      fc.asyncProperty(xml(), async (document) => {
        const bytes = await sign(Buffer.from(document), 'B-B')
        const [signature] = readXades(bytes).signatures
        assert.ok(signature?.references.every(({ digestMatches }) => digestMatches === true))
        assert.equal(bytes.toString().replace(/<ds:Signature .*<\/ds:Signature>/s, ''), document)
      }),
      { numRuns: 60 },
    )
  })

  it('takes any properties, or names them', () => {
    const name = fc.constantFrom(
      ...['SignerRoleV2', 'CommitmentTypeIndication', 'AllDataObjectsTimeStamp', 'toString', ''],
      ...['SignaturePolicyIdentifier', 'IndividualDataObjectsTimeStamp', '__proto__'],
    )
    const value = fc.oneof(
      fc.constant(null),
      fc.string(),
      fc.base64String(),
      fc.string().map((text) => Buffer.from(`<${text}`).toString('base64')),
      fc.string().map((text) => `<a xmlns="http://uri.etsi.org/01903/v1.3.2#">${text}</a>`),
    )
    fc.assert(
      fc.property(fc.array(fc.record({ name, value }), { maxLength: 4 }), (properties) => {
        const names = xades.unfitProperties(properties)
        assert.ok(names.every((each) => properties.some(({ name }) => name === each)))
      }),
      { numRuns: 300 },
    )
  })

  const COSTLY: Readonly<Record<string, () => string>> = {
    'elements without end': () => `<a>${'<b/>'.repeat(60_000)}</a>`,
    'elements that never end': () => '<a>'.repeat(100_000),
    'attributes of one element': () =>
      `<a ${Array.from({ length: 50_000 }, (_, index) => `b${index}=""`).join(' ')}/>`,
    'namespaces of one element': () =>
      `<a ${Array.from({ length: 50_000 }, (_, index) => `xmlns:b${index}="urn:${index}"`).join(' ')}/>`,
    'namespaces of every element, one in the other': () => {
      const declared = (level: number) =>
        Array.from({ length: 250 }, (_, index) => {
          const prefix = `p${level}-${index}`
          return `xmlns:${prefix}="urn:${prefix}" ${prefix}:x=""`
        }).join(' ')
      const levels = Array.from({ length: 100 }, (_, level) => `<a ${declared(level)}>`)
      return levels.join('') + '<b/>'.repeat(100_000) + '</a>'.repeat(100)
    },
    'one text without end': () => `<a>${'x'.repeat(1_000_000)}</a>`,
    'one comment without end': () => `<a><!--${'x'.repeat(1_000_000)}--></a>`,
    'one name without end': () => `<${'x'.repeat(1_000_000)}/>`,
    'one attribute without end': () => `<a b="${'x'.repeat(1_000_000)}"/>`,
    'signatures without end': () => `<a>${`<ds:Signature xmlns:ds="${DS}"/>`.repeat(50_000)}</a>`,
    'signatures in signatures': () =>
      `<a>${`<ds:Signature xmlns:ds="${DS}">`.repeat(190)}${'</ds:Signature>'.repeat(190)}</a>`,
    'references without end': () => withReferences(150, 20_000, ''),
    'references by an inclusive canonicalisation': () =>
      withReferences(
        150,
        1000,
        Array.from({ length: 250 }, (_, index) => `xmlns:p${index}="urn:${index}"`).join(' '),
      ),
    'comments before the end': () =>
      `<a>${'<!-- </a> -->'.repeat(40_000)}</a>${'<!-- -->'.repeat(40_000)}`,
    'comments in a signature': () =>
      `<a>${signature(1).replace('<ds:SignedInfo>', `<ds:SignedInfo>${'<!-- -->'.repeat(40_000)}`)}</a>`,
    'instructions in a signature': () =>
      `<a>${signature(1).replace('<ds:SignedInfo>', `<ds:SignedInfo>${'<?p?>'.repeat(9000)}`)}</a>`,
    'instructions without end': () => `<a>${'<?p?>'.repeat(100_000)}</a>`,
    'objects of a signature': () =>
      `<a>${signature(1).replace('</ds:Signature>', `${'<ds:Object/>'.repeat(20_000)}</ds:Signature>`)}</a>`,
    'identifiers without end': () =>
      `<a>${Array.from({ length: 15_000 }, (_, index) => `<b Id="b${index}"/>`).join('')}${signature(50, '#b1')}</a>`,
    'entities of entities': () =>
      `<!DOCTYPE a [<!ENTITY b "${'b'.repeat(1000)}">${Array.from(
        { length: 50 },
        (_, index) => `<!ENTITY b${index} "${`&b${index ? index - 1 : ''};`.repeat(50)}">`,
      ).join('')}]><a>&b49;</a>`,
  }

  for (const [name, costly] of Object.entries(COSTLY)) {
    it(`does not lose its time over ${name}`, async () => {
      const bytes = Buffer.from(costly())
      const began = process.cpuUsage()
      readOrRefuse(bytes)
      await refused(prepareHere(bytes))
      const { user } = process.cpuUsage(began)
      assert.ok(user / 1000 < MOST_MILLISECONDS, `${user / 1000} ms`)
    })
  }

  function readOrRefuse(bytes: Buffer) {
    try {
      return readXades(bytes)
    } catch (error) {
      if (error instanceof UnfitDocumentError) return null
      throw error
    }
  }

  /** Without the thread that large documents get, whose time is its own. */
  async function prepareHere(document: Buffer) {
    await Promise.resolve()
    return prepare(enveloped(document, parameters('Enveloped')), parameters('Enveloped'))
  }

  async function refused<T>(preparing: Promise<T>): Promise<T | null> {
    try {
      return await preparing
    } catch (error) {
      if (error instanceof ServiceError) return null
      throw error
    }
  }

  function parameters(
    envelope: SignatureParameters['envelope'],
    level: SignatureParameters['level'] = 'B-B',
  ): SignatureParameters {
    return {
      ...{ envelope, level },
      algorithm: ALGORITHM,
      signatory: pki.signer('p-256'),
      signingTime: new Date('2026-11-22T10:11:12Z'),
      signedProperties: [],
      referenceUri: null,
    }
  }

  async function sign(document: Buffer, level: SignatureParameters['level']): Promise<Buffer> {
    const prepared = await xades.prepareDocument(document, parameters('Enveloped', level))
    const value = pki.signer('p-256').sign(prepared.toBeSigned, ALGORITHM)
    return (await prepared.complete(value, pki)).bytes
  }
})

/** A document with one signature that refers to all of it again and again. */
function withReferences(references: number, elements: number, attributes: string): string {
  return `<a ${attributes}>${'<b/>'.repeat(elements)}${signature(references)}</a>`
}

function signature(references: number, uri = ''): string {
  const reference =
    `<ds:Reference URI="${uri}"><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>` +
    '<ds:DigestValue>AAAA</ds:DigestValue></ds:Reference>'
  return (
    `<ds:Signature xmlns:ds="${DS}"><ds:SignedInfo>` +
    '<ds:CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>' +
    '<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>' +
    `${reference.repeat(references)}</ds:SignedInfo><ds:SignatureValue>AAAA</ds:SignatureValue>` +
    '</ds:Signature>'
  )
}

/** Well-formed documents of all kinds. */
function xml(): fc.Arbitrary<string> {
  const names = ['a', 'b', 'p:a', 'q:b', 'Signature', 'é', '_-.']
  const declarations = ['', ' xmlns="urn:d"', ' xmlns=""', ' xmlns:p="urn:x"', ' xmlns:q="urn:x"']
  const attributes = ['', ' c="&lt;&#10;"', " d='\"'", ' p:e="1"', ' xml:lang="de"', ' Id="i"']
  const leaf = fc.constantFrom(
    ...[
      '',
      'text',
      ' \n\t',
      '&amp;&#x1F600;',
      '<!-- c -->',
      '<?pi <x> ?>',
      '<![CDATA[<&]]>',
      '\r\n',
    ],
  )
  const { node } = fc.letrec<{ node: string }>((tie) => ({
    node: fc.oneof(
      { depthSize: 'small' },
      leaf,
      fc
        .tuple(
          fc.constantFrom(...names),
          fc.constantFrom(...declarations.slice(0, 3)),
          fc.constantFrom('', ...declarations.slice(3)),
          fc.subarray(attributes).map((all) => all.join('')),
          fc.array(tie('node'), { maxLength: 4 }),
        )
        .map(
          ([name, one, other, rest, content]) =>
            `<${name}${one}${other}${rest}>${content.join('')}</${name}>`,
        ),
    ),
  }))
  return fc
    .array(node, { maxLength: 5 })
    .map((all) => `<root xmlns:p="urn:p" xmlns:q="urn:q">${all.join('')}</root>`)
}
