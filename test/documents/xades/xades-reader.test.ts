import { strict as assert } from 'node:assert'
import { execFileSync } from 'node:child_process'
import { createHash, verify, X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import {
  EXCLUSIVELY,
  EXCLUSIVE_CANONICALIZATION,
} from '../../../src/documents/xades/identifiers.js'
import { prepare } from '../../../src/documents/xades/prepared-signature.js'
import { transform } from '../../../src/documents/xades/signature-text.js'
import type { Subject } from '../../../src/documents/xades/subjects.js'
import {
  readXades,
  type XadesReading,
  type XadesSignature,
} from '../../../src/documents/xades/xades-reader.js'
import { Xades } from '../../../src/documents/xades/xades.js'
import { withTree } from '../../../src/documents/xades/xml-tree.js'
import { UnfitDocumentError } from '../../../src/errors.js'
import { HASH_ALGORITHMS } from '../../../src/keys/algorithms.js'
import { SigningPki } from '../../support/signing-pki.js'
import { xmlsecVerifies } from '../../support/xmlsec.js'

const ALGORITHM = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 } as const
const DOCUMENT = '<order xmlns="urn:order"><pay>10</pay></order>'
const DS = 'http://www.w3.org/2000/09/xmldsig#'

describe('reading XAdES', () => {
  let pki: SigningPki
  before(() => (pki = new SigningPki()))
  after(() => pki.close())

  it('tells what is covered, by whom and when', async () => {
    const [signature] = readXades(Buffer.from(await signed())).signatures
    assert.ok(signature)
    assert.equal(signature.path, '/order[1]/Signature[1]')
    assert.deepEqual(
      signature.references.map(({ covers, digestMatches }) => [covers, digestMatches]),
      [
        [{ kind: 'document' }, true],
        [{ kind: 'signed-properties' }, true],
      ],
    )
    const { certificate, chain } = pki.signer('p-256')
    assert.deepEqual(signature.signingCertificate, certificate)
    assert.deepEqual(signature.keyInfoCertificates, [certificate, chain[0]])
    assert.deepEqual(signature.signingTime, new Date('2026-11-22T10:11:12Z'))
    assert.deepEqual(signature.problems, [])
    assert.ok(holds(signature))
  })

  it('tells of a plain XML signature that nobody signed who signs', async () => {
    const xml = (await signed()).replace(/<ds:Object>.*<\/ds:Object>/, '')
    const [signature] = readXades(Buffer.from(xml)).signatures
    assert.equal(signature?.propertiesAreSigned, false)
    assert.equal(signature.signingCertificate, null)
    assert.notDeepEqual(signature.problems, [])
  })

  it('does not know what a detached signature is over, until it is told', async () => {
    const xml = await signed('Detached')
    const of = (reading: XadesReading) => reading.signatures[0]?.references[0]
    assert.equal(of(readXades(Buffer.from(xml)))?.digestMatches, null)
    const bytes = Buffer.from(DOCUMENT)
    const digest = createHash('sha256').update(bytes).digest()
    for (const found of [{ bytes }, { digest }]) {
      assert.equal(of(readXades(Buffer.from(xml), { find: () => found }))?.digestMatches, true)
    }
    for (const found of [{ bytes: Buffer.from('<order/>') }, { digest: Buffer.alloc(32) }]) {
      assert.equal(of(readXades(Buffer.from(xml), { find: () => found }))?.digestMatches, false)
    }
  })

  describe('of others', () => {
    const METHODS = [
      'http://www.w3.org/TR/2001/REC-xml-c14n-20010315',
      'http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments',
      'http://www.w3.org/2006/12/xml-c14n11',
      'http://www.w3.org/2006/12/xml-c14n11#WithComments',
      'http://www.w3.org/2001/10/xml-exc-c14n#',
      'http://www.w3.org/2001/10/xml-exc-c14n#WithComments',
    ]
    const TRANSFORMS: Readonly<Record<string, string>> = {
      'the enveloped-signature transform': transformOf(`${DS}enveloped-signature`),
      'the XPath of those that stand side by side': transformOf(
        'http://www.w3.org/TR/1999/REC-xpath-19991116',
        `<s:XPath xmlns:s="${DS}">not( ancestor-or-self::s:Signature )</s:XPath>`,
      ),
      'a filter that subtracts all signatures': transformOf(
        'http://www.w3.org/2002/06/xmldsig-filter2',
        '<XPath xmlns="http://www.w3.org/2002/06/xmldsig-filter2" Filter="subtract">/descendant::ds:Signature</XPath>',
      ),
      'a filter that subtracts this one': transformOf(
        'http://www.w3.org/2002/06/xmldsig-filter2',
        '<XPath xmlns="http://www.w3.org/2002/06/xmldsig-filter2" Filter="subtract">here()/ancestor::ds:Signature[1]</XPath>',
      ),
    }

    for (const [name, filter] of Object.entries(TRANSFORMS)) {
      it(`canonicalises like xmlsec1 behind ${name}`, () => {
        for (const method of METHODS) {
          const xml = xmlsecSigned(template('', filter + transformOf(method), method))
          const [signature] = readXades(xml).signatures
          assert.deepEqual(signature?.references[0]?.covers, { kind: 'document' })
          assert.equal(signature.references[0].digestMatches, true, method)
          assert.ok(valueVerifies(signature), method)
        }
      })
    }

    it('canonicalises one element like xmlsec1, where nothing names a method, too', () => {
      for (const transforms of ['', ...METHODS.map((method) => transformOf(method))]) {
        const xml = xmlsecSigned(template('#inner', transforms, METHODS[0] ?? ''))
        const [reference] = readXades(xml).signatures[0]?.references ?? []
        assert.deepEqual(reference?.covers, { kind: 'element', path: '/a[1]/b[2]' })
        assert.equal(reference.digestMatches, true, transforms)
      }
    })

    it('keeps the prefixes that exclusive canonicalisation is told of', () => {
      const list = `<InclusiveNamespaces xmlns="${EXCLUSIVE_CANONICALIZATION}" PrefixList="p #default"/>`
      const method = transformOf(EXCLUSIVE_CANONICALIZATION, list)
      const xml = xmlsecSigned(template('#inner', method, EXCLUSIVE_CANONICALIZATION))
      assert.equal(readXades(xml).signatures[0]?.references[0]?.digestMatches, true)
    })

    function template(uri: string, transforms: string, method: string): string {
      return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<!-- before --><?p q?>\n' +
        '<a xmlns="urn:a" xmlns:p="urn:p" xml:lang="de" z="1" p:y="&#9;2">\r\n<!-- in --><b/>' +
        '<b Id="inner" xml:space="preserve"><!-- c --><p:d/>t&lt;&#13;<![CDATA[<u>]]></b>' +
        `<ds:Signature xmlns:ds="${DS}"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="${method}"/>` +
        '<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"/>' +
        `<ds:Reference URI="${uri}">${transforms && `<ds:Transforms>${transforms}</ds:Transforms>`}` +
        '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue/>' +
        '</ds:Reference></ds:SignedInfo><ds:SignatureValue/><ds:KeyInfo><ds:X509Data/></ds:KeyInfo>' +
        '</ds:Signature>\n</a><!-- after -->\n'
      )
    }

    function xmlsecSigned(xml: string): Buffer {
      pki.signer('p-256')
      writeFileSync(pki.path('template.xml'), xml)
      const key = ['--privkey-pem', 'signer-p-256.key,signer-p-256.pem']
      const options = ['--sign', ...key, '--id-attr:Id', 'urn:a:b', '--output', 'signed.xml']
      execFileSync('xmlsec1', [...options, 'template.xml'], { cwd: pki.directory, stdio: 'pipe' })
      return readFileSync(pki.path('signed.xml'))
    }

    function transformOf(algorithm: string, content = ''): string {
      return `<ds:Transform Algorithm="${algorithm}">${content}</ds:Transform>`
    }
  })

  describe('that was tampered with', () => {
    const CHANGES: Readonly<Record<string, (xml: string) => string>> = {
      'another amount': (xml) => xml.replace('10', '99'),
      'another attribute': (xml) => xml.replace('<pay>', '<pay to="me">'),
      'another namespace': (xml) => xml.replace('urn:order', 'urn:other'),
      'something behind the signature': (xml) => xml.replace('</order>', '<pay>99</pay></order>'),
      'another root around it': (xml) => `<orders>${xml}<pay>99</pay></orders>`,
      'another time': (xml) => xml.replace(/(SigningTime>)2026/, '$12016'),
      'another digest of the signer': (xml) =>
        exchangedDigest(xml, /<xades:CertDigest>.*?<\/ds:DigestValue>/),
      'another digest': (xml) => exchangedDigest(xml, /<ds:Reference .*?<\/ds:DigestValue>/),
      'another method': (xml) => xml.replace('#ecdsa-sha256', '#ecdsa-sha512'),
      'another value': (xml) => xml.replace(/(<ds:SignatureValue [^>]*>)..../, '$1AAAA'),
      'no reference to the properties': (xml) =>
        xml.replace(/<ds:Reference Type=.*?<\/ds:Reference>/, ''),
    }

    for (const [name, change] of Object.entries(CHANGES)) {
      it(`does not hold with ${name}`, async () => {
        const xml = await signed()
        const changed = change(xml)
        assert.notEqual(changed, xml)
        assert.ok(isAccepted(xml))
        assert.ok(!isAccepted(changed))
      })
    }

    it('tells timestamps that are over something else', async () => {
      const one = await signed('Enveloped', 'B-LTA')
      const [, value = ''] =
        /(<xades141:ArchiveTimeStamp .*<\/xades141:ArchiveTimeStamp>)/.exec(one) ?? []
      const changes = [
        one.replace('<xades:RevocationValues>', '<xades:RevocationValues Id="new">'),
        one.replace('<ds:KeyInfo>', '<ds:KeyInfo Id="new">'),
        one
          .replace(value, '')
          .replace('<xades:SignatureTimeStamp', `${value}<xades:SignatureTimeStamp`),
        one.replace('</ds:Signature>', '<ds:Object>more</ds:Object></ds:Signature>'),
      ]
      assert.deepEqual(imprints(one), [true, true])
      for (const changed of changes) {
        assert.deepEqual(imprints(changed).toSorted(), [false, true])
      }
      const token = changes[0]?.replace(/(<xades:EncapsulatedTimeStamp>)[^<]+/, '$1AAAA') ?? ''
      assert.deepEqual(imprints(token), [false, false])
    })

    function imprints(xml: string) {
      const [signature] = readXades(Buffer.from(xml)).signatures
      return signature?.timestamps.map(({ imprintMatches }) => imprintMatches) ?? []
    }
  })

  describe('that was wrapped (S61)', () => {
    it('names the element that is covered, wherever it was moved', async () => {
      const xml = await signedPart()
      assert.deepEqual(coverage(xml), { kind: 'element', path: '/order[1]/pay[1]' })
      const [part = ''] = /<pay .*?<\/pay>/.exec(xml) ?? []
      const moved = xml.replace(part, `<pay>99</pay><old>${part}</old>`)
      assert.deepEqual(coverage(moved), { kind: 'element', path: '/order[1]/old[1]/pay[1]' })
      const inObject = xml
        .replace(part, '<pay>99</pay>')
        .replace('</ds:Signature>', `<ds:Object>${part}</ds:Object></ds:Signature>`)
      assert.deepEqual(coverage(inObject), { kind: 'object' })
    })

    const WRAPPINGS: Readonly<Record<string, (xml: string) => string>> = {
      'the identifier in front, once more': (xml) =>
        xml.replace('<pay ', '<pay Id="part">99</pay><pay '),
      'the identifier behind, once more': (xml) =>
        xml.replace('</order>', '<pay Id="part">99</pay></order>'),
      'the identifier under another name of such attributes': (xml) =>
        xml.replace('<pay ', '<pay xml:id="part">99</pay><pay '),
      'the identifier in lower case': (xml) => xml.replace('<pay ', '<pay id="part">99</pay><pay '),
      'the identifier on the signature': (xml) =>
        xml.replace('<ds:KeyInfo>', '<ds:KeyInfo Id="part">'),
      'an identifier that no element has': (xml) => xml.replace('Id="part"', 'name="part"'),
      'an identifier in another namespace': (xml) =>
        xml.replace('Id="part"', 'w:Id="part" xmlns:w="urn:w"'),
      'an XPointer': (xml) => xml.replace('URI="#part"', `URI="#xpointer(id('part'))"`),
      'an XPointer to everything': (xml) => xml.replace('URI="#part"', 'URI="#xpointer(/)"'),
      'an identifier that is an expression': (xml) =>
        xml.replace('URI="#part"', 'URI="#part&quot; or &quot;"'),
      'a second SignedInfo': (xml) => xml.replace(/(<ds:SignedInfo>.*<\/ds:SignedInfo>)/, '$1$1'),
      'a second SignedInfo behind an instruction': (xml) =>
        xml.replace(/(<ds:SignedInfo>.*<\/ds:SignedInfo>)/, '$1<?p?>$1'),
      'a second value': (xml) =>
        xml.replace(/(<ds:SignatureValue .*<\/ds:SignatureValue>)/, '$1<?p?>$1'),
      'a second DigestValue': (xml) =>
        xml.replace(/(<ds:DigestValue>.*?<\/ds:DigestValue>)/, '$1<?p?>$1'),
      'a comment in a digest': (xml) => xml.replace('<ds:DigestValue>', '<ds:DigestValue><!--x-->'),
      'an instruction in a digest': (xml) =>
        xml.replace('<ds:DigestValue>', '<ds:DigestValue><?x?>'),
      'an element in a digest': (xml) => xml.replace('<ds:DigestValue>', '<ds:DigestValue><x/>'),
      'a comment in the value': (xml) =>
        xml.replace('</ds:SignatureValue>', '<!--x--></ds:SignatureValue>'),
      'other properties in the place of those that are signed': (xml) =>
        xml.replace(/<xades:SignedProperties .*<\/xades:SignedProperties>/, (properties) => {
          const others = properties.replace(/ Id="[^"]*"/, '').replace('2026', '2016')
          return `${others}<xades:UnsignedProperties>${properties}</xades:UnsignedProperties>`
        }),
      'properties that are signed, in an object beside': (xml) =>
        xml.replace(
          /<xades:SignedProperties .*<\/xades:SignedProperties>(.*<\/ds:Object>)/,
          (properties, end: string) => {
            const own = properties.slice(0, -end.length)
            const moved = own.replace(' ', ' xmlns:xades="http://uri.etsi.org/01903/v1.3.2#" ')
            return `${own.replace(/ Id="[^"]*"/, '')}${end}<ds:Object>${moved}</ds:Object>`
          },
        ),
      'two sets of properties': (xml) =>
        xml.replace(/(<ds:Object><xades:Qual.*<\/ds:Object>)/, '$1$1'),
      'two sets of properties in one object': (xml) =>
        xml.replace(/(<xades:QualifyingProperties.*<\/xades:QualifyingProperties>)/, '$1<?p?>$1'),
      'properties of another signature': (xml) => xml.replace(/Target="#[^"]*"/, 'Target="#other"'),
      'the certificate of somebody else': (xml) => {
        const other = pki.signer('p-256', 'mallory').certificate.toString('base64')
        return xml.replace(/(<ds:X509Certificate>)[^<]+/, `$1${other}`)
      },
      'the signature in the object of another': (xml) =>
        xml.replace(
          /(<ds:Signature .*<\/ds:Signature>)/,
          `<ds:Signature xmlns:ds="${DS}"><ds:Object>$1</ds:Object></ds:Signature>`,
        ),
      'a filter that leaves out more': (xml) =>
        xml.replace(
          '<ds:Transforms>',
          '<ds:Transforms><ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116">' +
            '<ds:XPath>not(ancestor-or-self::ds:Signature or ancestor-or-self::pay)</ds:XPath></ds:Transform>',
        ),
      'a filter whose prefix means something else': (xml) =>
        xml.replace(
          '<ds:Transforms>',
          '<ds:Transforms><ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116">' +
            '<ds:XPath xmlns:x="urn:order">not(ancestor-or-self::x:Signature)</ds:XPath></ds:Transform>',
        ),
      'a style sheet': (xml) =>
        xml.replace(
          '<ds:Transforms>',
          '<ds:Transforms><ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/>',
        ),
      'a weaker hash': (xml) => xml.replace('2001/04/xmlenc#sha256', '2000/09/xmldsig#sha1'),
    }

    for (const [name, wrap] of Object.entries(WRAPPINGS)) {
      it(`does not hold with ${name}`, async () => {
        const xml = await signedPart()
        const wrapped = wrap(xml)
        assert.notEqual(wrapped, xml)
        assert.ok(isAccepted(xml))
        assert.ok(!isAccepted(wrapped))
      })
    }

    it('does not follow what it does not know, so it cannot be talked into a match', async () => {
      const unknown = [
        'an XPointer',
        'a filter that leaves out more',
        'a style sheet',
        'a weaker hash',
      ]
      for (const name of unknown) {
        const xml = WRAPPINGS[name]?.(await signedPart()) ?? ''
        const [reference] = readXades(Buffer.from(xml)).signatures[0]?.references ?? []
        assert.equal(reference?.digestMatches, null, name)
        assert.notEqual(reference.problem, null, name)
      }
    })

    it('reports what is hidden in a second signature as one that does not hold', async () => {
      const xml = await signed()
      const hidden = `<ds:Signature xmlns:ds="${DS}"><ds:Object><pay>99</pay></ds:Object></ds:Signature>`
      const { signatures, unreadable } = readXades(
        Buffer.from(xml.replace('<pay>', `${hidden}<pay>`)),
      )
      assert.equal(signatures.length, 1)
      assert.deepEqual(
        unreadable.map(({ path }) => path),
        ['/order[1]/Signature[1]'],
      )
    })

    it('refuses documents in which entities could hide something (S61)', async () => {
      const xml = await signed()
      for (const dtd of ['<!DOCTYPE order>', '<!DOCTYPE order [<!ENTITY a "10">]>']) {
        assert.throws(() => readXades(Buffer.from(dtd + xml)), UnfitDocumentError)
      }
    })

    function coverage(xml: string) {
      const [signature] = readXades(Buffer.from(xml)).signatures
      assert.equal(signature?.references[0]?.digestMatches, true)
      return signature.references[0].covers
    }
  })

  async function signed(
    envelope: 'Enveloped' | 'Detached' = 'Enveloped',
    level: 'B-B' | 'B-LTA' = 'B-B',
  ): Promise<string> {
    const parameters = { ...parametersOf(), envelope, level }
    const prepared = await new Xades().prepareDocument(Buffer.from(DOCUMENT), parameters)
    const value = pki.signer('p-256').sign(prepared.toBeSigned, ALGORITHM)
    return (await prepared.complete(value, pki)).bytes.toString()
  }

  /** A signature over one element alone, which others make and we do not. */
  async function signedPart(): Promise<string> {
    const document = DOCUMENT.replace('<pay>', '<pay Id="part">')
    const octets = withTree(document, (tree) =>
      tree.elements('//*[@Id]').map((element) => tree.canonicalElement(element, EXCLUSIVELY)),
    )
    const digest = createHash('sha256')
      .update(octets[0] ?? '')
      .digest()
    const reference = {
      ...{ uri: '#part', type: null, digest, octets: null },
      ...{ mediaType: 'text/xml', isHeld: false },
      transforms: [transform(EXCLUSIVE_CANONICALIZATION)],
    }
    const subject: Subject = {
      references: [reference],
      seed: digest,
      takenIds: new Map(),
      place: {
        ...({ encoding: 'utf-8', hasByteOrderMark: false, holdsDocument: true } as const),
        before: document.replace('</order>', ''),
        after: '</order>',
      },
      reread: (bytes) => readXades(bytes),
    }
    const prepared = prepare(subject, parametersOf())
    const value = pki.signer('p-256').sign(prepared.toBeSigned, ALGORITHM)
    const { bytes } = await prepared.complete(value, pki)
    return bytes.toString()
  }

  function parametersOf() {
    return {
      level: 'B-B' as const,
      envelope: 'Enveloped' as const,
      algorithm: ALGORITHM,
      signatory: pki.signer('p-256'),
      signingTime: new Date('2026-11-22T10:11:12Z'),
      signedProperties: [],
      referenceUri: null,
    }
  }

  /** As an application would go about it that relies on nothing but the reading. */
  function isAccepted(xml: string): boolean {
    const { signatures, unreadable } = readXades(Buffer.from(xml))
    return unreadable.length === 0 && signatures.length === 1 && signatures.every(holds)
  }

  function holds(signature: XadesSignature): boolean {
    return (
      signature.problems.length === 0 &&
      signature.propertiesAreSigned &&
      signature.references.every(({ digestMatches }) => digestMatches === true) &&
      signature.signingCertificate?.equals(pki.signer('p-256').certificate) === true &&
      valueVerifies(signature)
    )
  }

  function valueVerifies({ signedInfo, signatureValue, algorithm }: XadesSignature): boolean {
    const { publicKey } = new X509Certificate(pki.signer('p-256').certificate)
    return algorithm !== null && verify(algorithm.hash.name, signedInfo, publicKey, signatureValue)
  }

  it('agrees with xmlsec1 on what holds', async () => {
    assert.ok(xmlsecVerifies(Buffer.from(await signed()), { root: pki.read('root.pem') }))
  })
})

function exchangedDigest(xml: string, within: RegExp): string {
  return xml.replace(within, (part) => part.replace(/(DigestValue>)..../, '$1AAAA'))
}
