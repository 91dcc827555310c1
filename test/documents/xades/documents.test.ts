import { strict as assert } from 'node:assert'
import type { SignatureParameters, SignedProperty } from '../../../src/documents/ades.js'
import { readXades } from '../../../src/documents/xades/xades-reader.js'
import { Xades } from '../../../src/documents/xades/xades.js'
import {
  OverloadedError,
  UnfitDocumentError,
  UnfitSignedPropertiesError,
} from '../../../src/errors.js'
import { HASH_ALGORITHMS } from '../../../src/keys/algorithms.js'
import { SigningPki } from '../../support/signing-pki.js'
import { xmlsecVerifies } from '../../support/xmlsec.js'

const UTF8_MARK = Buffer.from('efbbbf', 'hex')
const ALGORITHM = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 } as const

/** Documents as people have them, and the bytes of the tag in front of which a signature comes. */
const DOCUMENTS: Readonly<Record<string, readonly [document: Buffer, endTag: Buffer]>> = {
  'no declaration': [Buffer.from('<a>x</a>'), Buffer.from('</a>')],
  'a byte order mark': [Buffer.concat([UTF8_MARK, Buffer.from('<a>ä</a>')]), Buffer.from('</a>')],
  'ISO-8859-1': [
    Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?>\r\n<a t="ä">ö</a>', 'latin1'),
    Buffer.from('</a>'),
  ],
  'US-ASCII': [
    Buffer.from("<?xml version='1.0' encoding='us-ascii'?><a>&#228;</a>"),
    Buffer.from('</a>'),
  ],
  'UTF-16, little end first': [
    Buffer.from('\ufeff<?xml version="1.0" encoding="UTF-16"?><ä>€</ä>', 'utf16le'),
    Buffer.from('</ä>', 'utf16le'),
  ],
  'UTF-16, big end first': [
    Buffer.from('\ufeff<?xml version="1.0"?><a>€\u{1f600}</a>', 'utf16le').swap16(),
    Buffer.from('</a>', 'utf16le').swap16(),
  ],
  'a default namespace': [
    Buffer.from('<a xmlns="urn:a"><b xmlns=""/><c xmlns="urn:c" d="e"/></a>'),
    Buffer.from('</a>'),
  ],
  'prefixes, one of them ours for something else': [
    Buffer.from('<ds:a xmlns:ds="urn:a" xmlns:xades="urn:b" xades:c="d"><e xmlns="urn:e"/></ds:a>'),
    Buffer.from('</ds:a>'),
  ],
  'comments, instructions, CDATA and white space everywhere': [
    Buffer.from(
      '<?xml version="1.0"?>\r\n<!-- <a> --><?p <a> ?>\n<a\n  b = "1"\tc=\'2"&#10;3\'\n>' +
        '\t<![CDATA[</a>]]>\r\n<!-- </a> --> &lt;&amp;&#x20AC; <?p </a>?></a \n>\n<!-- </a> --><?q </a>?>\n\n',
    ),
    Buffer.from('</a \n>'),
  ],
  'identifiers of all kinds': [
    Buffer.from('<a Id="x" xml:id="y" ID="x" id="z"><b id="z"/></a>'),
    Buffer.from('</a>'),
  ],
  'names like the end of a comment': [Buffer.from('<a-->x<a--/></a-->'), Buffer.from('</a-->')],
  'an inherited language and base': [
    Buffer.from('<a xml:lang="de" xml:base="http://x/" xml:space="preserve"> <b/> </a>'),
    Buffer.from('</a>'),
  ],
}

const WITHOUT_CONTENT: readonly [document: string, opened: string][] = [
  ['<a/>', '<a></a>'],
  ['<a />\n', '<a ></a>\n'],
  ['<n:a xmlns:n="urn:n" b="/>"/><!--/>-->', '<n:a xmlns:n="urn:n" b="/>"></n:a><!--/>-->'],
]

