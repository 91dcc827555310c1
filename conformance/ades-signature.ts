import { createHash, verify, type KeyObject, type X509Certificate } from 'node:crypto'
import { inflateSync } from 'node:zlib'
import { fromBER, OctetString, type AsnType } from 'asn1js'
import { Certificate, ContentInfo, SignedData, type Attribute } from 'pkijs'
import { isBase64, RSA_PSS, type Algorithm, type Document } from './algorithms.js'
import { parse, type Json } from './exchange.js'
import { demand, same } from './expectations.js'
import { NotMet } from './outcome.js'
import { TimeStampToken } from './time-stamp-token.js'
import { readXmlSignature } from './xml-signature.js'

const MESSAGE_DIGEST = '1.2.840.113549.1.9.4'
const SIGNING_CERTIFICATE_V2 = '1.2.840.113549.1.9.16.2.47'
const SIGNATURE_TIMESTAMP = '1.2.840.113549.1.9.16.2.14'
const REVOCATION_VALUES = '1.2.840.113549.1.9.16.2.24'
/** archive-time-stamp-v3 and the one before it (ETSI EN 319 122-1 §5.5.3, RFC 5126 §6.4.1). */
const ARCHIVE_TIMESTAMPS = ['0.4.0.1733.2.4', '1.2.840.113549.1.9.16.2.48']

/** How and by whom a signature was asked for. */
export interface Expected {
  readonly document: Document
  readonly certificate: X509Certificate
  readonly algorithm: Algorithm
  /** A digest alone was sent, so that the signature is apart from what it is over. */
  readonly byDigest?: boolean
}

/** What a signature turns out to have, beyond that it verifies. */
export interface Found {
  /** Whether it holds, or is part of, what was signed. */
  readonly holdsDocument: boolean
  readonly hasTimestamp: boolean
  /** Of level B-LT. */
  readonly hasRevocationData: boolean
  /** Of level B-LTA. */
  readonly hasArchiveTimestamp: boolean
}

/** Reads and verifies a signature of a format, given as it came. @throws {NotMet} */
export function verifyAdes(format: string, base64: string, expected: Expected): Found {
  demand(isBase64(base64), 'the signature is not plain Base64')
  const bytes = Buffer.from(base64, 'base64')
  switch (format) {
    case 'C':
      return verifyCms(bytes, expected)
    case 'P':
      return expected.byDigest ? verifyCms(bytes, expected) : verifyPdf(bytes, expected)
    case 'J':
      return verifyJws(bytes, expected)
    default:
      return verifyXml(bytes, expected)
  }
}

/** @param covered digest the signature has to be over; of the document unless something else is said */
export function verifyCms(der: Buffer, expected: Expected, covered?: Buffer): Found {
  const { document, certificate, algorithm } = expected
  const signed = readSignedData(der)
  const [signer, another] = signed.signerInfos
  demand(signer !== undefined && !another, 'the CMS has not exactly one signer')
  const attributes = signer.signedAttrs
  demand(attributes !== undefined, 'nothing but the document is signed: no CAdES')
  const digest = octetsOf(attributes.attributes, MESSAGE_DIGEST)
  demand(digest?.equals(covered ?? document.digest) ?? false, 'it is over another digest')
  demand(has(attributes.attributes, SIGNING_CERTIFICATE_V2), 'it does not name its certificate')
  const carried = (signed.certificates ?? []).filter((each) => each instanceof Certificate)
  demand(
    carried.some((each) => Buffer.from(each.toSchema().toBER()).equals(certificate.raw)),
    'the certificate of the credential is not in it',
  )
  // Signed as SET OF, carried as [0] (RFC 5652, 5.4).
  const toBeSigned = Buffer.from(attributes.encodedValue)
  toBeSigned[0] = 0x31
  demandSigned(toBeSigned, Buffer.from(signer.signature.getValue()), expected, algorithm)
  const { eContent } = signed.encapContentInfo
  if (eContent instanceof OctetString) {
    const content = Buffer.from(eContent.getValue())
    demand(content.equals(document.bytes), 'it holds something else than the document')
  }
  const unsigned = signer.unsignedAttrs?.attributes ?? []
  rejectForeignTimestamps(unsigned, Buffer.from(signer.signature.getValue()))
  return {
    holdsDocument: eContent !== undefined,
    hasTimestamp: has(unsigned, SIGNATURE_TIMESTAMP),
    hasRevocationData: signed.crls !== undefined || has(unsigned, REVOCATION_VALUES),
    hasArchiveTimestamp: ARCHIVE_TIMESTAMPS.some((oid) => has(unsigned, oid)),
  }
}

