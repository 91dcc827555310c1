import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { derToJose } from 'ecdsa-sig-formatter'
import type {
  AdesFormat,
  ConformanceLevel,
  EnvelopeProperty,
  SignatureParameters,
} from '../../src/documents/ades.js'
import { Asic } from '../../src/documents/asic/asic.js'
import { CadesSigner } from '../../src/documents/asic/cades-signer.js'
import { XadesSigner } from '../../src/documents/asic/xades-signer.js'
import { Cades } from '../../src/documents/cades/cades.js'
import { Jades } from '../../src/documents/jades/jades.js'
import { Pades } from '../../src/documents/pades/pades.js'
import { Xades } from '../../src/documents/xades/xades.js'
import {
  HASH_ALGORITHMS,
  type KeyAlgorithm,
  type SignatureAlgorithm,
} from '../../src/keys/algorithms.js'
import { SigningPki } from '../support/signing-pki.js'
import { writtenPdf } from '../support/written-pdf.js'
import { content, examined, explained, remembering, verdicts } from './examined.js'

const ECDSA: SignatureAlgorithm = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 }
const TEXT = Buffer.from('I owe you ten euros.\n')
const XML = Buffer.from('<debt xmlns="urn:debt"><owed>ten euros</owed></debt>')
const PDF = writtenPdf({ pages: ['I owe you ten euros.'] })
const LEVELS: readonly ConformanceLevel[] = ['B-B', 'B-T', 'B-LT', 'B-LTA']

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const nextLetter = (letter: string) => LETTERS[LETTERS.indexOf(letter) + 1] ?? ''

interface Kind {
  readonly name: string
  readonly ades: AdesFormat
  readonly document: Buffer
  readonly envelope: EnvelopeProperty
  readonly levels: readonly ConformanceLevel[]
  readonly format: string
}