const UNFIT: Readonly<Record<string, Buffer | string>> = {
  nothing: '',
  text: 'I owe you ten euros.',
  'an end that is missing': '<a>',
  'two roots': '<a/><b/>',
  'text behind the root': '<a/>x',
  'an attribute twice': '<a b="1" b="2"/>',
  'an attribute twice by namespace': '<a xmlns:p="urn:x" xmlns:q="urn:x" p:b="1" q:b="2"/>',
  'a prefix that nobody declared': '<p:a/>',
  'a name space that is relative': '<a xmlns="relative"/>',
  'a name space of which libraries make different things': '<a xmlns="http://x/?a=1&amp;b=2"/>',
  'a document type declaration': '<!DOCTYPE a><a/>',
  'a document type declaration elsewhere': '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
  'an external entity': '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>',
  'entities of entities':
    '<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;"><!ENTITY d "&c;&c;">]><a>&d;</a>',
  'an entity that nobody declared': '<a>&nbsp;</a>',
  'a control character': '<a>\u0001</a>',
  'a reference to one': '<a>&#1;</a>',
  'XML 1.1': '<?xml version="1.1"?><a>&#1;</a>',
  'an encoding that nobody knows': '<?xml version="1.0" encoding="UTF-7"?><a/>',
  'an encoding with many characters in one byte':
    '<?xml version="1.0" encoding="EBCDIC-CP-US"?><a/>',
  'a mark that contradicts the declaration': Buffer.concat([
    UTF8_MARK,
    Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?><a/>'),
  ]),
  'UTF-16 without a mark': Buffer.from('<?xml version="1.0"?><a/>', 'utf16le'),
  'a declaration of UTF-16 in ASCII': '<?xml version="1.0" encoding="UTF-16"?><a/>',
  'an odd byte in UTF-16': Buffer.concat([Buffer.from('\ufeff<a/>', 'utf16le'), Buffer.from('\n')]),
  'half a character': Buffer.from('<a>\ufffd</a>'.replace('\ufffd', '\u00e4'), 'latin1'),
  'half of a pair': Buffer.from([0xff, 0xfe, ...Buffer.from('<a>\ud800</a>', 'utf16le')]),
  'a longer form of a character': Buffer.from('3c613ec1813c2f613e', 'hex'),
  'bytes that are no ASCII': Buffer.from(
    '<?xml version="1.0" encoding="us-ascii"?><a>ä</a>',
    'latin1',
  ),
  'a signature alone': '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/>',
  'elements in elements in elements': '<a>'.repeat(250) + '</a>'.repeat(250),
  'attributes without end': `<a ${attributes(300)}/>`,
  'a PDF': '%PDF-1.7\n%âãÏÓ\n',
}