/** A timestamp of a signature is over its value (RFC 5126 §6.1.1). */
function rejectForeignTimestamps(unsigned: readonly Attribute[], value: Buffer): void {
  const stamps = unsigned.filter(({ type }) => type === SIGNATURE_TIMESTAMP)
  const tokens = stamps.flatMap(({ values }) => values as AsnType[])
  rejectForeignTokens(
    tokens.map((token) => Buffer.from(token.toBER())),
    value,
  )
}

function rejectForeignTokens(tokens: readonly Buffer[], value: Buffer): void {
  for (const token of tokens) {
    const { digest, hashName } = TimeStampToken.read(token)
    const isOver = createHash(hashName).update(value).digest().equals(digest)
    demand(isOver, 'its timestamp is over something else than the signature')
  }
}

function readSignedData(der: Buffer): SignedData {
  try {
    const outer = new ContentInfo({ schema: fromBER(trimmed(der)).result })
    return new SignedData({ schema: outer.content as unknown })
  } catch {
    throw new NotMet('it is no CMS SignedData')
  }
}

/** A PDF leaves more room for the CMS than it takes. */
function trimmed(der: Buffer): Buffer {
  const { offset } = fromBER(der)
  return offset > 0 ? der.subarray(0, offset) : der
}

function has(attributes: readonly Attribute[], oid: string): boolean {
  return attributes.some(({ type }) => type === oid)
}

function octetsOf(attributes: readonly Attribute[], oid: string): Buffer | null {
  const [value] = (attributes.find(({ type }) => type === oid)?.values ?? []) as unknown[]
  return value instanceof OctetString ? Buffer.from(value.getValue()) : null
}

/** The last signature: its range covers all of the file but itself, and the document is how it begins. */
function verifyPdf(file: Buffer, expected: Expected): Found {
  const { bytes } = expected.document
  demand(file.subarray(0, bytes.length).equals(bytes), 'the document was changed, not appended to')
  return verifyLastOfPdf(file, expected)
}

/** Puts a CMS into the place that a PDF has for it, and verifies the whole. @throws {NotMet} */
export function verifyInPlace(base64: string, expected: Expected): Found {
  const { bytes } = expected.document
  const hex = Buffer.from(base64, 'base64').toString('hex')
  const start = bytes.indexOf(`<${'0'.repeat(hex.length)}`)
  demand(start > 0, 'the CMS is larger than 16 kB')
  const file = Buffer.from(bytes)
  file.write(hex, start + 1, 'latin1')
  return verifyLastOfPdf(file, expected)
}

function verifyLastOfPdf(file: Buffer, expected: Expected): Found {
  const text = file.toString('latin1')
  const range = [...text.matchAll(/\/ByteRange\s*\[\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s*\]/g)]
    .map((found) => found.slice(1, 5).map(Number))
    .find(([, , start = 0, length = 0]) => start + length <= file.length)
  demand(range !== undefined, 'the PDF has no ByteRange')
  const [from = 0, first = 0, second = 0, length = 0] = range
  demand(from === 0 && first < second, 'the ByteRange does not begin with the file')
  const hex = text.slice(first + 1, second - 1)
  demand(/^[0-9a-f]+$/i.test(hex), 'between the ranges is something else than the signature')
  const hash = createHash(expected.document.hash.name)
  hash.update(file.subarray(0, first)).update(file.subarray(second, second + length))
  const found = verifyCms(Buffer.from(hex, 'hex'), expected, hash.digest())
  // Timestamps over the whole document may follow; else the signature is the last word.
  const more = text.slice(second + length).includes('/DocTimeStamp') || text.includes('/DSS')
  demand(second + length === file.length || more, 'it does not cover the end of the file')
  const all = withStreams(file)
  return {
    ...found,
    holdsDocument: true,
    hasRevocationData: /\/DSS\b/.test(all) && /\/(OCSPs|CRLs)\b/.test(all),
    hasArchiveTimestamp: /\/DocTimeStamp\b/.test(all),
  }
}

/** The text of a PDF, with that of the objects it has compressed (ISO 32000-1 §7.5.7). */
function withStreams(file: Buffer): string {
  const text = file.toString('latin1')
  const packed = [...text.matchAll(/\/ObjStm\b[^]{0,400}?stream\r?\n/g)].map(
    ({ 0: head, index }) => {
      try {
        return inflateSync(file.subarray(index + head.length)).toString('latin1')
      } catch {
        return ''
      }
    },
  )
  return [text, ...packed].join('\n')
}

interface GeneralJws {
  readonly payload?: string
  readonly protected?: string
  readonly signature?: string
  readonly header?: Json
  readonly signatures?: readonly GeneralJws[]
}