describe('Verification of every format', () => {
  const pades = new Pades()
  let pki: SigningPki
  let sources: ReturnType<typeof remembering>
  before(() => {
    pki = new SigningPki()
    sources = remembering(pki)
  })
  // The threads of PAdES end with the process.
  after(() => pki.close())

  const kind = (
    name: string,
    ades: AdesFormat,
    envelope: EnvelopeProperty,
    document: Buffer,
    levels: readonly ConformanceLevel[],
    format: string,
  ): Kind => ({ name, ades, document, envelope, levels, format })
  const LTA = ['B-LTA'] as const
  const kinds: readonly Kind[] = [
    kind('CAdES, attached', new Cades(), 'Attached', TEXT, LEVELS, 'CAdES'),
    kind('CAdES, detached', new Cades(), 'Detached', TEXT, LTA, 'CAdES'),
    kind('PAdES', pades, 'Revision', PDF, LEVELS, 'PAdES'),
    kind('PAdES, certifying', pades, 'Certification', PDF, LTA, 'PAdES'),
    kind('XAdES, enveloped', new Xades(), 'Enveloped', XML, LEVELS, 'XAdES'),
    kind('XAdES, enveloping', new Xades(), 'Enveloping', TEXT, LTA, 'XAdES'),
    kind('XAdES, detached', new Xades(), 'Detached', TEXT, LTA, 'XAdES'),
    kind('JAdES, attached', new Jades(), 'Attached', TEXT, LEVELS, 'JAdES'),
    kind('JAdES, detached', new Jades(), 'Detached', TEXT, LTA, 'JAdES'),
    kind(
      'ASiC-E with CAdES',
      new Asic(new CadesSigner(), 'ASiC-E'),
      'Detached',
      TEXT,
      LTA,
      'CAdES',
    ),
    kind(
      'ASiC-S with CAdES',
      new Asic(new CadesSigner(), 'ASiC-S'),
      'Detached',
      TEXT,
      LTA,
      'CAdES',
    ),
    kind(
      'ASiC-E with XAdES',
      new Asic(new XadesSigner(), 'ASiC-E'),
      'Detached',
      TEXT,
      LTA,
      'XAdES',
    ),
    kind(
      'ASiC-S with XAdES',
      new Asic(new XadesSigner(), 'ASiC-S'),
      'Detached',
      TEXT,
      LTA,
      'XAdES',
    ),
  ]

  async function sign(
    { ades, document, envelope }: Pick<Kind, 'ades' | 'document' | 'envelope'>,
    more: Partial<SignatureParameters> = {},
    key: KeyAlgorithm = 'p-256',
  ): Promise<Buffer> {
    const signatory = pki.signer(key)
    const prepared = await ades.prepareDocument(document, {
      ...{ level: 'B-B', envelope, algorithm: ECDSA, signatory, signedProperties: [] },
      ...{ signingTime: new Date(), referenceUri: null },
      ...more,
    })
    const value = signatory.sign(prepared.toBeSigned, more.algorithm ?? ECDSA)
    return (await prepared.complete(value, sources)).bytes
  }

  const isDetached = ({ ades, envelope }: Kind) =>
    envelope === 'Detached' && !(ades instanceof Asic)

  for (const each of kinds) {
    for (const level of each.levels) {
      it(`passes ${each.name} at ${level}, and says so`, async () => {
        const signed = await sign(each, { level })
        const material = await sources.validationData([pki.signer('p-256').certificate, TSA()])
        const report = await examined(signed, [pki.root], {
          contents: isDetached(each) ? [content(each.document)] : [],
          // Below LT a signature does not bring along what proves it.
          ...(level === 'B-B' || level === 'B-T' ? { material } : {}),
        })
        assert.deepEqual(verdicts(report), ['TOTAL-PASSED'], explained(report))
        assert.equal(report.indication, 'TOTAL-PASSED', explained(report))
        const [signature] = report.signatures
        assert.equal(signature?.format, each.format)
        assert.equal(signature.level, level)
        assert.equal(signature.bestSignatureTime !== null, level !== 'B-B')
        assert.equal(signature.signer?.subject, 'CN=signer p-256,O=Test,C=DE')
        assert.equal(signature.chain.at(-1)?.trustAnchor, true)
      })
    }
  }

  const TSA = () => Buffer.from(new X509Certificate(pki.read('tsa.pem')).raw)

  const algorithms: readonly [KeyAlgorithm, SignatureAlgorithm][] = [
    ['p-384', { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha384 }],
    ['p-521', { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha512 }],
    ['rsa-2048', { scheme: 'rsa-pkcs1', hash: HASH_ALGORITHMS.sha256 }],
    ['rsa-2048', { scheme: 'rsa-pss', hash: HASH_ALGORITHMS.sha512, saltLength: 64 }],
  ]
  for (const [key, algorithm] of algorithms) {
    it(`passes ${algorithm.scheme} with ${algorithm.hash.name} in all formats`, async () => {
      const material = await sources.validationData([pki.signer(key).certificate])
      for (const each of kinds.filter(({ levels }) => levels === LEVELS)) {
        const signed = await sign(each, { algorithm, signatory: pki.signer(key) }, key)
        const report = await examined(signed, [pki.root], { material })
        assert.deepEqual(verdicts(report), ['TOTAL-PASSED'], explained(report))
      }
    })
  }

  for (const each of kinds.filter(isKept)) {
    it(`fails ${each.name} when its content, value, certificate or timestamp is touched`, async () => {
      const signed = await sign(each, { level: 'B-LTA' })
      for (const [what, at] of regions(signed, each)) {
        const tampered = Buffer.from(signed)
        tampered[at] = otherCharacter(tampered[at] ?? 0)
        const report = await examined(tampered, [pki.root], {
          contents: isDetached(each) ? [content(each.document)] : [],
        })
        assert.notEqual(report.indication, 'TOTAL-PASSED', `${what}: ${explained(report)}`)
      }
    })
  }

  for (const each of kinds.filter(isDetached)) {
    it(`fails ${each.name} over another document, and decides nothing without one`, async () => {
      const signed = await sign(each)
      const material = await sources.validationData([pki.signer('p-256').certificate])
      const other = content(Buffer.from('I owe you a million euros.\n'))
      const wrong = await examined(signed, [pki.root], { material, contents: [other] })
      assert.deepEqual(verdicts(wrong), ['TOTAL-FAILED/HASH_FAILURE: content-changed'])
      const without = await examined(signed, [pki.root], { material })
      assert.deepEqual(verdicts(without), ['INDETERMINATE/SIGNED_DATA_NOT_FOUND: content-missing'])
    })
  }

  it('fails an attached signature that is shown beside another document', async () => {
    const material = await sources.validationData([pki.signer('p-256').certificate])
    for (const ades of [new Cades(), new Jades()]) {
      const signed = await sign({ ades, document: TEXT, envelope: 'Attached' })
      const contents = [content(Buffer.from('I owe you a million euros.\n'))]
      const report = await examined(signed, [pki.root], { material, contents })
      assert.equal(report.signatures[0]?.subIndication, 'HASH_FAILURE')
    }
  })

  it('does not decide about content that nothing in the document is over', async () => {
    const material = await sources.validationData([pki.signer('p-256').certificate])
    const contents = [content(Buffer.from('I owe you a million euros.\n'), 'debt.txt')]
    for (const each of kinds.filter((kind) => !isDetached(kind))) {
      if (each.envelope === 'Attached') continue
      const report = await examined(await sign(each), [pki.root], { material, contents })
      assert.equal(report.indication, 'INDETERMINATE', each.name)
      const found = report.findings.find(({ code }) => code === 'content-not-signed')
      assert.equal(found?.about, 'debt.txt')
    }
    const [detached] = kinds.filter((kind) => isDetached(kind) && kind.ades instanceof Xades)
    assert.ok(detached)
    const signed = await sign(detached, { referenceUri: 'ours.txt' })
    const ours = content(detached.document, 'ours.txt')
    const alone = await examined(signed, [pki.root], { material, contents: [ours] })
    assert.equal(alone.indication, 'TOTAL-PASSED', explained(alone))
    const both = await examined(signed, [pki.root], { material, contents: [ours, ...contents] })
    assert.equal(both.indication, 'INDETERMINATE')
  })

  it('says that what stands around a signature in XML is not signed', async () => {
    const material = await sources.validationData([pki.signer('p-256').certificate])
    for (const envelope of ['Enveloping', 'Detached'] as const) {
      const signed = await sign({ ades: new Xades(), document: XML, envelope })
      const alone = signed.toString().replace(/^<\?xml[^>]*>\s*/, '')
      const within = Buffer.from(`<contract>I owe you a million euros. ${alone}</contract>`)
      const contents = envelope === 'Detached' ? [content(XML)] : []
      for (const [document, isSaid] of [
        [signed, false],
        [within, true],
      ] as const) {
        const report = await examined(document, [pki.root], { material, contents })
        const codes = report.signatures[0]?.findings.map(({ code }) => code)
        assert.equal(codes?.includes('part-signed'), isSaid, `${envelope} ${explained(report)}`)
      }
    }
  })

  it('says that what was put into a signature in XML beside what is signed is not signed', async () => {
    const material = await sources.validationData([pki.signer('p-256').certificate])
    for (const envelope of ['Enveloped', 'Enveloping', 'Detached'] as const) {
      const signed = await sign({ ades: new Xades(), document: XML, envelope })
      const contents = envelope === 'Detached' ? [content(XML)] : []
      for (const [added, isSaid] of [
        ['', false],
        ['<ds:Object></ds:Object>', false],
        ['<ds:Object>I owe you a million euros.</ds:Object>', true],
        ['<ds:Object Id="debt"><debt>1000000</debt></ds:Object>', true],
      ] as const) {
        const document = Buffer.from(
          signed.toString().replace('</ds:Signature>', `${added}</ds:Signature>`),
        )
        const report = await examined(document, [pki.root], { material, contents })
        assert.equal(report.indication, 'TOTAL-PASSED', explained(report))
        const about = report.signatures[0]?.findings
          .filter(({ code }) => code === 'part-signed')
          .map(({ about }) => about.replace(/^.*\//, ''))
        assert.deepEqual(about, isSaid ? ['Object'] : [], `${envelope} ${added}`)
      }
    }
  })

  it('reads no JWS that says something twice, nor passes one with more signatures than it reads', async () => {
    const material = await sources.validationData([pki.signer('p-256').certificate])
    const signed = await sign({ ades: new Jades(), document: TEXT, envelope: 'Attached' })
    const jws = signed.toString()
    const { payload, ...one } = JSON.parse(jws) as Record<string, string>
    const passed = await examined(signed, [pki.root], { material })
    assert.equal(passed.indication, 'TOTAL-PASSED', explained(passed))
    const other = Buffer.from('I owe you a million euros.\n').toString('base64url')
    for (const name of ['payload', 'p\\u0061yload']) {
      const twice = Buffer.from(jws.replace('{', `{"${name}":"${other}",`))
      const { indication } = await examined(twice, [pki.root], { material })
      assert.equal(indication, 'TOTAL-FAILED')
    }
    const signatures = Array.from({ length: 51 }, () => one)
    const many = Buffer.from(JSON.stringify({ payload, signatures }))
    const { indication } = await examined(many, [pki.root], { material })
    assert.equal(indication, 'INDETERMINATE')
  })

  it('passes no JWS with a header that readers take in several ways, nor a value written in two', async () => {
    const signer = pki.signer('p-256')
    const { certificate } = signer
    const material = await sources.validationData([certificate])
    const passing = { alg: 'ES256', x5c: [certificate.toString('base64')] }
    const verdictOf = async (header: object, respelt = (value: string) => value) => {
      const input = [JSON.stringify(header), TEXT].map((each) =>
        Buffer.from(each).toString('base64url'),
      )
      const value = derToJose(signer.sign(Buffer.from(input.join('.')), ECDSA), 'ES256')
      const jws = Buffer.from([...input, respelt(value)].join('.'))
      return verdicts(await examined(jws, [pki.root], { material })).join()
    }
    assert.equal(await verdictOf(passing), 'TOTAL-PASSED')
    const notUnderstood = 'TOTAL-FAILED/FORMAT_FAILURE: header-not-understood'
    for (const more of [
      { crit: [] },
      { crit: 'b64' },
      { crit: ['b64'] },
      { crit: ['exp'], exp: 1 },
      { b64: false },
      { b64: 'no', crit: ['b64'] },
    ]) {
      assert.equal(await verdictOf({ ...passing, ...more }), notUnderstood, JSON.stringify(more))
    }
    // The last letter of 64 octets holds four bits more than are used.
    const respelt = (value: string) => value.slice(0, -1) + nextLetter(value.at(-1) ?? '')
    const broken = 'TOTAL-FAILED/SIG_CRYPTO_FAILURE: signature-broken'
    assert.equal(await verdictOf(passing, respelt), broken)
  })

  it('takes a digest in place of the document', async () => {
    const material = await sources.validationData([pki.signer('p-256').certificate])
    const digests = new Map([['sha256', createHash('sha256').update(TEXT).digest()]])
    for (const each of kinds.filter(isDetached)) {
      const signed = await sign(each)
      const contents = [{ name: null, bytes: null, digests }]
      const report = await examined(signed, [pki.root], { material, contents })
      assert.deepEqual(verdicts(report), ['TOTAL-PASSED'], `${each.name} ${explained(report)}`)
    }
  })

  it('reads a timestamp by itself, as a token or a response, over what it is over', async () => {
    const digest = createHash('sha256').update(TEXT).digest()
    const token = await pki.timestamp(digest, HASH_ALGORITHMS.sha256)
    const material = await sources.validationData([TSA()])
    const good = await examined(token, [pki.root], { material, contents: [content(TEXT)] })
    assert.equal(good.indication, 'TOTAL-PASSED', explained(good))
    assert.equal(good.document.format, 'timestamp')
    const bad = await examined(token, [pki.root], { material, contents: [content(XML)] })
    assert.equal(bad.timestamps[0]?.subIndication, 'HASH_FAILURE')
  })

  it('reads what openssl cms makes: armoured, with signed attributes and without', async () => {
    const material = await sources.validationData([pki.signer('p-256').certificate])
    for (const options of [['-cades'], [], ['-noattr']]) {
      const der = pki.opensslSign(TEXT, 'signer-p-256', [...options, '-certfile', 'chain.pem'])
      const pem = `-----BEGIN CMS-----\n${der.toString('base64')}\n-----END CMS-----\n`
      const report = await examined(Buffer.from(pem), [pki.root], { material })
      assert.deepEqual(verdicts(report), ['TOTAL-PASSED'], explained(report))
      assert.equal(report.signatures[0]?.format, options[0] === '-cades' ? 'CAdES' : 'CMS')
    }
  })
})

function isKept({ name }: { name: string }): boolean {
  return !/ASiC-S|certifying|enveloping/.test(name)
}

/** Base64 and hexadecimal have to stay what they are, so that it is not their syntax that fails. */
function otherCharacter(byte: number): number {
  const character = String.fromCharCode(byte)
  if (/[0-8b-yB-Y]/.test(character)) return byte + 1
  return byte ^ 1
}

/** Where to touch: the content, and the middle of everything that is encoded in the signature. */
function regions(signed: Buffer, { document, ades }: Kind): [string, number][] {
  const found: [string, number][] = []
  const inner = signed.indexOf('ten euros')
  if (inner >= 0) found.push(['content', inner + 1])
  const base64 = document.toString('base64url')
  const payload = signed.indexOf(base64.slice(0, 20))
  if (payload >= 0) found.push(['payload', payload + 4])
  // Every so often through the rest, which is signature for the most part.
  if (!(ades instanceof Asic) && !(ades instanceof Pades)) {
    const members = ['SignatureValue>', 'DigestValue>', '"signature":"', '"protected":"']
    for (const member of members) {
      const at = signed.indexOf(member)
      if (at >= 0) found.push([member, at + member.length + 10])
    }
  }
  if (ades instanceof Pades) {
    const contents = signed.indexOf('/Contents <3')
    for (const step of [60, 400, 1200, 2400, 3600]) found.push([`CMS ${step}`, contents + step])
    found.push(['header', 6], ['page', signed.indexOf('/MediaBox') + 2])
  }
  if (ades instanceof Cades) {
    for (let at = 30; at < signed.length; at += Math.floor(signed.length / 8)) {
      if (at < signed.length / 2) found.push([`byte ${at}`, at])
    }
  }
  if (ades instanceof Asic) {
    for (const [from, to] of zipped(signed)) found.push([`file at ${from}`, (from + to) >> 1])
  }
  return found
}

/**
 * Where the bytes of each file in an archive begin and end. Of the last timestamp, most bytes are certificates
 * that nothing protects and nobody needs.
 */
function zipped(archive: Buffer): [number, number][] {
  const files: [number, number][] = []
  const directory = archive.indexOf('PK\x01\x02')
  for (let at = 0; at >= 0 && at < directory;) {
    const nameLength = archive.readUInt16LE(at + 26)
    const name = archive.toString('latin1', at + 30, at + 30 + nameLength)
    const from = at + 30 + nameLength + archive.readUInt16LE(at + 28)
    const next = archive.indexOf('PK\x03\x04', at + 4)
    const to = next < 0 ? directory : next
    if (to > from + 40 && !name.endsWith('.tst')) files.push([from, to])
    at = next
  }
  return files.slice(1)
}