describe('XAdES, enveloped', () => {
  const xades = new Xades({ threads: { milliseconds: 120_000 } })
  let pki: SigningPki
  before(() => (pki = new SigningPki()))
  after(() => pki.close())

  for (const [name, [document, endTag]] of Object.entries(DOCUMENTS)) {
    it(`signs a document with ${name}, and leaves its bytes alone`, async () => {
      const signed = await sign(document)
      const at = signed.lastIndexOf(
        endTag,
        signed.length - (document.length - document.lastIndexOf(endTag)),
      )
      assert.deepEqual(signed.subarray(at), document.subarray(document.lastIndexOf(endTag)))
      const before = document.subarray(0, document.lastIndexOf(endTag))
      assert.deepEqual(signed.subarray(0, before.length), before)
      assert.ok(xmlsec(signed))
    })
  }

  for (const [document, opened] of WITHOUT_CONTENT) {
    it(`opens the root of ${document.trim()}`, async () => {
      const signed = (await sign(Buffer.from(document))).toString()
      assert.equal(signed.replace(/<ds:Signature .*<\/ds:Signature>/, ''), opened)
      assert.ok(xmlsec(Buffer.from(signed)))
    })
  }

  it('is for verifiers, too, that know no transform but enveloped-signature', async () => {
    const [, transforms = ''] = /<ds:Transforms>(.*?)<\/ds:Transforms>/.exec(
      (await sign(Buffer.from('<a>x</a>'))).toString(),
    ) ?? ['']
    const [first = '', another] = transforms.split('/TR/1999/REC-xpath-19991116')
    assert.match(first, /xmldsig#enveloped-signature/)
    assert.ok(another)
  })

  it('puts characters that the encoding lacks as references', async () => {
    const document = Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?><a>ä</a>', 'latin1')
    const signed = await sign(document, { role: 'Ředitel für 😀' })
    assert.ok(signed.includes(Buffer.from('&#x158;editel für &#x1F600;', 'latin1')))
    assert.ok(xmlsec(signed))
    const [signature] = readXades(signed).signatures
    assert.ok(signature?.propertiesAreSigned)
  })

  it('lets several signatures stand side by side, whatever comes later', async () => {
    const document = Buffer.from('<a xmlns="urn:a">x<b/></a>')
    const first = await sign(document, { level: 'B-LTA' })
    const second = await sign(first)
    const third = await sign(second, { level: 'B-T' })
    const { signatures } = readXades(third)
    assert.equal(new Set(signatures.map(({ id }) => id)).size, 3)
    for (const [index, { references, timestamps }] of signatures.entries()) {
      assert.ok(references.every(({ digestMatches }) => digestMatches === true))
      assert.ok(timestamps.every(({ imprintMatches }) => imprintMatches === true))
      assert.ok(xmlsec(third, index + 1))
    }
    assert.ok(third.toString().startsWith('<a xmlns="urn:a">x<b/><ds:Signature '))
  })

  it('refuses to break a signature that leaves no room for others', async () => {
    const signed = await sign(Buffer.from('<a>x</a>'), { transforms: ENVELOPED_TRANSFORM })
    assert.ok(readXades(signed).signatures[0]?.references[0]?.digestMatches)
    await assert.rejects(sign(signed), (error: Error) => {
      assert.ok(error instanceof UnfitDocumentError)
      assert.match(error.message, /covers all of it/)
      return true
    })
  })

  it('does the same where its hash is not accepted here, or it is not understood', async () => {
    const room = (await sign(Buffer.from('<a>x</a>'))).toString()
    const noRoom = await sign(Buffer.from('<a>x</a>'), { transforms: ENVELOPED_TRANSFORM })
    const sha1 = (text: string) => text.replace(/2001\/04\/xmlenc#sha256/, '2000/09/xmldsig#sha1')
    const xslt = noRoom.toString().replace(/2000\/09\/xmldsig#enveloped-signature/, '1999/XSL')
    assert.equal(readXades(Buffer.from(sha1(room))).signatures[0]?.references[0]?.hash, null)
    await sign(Buffer.from(sha1(room)))
    for (const [text, why] of [
      [sha1(noRoom.toString()), /covers all of it/],
      [xslt, /is not followed here/],
      [`<a><ds:Signature xmlns:ds="${DSIG}"/></a>`, /at \/a\[1\]\/Signature\[1\] is none/],
    ] as const) {
      await assert.rejects(sign(Buffer.from(text)), (error: Error) => {
        assert.ok(error instanceof UnfitDocumentError)
        assert.match(error.message, why)
        return true
      })
    }
  })

  for (const [name, document] of Object.entries(UNFIT)) {
    it(`refuses ${name} (S61)`, async () => {
      await assert.rejects(sign(Buffer.from(document as string)), UnfitDocumentError)
    })
  }

  it('says so where a document is something else, or in another encoding', async () => {
    const latin9 = Buffer.from('<?xml version="1.0" encoding="ISO-8859-15"?><a/>')
    for (const [document, why] of [
      [Buffer.from('%PDF-1.7\n%\xe2\xe3', 'latin1'), 'The document is not XML'],
      [Buffer.from('PK\x03\x04\0\0'), 'The document is not XML'],
      [latin9, 'XML in the character encoding "ISO-8859-15" is not signed: send it as UTF-8'],
      [Buffer.from('<a>\xe4</a>', 'latin1'), 'The XML has bytes that are no characters in utf-8'],
    ] as const) {
      await assert.rejects(sign(document), new UnfitDocumentError(why))
    }
  })

  describe('a large one', () => {
    const line = '<line n="1">ten euros &amp; more</line>\r\n'
    const document = Buffer.from(`<a xmlns="urn:a" Id="taken">${line.repeat(10_000)}</a>`)

    it('is prepared in a thread, with the same result', async () => {
      const signed = await sign(document, { level: 'B-LTA' })
      assert.deepEqual(signed.subarray(0, document.length - 4), document.subarray(0, -4))
      const [signature] = readXades(signed).signatures
      assert.ok(signature)
      assert.ok(signature.references.every(({ digestMatches }) => digestMatches === true))
      assert.ok(signature.timestamps.every(({ imprintMatches }) => imprintMatches === true))
      assert.ok(xmlsec(signed))
    })

    it('is refused for the same reasons', async () => {
      const broken = Buffer.concat([document, Buffer.from('<a/>')])
      await assert.rejects(sign(broken), new UnfitDocumentError('The XML is not well-formed'))
      const name = 'SignatureProductionPlaceV2'
      const place = `<x:${name} xmlns:x="http://uri.etsi.org/01903/v1.3.2#" Id="taken"><x:City/></x:${name}>`
      const properties = [{ name, value: place }]
      await assert.rejects(sign(document, { properties }), new UnfitSignedPropertiesError([name]))
    })

    it('is given up when it takes too long, and has to wait when there are many', async () => {
      const hasty = new Xades({ threads: { milliseconds: 1, threads: 1, waiting: 0 } })
      const first = sign(document, { by: hasty })
      await assert.rejects(sign(document, { by: hasty }), OverloadedError)
      await assert.rejects(first, UnfitDocumentError)
    })
  })

  interface Wishes {
    readonly by?: Xades
    readonly properties?: readonly SignedProperty[]
    readonly role?: string
    readonly level?: SignatureParameters['level']
    /** Instead of ours. */
    readonly transforms?: string
  }

  async function sign(document: Buffer, wishes: Wishes = {}): Promise<Buffer> {
    const { role, level, transforms, by = xades, properties = [] } = wishes
    const signer = pki.signer('p-256')
    const prepared = await by.prepareDocument(document, {
      level: level ?? 'B-B',
      envelope: 'Enveloped',
      algorithm: ALGORITHM,
      signatory: signer,
      signingTime: new Date('2026-11-22T10:11:12Z'),
      signedProperties: role === undefined ? properties : [{ name: 'SignerRoleV2', value: role }],
      referenceUri: null,
    })
    const value = signer.sign(prepared.toBeSigned, ALGORITHM)
    const { bytes } = await prepared.complete(value, pki)
    if (transforms === undefined) return bytes
    return Buffer.from(bytes.toString().replace(/<ds:Transform .*?<\/ds:Transform>/, transforms))
  }

  function xmlsec(bytes: Buffer, signature = 1): boolean {
    return xmlsecVerifies(bytes, { root: pki.read('root.pem'), signature })
  }
})

const DSIG = 'http://www.w3.org/2000/09/xmldsig#'
const ENVELOPED_TRANSFORM =
  '<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>'

function attributes(count: number): string {
  return Array.from({ length: count }, (_, index) => `b${index}="1"`).join(' ')
}