function verifyJws(bytes: Buffer, expected: Expected): Found {
  const jws = readJws(bytes.toString('utf8'))
  const { payload = '', protected: encoded = '', signature = '', header: unprotected = {} } = jws
  const header = parse(Buffer.from(encoded, 'base64url').toString()) as Json | null
  demand(header !== null, 'its protected header is no JSON')
  const { document, certificate, algorithm } = expected
  const names = ['x5t#S256', 'x5t#o', 'x5c', 'sigX5ts']
  demand(
    names.some((name) => name in header),
    'it does not name its certificate',
  )
  const [leaf] = (header['x5c'] ?? []) as readonly string[]
  if (leaf !== undefined) same(leaf, certificate.raw.toString('base64'), 'the first of x5c')
  const sigD = header['sigD'] as { readonly hashV?: readonly string[] } | undefined
  const content = Buffer.from(payload, 'base64url')
  if (expected.byDigest) {
    demand(payload === '', 'there is a payload')
    same(sigD?.hashV, [document.base64url], 'hashV of sigD')
  } else if (payload !== '') {
    const held = header['b64'] === false ? Buffer.from(payload) : content
    demand(held.equals(document.bytes), 'it holds something else than the document')
  }
  const signed = payload === '' && !sigD ? document.bytes.toString('base64url') : payload
  const toBeSigned = Buffer.from(`${encoded}.${signed}`)
  demandSigned(toBeSigned, Buffer.from(signature, 'base64url'), expected, algorithm, 'ieee-p1363')
  const components = componentsOf(unprotected)
  const unsigned = components.flatMap((each) => Object.keys(each))
  const stamps = components.flatMap(({ sigTst }) => tokensOf(sigTst))
  rejectForeignTokens(stamps, Buffer.from(signature))
  return {
    holdsDocument: payload !== '',
    hasTimestamp: unsigned.includes('sigTst'),
    hasRevocationData: unsigned.some((name) => /^(rVals|anyValData|tstVD)$/.test(name)),
    hasArchiveTimestamp: unsigned.includes('arcTst'),
  }
}

/** Of the components of `etsiU`, each an object or the base64url of one (ETSI TS 119 182-1 §5.3.1). */
function componentsOf({ etsiU }: Json): Json[] {
  if (!Array.isArray(etsiU)) return []
  return etsiU.map((each: unknown) => {
    const component =
      typeof each === 'string' ? parse(Buffer.from(each, 'base64url').toString()) : each
    return (component ?? {}) as Json
  })
}

/** Of `sigTst`, which are over the signature as it is written (ETSI TS 119 182-1 §5.3.4). */
function tokensOf(sigTst: unknown): Buffer[] {
  const { tstTokens = [] } = (sigTst ?? {}) as { tstTokens?: readonly { val?: string }[] }
  return tstTokens.map(({ val = '' }) => Buffer.from(val, 'base64'))
}

function readJws(text: string): GeneralJws {
  if (!text.startsWith('{')) {
    const [encoded = '', payload = '', signature = ''] = text.split('.')
    return { protected: encoded, payload, signature }
  }
  const json = parse(text) as GeneralJws | null
  demand(json !== null, 'it is no JWS')
  const [only] = json.signatures ?? []
  return only ? { ...only, ...(json.payload === undefined ? {} : { payload: json.payload }) } : json
}

function verifyXml(xml: Buffer, expected: Expected): Found {
  const { document, certificate, algorithm } = expected
  const signature = readXmlSignature(xml)
  const { toBeSigned, value, content, digest, certificates } = signature
  const { hasTimestamp, hasRevocationData, hasArchiveTimestamp } = signature
  const own = certificates.some((each) => each.equals(certificate.raw))
  demand(own, 'the certificate of the credential is not in it')
  demand(signature.namesCertificate, 'it does not name its certificate')
  demandSigned(toBeSigned, value, expected, algorithm, 'ieee-p1363')
  if (content === null) demand(digest.equals(document.digest), 'it is over another digest')
  else {
    demand(!expected.byDigest, 'it holds something, and a digest alone was sent')
    const forms = [document.bytes, Buffer.from(document.bytes.toString('base64'))]
    const holds = forms.some((form) => content.includes(form))
    demand(holds, 'it is over something else than the document')
  }
  const holdsDocument = content !== null
  return { holdsDocument, hasTimestamp, hasRevocationData, hasArchiveTimestamp }
}

function demandSigned(
  toBeSigned: Buffer,
  value: Buffer,
  { document, certificate }: Expected,
  { signAlgo }: Algorithm,
  dsaEncoding: 'der' | 'ieee-p1363' = 'der',
): void {
  const key: KeyObject = certificate.publicKey
  const pss = { padding: 6, saltLength: document.hash.bytes }
  const options = { key, dsaEncoding, ...(signAlgo === RSA_PSS ? pss : {}) }
  demand(
    verify(document.hash.name, toBeSigned, options, value),
    'the signature does not verify under the certificate',
  )
}
